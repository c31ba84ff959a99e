"""How new phones of a make are told of the root URL: the addresses to enter, by what the make can do."""

from dataclasses import dataclass

from devices.family import Family


@dataclass(frozen=True, slots=True)
class Address:
    """One address to copy, with what it is for."""

    name: str
    url: str
    by_hand: str
    is_plain: bool  #: http, for the models that cannot do better


def without_tls(family: Family) -> list[str]:
    """The models of the make that get http addresses."""
    return [model.title for model in family.models.values() if model.no_tls]


def addresses(family: Family, root: str) -> list[Address]:
    """The root URL as the make wants it written; twice where some of its models cannot do HTTPS."""
    if family.connect is None:
        return []
    ways = [("root", root, False)]
    if root.startswith("https://") and without_tls(family):
        ways.append(("plain", root.replace("https://", "http://", 1), True))
    connect = family.connect
    return [
        Address(name, connect.address(connect.value, url), connect.address(connect.by_hand, url), is_plain)
        for name, url, is_plain in ways
    ]
