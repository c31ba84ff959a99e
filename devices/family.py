"""What a family of phones is made of: models, generations, files, agents, protections. Pure."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from accounts.said import Said
from devices.paths import FileRule, Grammar
from devices.phone import BookEntry, KeyKind
from devices.texts import refusal


@dataclass(frozen=True, slots=True)
class AgentPattern:
    """One spelling of a family's User-Agent; the groups are model, firmware, mac, product and stage."""

    pattern: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protection:
    """What one neutral protection becomes in the vendor's keys, switched on and switched off."""

    on: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    by_template: bool = False  #: written by the template, because it depends on more than on and off


HANDOVERS = ("include", "chain", "poll")
BANKS = ("display", "memory", "module")
ENVELOPES = ("", "summed")
#: Where a phone's power comes from, and so how it is started anew by whoever stands before it.
POWERS = ("cable", "plug-or-cable", "base", "adapter", "battery", "wired-in")
RAW_LENGTH = 500

_NUMBER = re.compile(r"[._](?:\d+|X)(?=[._@]|$)")


@dataclass(frozen=True, slots=True)
class Generation:
    """Firmware that spells or hands over differently from the family's newest."""

    title: str
    firmware: str = ""  #: regular expression over the whole version; empty fits none
    handover: str = "include"  #: include | chain | poll: how the bootstrap leads to the private URL
    slow: bool = False  #: the bootstrap's way to the private URL can take up to an hour
    numbered: bool = False  #: takes a file by the number in it: a lower one is passed over
    without_keys: tuple[str, ...] = ()  #: kinds of key that it cannot show
    banks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: bank -> the only kinds of its keys
    hardening: Mapping[str, Protection] = field(default_factory=dict)  #: replaces the family's entries
    line_cannot: Mapping[str, str] = field(default_factory=dict)  #: of shared lines; empty text: it can
    cannot: Mapping[str, str] = field(default_factory=dict)  #: protection -> why this firmware has none
    cannot_set: Mapping[str, str] = field(default_factory=dict)  #: setting -> why this firmware has none
    book_cannot: str = ""  #: why this firmware has no phone book from us; empty: it has
    raw_key: str = ""  #: regular expression of the family's own keys that it knows; empty: all
    doubts: tuple[str, ...] = ()  #: what no public source settles
    notes: tuple[str, ...] = ()  #: what people should know of it


@dataclass(frozen=True, slots=True)
class Expansion:
    """Key modules that can be plugged in."""

    modules: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """One model of phone."""

    name: str
    title: str
    lines: int  #: SIP identities it can register
    keys: int  #: keys beside the display, all pages
    generation: str
    memory_keys: int = 0  #: a second block of keys on the phone itself
    keys_per_page: int = 0  #: of the keys beside the display; 0: the vendor counts them in one row
    memory_keys_per_page: int = 0
    key_area: str = ""  #: what the vendor's files call the keys beside the display, where models differ
    expansion: Expansion = Expansion()
    first_line: int = 1  #: what a watching key calls the first line
    lines_on_keys: bool = True  #: a line takes the key at its position; else lines and keys are counted apart
    single_step: bool = False  #: cannot be moved to a private URL
    no_tls: bool = False  #: gets http addresses
    power: str = ""  #: one of POWERS; empty: as the family's
    aliases: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()  #: the vendor's numbers in common file names
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def keyed_lines(self) -> bool:
        """Whether a line takes a key of its own in the row of keys."""
        return self.lines_on_keys and self.keys + self.memory_keys > 0

    @property
    def room(self) -> int:
        """How many keys it has, with every expansion module."""
        return self.keys + self.memory_keys + self.expansion.modules * self.expansion.keys


@dataclass(frozen=True, slots=True)
class Resync:
    """How a phone is asked to fetch again."""

    event: str
    reboot_event: str


@dataclass(frozen=True, slots=True)
class Connect:
    """How a new phone is told of the root URL, which `{root}` stands for; `{place}` is without the scheme."""

    order: str  #: whom it asks first when it starts, in a sentence
    options: tuple[str, ...]  #: DHCP options that carry the value as a text, the one to use first
    value: str  #: what stands there, and in the vendor's service
    by_hand: str  #: what is typed on the phone's own web page
    where: str  #: into which field, in a sentence
    service: str  #: the vendor's redirection service by its name
    steps: tuple[str, ...]  #: what to do there
    needs: tuple[str, ...] = ()  #: what the phone needs, certificates above all
    doubts: tuple[str, ...] = ()

    def address(self, pattern: str, root: str) -> str:
        """Return a pattern with the root in it, which has no slash at its end."""
        return pattern.replace("{root}", root).replace("{place}", root.partition("://")[2])


@dataclass(frozen=True, slots=True)
class PhoneBook:
    """What the phones of a family make of their company's phone book."""

    most: int  #: entries that they take; the rest is left out
    search: str  #: how people find somebody in it, in a sentence
    one_number: bool = False  #: an entry shows one number: who has more stands there more than once

    def entries(self, entries: Sequence[BookEntry]) -> list[BookEntry]:
        """Return the entries as these phones count them, those beyond `most` too."""
        if not self.one_number:
            return list(entries)
        return [BookEntry(entry.name, (number,)) for entry in entries for number in entry.numbers]


@dataclass(frozen=True, slots=True)
class RawKeys:
    """The vendor's own keys that people may add to a file beside those that the family writes itself."""

    key: str  #: regular expression of how such a key is spelled
    example: str
    within: str = ""  #: what keys.txt writes before it
    nested: bool = False  #: dots part the elements that a key stands in
    reserved: tuple[str, ...] = ()  #: regular expressions of keys that only the product may write


@dataclass(frozen=True, slots=True)
class Family:
    """One vendor's way of provisioning: data and templates."""

    code: str
    folder: Path
    name: str
    format: str  #: lines | xml: picks the escaping rule
    ouis: tuple[str, ...]
    folders: tuple[str, ...]  #: leading folders of the phones' own making
    model_prefixes: tuple[str, ...]  #: what agents and people write before a model's name
    agents: tuple[AgentPattern, ...]
    files: tuple[FileRule, ...]
    generations: Mapping[str, Generation]
    models: Mapping[str, Model]
    key_codes: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    limits: Mapping[str, str]  #: field of the settings -> regular expression of what the vendor can carry
    hardening: Mapping[str, Protection]
    cannot: Mapping[str, str]  #: protection -> why this family has none
    resync: Resync
    doubts: tuple[str, ...]
    grammar: Grammar
    spellings: Mapping[str, str]
    #: what of a shared line its files cannot say -> why
    line_cannot: Mapping[str, str] = field(default_factory=dict)
    written: frozenset[str] = frozenset()  #: every key of keys.txt, as `bare_key` has it
    cannot_set: Mapping[str, str] = field(default_factory=dict)  #: neutral setting -> why it has none
    connect: Connect | None = None
    raw: RawKeys | None = None
    book: PhoneBook | None = None
    power: str = "plug-or-cable"  #: one of POWERS

    def power_of(self, model: str) -> str:
        """Return where a model has its power from; the family's way for one that is not known."""
        known = self.models.get(model)
        return (known.power if known else "") or self.power

    def find_model(self, text: str) -> Model | None:
        """Return the model by its catalogue name or as its User-Agent spells it."""
        return self.models.get(self.spellings.get(squeeze(text), ""))

    def generation_of(self, model: str, firmware: str | None = None) -> str:
        """Return the generation that a firmware belongs to; without one, the model's own."""
        if firmware:
            for code, generation in self.generations.items():
                if generation.firmware and _fits(generation.firmware, firmware):
                    return code
        return self.models[model].generation

    def key_kinds(self, model: str, generation: str | None = None) -> frozenset[KeyKind]:
        """Return the kinds of key that a model can show."""
        without = self.generations[generation or self.models[model].generation].without_keys
        return frozenset(KeyKind(kind) for kind in self.key_codes if kind not in without)

    def banks(self, model: str, generation: str | None = None) -> dict[str, frozenset[KeyKind]]:
        """Return the kinds that the keys of a bank can show, for the banks that cannot show all."""
        named = self.generations[generation or self.models[model].generation].banks
        return {bank: frozenset(KeyKind(kind) for kind in kinds) for bank, kinds in named.items()}

    def protections(self, generation: str) -> dict[str, Protection]:
        """Return what each neutral protection becomes for a generation."""
        firmware = self.generations[generation]
        found = {**self.hardening, **firmware.hardening}
        return {name: protection for name, protection in found.items() if name not in firmware.cannot}

    def lacks(self, generation: str) -> dict[str, str]:
        """Return the protections that a generation has none of, each with the reason."""
        firmware = self.generations[generation]
        declined = {**self.cannot, **firmware.cannot}
        return {name: reason for name, reason in declined.items() if name not in firmware.hardening}

    def lacks_settings(self, generation: str) -> dict[str, str]:
        """Return the neutral settings that a generation has none of, each with the reason."""
        return {**self.cannot_set, **self.generations[generation].cannot_set}

    def phone_book(self, generation: str) -> FileRule | None:
        """Return the name under which a generation gets its company's phone book; None when it cannot."""
        if self.book is None or self.generations[generation].book_cannot:
            return None
        found = (file for file in self.files if file.book and generation not in file.absent_in)
        return next(found, None)

    def raw_refusal(self, key: str, value: str) -> Said | None:
        """Return why a vendor's own key cannot be added with this value; None when it can.

        A key that the product writes is never among them: a file has each key once, and neither the way to
        the private URL nor a secret nor a protection can be replaced.
        """
        if self.raw is None:
            return Said("{maker} takes no keys beside those that the product writes", maker=self.name)
        if not _fits(self.raw.key, key):
            like = {"key": key, "maker": self.name, "example": self.raw.example}
            return Said("{key!r} is no key of {maker}; a key looks like {example}", **like)
        if bare_key(self.raw.within + key) in self.written:
            return Said("{key} is written by the product itself, from its settings", key=key)
        if any(_fits(pattern, key.casefold()) for pattern in self.raw.reserved):
            return Said(
                "{key} is kept for the product: it leads the phone to its files or guards it", key=key
            )
        if len(value) > RAW_LENGTH:
            return Said("a value has {most} characters at most", most=RAW_LENGTH)
        return refusal(self.format, value)

    def lacks_sharing(self, generation: str) -> dict[str, str]:
        """Return what a generation cannot say of a shared line, each with the reason."""
        declined = {**self.line_cannot, **self.generations[generation].line_cannot}
        return {name: reason for name, reason in declined.items() if reason}

    def knows_raw(self, generation: str, key: str) -> bool:
        """Whether a generation spells its keys like this one; others are left out of its files."""
        pattern = self.generations[generation].raw_key
        return not pattern or _fits(pattern, key)

    @property
    def helper(self) -> FileRule | None:
        """The small file that makes a phone ask again soon, named by bootstraps."""
        return next((file for file in self.files if file.helper), None)


def squeeze(text: str) -> str:
    """Return a model's spelling without case, blanks and punctuation."""
    return "".join(character for character in text.casefold() if character.isalnum())


def bare_key(key: str) -> str:
    """Return a vendor's key without its numbers and without case: what a phone may take for the same key."""
    return _NUMBER.sub("", key).casefold()


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _fits(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None
