"""What each operation of the API asks of whoever calls it: one line an operation, and the rest follows.

An operation is a method and the name of a URL. What it names is in tests/url_map.py: a row in its address, or
somebody's account in its query or body. From the power that it needs and the caller's role follows what he is
answered: 404 (400 where a query or body named it) for what he cannot see, 403 for what he sees and may not
do, and 2xx. Who holds the power nowhere gets his 403 before anything is looked for, unless the line says
`late`: then it is looked for first, because the address can be read as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from accounts.roles import POWERS, Power, Role
from tests.api import before
from tests.url_map import API, approval, names_a_row, phone, unlock_link
from tests.world import Tenant


class Place(StrEnum):
    """Whose thing it is, as seen from acme, where the end user, the viewer and the manager are."""

    OWN = "own"
    BELOW = "below"  # a sub-account of acme
    SIBLING = "sibling"  # another customer of acme's reseller
    FOREIGN = "foreign"  # a customer of another reseller


#: How far each role looks: the reseller from above acme and its sibling, support from the platform.
REACH: dict[Role, frozenset[Place]] = {
    Role.USER: frozenset(),
    Role.VIEWER: frozenset({Place.OWN, Place.BELOW}),
    Role.MANAGER: frozenset({Place.OWN, Place.BELOW}),
    Role.RESELLER: frozenset(Place) - {Place.FOREIGN},
    Role.SUPPORT: frozenset(Place),
}


@dataclass(frozen=True)
class Caller:
    """Somebody with a role and a session, or a program with a key of that role, or nobody."""

    role: Role | None = None
    by_key: bool = False

    def __str__(self) -> str:
        return f"{self.role or 'nobody'}{'s-key' if self.by_key else ''}"

    def has(self, power: Power) -> bool:
        return self.role is not None and power in POWERS[self.role]


#: A key is nobody's owner, so that none is an end user's.
CALLERS = (Caller(), *map(Caller, Role), *(Caller(role, by_key=True) for role in Role if role != Role.USER))

DONE, FORBIDDEN, UNSEEN, UNKNOWN, NOBODY = 200, 403, 404, 400, 401


@dataclass(frozen=True)
class Rule:
    """What one operation asks."""

    power: Power | None = None  #: in the account of what is named; None: whoever sees it may
    seen: Power = Power.SEE_ACCOUNT  #: what shows it to those who do not own it
    late: bool = False
    owner: bool = False  #: the phone's owner may without the power
    nobodys: bool = False  #: it names nothing of anybody's
    written: bool = False  #: it stands in a file, whose examples may be called as somebody here is
    many: bool = False  #: it answers for each item by itself, and 200 for all of them
    key: int = DONE  #: what a program is answered
    at: Mapping[Place, int] = field(default_factory=dict)  #: where something else comes in between
    first: Callable[[Tenant], Tenant | None] | None = None  #: what has to be so before it can be done
    changes: bool = True  #: done, it leaves a trace; reading never does

    def expected(self, name: str, caller: Caller, place: Place) -> int:
        """The status; DONE stands for any 2xx."""
        if caller.role is None:
            return NOBODY
        has = self.power is None or caller.has(self.power)
        if not has and not self.late:
            return FORBIDDEN
        if not self.shows(name, caller, place):
            if self.many:
                return DONE
            return UNSEEN if is_named(name) else UNKNOWN
        has = has or (self.owner and is_of_own_phone(name, caller, place))
        if not has:
            return FORBIDDEN
        return self.key if caller.by_key and self.key != DONE else self.at.get(place, DONE)

    def shows(self, name: str, caller: Caller, place: Place) -> bool:
        """Whether the caller sees what is named, where something is."""
        if self.nobodys:
            return caller.role is not None
        reach = REACH[caller.role] if caller.role else ()
        return (caller.has(self.seen) and place in reach) or is_of_own_phone(name, caller, place)


def is_of_own_phone(name: str, caller: Caller, place: Place) -> bool:
    """An end user sees his phone, with what stands below its address and its cards."""
    return caller.role == Role.USER and place == Place.OWN and API[name] in (phone, approval, unlock_link)


def is_named(name: str) -> bool:
    """Whether the address itself names somebody's row."""
    return names_a_row(API[name], SOMEBODY)


class _Somebody:
    """Has whatever a name is made of."""

    def __getattr__(self, name: str) -> Any:
        return self


SOMEBODY: Any = _Somebody()


def needs(power: Power, **more: Any) -> Rule:
    return Rule(power, **more)


#: A list holds what the caller sees; his own matters and what is everybody's are open likewise.
OPEN = Rule(nobodys=True)
SEEN = Rule()
P, BELOW = Power, Place.BELOW
PHONES, LINES, SETTINGS = needs(P.EDIT_DEVICES), needs(P.EDIT_EXTENSIONS), needs(P.EDIT_SETTINGS, late=True)
PEOPLE, SITES, RAW = needs(P.EDIT_PEOPLE), needs(P.EDIT_SITES), needs(P.EDIT_RAW_KEYS)
HOOKS = needs(P.EDIT_WEBHOOKS)

OPERATIONS: dict[str, Rule] = {
    "GET root": OPEN,
    "GET me": OPEN,
    "GET me-notifications": Rule(nobodys=True, key=UNKNOWN),  # a program has no e-mail
    "PUT me-notifications": needs(P.UNLOCK_DEVICE, nobodys=True, key=UNKNOWN),
    "GET schema": Rule(nobodys=True, written=True),
    "GET docs": Rule(nobodys=True, at={Place.OWN: 302}),  # it stands elsewhere
    # --- accounts, people, keys -----------------------------------------------------------------------
    "GET account-list": OPEN,
    "GET customer-list": OPEN,
    "GET customer-detail": Rule(seen=P.EDIT_CUSTOMERS),
    "POST account-list": needs(P.EDIT_CUSTOMERS, at={BELOW: UNKNOWN}),  # nothing stands below a sub-account
    "GET account-detail": SEEN,
    "PATCH account-detail": needs(P.EDIT_SETTINGS),
    "POST account-delete": needs(P.EDIT_CUSTOMERS, at={Place.OWN: 409}),  # what is below goes first
    "POST account-restore": needs(P.EDIT_CUSTOMERS, first=before.deleted),
    "GET account-move": needs(P.MOVE_CUSTOMER, late=True),
    "POST account-move": needs(P.MOVE_CUSTOMER, late=True, at={BELOW: UNKNOWN}),  # only customers move
    "GET api-key-list": OPEN,
    "POST api-key-list": PEOPLE,
    "GET api-key-detail": SEEN,
    "DELETE api-key-detail": PEOPLE,
    "POST api-key-rotate": needs(P.EDIT_PEOPLE, late=True),  # a key may rotate itself, whatever its role
    "GET person-list": OPEN,
    "POST person-list": PEOPLE,
    "GET person-detail": Rule(seen=P.EDIT_PEOPLE),
    "PATCH person-detail": PEOPLE,
    "DELETE person-detail": PEOPLE,
    "POST person-invite": PEOPLE,
    "POST person-reset-second-factor": needs(P.EDIT_PEOPLE, first=before.with_an_app),
    "GET roles": OPEN,
    "GET audit-list": OPEN,
    # --- phones ---------------------------------------------------------------------------------------
    "GET device-list": OPEN,
    "POST device-list": PHONES,
    "GET device-detail": SEEN,
    "PATCH device-detail": PHONES,
    "DELETE device-detail": PHONES,
    "GET device-appearances": SEEN,
    "PUT device-appearances": needs(P.EDIT_DEVICES, late=True),
    "GET device-keys": SEEN,
    "PUT device-keys": needs(P.EDIT_DEVICES, late=True),
    "GET device-events": SEEN,
    "GET event-list": OPEN,
    "GET device-take-out": OPEN,
    "GET device-firmwares": OPEN,
    "GET device-claims": SEEN,
    "GET device-hardening": SEEN,
    "GET device-files": needs(P.EDIT_DEVICES, late=True),  # a viewer sees no files
    "GET device-files-diff": needs(P.EDIT_DEVICES, late=True),
    "POST device-bulk": needs(P.EDIT_DEVICES, many=True),
    "POST appearance-bulk": needs(P.EDIT_DEVICES, many=True),
    "POST device-unlock": needs(P.UNLOCK_DEVICE, late=True, owner=True),  # E2: by its owner
    "POST device-allow": needs(P.UNLOCK_DEVICE, late=True, owner=True),  # E2
    "POST device-lock": needs(P.UNLOCK_DEVICE, late=True, first=before.unlocked),
    "POST device-rearm": needs(P.REARM_DEVICE),
    "POST device-quarantine": needs(P.QUARANTINE_DEVICE),
    "POST device-release": needs(P.RELEASE_DEVICE, first=before.quarantined),
    "POST device-take-back": needs(P.TAKE_BACK),
    "POST device-clone": needs(P.TAKE_BACK, first=before.cloned),
    "POST device-retire": needs(P.RETIRE_DEVICE),
    "POST device-swap": PHONES,
    "POST device-move": needs(P.MOVE_DEVICE),
    "POST device-resync": PHONES,
    "GET device-unlock-links": needs(P.SEE_ACCOUNT, late=True),  # its owner does not see to whom it was lent
    "POST device-unlock-links": needs(P.UNLOCK_DEVICE, late=True),
    "DELETE device-unlock-link": needs(P.UNLOCK_DEVICE, late=True),
    "POST resync": PHONES,
    "POST bulk": needs(P.UNLOCK_DEVICE),
    "POST bulk-preview": needs(P.UNLOCK_DEVICE, changes=False),
    "POST unlock-all": needs(P.UNLOCK_ALL),
    "GET explain": OPEN,  # what is not seen is answered like what nobody has entered
    "GET hardening": SEEN,
    "GET unknown-phones": needs(P.EDIT_DEVICES, nobodys=True),
    "GET heard": needs(P.SEE_ACCOUNT, nobodys=True),
    "GET import-list": OPEN,
    "POST import-list": PHONES,
    "GET import-detail": Rule(seen=P.EDIT_DEVICES),
    "GET import-not-added": Rule(seen=P.EDIT_DEVICES),
    "GET import-sample": OPEN,
    "POST import-run": PHONES,
    # --- what they show -------------------------------------------------------------------------------
    "GET extension-list": OPEN,
    "POST extension-list": LINES,
    "POST extension-bulk": needs(P.EDIT_EXTENSIONS, many=True),
    "GET extension-detail": SEEN,
    "PATCH extension-detail": LINES,
    "DELETE extension-detail": needs(P.EDIT_EXTENSIONS, first=before.shown_nowhere),
    "POST extension-new-secret": LINES,
    "POST extension-expose": LINES,
    "GET profile-list": OPEN,
    "POST profile-list": PHONES,
    "GET profile-detail": SEEN,
    "PATCH profile-detail": PHONES,
    "DELETE profile-detail": needs(P.EDIT_DEVICES, first=before.worn_nowhere),
    "POST profile-apply": needs(P.EDIT_DEVICES, first=before.worn_nowhere),
    "POST profile-take-off": PHONES,
    "GET contact-list": OPEN,
    "POST contact-list": LINES,
    "GET contact-detail": SEEN,
    "PATCH contact-detail": LINES,
    "DELETE contact-detail": LINES,
    "POST contact-bring-in": LINES,
    "GET contact-take-out": SEEN,
    "GET directory": SEEN,
    "GET catalogue-families": OPEN,
    "GET catalogue-family": OPEN,
    "GET catalogue-models": OPEN,
    "GET catalogue-model": OPEN,
    # --- what holds for them --------------------------------------------------------------------------
    "GET setting-list": SEEN,
    "GET setting-detail": SEEN,
    "GET settings-diff": SEEN,
    "GET settings-nearer": SEEN,
    "PUT setting-detail": SETTINGS,
    "DELETE setting-detail": needs(P.EDIT_SETTINGS, late=True, first=before.set_to_two),
    "POST settings-preview": needs(P.EDIT_SETTINGS, changes=False),
    "GET raw-key-list": RAW,
    "PUT raw-key-detail": RAW,
    "DELETE raw-key-detail": needs(P.EDIT_RAW_KEYS, first=before.given_a_raw_key),
    "GET policy-list": SEEN,
    "GET policy-detail": SEEN,
    "PUT policy-detail": SETTINGS,
    "DELETE policy-detail": needs(P.EDIT_SETTINGS, late=True, first=before.given_a_policy),
    "GET site-list": OPEN,
    "POST site-list": SITES,
    "GET site-detail": SEEN,
    "PATCH site-detail": SITES,
    "DELETE site-detail": SITES,
    "GET site-closing-times": SEEN,
    "PUT site-closing-times": needs(P.EDIT_SITES, late=True),
    "GET holidays": SEEN,
    "PUT holidays": needs(P.EDIT_SITES, late=True),
    # --- what happens ---------------------------------------------------------------------------------
    "GET window-list": OPEN,
    "POST window-list": needs(P.OPEN_WINDOW),
    "GET window-detail": SEEN,
    "DELETE window-detail": needs(P.OPEN_WINDOW),
    "GET approval-list": OPEN,
    "GET approval-detail": SEEN,
    "POST approval-detail": needs(P.ANSWER_APPROVAL, late=True),  # E14: its owner once, from the very address
    "GET job-list": OPEN,
    "GET job-detail": SEEN,
    "GET job-items": SEEN,
    "GET incident-list": OPEN,
    "GET incident-detail": SEEN,
    "POST incident-notes": needs(P.UNLOCK_DEVICE),
    "POST incident-close": needs(P.UNLOCK_DEVICE),
    "GET silence": SEEN,
    "GET overview": SEEN,
    "GET check-ins": needs(P.SEE_ACCOUNT, nobodys=True),
    "GET keeping": needs(P.EDIT_SETTINGS, nobodys=True),
    # --- webhooks -------------------------------------------------------------------------------------
    "GET webhook-kinds": OPEN,
    "GET webhook-list": OPEN,
    "POST webhook-list": HOOKS,
    "GET webhook-detail": Rule(seen=P.EDIT_WEBHOOKS),
    "PATCH webhook-detail": HOOKS,
    "DELETE webhook-detail": HOOKS,
    "POST webhook-rotate": HOOKS,
    "POST webhook-test": HOOKS,
    "POST webhook-replay": HOOKS,
    "GET webhook-deliveries": Rule(seen=P.EDIT_WEBHOOKS),
    "GET delivery-detail": Rule(seen=P.EDIT_WEBHOOKS),
    "POST delivery-replay": HOOKS,
    # --- addresses ------------------------------------------------------------------------------------
    "GET ip-check": OPEN,
    "GET ban-list": OPEN,
    "POST ban-list": needs(P.LIFT_BAN, nobodys=True),
    "GET ban-detail": SEEN,
    "DELETE ban-detail": needs(P.LIFT_BAN, late=True),
    "POST ban-lift-mine": Rule(nobodys=True, first=before.banned_here),  # B6: one's own address
    "GET allowed-network-list": OPEN,
    "POST allowed-network-list": needs(P.PROPOSE_ALLOWANCE),
    "GET allowed-network-detail": SEEN,
    "DELETE allowed-network-detail": needs(P.PROPOSE_ALLOWANCE),
    "POST allowed-network-grant": needs(P.GRANT_ALLOWANCE),
    "POST what-if": needs(P.LIFT_BAN, nobodys=True),
    "GET what-if-detail": Rule(seen=P.LIFT_BAN, first=before.replayed),
}
