"""Phones' files with every secret masked, and what a change would make of them before it is made."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from accounts.speaking import told
from devices import settings_tree
from devices.levels import ModelIn
from devices.models import Device
from devices.phone import PhoneSettings
from provisioning import publishing, tokens
from provisioning.compiling import CompiledFile, CompileError, compile_full
from provisioning.gate import State
from provisioning.models import Lock

# What stands in a secret's place. Letters alone: every family's file takes them wherever a secret stands.
MASK = "MASKED"
MASK_OF_NEW = "MASKEDNEW"
MASKED_TOKEN = "masked".ljust(tokens.LENGTH, "0")

SHOWN = 20  # phones whose lines are shown
COMPILED = 60  # phones looked into for them; an office is counted exactly by what its files say
COMPARED = 1000  # phones whose settings are compared; of more the change itself says whom it reaches
LINES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """One file of a phone, its secrets masked."""

    name: str
    kind: str  #: the content type with which it is served
    size: int  #: in bytes, as masked
    lines: list[str]


class LineDiff(NamedTuple):
    """A line that goes ("-") or comes ("+")."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The lines of one file that differ."""

    name: str
    lines: list[LineDiff]
    more: int = 0  #: lines that differ and are not shown


@dataclass(frozen=True, slots=True)
class PhoneDiff:
    """What changes in the files of one phone."""

    device: Device
    files: list[FileDiff]
    problem: str = ""  #: why its files could not be made any more


class ModelCount(NamedTuple):
    """How many phones of a model change."""

    model: str
    phones: int


@dataclass(frozen=True, slots=True)
class Preview:
    """How many phones' files would change, of which models, and for some of them how."""

    phones: int = 0
    by_model: list[ModelCount] = field(default_factory=list)
    shown: list[PhoneDiff] = field(default_factory=list)

    @property
    def others(self) -> int:
        """How many phones change whose lines are not shown."""
        return self.phones - len(self.shown)


def may_see(by: Actor, account: Account) -> bool:
    """Whether this actor may look into masked files: more than a viewer's power, less than see-secrets."""
    return by.may(Power.EDIT_SETTINGS, account.path)


def files(device: Device, *, by: Actor) -> list[Shown]:
    """What this phone gets below its private URL, every secret and the URL's token masked."""
    _needs(by, device.account)
    lost: dict[int, str] = {}
    phone = _inputs([device.pk], lost).get(device.pk)
    if phone is None:
        raise unmade(device, lost[device.pk])
    living = tokens.living(device.pk)
    revision = Lock.objects.values_list("files_revision", flat=True).get(pk=device.pk)
    build = tokens.build(living[-1], revision) if living else 0
    try:
        _compiled(phone, device)  # what its real secrets forbid, their masks would not
        found = _compiled(_masked(phone, phone, _sees_raw(by, device)), device, build=build)
    except CompileError as error:
        raise unmade(device, error.said) from error
    return [
        Shown(name, file.content_type, len(file.body), _lines(file)) for name, file in sorted(found.items())
    ]


def unmade(device: Device, why: str) -> Refusal:
    """The refusal to show files that cannot be made."""
    return Refusal(
        "E13",
        gettext("The files of {device} cannot be made: {why}.").format(device=device, why=told(why)),
        code="no-files",
    )


def between(device: Device, other: Device, *, by: Actor) -> PhoneDiff:
    """What stands otherwise in this phone's files than in another one's of its family, both masked.

    Files are held against each other by their names without the MAC. A secret that the other phone does not
    have has a mask of its own.
    """
    for one in (device, other):
        _needs(by, one.account)
    if device.family != other.family:
        raise Refusal("input", gettext("Only phones of one make can be compared."), code="other-family")
    lost: dict[int, str] = {}
    phones = _inputs([device.pk, other.pk], lost)
    raw = _sees_raw(by, device) and _sees_raw(by, other)
    found: list[dict[str, CompiledFile]] = []
    for one in (other, device):
        if one.pk not in phones:
            raise unmade(one, lost[one.pk])
        try:
            _compiled(phones[one.pk], one)
            files_ = _compiled(_masked(phones[one.pk], phones[other.pk], raw), one)
        except CompileError as error:
            raise unmade(one, error.said) from error
        found.append({name.replace(one.mac, "{mac}"): file for name, file in files_.items()})
    theirs, own = found
    diffs = (
        _file_diff(name.replace("{mac}", device.mac), theirs.get(name), own.get(name))
        for name in sorted({*theirs, *own})
    )
    return PhoneDiff(device, [diff for diff in diffs if diff.lines])


def of_change(change: Callable[[], object], *, by: Actor, account: Account) -> Preview:
    """Run the change, see what it makes of the files of this account's phones and those below, and undo it.

    Nothing of it stays: it is rolled back with all that waited for its commit. Its refusal comes out as it
    is. It must find its rows itself, since what it does to objects in memory is not undone.
    """
    _needs(by, account)
    with transaction.atomic(), publishing.collected() as told:
        change()
        reached = _reached(told, account)
        picked = [row.pk for row in (reached if len(reached) <= COMPARED else reached[:COMPILED])]
        lost: dict[int, str] = {}
        after = _inputs(picked, lost)
        transaction.set_rollback(True)
    lost_before: dict[int, str] = {}
    before = _inputs(picked, lost_before)
    lost = {pk: reason for pk, reason in lost.items() if pk not in lost_before}
    changed = [pk for pk in picked if pk in lost or before.get(pk) != after.get(pk)]
    shown, silent = _looked_into(changed, before, after, lost, by)
    left_alone = silent | (set(picked) - set(changed))
    counted = Counter(row.title(account) for row in reached if row.pk not in left_alone)
    return Preview(counted.total(), [ModelCount(*row) for row in counted.most_common()], shown)


# --- inside ----------------------------------------------------------------------------------------------


class _Reached(NamedTuple):
    """A phone whose files the change would have compiled anew."""

    pk: int
    family: str
    model: str

    def title(self, account: Account) -> str:
        return ModelIn(account, self.family, self.model).title


def _needs(by: Actor, account: Account) -> None:
    if not may_see(by, account):
        raise Forbidden


def _sees_raw(by: Actor, device: Device) -> bool:
    """Whether he may read what people wrote into the vendors' own keys; they may write anything."""
    return by.may(Power.EDIT_RAW_KEYS, device.account.path)


def _reached(told: Collection[int], account: Account) -> list[_Reached]:
    """Those of them in this account and below it, a phone of every model first."""
    found = Device.objects.filter(below([account.path], "account__path")).order_by("name", "mac")
    if len(told) <= COMPARED:
        found = found.filter(pk__in=told)
    models: dict[tuple[str, str], list[_Reached]] = {}
    for row in found.values_list("pk", "family", "model"):
        if row[0] in told:
            models.setdefault(row[1:], []).append(_Reached(*row))
    return [row for turn in zip_longest(*models.values()) for row in turn if row is not None]


def _inputs(device_ids: Sequence[int], lost: dict[int, str]) -> dict[int, PhoneSettings]:
    """What these phones' files are made of; those that cannot be read are named in `lost`."""
    phones = settings_tree.phone_settings([Device(pk=pk) for pk in device_ids], unreadable=lost)
    retired = Lock.objects.filter(pk__in=device_ids, state=State.RETIRED.value)
    for pk in retired.values_list("pk", flat=True):
        if pk in phones:
            phones[pk] = phones[pk].without_accounts()
    return phones


def _looked_into(
    changed: Sequence[int],
    before: Mapping[int, PhoneSettings],
    after: Mapping[int, PhoneSettings],
    lost: Mapping[int, str],
    by: Actor,
) -> tuple[list[PhoneDiff], set[int]]:
    """Compile some of these phones both ways: what differs, and which of them have no line that does."""
    devices = Device.objects.select_related("account").in_bulk(changed[:COMPILED])
    shown: list[PhoneDiff] = []
    silent: set[int] = set()
    for device in (devices[pk] for pk in changed[:COMPILED] if pk in devices):
        if len(shown) == SHOWN:
            break
        diff = _diff(device, before.get(device.pk), after.get(device.pk), lost.get(device.pk, ""), by)
        if diff.files or diff.problem:
            shown.append(diff)
        else:
            silent.add(device.pk)
    return shown, silent


def _diff(
    device: Device, before: PhoneSettings | None, after: PhoneSettings | None, problem: str, by: Actor
) -> PhoneDiff:
    """Compare the files of one phone; a problem says why it would have none any more."""
    raw = _sees_raw(by, device)
    old: dict[str, CompiledFile] = {}
    with suppress(CompileError):  # they could not be made so far
        old = _compiled(_masked(before, before, raw), device) if before else {}
    if after is None:
        return PhoneDiff(device, [], told(problem))
    try:
        _compiled(after, device)
        new = _compiled(_masked(after, before or after, raw), device)
    except CompileError as error:
        return PhoneDiff(device, [], told(error.said))
    diffs = (_file_diff(name, old.get(name), new.get(name)) for name in sorted({*old, *new}))
    return PhoneDiff(device, [diff for diff in diffs if diff.lines])


def _file_diff(name: str, old: CompiledFile | None, new: CompiledFile | None) -> FileDiff:
    if old == new:
        return FileDiff(name, [])
    was, becomes = _lines(old) if old else [], _lines(new) if new else []
    found: list[LineDiff] = []
    for what, start, end, to_start, to_end in SequenceMatcher(None, was, becomes).get_opcodes():
        if what != "equal":
            found += [LineDiff("-", line) for line in was[start:end]]
            found += [LineDiff("+", line) for line in becomes[to_start:to_end]]
    return FileDiff(name, found[:LINES_SHOWN], max(0, len(found) - LINES_SHOWN))


def _compiled(phone: PhoneSettings, device: Device, *, build: int = 0) -> dict[str, CompiledFile]:
    root = tokens.root_url(device, plain=phone.plain_http)
    return compile_full(phone, f"{root}d/{MASKED_TOKEN}/", build=build)


def _masked(phone: PhoneSettings, before: PhoneSettings, raw: bool) -> PhoneSettings:
    """Put masks where secrets stand, so that no file made of them ever held one; `raw` leaves raw values.

    A secret that stood nowhere in the phone before has a mask of its own: its line is seen to change.
    """
    known = {line.secret for line in before.lines} | {before.admin_password, before.user_password}

    def mask(secret: str) -> str:
        return (MASK if secret in known else MASK_OF_NEW) if secret else ""

    return replace(
        phone,
        lines=tuple(replace(line, secret=mask(line.secret)) for line in phone.lines),
        admin_password=mask(phone.admin_password),
        user_password=mask(phone.user_password),
        raw=phone.raw if raw else tuple((key, _raw_mask(key, value, before)) for key, value in phone.raw),
    )


def _raw_mask(key: str, value: str, before: PhoneSettings) -> str:
    return MASK if dict(before.raw).get(key, value) == value else MASK_OF_NEW


def _lines(file: CompiledFile) -> list[str]:
    return file.body.decode(errors="replace").splitlines()
