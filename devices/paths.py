"""The path grammar: which file of which family a request names, and for which MAC. Pure.

A family's patterns become one regular expression, tried against the path below the root or the private URL.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

MAX_PATH_BYTES = 255
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HEX_FOLDER = "[0-9A-Fa-f]{32}"  # an account's folder on phones that come from 2600Hz
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_PLACEHOLDERS = {
    "word": "[A-Za-z0-9_]+",
    "part": "[A-Za-z0-9_.-]+",
    "text": "[^/]+",
}


class FileKind(StrEnum):
    """What a name means; rules.md section 2 says what each one gets."""

    CLAIMING = "claiming"  # takes the lock at the root, full content below the private URL
    FULL = "full"  # full content below the private URL only
    COMMON = "common"  # no secret and no device
    DIRECTORY = "directory"  # the phone's own phone book
    CALLS = "calls"  # the phone's own call lists
    BOOK = "book"  # the company's phone book, the same for all phones of a family in an account
    OVERRIDE = "override"  # settings changed at the phone: always 404, they would beat the hardening
    LICENCE = "licence"  # always 404
    UPLOAD = "upload"  # logs and the like, pushed by the phone
    FIRMWARE = "firmware"
    OTHER_OWN = "other_own"  # the device's own name that we never fill


@dataclass(frozen=True, slots=True)
class FileRule:
    """One name pattern of a family."""

    path: str
    kind: FileKind
    content_type: str = "application/octet-stream"
    full: str = ""  #: template below the private URL
    bootstrap: str = ""  #: template at the root
    common: str = ""  #: template of a file without a device
    book: str = ""  #: template of a phone book below the private URL
    absent_in: tuple[str, ...] = ()  #: generations that never ask for it
    helper: bool = False  #: named by bootstraps only, sets a short poll and nothing else
    full_and_move: bool = False  #: over HTTPS the root answers with the full file, which moves the phone
    envelope: str = ""  #: summed: keys and values behind a head with length, checksum and MAC
    no_tls: bool = False  #: asked by phones that cannot do TLS: the addresses in it are http

    @property
    def has_mac(self) -> bool:
        """Whether the name says which device it is for."""
        return "{mac}" in self.path

    @property
    def claims(self) -> bool:
        """Whether a GET of it at the root is judged by the claiming rules."""
        return self.kind is FileKind.CLAIMING

    @property
    def served(self) -> bool:
        """Whether it is a common file with content; others without a MAC are 404 and count against nobody."""
        return bool(self.common)


@dataclass(frozen=True, slots=True)
class FileUse:
    """A name as one family understands it."""

    family: str
    file: FileRule
    mac: str | None


@dataclass(frozen=True, slots=True)
class PathMatch:
    """What a path at the root URL names; several families can share a spelling such as `{mac}.cfg`."""

    name: str
    mac: str | None
    candidates: tuple[FileUse, ...]

    def rule_for(self, family: str, generation: str | None = None) -> FileRule | None:
        """Return the file as the device's own family means it; None when that family has no such name."""
        for use in self.candidates:
            if use.family == family and (generation is None or generation not in use.file.absent_in):
                return use.file
        return None

    @property
    def common(self) -> FileUse | None:
        """The common file with content, when the path names one."""
        return next((use for use in self.candidates if use.file.served), None)

    @property
    def claims(self) -> bool:
        """Whether at least one family asks this name first on the way to its lock."""
        return any(use.file.claims for use in self.candidates)


def split_path(raw_path: bytes | str) -> list[str] | None:
    """Return the percent-decoded segments; None for a path that no phone would send.

    Decoding happens once, so `%252e` stays three characters and is refused by the grammar later.
    """
    raw = raw_path.encode("utf-8", "surrogatepass") if isinstance(raw_path, str) else raw_path
    if _BAD_ESCAPE.search(raw):
        return None
    decoded = unquote_to_bytes(raw)
    if decoded.count(b"/") != raw.count(b"/"):  # an encoded slash would make folders nobody wrote
        return None
    decoded = decoded.removeprefix(b"/")
    if not decoded or len(decoded) > MAX_PATH_BYTES or b"\\" in decoded or b"\0" in decoded:
        return None
    try:
        segments = decoded.decode("utf-8").split("/")
    except UnicodeDecodeError:
        return None
    if any(segment in ("", ".", "..") for segment in segments):
        return None
    return segments


class Grammar:
    """One family's patterns as a single regular expression; the first pattern that fits wins."""

    def __init__(self, family: str, files: Sequence[FileRule], folders: Sequence[str]) -> None:
        self._family = family
        self._files = tuple(files)
        leading = "|".join([*(re.escape(folder) for folder in folders), _HEX_FOLDER])
        names = "|".join(f"(?P<f{at}>{_expression(file.path, at)})" for at, file in enumerate(self._files))
        self._pattern = re.compile(f"(?:(?:{leading})/){{0,2}}(?:{names})")

    def match(self, path: str) -> FileUse | None:
        """Return what the path is to this family."""
        found = self._pattern.fullmatch(path)
        if found is None or found.lastgroup is None:
            return None
        at = int(found.lastgroup[1:])
        file = self._files[at]
        return FileUse(self._family, file, found[f"m{at}"].lower() if file.has_mac else None)


def _expression(path: str, at: int) -> str:
    """Translate `{mac}-phone.cfg` into a regular expression with the MAC as a named group."""
    parts: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(path):
        parts += [re.escape(path[end : found.start()]), _placeholder(found[1], at)]
        end = found.end()
    return "".join([*parts, re.escape(path[end:])])


def _placeholder(name: str, at: int) -> str:
    if name == "mac":
        return f"(?P<m{at}>(?!0{{12}})[0-9A-Fa-f]{{12}})"
    if name.startswith("digits:"):
        return f"[0-9]{{{int(name.removeprefix('digits:'))}}}"
    if name not in _PLACEHOLDERS:
        raise ValueError(f"a path holds the unknown placeholder {{{name}}}")
    return _PLACEHOLDERS[name]
