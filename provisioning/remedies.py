"""Which button helps after a request: from its rule, the phone as it is now and the reader's powers. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from accounts.roles import Power
from provisioning.gate import State


class Remedy(StrEnum):
    """What one button beside a line of the log does, or leads to."""

    APPROVE = "approve"  # the card: let it in once from this address
    UNLOCK_HERE = "unlock-here"  # for this address only
    OPEN_WINDOW = "open-window"  # for this address
    ADD_TO_SITE = "add-to-site"
    REARM = "rearm"
    RELEASE = "release"
    ENABLE = "enable"
    ANSWER_CLONE = "answer-clone"
    UNBLOCK_MINE = "unblock-mine"  # the reader's own address
    LIFT_BAN = "lift-ban"
    CHECK_ADDRESS = "check-address"  # the IP check says what stands against it
    ADDRESSES_TO_ENTER = "connect"  # what to enter in DHCP and at the vendors


@dataclass(frozen=True, slots=True)
class Situation:
    """A request of the log, and what is true of its phone and its address now."""

    rule: str
    outcome: str
    state: str  #: the lock's; a phone or account that is switched off is "disabled"
    powers: Collection[Power] = ()  #: the reader's over the phone
    has_card: bool = False  #: an open card holds this address
    let_in: bool = False  #: an unlock or a window lets this address in already
    settled: bool = False  #: the phone was locked to this very place since
    suspected: bool = False
    is_mine: bool = False  #: it is the reader's own address
    banned: bool = False
    blocked: bool = False
    has_clone: bool = False  #: two parties hold its private URLs, and nobody has answered
    sites_only: bool = False  #: policy first_fetch


DISABLED = "disabled"
#: Refusals of a phone that is there, for asking from a place where it may not be set up.
_FROM_ELSEWHERE = frozenset({"R3", "R3a", "R3b", "R6", "R9", "R14", "O6"})
_AT_ADDRESS = frozenset({"G2", "R13", "T5", "T8"})


def remedy(now: Situation) -> Remedy | None:
    """The one button that helps most, None where none does or the reader may press none of them."""
    wanted = _wanted(now)
    return next((one for one in wanted if _POWER[one] is None or _POWER[one] in now.powers), None)


def _wanted(now: Situation) -> tuple[Remedy, ...]:
    """What would help, the best first."""
    if now.outcome != "refused":
        return (Remedy.ANSWER_CLONE,) if now.rule == "T3" and now.has_clone else ()
    if now.rule in ("G1", "O2"):
        return _standing(now)
    if now.rule == "G3":
        return (Remedy.ADDRESSES_TO_ENTER,)
    if now.rule in _AT_ADDRESS:
        return (Remedy.CHECK_ADDRESS,)
    if now.rule in ("R10", "O1") or now.rule in _FROM_ELSEWHERE or now.rule == "R12":
        return _of_phone(now)
    return ()


def _standing(now: Situation) -> tuple[Remedy, ...]:
    """Against a ban, as long as it stands; a person's block is for platform support alone."""
    if now.blocked:
        return (Remedy.LIFT_BAN, Remedy.CHECK_ADDRESS)
    if not now.banned or now.rule == "O2":
        return ()
    mine = (Remedy.UNBLOCK_MINE,) if now.is_mine else ()
    return (Remedy.LIFT_BAN, *mine, Remedy.CHECK_ADDRESS)


def _of_phone(now: Situation) -> tuple[Remedy, ...]:
    """What is shut comes first: neither an approval nor an unlock opens it."""
    if now.state == State.QUARANTINED:
        return (Remedy.RELEASE,)
    if now.state == DISABLED:
        return (Remedy.ENABLE,)
    if now.state == State.RETIRED:
        return (Remedy.REARM,)
    if now.rule in ("R10", "O1"):
        return ()
    if now.rule == "R12":  # an unlock does not help: the name is judged before it
        return (Remedy.APPROVE,) if now.has_card else (Remedy.CHECK_ADDRESS,)
    if now.settled or now.let_in:
        return ()
    first: tuple[Remedy, ...] = (Remedy.APPROVE,) if now.has_card else ()
    if now.rule == "R3b" and now.state == State.NEW:
        site = (Remedy.ADD_TO_SITE,) if now.sites_only else ()
        return (*first, *site, Remedy.OPEN_WINDOW, Remedy.UNLOCK_HERE)
    if now.rule in ("R3", "R3a") and not now.suspected:
        return (*first, Remedy.REARM, Remedy.UNLOCK_HERE)
    return (*first, Remedy.UNLOCK_HERE)


_POWER: dict[Remedy, Power | None] = {
    Remedy.APPROVE: Power.ANSWER_APPROVAL,
    Remedy.UNLOCK_HERE: Power.UNLOCK_DEVICE,
    Remedy.OPEN_WINDOW: Power.OPEN_WINDOW,
    Remedy.ADD_TO_SITE: Power.EDIT_SITES,
    Remedy.REARM: Power.REARM_DEVICE,
    Remedy.RELEASE: Power.RELEASE_DEVICE,
    Remedy.ENABLE: Power.EDIT_DEVICES,
    Remedy.ANSWER_CLONE: Power.TAKE_BACK,
    Remedy.UNBLOCK_MINE: Power.OWN_PHONES,
    Remedy.LIFT_BAN: Power.LIFT_BAN,
    Remedy.CHECK_ADDRESS: Power.SEE_ACCOUNT,
    Remedy.ADDRESSES_TO_ENTER: Power.SEE_ACCOUNT,
}
