"""What a request says of itself in its User-Agent: free text that may raise suspicion, no more. Pure."""

import functools
import re
import tomllib
from dataclasses import dataclass

from devices.catalog import FAMILIES, Catalog, catalog
from devices.mac import parse_mac

MAX_LENGTH = 256
_VERSION = re.compile(r"[\s/(;:\-]+[vV]?\d+(?:[.:_]\w+)+.*|/[vV]?\d.*|\s*[(;].*")


@dataclass(frozen=True, slots=True)
class Agent:
    """A User-Agent that one of our families sends."""

    family: str
    model: str  #: as the agent spells it; the catalogue's find_model understands it
    firmware: str | None  #: None while a boot loader asks: its own version says nothing of the phone's
    version: str | None  #: as it stands in the text, a boot loader's too
    mac: str | None
    product: str  #: the product's name without version, what an approval remembers
    stage: str | None


@dataclass(frozen=True, slots=True)
class Stranger:
    """A User-Agent of a phone that we do not serve."""

    maker: str
    model: str
    version: str
    mac: str | None

    def __str__(self) -> str:
        return f"{self.maker} {self.model}"


def parse_agent(text: str | None, families: Catalog | None = None) -> Agent | None:
    """Return what the agent says; None when no family sends it so, and for an overlong text."""
    if not text or len(text) > MAX_LENGTH:
        return None
    for family, pattern in _patterns(families or catalog()):
        if found := pattern.fullmatch(text):
            return _agent(family, found)
    return None


def parse_stranger(text: str | None) -> Stranger | None:
    """Return which phone of another maker says this; None also for what one of our families says."""
    if not text or len(text) > MAX_LENGTH or parse_agent(text):
        return None
    for maker, pattern in _strangers():
        if found := pattern.fullmatch(text):
            said = found.groupdict()
            mac = said.get("mac")
            return Stranger(maker, said["model"], said["firmware"], _mac(mac) if mac else None)
    return None


def product_name(text: str | None) -> str:
    """Return any agent's product without version and MAC, at most 120 characters; may be empty."""
    if agent := parse_agent(text):
        return agent.product
    kept = "".join(character for character in (text or "")[:MAX_LENGTH] if character.isprintable())
    return _VERSION.sub("", kept).strip()[:120]


def _agent(family: str, found: re.Match[str]) -> Agent:
    said = found.groupdict()
    model = next(value for name, value in said.items() if name.startswith("model") and value)
    stage = said.get("stage")
    mac = said.get("mac")
    return Agent(
        family=family,
        model=model,
        firmware=None if said.get("loader") else said.get("firmware"),
        version=said.get("firmware"),
        mac=_mac(mac) if mac else None,
        product=" ".join(said["product"].split()),
        stage=stage,
    )


def _mac(text: str) -> str | None:
    try:
        return parse_mac(text)
    except ValueError:
        return None


@functools.cache
def _patterns(families: Catalog) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (code, re.compile(agent.pattern))
        for code, family in families.families.items()
        for agent in family.agents
    )


@functools.cache
def _strangers() -> tuple[tuple[str, re.Pattern[str]], ...]:
    rows = tomllib.loads((FAMILIES / "strangers.toml").read_text(encoding="utf-8"))["agents"]
    return tuple((row["maker"], re.compile(row["pattern"])) for row in rows)
