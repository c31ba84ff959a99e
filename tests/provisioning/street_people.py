"""What people do on the street: every verb of rules.md section 5, and what it does to tokens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts import resettling, tenants
from accounts.authentication import actor_of
from accounts.models import Account
from accounts.scope import Actor
from devices import appearances, exposing, extensions, settings_tree
from devices.models import Device
from provisioning import (
    approvals,
    clones,
    entering,
    locking,
    moving,
    policies,
    retiring,
    sites,
    suspicion,
    swapping,
    taking_back,
    tokens,
    unlock_all,
    windows,
)
from provisioning.gate import State, TokenKind
from provisioning.models import Approval, Token, Window
from provisioning.spans import Span
from security import bans
from security.models import Ban
from security.networks import origin_of, show_address
from tests.cast import at
from tests.provisioning.street import FAMILY, MACS, MODEL, YARD, Street
from tests.provisioning.token_ledger import DAY
from tests.tree import user_of

ACME, GLOBEX, HARBOUR, VALLEY = "acme", "globex", "harbour", "valley"
MANAGER, RESELLER, SUPPORT, OWNER = "manager", "reseller", "support", "owner"
NO_PHONE = "no phone"
DENIED_TIME = 30 * DAY


class StreetWithPeople(Street):
    """The street and the people who have a say in it."""

    def account(self, slug: str) -> Account:
        return Account.objects.get(slug=slug)

    def person(self, who: str, account: Account, address: int | None = None) -> Actor:
        """Somebody who has to do with this account, with the powers that he has now."""
        tree, cast = self.cast.tree, self.cast
        below_harbour = account.path.startswith(self.account(HARBOUR).path)
        people = {
            MANAGER: tree.ana if account.pk == tree.acme.pk else tree.eve,
            RESELLER: tree.rita if below_harbour else cast.val,
            SUPPORT: tree.support,
            OWNER: tree.ben,
        }
        actor = actor_of(user_of(people[who]))
        return actor if address is None else at(actor, show_address(address))

    def _to_phone(self, who: str, work: Callable[[Device, Actor], Any], address: int | None = None) -> str:
        """Have somebody do something to Ben's phone, if there is one."""
        phone = self.phone
        if phone is None:
            return NO_PHONE
        return self.verb(lambda: work(phone, self.person(who, phone.account, address)))

    # --- the lock ------------------------------------------------------------------------------------------

    def unlock(self, who: str, span: Any, place: int | None, presence: int | None) -> str:
        origin = None if place is None else origin_of(place)
        length = None if span is None else Span.parse(span)
        return self._to_phone(
            who, lambda phone, by: locking.unlock(phone, by=by, span=length, origin=origin), presence
        )

    def allow_reprovision(self, who: str) -> str:
        return self._to_phone(who, lambda phone, by: locking.allow_reprovision(phone, by=by))

    def unlock_everything(self, span: Any) -> str:
        return self._to_phone(
            MANAGER, lambda phone, by: unlock_all.start(phone.account, by=by, span=Span.parse(span))
        )

    def lock_again(self) -> str:
        return self._to_phone(MANAGER, lambda phone, by: locking.lock_again(phone, by=by))

    def rearm(self, who: str, days_ahead: int | None) -> str:
        phone = self.phone
        retired = phone is not None and phone.lock.state == State.RETIRED.value
        day = None if days_ahead is None else timezone.now().date() + timedelta(days=days_ahead)
        said = self._to_phone(who, lambda phone, by: locking.rearm(phone, by=by, ship_on=day))
        if retired and said == "done" and phone is not None:
            self.ledger.end_all(phone.pk)
        return said

    def quarantine(self) -> str:
        return self._to_phone(MANAGER, lambda phone, by: locking.quarantine(phone, by=by, reason="odd"))

    def release(self, who: str, span: Any, place: int | None) -> str:
        origin = None if place is None else origin_of(place)
        unlock = None if span is None else Span.parse(span)
        said = self._to_phone(
            who,
            lambda phone, by: suspicion.release(phone, by=by, reason="Seen to", unlock=unlock, origin=origin),
        )
        if said == "done" and (phone := self.phone) is not None:
            self.quarantined.discard(phone.mac)
            self.suspected.pop(phone.mac, None)
        return said

    # --- what came first was wrong -------------------------------------------------------------------------

    def take_back(self, number: int | None) -> str:
        """E16, from the claim that is offered or another one."""
        phone = self.phone
        if phone is None:
            return NO_PHONE
        choices = taking_back.choices(phone)
        claim = choices[number % len(choices)] if choices and number is not None else None
        first = claim or taking_back.offered(phone)
        said = self._to_phone(MANAGER, lambda phone, by: taking_back.take_back(phone, by=by, claim=claim))
        if said == "done":
            assert first is not None
            self._taken_back(phone.pk, first.pk)
        return said

    def answer_clone(self, decision: str) -> str:
        """T3's three buttons."""
        phone = self.phone
        if phone is None:
            return NO_PHONE
        suspected = self.ledger.suspected(phone.pk, self.now)
        said = self._to_phone(MANAGER, lambda phone, by: clones.answer(phone, by=by, decision=decision))
        if said == "done":
            assert suspected is not None, "nobody has used a former token"
            if decision == clones.TAKE_BACK:
                first = self.ledger.first_after(suspected)
                assert first is not None
                self._taken_back(phone.pk, first)
                assert self.ledger.current(phone.pk) is suspected, "the former token is the current one again"
            else:
                self.ledger.answered(phone.pk)
        return said

    def _taken_back(self, pk: int, first: int) -> None:
        now = self.now
        main = [given for given in self.ledger.of(pk) if not given.entry and given.claim >= first]
        rows = Token.objects.filter(device=pk, kind=TokenKind.CURRENT.value)
        self.ledger.take_back(pk, first, now=now, current={tokens.text_of(row) for row in rows})
        # It was not the phone that proved itself where an undone claim came from.
        proved, home = self.proved.get(pk, {}), self.seen().home[pk]
        since = min(given.at for given in main)
        for given in main:
            bound_again = any(network.holds(given.to) for network in home)
            if not bound_again and proved.get(given.to, 0.0) >= since:
                del proved[given.to]
            if not bound_again:
                self.denied[pk, given.to] = now + DENIED_TIME
        for phone, origin in list(self.denied):
            if phone == pk and any(network.holds(origin) for network in home):
                del self.denied[pk, origin]

    def retire(self) -> str:
        said = self._to_phone(MANAGER, lambda phone, by: retiring.retire(phone, by=by))
        if said == "done" and self.phone_pk is not None:
            self.ledger.retire(self.phone_pk, self.now)
        return said

    # --- cards and windows ---------------------------------------------------------------------------------

    def answer_card(self, who: str, decision: str, number: int) -> str:
        card = Approval.objects.filter(status=Approval.Status.OPEN, device=self.phone_pk).first()
        if card is None:
            return "no card"
        entry = card.origins[number % len(card.origins)]
        address = int(entry["first"], 16)
        yard = self.yard
        said = self._to_phone(
            who,
            lambda phone, by: approvals.answer(
                card, by=by, decision=decision, site=yard, typed=yard.name, origin=origin_of(address)
            ),
            address if who == OWNER else None,
        )
        if said == "done" and decision == approvals.DENY:
            self.denied[card.device_id, origin_of(address)] = self.now + DENIED_TIME
        return said

    def open_window(self, slug: str, place: int, hours: int, later: int, only: str) -> str:
        account = self.account(slug)
        phone = self.phone
        starts = timezone.now() + timedelta(hours=later) if later else None
        return self.verb(
            lambda: windows.open_window(
                account,
                by=self.person(RESELLER, account),
                origin=origin_of(place),
                hours=hours,
                starts=starts,
                site=self.yard if only == "site" else None,
                devices=[phone] if only == "list" and phone is not None else None,
            )
        )

    def close_window(self) -> str:
        window = Window.objects.open_or_coming(timezone.now()).order_by("pk").first()
        if window is None:
            return "no window"
        return self.verb(lambda: windows.close_window(window, by=self.cast.tree.support))

    # --- the phone itself ----------------------------------------------------------------------------------

    def remove(self) -> str:
        phone = self.phone
        said = self._to_phone(MANAGER, lambda phone, by: entering.remove(phone, by=by))
        if said == "done" and phone is not None:
            self._left(phone.pk)
            self.phone_pk = None
        return said

    def enter(self, slug: str, number: int, days_ahead: int | None) -> str:
        """Add Ben's phone again, here or at another customer's."""
        if self.phone_pk is not None:
            return "there already"
        account = self.account(slug)
        by = self.person(MANAGER, account)
        day = None if days_ahead is None else timezone.now().date() + timedelta(days=days_ahead)
        made: list[Device] = []

        def work() -> None:
            mac = MACS[number]
            made.append(entering.enter(account, by=by, mac=mac, family=FAMILY, model=MODEL, ship_on=day))

        said = self.verb(work)
        if made:
            self.phone_pk = made[0].pk
        return said

    def resettle(self, slug: str) -> str:
        """E18: acme moves below this reseller."""
        return self.verb(
            lambda: resettling.move_customer(
                self.account(ACME), by=self.cast.tree.support, below=self.account(slug)
            )
        )

    def move(self, who: str, slug: str) -> str:
        account = self.account(slug)
        said = self._to_phone(who, lambda phone, by: moving.move(phone, by=by, to=account))
        if said == "done" and self.phone_pk is not None:
            self._left(self.phone_pk)
        return said

    def swap(self, number: int) -> str:
        """Other hardware takes the phone's place; what it was lies in a drawer, or is sold."""
        said = self._to_phone(MANAGER, lambda phone, by: swapping.swap(phone, by=by, mac=MACS[number]))
        if said == "done" and self.phone_pk is not None:
            self._left(self.phone_pk)
        return said

    def switch_phone(self, enabled: bool) -> str:
        return self._to_phone(MANAGER, lambda phone, by: entering.change(phone, by=by, is_enabled=enabled))

    def switch_account(self, slug: str, enabled: bool) -> str:
        account = self.account(slug)
        return self.verb(
            lambda: tenants.switch_account(account, by=self.cast.tree.support, is_active=enabled)
        )

    def edit_settings(self, text: str) -> str:
        account = self.account(ACME)
        return self.verb(
            lambda: settings_tree.set_value(
                account,
                by=self.person(MANAGER, self.account(ACME)),
                name="sip_server",
                value=f"{text}.example.org",
            )
        )

    def show_line(self, shown: bool) -> str:
        """Show the shared line on Ben's phone, or nothing."""
        line = self.lines[0]
        rows = [appearances.AppearanceRow(1, line, "Desk")] if shown else []
        return self._to_phone(MANAGER, lambda phone, by: appearances.put(phone, by=by, rows=rows))

    def change_secret(self, text: str) -> str:
        line = self.lines[0]
        return self.verb(
            lambda: extensions.change(
                line, by=self.person(MANAGER, self.account(ACME)), secret=f"a-new-secret-{text}"
            )
        )

    def new_secret(self, of_neighbour: bool) -> str:
        line = self.lines[of_neighbour]
        return self.verb(lambda: exposing.new_secret(line, by=self.cast.tree.support))

    def put_in_site(self, inside: bool) -> str:
        site = self.yard if inside else None
        return self._to_phone(MANAGER, lambda phone, by: entering.change(phone, by=by, site=site))

    # --- around it -----------------------------------------------------------------------------------------

    def change_site(self, networks: list[str]) -> str:
        """The yard has these networks from now on; the first of them is its own."""
        return self.verb(
            lambda: sites.change(
                self.yard, by=self.person(MANAGER, self.account(ACME)), networks=[YARD, *networks]
            )
        )

    def set_policy(self, slug: str, name: str, value: Any) -> str:
        account = self.account(slug)
        return self.verb(
            lambda: policies.set_value(account, by=self.person(RESELLER, account), name=name, value=value)
        )

    def keep_out(self, place: int, blocked: bool, hours: int) -> str:
        keep = bans.block if blocked else bans.set_ban
        return self.verb(
            lambda: keep(
                origin_of(place), by=self.cast.tree.support, length=timedelta(hours=hours), reason="scanned"
            )
        )

    def lift(self) -> str:
        ban = Ban.objects.standing(timezone.now()).order_by("pk").first()
        if ban is None:
            return "no ban"
        return self.verb(lambda: bans.lift(ban, by=self.cast.tree.support))

    # --- inside --------------------------------------------------------------------------------------------

    def _left(self, pk: int) -> None:
        """The phone is another one from now on: no token of it lives, and nothing proves where it is."""
        self.ledger.end_all(pk)
        self.proved.pop(pk, None)
        self.used.pop(pk, None)
        self.denied = {name: until for name, until in self.denied.items() if name[0] != pk}
        self.granted.pop(pk, None)
