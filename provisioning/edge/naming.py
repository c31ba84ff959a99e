"""What a path names, at the root and below a private URL, by the families' own grammars."""

import functools
import re

from devices.catalog import Catalog
from devices.paths import FileKind, FileRule, PathMatch
from provisioning.gate import Asked

_MAC = re.compile(r"[0-9A-Fa-f]{12}")
_SAMPLE = "00005e005301"  # stands for any device's MAC where the answer does not depend on it


class Names:
    """The catalogue's answers, remembered where that is safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # A hundred thousand phones ask for a handful of patterns: what is left of a name without its own MAC.
        self._own = functools.lru_cache(maxsize=4096)(self._own_uncached)

    def at_root(self, segments: list[str]) -> PathMatch | None:
        """What a path below the root URL names; None when no family's grammar knows it."""
        return self._catalog.match_segments(segments)

    def asked_at_root(self, match: PathMatch | None, family: str | None, model: str) -> Asked:
        """Sort it as section 3 does; `family` is the device's, None for a MAC that nobody knows."""
        if match is None:
            return Asked.BAD_PATH
        if match.mac is None:
            return Asked.COMMON if match.common is not None else Asked.ABSENT
        if family is None:
            return Asked.CLAIMING if match.claims else Asked.OWN
        rule = match.rule_for(family, self._generation(family, model))
        return Asked.CLAIMING if rule is not None and rule.claims else Asked.OWN

    def below_private(self, family: str, model: str, mac: str, segments: list[str]) -> Asked:
        """Sort a name below the private URL of this device (T8, section 2)."""
        path = "/".join(segments)
        if path.isascii() and _SAMPLE not in path.lower():
            return self._own(family, model, _without(path, mac))
        return _sort(self._catalog.own_file(family, model, mac, segments))

    def made_names(self, family: str, model: str, mac: str) -> list[str]:
        """The names of the files that are compiled for a device."""
        known = self._catalog.families.get(family)
        if known is None:
            return []
        generation = self._generation(family, model)
        return [
            file.path.replace("{mac}", mac)
            for file in known.files
            if file.full and generation not in file.absent_in
        ]

    def _own_uncached(self, family: str, model: str, path: str) -> Asked:
        segments = path.replace("\0", _SAMPLE).split("/")
        return _sort(self._catalog.own_file(family, model, _SAMPLE, segments))

    def _generation(self, family: str, model: str) -> str | None:
        known = self._catalog.families.get(family)
        found = known.models.get(model) if known else None
        return found.generation if found else None


def stored_name(segments: list[str]) -> str:
    """The name under which a file lies in the store: without folders, its MAC in lower case."""
    name = segments[-1]
    return name if name == name.lower() else _MAC.sub(lambda found: found[0].lower(), name)


def _without(path: str, mac: str) -> str:
    """Put a mark where the MAC stands, in whatever case."""
    if mac in path:
        return path.replace(mac, "\0")
    if mac in (low := path.lower()):
        at = low.index(mac)
        return _without(f"{path[:at]}\0{path[at + len(mac) :]}", mac)
    return path


def _sort(rule: FileRule | None) -> Asked:
    if rule is None:
        return Asked.FOREIGN
    if rule.kind in (FileKind.DIRECTORY, FileKind.CALLS):
        return Asked.KEPT
    if rule.book:
        return Asked.BOOK
    if rule.served:
        return Asked.COMMON
    return Asked.FULL if rule.full else Asked.NEVER
