"""What each policy value means and how its values read, for the pages and the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext, ngettext

HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Words:
    """What a policy does, in one sentence, with the rules that ask it and what its words mean."""

    means: str
    rules: tuple[str, ...]
    choices: Mapping[str, str] = field(default_factory=dict)


WORDS: Mapping[str, Words] = {
    "fresh_ttl": Words("A new phone may be set up for this long. Then it locks itself.", ("R1", "R3")),
    "manager_unlock_ttl": Words("How long a manager's ordinary unlock stays open.", ("E1",)),
    "user_unlock_ttl": Words(
        "How long a phone may be set up again after Allow Reprovision, or its owner's button.", ("E2",)
    ),
    "window_max_hours": Words("No window stays open for longer.", ("E4",)),
    "token_overlap": Words(
        "How long a phone's former private URL still works once its new one was used.", ("T3",)
    ),
    "match_user_agent": Words(
        "Whoever asks for a phone's file and calls itself by another make gets nothing.", ("R12",)
    ),
    "trust_factory_certificate": Words(
        "A phone that shows its maker's certificate for its own MAC is let in from any address.", ("R5c",)
    ),
    "quarantine_on_clone": Words(
        "When two parties use a phone's private URLs, the phone is shut out at once. Only a provider can"
        " lift that.",
        ("T3", "E8q"),
    ),
    "shared_origin_reset": Words(
        "What happens to a phone that starts over at an address where phones of several customers live.",
        ("R4", "R6"),
        {"approve": "A person approves it", "allow": "It is let in"},
    ),
    "first_fetch": Words(
        "From where a new phone is let in without asking anybody.",
        ("R1", "R3b"),
        {"approval": "From nowhere", "sites": "From the sites and windows", "anywhere": "From anywhere"},
    ),
    "poll_from_new_origin": Words(
        "Whether a check-in from an address other than the bound one is told by e-mail.",
        ("O4",),
        {"alert": "Tell the managers", "allow": "Tell nobody"},
    ),
    "origin_follows": Words(
        "A phone that checks in from a new place for a day is bound to that place from then on.", ("O4",)
    ),
    "full_over_http": Words(
        "Phones that cannot move within a minute get their whole file at the root URL even where nothing"
        " hides it on its way.",
        ("T6",),
    ),
}


def say(name: str, value: int | bool | str) -> str:
    """A value as people say it: On, 36 hours, 7 days, From anywhere."""
    if isinstance(value, bool):
        return gettext("On") if value else gettext("Off")
    if isinstance(value, str):
        word = WORDS[name].choices.get(value)
        return gettext(word) if word else value
    if value % HOURS_A_DAY == 0 and value > HOURS_A_DAY:
        days = value // HOURS_A_DAY
        return ngettext("{days} day", "{days} days", days).format(days=days)
    return ngettext("{hours} hour", "{hours} hours", value).format(hours=value)
