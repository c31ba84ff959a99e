"""Which account number each line gets and which key sits where on a model. Pure."""

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from accounts.said import Said
from devices.catalog import Model
from devices.phone import KeyKind, KeySetting, Line, PhoneSettings


class DoesNotFit(ValueError):
    """The settings ask for more than the model has; `field` says where."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Account:
    """One SIP identity of the phone; the same extension on several keys is one account."""

    number: int
    line: Line
    keys: int  #: how many keys show it


@dataclass(frozen=True, slots=True)
class PlacedKey:
    """One key with its place: beside the display, in the memory block, or on an expansion module."""

    position: int
    bank: str  #: display | memory | module
    module: int  #: 0 on the phone itself
    number: int  #: within its bank or module
    running: int  #: within its bank, counted on over all modules
    page: int  #: of its bank, from 1; a bank without pages is one
    slot: int  #: within its page
    kind: KeyKind
    account: int  #: the account that it shows or calls on
    watch_line: int  #: the same as the vendor counts it on keys that watch
    value: str
    label: str

    @property
    def from_nought(self) -> int:
        """Its position, counted from 0."""
        return self.position - 1


@dataclass(frozen=True, slots=True)
class KeyPage:
    """The keys that share a page of a bank or module."""

    bank: str
    module: int
    number: int
    keys: tuple[PlacedKey, ...]  #: without the empty ones
    empty: tuple[int, ...]  #: the slots of the empty ones


@dataclass(frozen=True, slots=True)
class Layout:
    """Accounts in order and every key of the model, empty ones too: phones keep what a file leaves out."""

    accounts: tuple[Account, ...]
    keys: tuple[PlacedKey, ...]

    @property
    def empty_runs(self) -> tuple[tuple[str, int], ...]:
        """Where nothing sits: the bank, and the number within it, counted on over all modules."""
        return tuple((key.bank, key.running) for key in self.keys if key.kind is KeyKind.EMPTY)

    @property
    def empty_places(self) -> tuple[int, ...]:
        """Where nothing sits, counted from 0 over the phone and its modules."""
        return tuple(key.from_nought for key in self.keys if key.kind is KeyKind.EMPTY)

    @property
    def pages(self) -> tuple[KeyPage, ...]:
        """The keys by page, for vendors that write them so."""
        pages = []
        for (bank, module, number), group in itertools.groupby(
            self.keys, lambda key: (key.bank, key.module, key.page)
        ):
            keys = tuple(group)
            used = tuple(key for key in keys if key.kind is not KeyKind.EMPTY)
            empty = tuple(key.slot for key in keys if key.kind is KeyKind.EMPTY)
            pages.append(KeyPage(bank, module, number, used, empty))
        return tuple(pages)


def lay_out(
    phone: PhoneSettings,
    model: Model,
    kinds: Collection[KeyKind],
    banks: Mapping[str, Collection[KeyKind]] | None = None,
) -> Layout:
    """Return accounts and keys as they sit on this model; DoesNotFit names what has no place.

    `banks` names what the keys of a bank can be, where that is less than `kinds`.
    """
    room, keyed = model.room, model.keyed_lines
    able = banks or {}
    settings: dict[int, KeySetting] = {}
    numbers: dict[tuple[str, str], int] = {}
    by_position: dict[int, int] = {}
    shown: dict[int, list[Line]] = {}
    for at, line in enumerate(phone.lines):
        _claim(f"lines[{at}].position", line.position, room if keyed else model.lines, by_position)
        if keyed and KeyKind.LINE not in able.get(bank_of(model, line.position)[0], (KeyKind.LINE,)):
            raise DoesNotFit(f"lines[{at}].position", Said("this key cannot show a line"))
        identity = (line.username, line.realm)
        number = numbers.setdefault(identity, len(numbers) + 1)
        if number > model.lines:
            has = Said("{model} has {count} lines", model=model.title, count=model.lines)
            raise DoesNotFit(f"lines[{at}]", has)
        by_position[line.position] = number
        shown.setdefault(number, []).append(line)
        if keyed:
            shows = KeySetting(line.position, KeyKind.LINE, label=line.label, line=line.position)
            settings[line.position] = shows
    for at, key in enumerate(phone.keys):
        _claim(f"keys[{at}].position", key.position, room, settings)
        if key.kind not in kinds:
            why = Said("{model} has no keys of the kind {kind}", model=model.title, kind=key.kind.value)
            raise DoesNotFit(f"keys[{at}].kind", why)
        if key.kind not in able.get(bank_of(model, key.position)[0], kinds):
            why = Said("this key cannot be of the kind {kind}", kind=key.kind.value)
            raise DoesNotFit(f"keys[{at}].kind", why)
        if key.line and key.line not in by_position:
            why = Said("no line sits at position {position}", position=key.line)
            raise DoesNotFit(f"keys[{at}].line", why)
        settings[key.position] = key
    accounts = tuple(Account(number, lines[0], len(lines)) for number, lines in shown.items())
    places = range(1, room + 1)
    return Layout(accounts, tuple(_place(model, at, settings.get(at), by_position) for at in places))


def _claim(field: str, position: int, room: int, taken: Collection[int]) -> None:
    if not 1 <= position <= room:
        why = Said("there are {room} places, {position} is none of them", room=room, position=position)
        raise DoesNotFit(field, why)
    if position in taken:
        raise DoesNotFit(field, Said("place {position} is taken", position=position))


def _place(model: Model, position: int, key: KeySetting | None, by_position: dict[int, int]) -> PlacedKey:
    wanted = key or KeySetting(position, KeyKind.EMPTY)
    account = by_position.get(wanted.line, 1)
    bank, module, number = bank_of(model, position)
    on_a_page = {"display": model.keys_per_page, "memory": model.memory_keys_per_page}.get(bank) or number
    page, slot = divmod(number - 1, on_a_page)
    return PlacedKey(
        position=position,
        bank=bank,
        module=module,
        number=number,
        running=max(module - 1, 0) * model.expansion.keys + number,
        page=page + 1,
        slot=slot + 1,
        kind=wanted.kind,
        account=account,
        watch_line=account + model.first_line - 1,
        value=wanted.value,
        label=wanted.label,
    )


def bank_of(model: Model, position: int) -> tuple[str, int, int]:
    """Where a place is: the bank, the module (0 on the phone itself), and its number there."""
    if position <= model.keys:
        return "display", 0, position
    position -= model.keys
    if position <= model.memory_keys:
        return "memory", 0, position
    module, number = divmod(position - model.memory_keys - 1, model.expansion.keys)
    return "module", module + 1, number + 1
