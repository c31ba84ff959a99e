"""The whole rulebook under random sequences: what always holds, and that a lost store changes no verdict.

Issue 3, "done when" 3 and 4. `STREET=500` plays 500 other ones; what fails is printed by hypothesis as code.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from portal.celery import app as celery
from tests.provisioning.inside_edge import Judges
from tests.provisioning.street import (
    AWAY,
    AWAY_NEAR,
    ELSEWHERE,
    HOME,
    MACS,
    ODD,
    OFFICE,
    OFFICE_TOO,
    PLACES,
    RIGHT,
    SIX,
    SIX_FAR,
    SIX_NEXT_DOOR,
    WRONG_MAC,
    settle,
)
from tests.provisioning.street_laws import Laws
from tests.provisioning.street_people import (
    ACME,
    GLOBEX,
    HARBOUR,
    MANAGER,
    OWNER,
    RESELLER,
    SUPPORT,
    VALLEY,
    StreetWithPeople,
)
from tests.provisioning.token_ledger import DAY, HOUR, MINUTE

# How many sequences: those of every run, fewer when the rows are in PostgreSQL; or as many as STREET says.
SEQUENCES = {"sqlite": 14, "postgresql": 4}
WANTED = int(os.environ.get("STREET", "0"))
STEPS = 60 if WANTED else 40

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(0 if WANTED else 900)]

Step = tuple[str, dict[str, Any]]


class Play:
    """One run of steps on a street, undone at its end."""

    def __init__(self, make: Callable[[], StreetWithPeople], *, watched: bool = True) -> None:
        self._undone = transaction.atomic()
        self._undone.__enter__()
        self.street = make()
        self.laws = Laws(self.street) if watched else None
        self.steps: list[Step] = []
        self.told: list[list[str]] = []

    def do(self, command: str, *, by_people: bool, **given: Any) -> None:
        """One step: a second passes, something happens, the keeper works, and everything is looked at."""
        street = self.street
        street.passes(1)
        self.steps.append((command, {"by_people": by_people, **given}))
        said = getattr(street, command)(**given)
        street.keeper_works()
        verdicts = [
            f"{a.reply.status} {a.reply.verdict.outcome} {a.reply.verdict.rule}" for a in street.asked
        ]
        self.told.append([str(said or ""), *verdicts])
        if self.laws is not None:
            self.laws.hold(command, by_people=by_people)
        street.asked.clear()

    def end(self) -> None:
        self.street.close()
        transaction.set_rollback(True)
        self._undone.__exit__(None, None, None)


places = st.sampled_from(PLACES)
homes = st.sampled_from([HOME, HOME, OFFICE, OFFICE_TOO, SIX, AWAY])
near_and_far = st.sampled_from([HOME, SIX_NEXT_DOOR, AWAY, AWAY_NEAR, ELSEWHERE, SIX_FAR, OFFICE_TOO])
which = st.integers(0, 1)
managers = st.sampled_from([MANAGER, RESELLER, SUPPORT])
spans = st.sampled_from([None, "24h", "7d", "first-fetch", {"hours": 1}, {"hours": 40}])
mostly_acme = st.sampled_from([ACME, ACME, ACME, GLOBEX])
mostly_first = st.sampled_from([0, 0, 0, 1])
often = st.sampled_from([True, True, True, False])
POLICIES: list[tuple[str, Any]] = [
    ("fresh_ttl", 1),
    ("fresh_ttl", 168),
    ("manager_unlock_ttl", 2),
    ("token_overlap", 0),
    ("token_overlap", 48),
    ("match_user_agent", False),
    ("match_user_agent", True),
    ("quarantine_on_clone", True),
    ("quarantine_on_clone", False),
    ("shared_origin_reset", "allow"),
    ("shared_origin_reset", "approve"),
    ("first_fetch", "sites"),
    ("first_fetch", "approval"),
    ("first_fetch", "anywhere"),
    ("origin_follows", False),
    ("origin_follows", True),
]


class Days(RuleBasedStateMachine):
    """Phones poll, strangers try, people decide, time passes, the store is lost."""

    make: Callable[[], StreetWithPeople]

    def __init__(self) -> None:
        super().__init__()
        self.play = Play(type(self).make)
        self.lost_after: int | None = None

    def teardown(self) -> None:
        """Play it again with the store deleted on the way: everybody must be told the same."""
        steps, told = self.play.steps, self.play.told
        self.play.end()
        if self.lost_after is None or self.lost_after >= len(steps) or len(told) < len(steps):
            return
        again = Play(type(self).make, watched=False)
        try:
            for number, (command, given) in enumerate(steps):
                again.do(command, **given)
                if number == self.lost_after and not again.street.lost:
                    again.street.lose_store()
                    again.street.fill_store()
            assert again.told == told
        finally:
            again.end()

    def _do(self, command: str, **given: Any) -> None:
        self.play.do(command, by_people=False, **given)

    def _have(self, command: str, **given: Any) -> None:
        self.play.do(command, by_people=True, **given)

    @initialize(set_up=often, lost_after=st.none() | st.integers(1, 30))
    def begins(self, set_up: bool, lost_after: int | None) -> None:
        """With a phone that works, or with one that was only entered."""
        self.lost_after = lost_after
        if set_up:
            self._do("phone_boots", number=0)

    # --- phones --------------------------------------------------------------------------------------------

    @rule(number=mostly_first)
    def phone_polls(self, number: int) -> None:
        self._do("phone_boots", number=number)

    @rule(number=mostly_first, lost=st.booleans())
    def phone_is_reset(self, number: int, lost: bool) -> None:
        self._do("phone_is_reset", number=number, lost=lost)

    @rule(number=mostly_first, place=homes, days=st.integers(0, 3))
    def phone_is_carried(self, number: int, place: int, days: int) -> None:
        self._do("phone_is_carried", number=number, place=place)
        self._do("phone_polls_daily", number=number, days=days)

    @rule(number=mostly_first, days=st.integers(1, 5))
    def phone_polls_daily(self, number: int, days: int) -> None:
        self._do("phone_polls_daily", number=number, days=days)

    @rule(place=homes)
    def neighbours_phone_polls(self, place: int) -> None:
        self._do("neighbour_boots", place=place)

    @rule(place=homes, days=st.integers(1, 3), later=st.sampled_from([0, 0, 31]))
    def phone_is_carried_to_the_neighbours(self, place: int, days: int, later: int) -> None:
        """Where another customer's phone lives: that makes the place a shared origin, for 30 days."""
        self._do("neighbour_boots", place=place)
        self._do("phone_is_carried", number=0, place=place)
        self._do("phone_polls_daily", number=0, days=days)
        self._do("passes", seconds=later * DAY)

    # --- strangers -----------------------------------------------------------------------------------------

    @rule(number=mostly_first, place=near_and_far, agent=st.sampled_from([RIGHT, RIGHT, ODD]))
    def stranger_asks(self, number: int, place: int, agent: str) -> None:
        self._do("strangers_root", mac=MACS[number], address=place, agent=agent)

    @rule(number=mostly_first, place=near_and_far)
    def stranger_sets_up(self, number: int, place: int) -> None:
        self._do("stranger_sets_up", mac=MACS[number], address=place)

    @rule(number=mostly_first)
    def neighbour_behind_the_same_address_sets_up(self, number: int) -> None:
        self._do("stranger_sets_up", mac=MACS[number], address=self.play.street.handsets[number].place)

    @rule(number=st.integers(0, 7), place=near_and_far)
    def stranger_uses_what_he_has(self, number: int, place: int) -> None:
        self._do("strangers_private", number=number, address=place, method="GET", name="{}.cfg")

    @rule(
        number=st.integers(0, 7),
        place=near_and_far,
        method=st.sampled_from(["GET", "HEAD", "PUT"]),
        name=st.sampled_from(["{}.cfg", "00005e00a599.cfg"]),
    )
    def stranger_tries_it_otherwise(self, number: int, place: int, method: str, name: str) -> None:
        self._do("strangers_private", number=number, address=place, method=method, name=name)

    @rule(place=near_and_far, agent=st.sampled_from([ODD, WRONG_MAC]))
    def stranger_is_clumsy(self, place: int, agent: str) -> None:
        self._do("strangers_root", mac=MACS[0], address=place, agent=agent)
        self._do("strangers_guess", address=place)

    # --- people and the lock -------------------------------------------------------------------------------

    @rule(who=st.sampled_from([MANAGER, OWNER, RESELLER]), span=spans, place=st.none() | places)
    def unlocks(self, who: str, span: Any, place: int | None) -> None:
        self._have("unlock", who=who, span=span, place=place, presence=None)

    @rule(
        how=st.sampled_from(["presence", "reprovision", "everything"]),
        who=st.sampled_from([MANAGER, OWNER]),
        place=places,
    )
    def unlocks_otherwise(self, how: str, who: str, place: int) -> None:
        if how == "presence":
            self._have("unlock", who=who, span=None, place=None, presence=place)
        elif how == "reprovision":
            self._have("allow_reprovision", who=who)
        else:
            self._have("unlock_everything", span="first-fetch")

    @rule(back=st.booleans(), who=managers, days_ahead=st.none() | st.none() | st.sampled_from([0, 3, 30]))
    def locks_again_or_rearms(self, back: bool, who: str, days_ahead: int | None) -> None:
        if back:
            self._have("lock_again")
        else:
            self._have("rearm", who=who, days_ahead=days_ahead)

    @rule(
        place=near_and_far,
        who=st.sampled_from([RESELLER, RESELLER, SUPPORT, MANAGER]),
        span=st.none() | spans,
        scope=st.none() | places,
    )
    def quarantines_and_releases(self, place: int, who: str, span: Any, scope: int | None) -> None:
        self._have("quarantine")
        self._do("phone_boots", number=0)
        self._do("stranger_sets_up", mac=MACS[0], address=place)
        self._have("release", who=who, span=span, place=scope)

    @rule(who=st.sampled_from([RESELLER, SUPPORT]), span=st.none() | spans, place=st.none() | places)
    def releases(self, who: str, span: Any, place: int | None) -> None:
        self._have("release", who=who, span=span, place=place)

    @rule(number=st.none() | st.integers(0, 3))
    def takes_back(self, number: int | None) -> None:
        self._have("take_back", number=number)

    @rule(decision=st.sampled_from(["take-back", "moved", "secrets"]))
    def answers_a_clone(self, decision: str) -> None:
        self._have("answer_clone", decision=decision)

    @rule(decision=st.sampled_from(["", "take-back", "moved", "secrets"]), number=st.integers(0, 7))
    def two_parties_hold_its_tokens(self, decision: str, number: int) -> None:
        """A neighbour behind its own address sets it up, it polls, somebody may answer, both poll again."""
        home = self.play.street.handsets[0].place
        self._do("phone_boots", number=0)
        self._do("stranger_sets_up", mac=MACS[0], address=home)
        self._do("phone_boots", number=0)
        if decision:
            self._have("answer_clone", decision=decision)
        self._do("phone_boots", number=0)
        self._do("strangers_private", number=number, address=home, method="GET", name="{}.cfg")

    @rule(
        who=st.sampled_from([MANAGER, MANAGER, OWNER]),
        decision=st.sampled_from(["once", "once", "once", "deny", "deny", "site", "site", "quarantine"]),
        number=st.integers(0, 2),
    )
    def answers_a_card(self, who: str, decision: str, number: int) -> None:
        self._have("answer_card", who=who, decision=decision, number=number)

    @rule(
        slug=st.sampled_from([ACME, HARBOUR, GLOBEX]),
        place=places,
        hours=st.integers(1, 40),
        later=st.sampled_from([0, 0, 5]),
        only=st.sampled_from(["", "", "site", "list"]),
    )
    def opens_a_window(self, slug: str, place: int, hours: int, later: int, only: str) -> None:
        self._have("open_window", slug=slug, place=place, hours=hours, later=later, only=only)

    # --- people and the phone ------------------------------------------------------------------------------

    @rule(again=often, slug=mostly_acme, number=mostly_first, days_ahead=st.none() | st.none() | st.just(2))
    def removes_and_enters(self, again: bool, slug: str, number: int, days_ahead: int | None) -> None:
        self._have("remove")
        if again:
            self._have("enter", slug=slug, number=number, days_ahead=days_ahead)

    @rule(slug=mostly_acme, number=mostly_first)
    def enters(self, slug: str, number: int) -> None:
        self._have("enter", slug=slug, number=number, days_ahead=None)

    @rule(who=st.sampled_from([RESELLER, SUPPORT]), back=often)
    def moves(self, who: str, back: bool) -> None:
        self._have("move", who=who, slug=GLOBEX)
        self._do("phone_boots", number=0)
        if back:
            self._have("move", who=who, slug=ACME)
            self._have("show_line", shown=True)

    @rule(number=which)
    def swaps(self, number: int) -> None:
        self._have("swap", number=number)

    @rule(again=often, place=near_and_far, days=st.sampled_from([0, 1, 31]))
    def retires(self, again: bool, place: int, days: int) -> None:
        self._have("retire")
        self._do("phone_boots", number=0)
        self._do("passes", seconds=days * DAY)
        self._do("phone_boots", number=0)
        if again:
            self._do("stranger_sets_up", mac=MACS[0], address=place)
            self._have("rearm", who=SUPPORT, days_ahead=None)

    @rule(account=st.none() | st.sampled_from([ACME, HARBOUR]), again=often)
    def switches_off(self, account: str | None, again: bool) -> None:
        """The phone itself, or an account that it stands in; mostly on again after a while."""
        for enabled in (False, True) if again else (False,):
            if account is None:
                self._have("switch_phone", enabled=enabled)
            else:
                self._have("switch_account", slug=account, enabled=enabled)
            self._do("phone_boots", number=0)

    @rule(account=st.none() | st.sampled_from([ACME, HARBOUR]))
    def switches_on(self, account: str | None) -> None:
        if account is None:
            self._have("switch_phone", enabled=True)
        else:
            self._have("switch_account", slug=account, enabled=True)

    @rule(text=st.sampled_from(["one", "two"]), shown=st.booleans(), inside=st.booleans())
    def edits(self, text: str, shown: bool, inside: bool) -> None:
        self._have("edit_settings", text=text)
        self._have("show_line", shown=shown)
        self._have("change_secret", text=text)
        self._have("put_in_site", inside=inside)
        self._have("new_secret", of_neighbour=inside)

    # --- people and what is around -------------------------------------------------------------------------

    @rule(networks=st.sampled_from([[], ["203.0.113.24/32"], ["2001:db8:1:1::/64"], ["198.51.100.0/25"]]))
    def changes_the_site(self, networks: list[str]) -> None:
        self._have("change_site", networks=networks)

    @rule(slug=mostly_acme, policy=st.sampled_from(POLICIES))
    def sets_a_policy(self, slug: str, policy: tuple[str, Any]) -> None:
        self._have("set_policy", slug=slug, name=policy[0], value=policy[1])

    @rule(place=places, blocked=st.booleans(), hours=st.sampled_from([1, 24]))
    def keeps_out(self, place: int, blocked: bool, hours: int) -> None:
        self._have("keep_out", place=place, blocked=blocked, hours=hours)

    @rule(what=st.sampled_from(["lift", "close_window"]))
    def lifts_or_closes(self, what: str) -> None:
        self._have(what)

    @rule(slug=st.sampled_from([VALLEY, HARBOUR]))
    def resettles(self, slug: str) -> None:
        self._have("resettle", slug=slug)

    # --- time and machines ---------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 3, MINUTE, 29 * MINUTE, 31 * MINUTE, 5 * HOUR, 19 * HOUR]))
    def a_while_passes(self, seconds: float) -> None:
        self._do("passes", seconds=seconds)

    @rule(days=st.sampled_from([1, 1, 2, 7, 21, 31]))
    def days_pass(self, days: int) -> None:
        self._do("passes", seconds=days * DAY)

    @rule(which=st.sampled_from(["beat", "beat", "nightly"]))
    def sweeps(self, which: str) -> None:
        self._do(which)

    @rule(at_once=often)
    def store_is_lost(self, at_once: bool) -> None:
        self._do("lose_store")
        if at_once:
            self._do("fill_store")

    @rule()
    def keeper_looks(self) -> None:
        self._do("fill_store")


@pytest.fixture
def make(
    store: "redis.Redis", clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], StreetWithPeople]]:
    """Makes a street over the rows that every run begins with."""
    celery.conf.task_always_eager = True
    judges, cast = Judges(monkeypatch), settle()
    yield lambda: StreetWithPeople(cast, judges, store, clock)
    celery.conf.task_always_eager = False


def test_what_always_holds(make: Callable[[], StreetWithPeople]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        type("Days", (Days,), {"make": staticmethod(make)}),
        settings=settings(
            max_examples=WANTED or SEQUENCES[transaction.get_connection().vendor],
            stateful_step_count=STEPS,
            derandomize=not WANTED,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
