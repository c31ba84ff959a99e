"""What each rule's answer means, in one sentence for people, and what can be done about it.

Every text is one string with named places, translated when it is filled. Where a place may be unknown there
is a second text without it, so that no sentence is glued from pieces.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from string import Formatter
from zoneinfo import ZoneInfo

from django.utils import dateformat
from django.utils.translation import get_language, gettext, gettext_lazy, pgettext

NOTHING = "Nothing to do."
ASKS_AGAIN = "Nothing to do. The phone keeps what it has and asks again by itself."
ONCE = "Approve it once, or unlock the phone."
UNDER_SUSPICION = "Others have tried to get its file: approve it once, or unlock it for {address} only."
CLONE_WAITS = "Two parties hold its private URLs: answer that on the phone's page."

Texts = tuple[str, ...]

#: (rule, outcome) or (rule, outcome, case): the texts, those with more places first, and what comes next.
_TABLE: dict[tuple[str, ...], tuple[Texts, str]] = {
    ("P", "proof"): (("{address} is proved. The browser goes back to the portal.",), NOTHING),
    ("P", "refused"): (
        ("Somebody asked for a proof of {address} without the portal's own link, or too often.",),
        "Start again from the portal's page.",
    ),
    ("G0", "held"): (
        ("The caller's address cannot be known for certain, so nothing was decided.",),
        "Platform support checks the list of trusted proxies.",
    ),
    ("G1", "refused"): (
        (
            "{address} is banned until {until}. It gets nothing at the root URL; private URLs go on.",
            "{address} is banned or blocked. It gets nothing at the root URL.",
        ),
        "Wait for the end of the ban, or unblock the address.",
    ),
    ("G2", "refused"): (
        ("Somebody asked for a phone's file with a browser. Phones do not do that.",),
        "Nothing to do. It counts once an hour, however often it happens.",
    ),
    ("G3", "refused"): (
        ("This is no request of a phone: another method, or a path that no family knows.",),
        "Check the root URL in DHCP option 66 or in the redirection service.",
    ),
    ("G4", "common"): (("A common file. It holds no secret and belongs to no phone.",), NOTHING),
    ("G4", "refused"): (
        ("A common file that is never served, because it would reset what the phone has.",),
        "Nothing to do. Phones go on without it.",
    ),
    ("G5", "refused"): (
        ("This file does not set up a phone. The root URL answers only the first file of a start.",),
        "Nothing to do. Phones go on without it.",
    ),
    ("G6", "held"): (
        ("What has to be known is away for a moment. The phone was told to come back.",),
        ASKS_AGAIN,
    ),
    ("R1", "bootstrap"): (("First fetch, from {address}. The phone is locked to it now.",), NOTHING),
    ("R2", "bootstrap"): (
        ("First fetch, in a window for {address}. The phone is locked to it now.",),
        NOTHING,
    ),
    ("R3", "refused"): (
        ("The phone was not set up in time, so it is locked. {address} got nothing.",),
        "Re-arm it, approve it once, or unlock it.",
    ),
    ("R3a", "refused"): (
        (
            "The phone is armed from {until} on. {address} asked before.",
            "The phone is armed for a later day. {address} asked before.",
        ),
        "Wait for its day, re-arm it, or open a window.",
    ),
    ("R3b", "refused"): (
        ("The first fetch has to come from one of your sites, or be approved. {address} is neither.",),
        "Approve it once, or open a window for this address.",
    ),
    ("R4", "bootstrap"): (
        (
            "Asked again from {bound}, where it is locked to. Nobody had to do anything.",
            "Asked again from the place it is locked to. Nobody had to do anything.",
        ),
        "Nothing to do. It stays locked to this place.",
    ),
    ("R4a", "bootstrap"): (
        ("The same question again within half an hour. It got the same answer.",),
        NOTHING,
    ),
    ("R5", "bootstrap"): (("A window is open for {address}. The phone is locked to it now.",), NOTHING),
    ("R5c", "bootstrap"): (
        ("Its factory certificate proves the phone. It is locked to {address} now.",),
        NOTHING,
    ),
    ("R6", "refused"): (
        (
            "The phone is locked to {bound}. It is not unlocked, and no window is open for {address}.",
            "The phone is locked to another place. It is not unlocked, and no window is open for {address}.",
        ),
        ONCE,
    ),
    ("R6", "refused", "unbound"): (
        ("The phone is locked, to no place yet. No window is open for {address}.",),
        "Approve it once, unlock it, or re-arm it.",
    ),
    ("R6", "refused", "shared"): (
        (
            "The phone is locked to {bound}. Phones of others live there too, so being there proves nothing.",
            "Phones of others live at {address} too, so being there proves nothing.",
        ),
        ONCE,
    ),
    ("R6", "refused", "often"): (
        ("The phone was set up six times in 24 hours from its own place. A person has to look.",),
        "Approve it once, and find out why it starts over.",
    ),
    ("R7", "bootstrap"): (
        ("The unlock let it in from {address} and is used up. The phone is locked to this place now.",),
        NOTHING,
    ),
    ("R8", "refused"): (
        (
            "The unlock ended {until}. The phone is locked to its previous place.",
            "The unlock has ended. The phone is locked to its previous place.",
        ),
        "Unlock it again.",
    ),
    ("R9", "refused"): (
        (
            "The phone is unlocked for {origin} only. {address} is another place.",
            "The phone is unlocked, but not for {address}.",
        ),
        "Approve it once, or unlock it for this address.",
    ),
    ("R9", "refused", "suspicion"): (
        ("Others have tried to get this phone's file, so an unlock for any address does not count.",),
        "Unlock it for one address, or open a window.",
    ),
    ("R10", "refused"): (
        ("The phone is quarantined, retired or disabled. It gets nothing from anywhere.",),
        "Enable it, or ask your provider to lift the quarantine.",
    ),
    ("R10", "refused", "quarantined"): (
        ("The phone is quarantined. It gets nothing from anywhere.",),
        "Only your provider can lift that.",
    ),
    ("R10", "refused", "retired"): (
        ("The phone is retired. It gets nothing at the root URL.",),
        "Re-arm it to bring it back.",
    ),
    ("R10", "refused", "disabled"): (
        ("The phone or its account is disabled. It gets nothing from anywhere.",),
        "Enable it first.",
    ),
    ("R11", "refused"): (
        ("No phone with the MAC {mac} is known here.", "No phone with this MAC is known here."),
        "Check the MAC, or add the phone.",
    ),
    ("R12", "refused"): (
        (
            "Somebody asked for this phone's file as {agent}. The phone does not call itself so.",
            "Somebody asked for this phone's file under another name than the phone's own.",
        ),
        "If it is the phone, approve it once. It is known by this name from then on.",
    ),
    ("R13", "refused"): (
        ("Somebody asked for this phone's file with the certificate of another phone.",),
        "Find out which phone stands there.",
    ),
    ("R14", "refused"): (
        (
            "{address} is denied for this phone until {until}.",
            "{address} is denied for this phone.",
        ),
        "Unlock the phone for this very address, or open a window.",
    ),
    ("O0", "refused"): (
        ("This is not served at a private URL: an override, a licence or another method.",),
        "Nothing to do. Phones go on without it.",
    ),
    ("O0", "accepted"): (("The phone sent a file. It was taken, and dropped.",), NOTHING),
    ("O0", "held"): (
        ("What has to be known is away for a moment. The phone was told to come back.",),
        ASKS_AGAIN,
    ),
    ("O1", "refused"): (
        ("The phone is quarantined or disabled. Its private URL gives nothing either.",),
        "Enable it, or ask your provider to lift the quarantine.",
    ),
    ("O2", "refused"): (
        ("{address} is blocked by a person. Private URLs give nothing there either.",),
        "Platform support can lift the block.",
    ),
    ("O3", "full"): (("Fetched at its private URL.",), NOTHING),
    ("O4", "full"): (
        (
            "Fetched at its private URL from {address}. It is locked to {bound}.",
            "Fetched at its private URL from {address}, which is not the place it is locked to.",
        ),
        "Nothing to do. The lock follows when the phone stays there.",
    ),
    ("O5", "full"): (("Fetched at a private URL that an earlier start was given.",), NOTHING),
    ("O6", "refused"): (
        ("This private URL is over, or was never given out.",),
        "If it is the phone, approve it once.",
    ),
    ("T1", "full"): (("Came over to its private URL.",), NOTHING),
    ("T1", "refused"): (
        ("The half hour for coming over to the private URL has passed, or it came from another place.",),
        "Restart the phone.",
    ),
    ("T2", "full"): (
        ("Fetched at its former private URL. The newer one has not been used yet.",),
        NOTHING,
    ),
    ("T3", "full"): (
        ("Two parties use private URLs of this phone: this one, and one that is newer.",),
        "Say which is the real phone.",
    ),
    ("T4", "refused"): (
        ("Asked at a private URL that is over, of a MAC that is on no phone any more.",),
        "Add the phone again, if it is yours.",
    ),
    ("T5", "refused"): (
        ("This private URL was never given out.",),
        "Nothing to do. It counts against {address}.",
    ),
    ("T6", "full"): (("The private URL is reached over https.",), NOTHING),
    ("T7", "full"): (("No log holds the private URL; six characters stand for it.",), NOTHING),
    ("T8", "refused"): (
        ("Asked at this phone's private URL for a file that is not its own.",),
        "Find out who asks: the phone itself does not.",
    ),
}  # fmt: skip

_HELD = (
    ("Told to come back: it was let in a moment ago, or too many phones start at {address} at once.",),
    ASKS_AGAIN,
)
_UNKNOWN = (("Answered by rule {rule}.",), "")

#: E7: what put a phone under suspicion, by `Lock.Suspicion`.
SIGNS = {
    "origins": "refused at three foreign addresses within 24 hours",
    "hours": "refused at one foreign address in 12 of 24 hours",
    "clone": "two parties hold its private URLs",
}

#: Who does what no person does: the labels of `Actor.system`.
DOERS = ("the clock", "the phone (O4)", "suspicion (E7)", "the server's own command line", "the demo")

#: Likewise, with the rule after it: what a lock names that a phone's own first fetch has closed.
FIRST_FETCH = "first fetch"

#: What a person or the clock did: as above, by the event's name.
_HAPPENED: dict[str, Texts] = {
    "entered": ("Added by {actor}.", "Added."),
    "changed": ("Changed by {actor}.", "Changed."),
    "lines-changed": ("Lines changed: {summary} by {actor}.", "Lines changed."),
    "keys-changed": ("Keys changed: {summary} by {actor}.", "Keys changed by {actor}.", "Keys changed."),
    "profile-applied": ("Profile {profile} applied by {actor}.", "A profile was applied."),
    "profile-changed": ("Its profile {profile} changed by {actor}.", "Its profile changed."),
    "profile-taken-off": ("Profile {profile} taken off by {actor}.", "A profile was taken off."),
    "raw-key-changed": ("Vendor's key {key} changed by {actor}.", "A vendor's key changed."),
    "setting-changed": ("Setting {setting} changed by {actor}.", "A setting changed."),
    "extension-changed": ("Extension {extension} changed by {actor}.", "An extension changed."),
    "removed": ("Removed by {actor}.", "Removed."),
    "yielded": ("Never set up within 30 days, and its MAC was entered elsewhere: removed.",),
    "moved-away": ("Moved to another account by {actor}.", "Moved to another account."),
    "moved-here": ("Moved here from another account by {actor}.", "Moved here from another account."),
    "swapped": ("New hardware, set in by {actor}: {new} instead of {old}.", "New hardware."),
    "retired": (
        "Retired by {actor}. Its private URL gives a file without accounts until {until}.",
        "Retired by {actor}.",
        "Retired.",
    ),
    "unlocked": (
        "Unlocked by {actor} for {origin} only, until {until}.",
        "Unlocked by {actor} for any address, until {until}.",
        "Unlocked by {actor} for {origin} only, until its first fetch there.",
        "Unlocked by {actor} for any address, until its first fetch.",
        "Unlocked.",
    ),
    "unlock-expired": ("The unlock ended {ended}. Locked to its previous place.", "The unlock ended."),
    "locked": ("Locked again by {actor}.", "Locked again."),
    "stale": ("Not set up in time: locked since {ended}.", "Not set up in time: locked."),
    "rearmed": ("Re-armed by {actor}. Its clock starts {armed_at}.", "Re-armed."),
    "quarantined": ("Quarantined by {actor}: {reason}", "Quarantined by {actor}.", "Quarantined."),
    "approval-opened": ("Refused at {address}. Waits for a person.", "Refused. Waits for a person."),
    "approval-closed": ("Nobody answered within 24 hours. It stays locked.",),
    "approval-answered": ("Answered by {actor} for {origin}: {decision}.", "Answered."),
    "clone-suspected": (
        "Two parties hold this phone's private URLs. The former one was used from {address}.",
        "Two parties hold this phone's private URLs.",
    ),
    "suspicion": (
        "Under suspicion until {until}: {sign}. The unlock by {unlocked_by} has ended.",
        "Under suspicion until {until}: {sign}.",
        "Under suspicion.",
    ),
    "released": ("The {lifted} was lifted by {actor}: {reason}", "Released."),
    "origin-followed": (
        "It stayed at {address} for a day, so it is locked to {new} instead of {old}.",
        "It stayed at another address for a day, so it is locked there.",
    ),
    "origin-drift": ("First used its private URL from {address}.", "First used its private URL from there."),
    "clone-answered": ("Answered by {actor}: {answer}.", "Answered."),
    "taken-back": (
        "Taken back by {actor}: all that {origins} got since {since} is dead. Locked to {bound} again.",
        "Taken back by {actor}: all that {origins} got since {since} is dead. Locked to no place.",
        "Taken back.",
    ),
    "not-come-over": (
        "Let in {since}, and still not at its private URL. Restart it. If that does not help: {causes}",
        "Let in, and still not at its private URL.",
    ),
    "does-not-stick": (
        "It had its private URL and asked at the root URL again. {causes}",
        "It had its private URL and asked at the root URL again.",
    ),
    "resync-asked": ("To {asked}, asked for by {actor}.", "To fetch its files again."),
    "resync-reached": (
        "It was reached ({code}) and is to {asked}.",
        "It was reached and is to fetch its files again.",
    ),
    "resync-unreachable": (
        "Not reached ({code}): not registered, or no answer. Check power and network; it polls anyway.",
        "Not reached: the phone is not registered or does not answer.",
    ),
    "resync-silent": ("Not reached: the SIP edge gives no answer. Platform support has to look at it.",),
    "resync-untrusted": (
        "Not reached: the SIP edge does not trust this platform ({code}). Platform support has to look.",
        "Not reached: the SIP edge does not trust this platform.",
    ),
    "resync-trouble": (
        "Not reached: the SIP edge has trouble of its own ({code}). Platform support has to look at it.",
        "Not reached: the SIP edge has trouble of its own.",
    ),
    "resync-declined": (
        "It was reached, but does not do what it was asked ({code}).",
        "It was reached, but does not do what it was asked.",
    ),
    "resync-cancelled": ("Not asked any more. {reason}", "Not asked any more."),
    "secret-changed": ("New secret for {extension} by {actor}.", "New secret."),
    "unlock-link-made": (
        "{actor} made a link that unlocks it once, for {given_to}, until {until}.",
        "{actor} made a link that unlocks it once, until {until}.",
        "A link that unlocks it once was made.",
    ),
    "unlock-link-used": (
        "The link for {given_to} was used, from {address}.",
        "Its unlock link was used, from {address}.",
        "Its unlock link was used.",
    ),
    "unlock-link-ended": (
        "{actor} ended the link for {given_to}.",
        "{actor} ended a link that would have unlocked it.",
        "A link that would have unlocked it was ended.",
    ),
}

RULES = tuple(dict.fromkeys(key[0] for key in _TABLE))
WHATS = ("request", *_HAPPENED)  # what a line of the log can be about
THIS_ADDRESS = gettext_lazy("this address")
DEFAULTS = {"address": THIS_ADDRESS}


def sentence(rule: str, outcome: str, *, case: str = "", **facts: object) -> str:
    """One sentence on what was answered and why; facts fill the named places that it has."""
    texts, _ = _find(rule, outcome, case)
    return _fill(texts, {**DEFAULTS, "rule": rule, **_known(facts)})


def remedy(rule: str, outcome: str, *, case: str = "", **facts: object) -> str:
    """What can be done about it, in one sentence."""
    text = UNDER_SUSPICION if case == "suspected" else _find(rule, outcome, case)[1]
    return _fill((text,), {**DEFAULTS, **_known(facts)})


def happened(what: str, **facts: object) -> str:
    """One sentence on what a person or the clock did."""
    texts = _HAPPENED.get(what) or (what.replace("-", " ").replace("_", " ").capitalize() + ".",)
    return _fill(texts, _known(facts))


def doer(label: str) -> str:
    """Who did it, as it is stored: a person by his name, the product itself in the reader's language."""
    if label.startswith(FIRST_FETCH):
        return gettext(FIRST_FETCH) + label.removeprefix(FIRST_FETCH)
    return gettext(label) if label in DOERS else label


def texts() -> Iterator[str]:
    """Every text of these tables."""
    for said, remedy_ in (*_TABLE.values(), _HELD, _UNKNOWN):
        yield from (*said, remedy_)
    for said in _HAPPENED.values():
        yield from said
    yield from (UNDER_SUSPICION, CLONE_WAITS, *SIGNS.values(), *DOERS, FIRST_FETCH)


def when(at: datetime, zone: str, *, now: datetime) -> str:
    """Fri 27 Nov, 14:05 CET; with the year when it is another one than now."""
    place = ZoneInfo(zone)
    if at.astimezone(place).year == now.astimezone(place).year:
        form = pgettext("day and time", "D j M, H:i T")
    else:
        form = pgettext("day and time", "D j M Y, H:i T")
    return _dated(at.astimezone(UTC), zone, form, get_language())


@lru_cache(maxsize=10_000)  # a list says the same times with every look at it
def _dated(at: datetime, zone: str, form: str, language: str | None) -> str:
    return dateformat.format(at.astimezone(ZoneInfo(zone)), form)


def _find(rule: str, outcome: str, case: str) -> tuple[Texts, str]:
    outcome = str(outcome)
    found = _TABLE.get((rule, outcome, case)) or _TABLE.get((rule, outcome))
    if found is not None:
        return found
    return _HELD if outcome == "held" else _UNKNOWN


def _known(facts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _fill(texts: Texts, facts: dict[str, object]) -> str:
    """The first text all of whose places are known; the last one stands in for the rest."""
    for text in texts:
        places = {name for _, name, _, _ in Formatter().parse(text) if name}
        if places <= facts.keys():
            filled = gettext(text).format_map(facts)
            return filled[:1].upper() + filled[1:] if filled.startswith(str(THIS_ADDRESS)) else filled
    return gettext(texts[-1])
