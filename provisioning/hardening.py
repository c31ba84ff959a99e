"""How well phones are protected by their files (rules.md section 8): a score with its reasons in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db.models import Case, Count, Q, QuerySet, When
from django.utils.translation import gettext

from accounts.models import Account
from accounts.scope import Actor
from devices.catalog import catalog
from devices.definitions import SETTINGS, SWITCHES
from devices.family import Family, Model
from devices.levels import Level as GivenAt
from devices.levels import ModelIn, given_above, level_of
from devices.models import Device, SettingValue
from devices.phone import Srtp
from devices.trails import Given
from provisioning.gate import State

#: What each protection weighs; together they are the hundred points.
WEIGHTS: Mapping[str, int] = {
    "accept_calls_from_server_only": 20,
    "web_page_off": 15,
    "check_tls_certificates": 15,
    "provision_over_https_only": 15,
    "encrypt_calls": 15,
    "refuse_direct_ip_calls": 10,
    "lock_user_menu": 5,
    "random_delay_before_polling": 5,
}
assert sum(WEIGHTS.values()) == 100

_OTHER_NAMES = {"encrypt_calls": "srtp", "web_page_off": "web_page"}
#: The setting that switches each protection.
SETTING_OF: Mapping[str, str] = {name: _OTHER_NAMES.get(name, name) for name in WEIGHTS}
TITLES: Mapping[str, str] = {name: title for name, (title, _) in SWITCHES.items()} | {
    "encrypt_calls": SETTINGS["srtp"].called,
    "web_page_off": "No web page on the phone",
}
WORST = 50

_NO_HTTPS = "This model cannot do HTTPS: its files, and the passwords in them, travel readable."
_PLAIN_HTTP = "This installation serves its phones over plain HTTP."
#: Every text above, which no call of gettext names.
TEXTS = (*TITLES.values(), _NO_HTTPS, _PLAIN_HTTP)


class Standing(StrEnum):
    """What is true of one protection on one phone."""

    ON = "on"
    OFF = "off"
    CANNOT = "cannot"


class Protection(NamedTuple):
    """One protection as it stands on a phone: `why` for what it cannot, `given` for what somebody said."""

    name: str
    standing: Standing
    why: str
    given: Given | None

    @property
    def title(self) -> str:
        """What people call it."""
        return gettext(TITLES[self.name])

    def reason(self, reader: Actor) -> str:
        """Why it is not on, in words; an account above that the reader does not know is his provider."""
        if self.why or self.given is None or self.standing is Standing.ON:
            return gettext(self.why) if self.why else ""
        if self.given.at is None:
            return gettext("Off as the product comes.")
        if self.given.level is GivenAt.PHONE:
            return gettext("Switched off for this phone alone.")
        whose = str(self.given.at) if self.given.named_to(reader) else gettext("your provider")
        if self.given.level is GivenAt.MODEL:
            return gettext("Switched off for the model {whose}.").format(whose=whose)
        return gettext("Switched off by {whose} ({level}).").format(
            whose=whose, level=gettext(self.given.level)
        )


class Score(NamedTuple):
    """What the files of a phone are worth, from 0 to 100, and what each protection has to do with it."""

    points: int
    protections: tuple[Protection, ...]

    @property
    def lacking(self) -> list[Protection]:
        """What is off or cannot be, what weighs most first."""
        return [row for row in self.protections if row.standing is not Standing.ON]


class PhoneScore(NamedTuple):
    device: Device
    score: Score


@dataclass(frozen=True, slots=True)
class Tally:
    """How many phones have one protection."""

    name: str
    on: int
    off: int
    cannot: int

    @property
    def title(self) -> str:
        """What people call it."""
        return gettext(TITLES[self.name])

    @property
    def weight(self) -> int:
        """How many of the hundred points it is."""
        return WEIGHTS[self.name]


@dataclass(frozen=True, slots=True)
class AccountScore:
    """The phones of an account and of those below it; no points where there is none."""

    points: int | None
    phones: int
    unknown: int  #: phones of models that the catalogue does not have
    tallies: tuple[Tally, ...]
    worst: tuple[PhoneScore, ...]


_Switched = Mapping[str, Given]


def weigh(family: Family, model: Model, switched: _Switched) -> Score:
    """Add up what is on.

    The more a protection keeps away, the more it weighs: the calls of strangers twenty points; a readable
    file, a false server, a listener and a web page fifteen each; direct calls ten; the menu and the crowd
    after a power cut five each. It counts whole or not at all. What a family cannot do is missing like what
    somebody switched off: the phone is as open either way, and the reasons tell them apart. Encryption
    counts wherever it is not off, since the SIP server decides what both sides can.
    """
    lacks = family.lacks(model.generation)
    found = tuple(_standing(name, model, lacks.get(name, ""), switched[SETTING_OF[name]]) for name in WEIGHTS)
    return Score(sum(WEIGHTS[row.name] for row in found if row.standing is Standing.ON), found)


def _standing(name: str, model: Model, cannot: str, given: Given) -> Protection:
    over_https = name == "provision_over_https_only"
    if cannot or (over_https and model.no_tls):
        return Protection(name, Standing.CANNOT, cannot or _NO_HTTPS, None)
    if over_https and not settings.PHONES_URL.startswith("https://"):
        return Protection(name, Standing.OFF, _PLAIN_HTTP, None)
    return Protection(name, Standing.ON if _is_on(name, given) else Standing.OFF, "", given)


def _is_on(name: str, given: Given) -> bool:
    if name == "encrypt_calls":
        return given.value != Srtp.OFF.value
    return not given.value if name == "web_page_off" else bool(given.value)


# --- one phone ------------------------------------------------------------------------------------------


def of_phone(device: Device) -> Score | None:
    """The score of one phone; None when the catalogue has lost its model."""
    family, model = _model(device.family, device.model)
    if family is None or model is None:
        return None
    own = SettingValue.objects.filter(device=device, name__in=SETTING_OF.values())
    above = given_above([device.account])
    return weigh(family, model, _switched(device.account, device.family, device.model, above, own, device))


def _model(family: str, model: str) -> tuple[Family | None, Model | None]:
    known = catalog().families.get(family)
    return known, known.models.get(model) if known else None


def built_in() -> dict[str, Given]:
    """The switches as the product comes."""
    return {name: Given(SETTINGS[name].default, GivenAt.BUILT_IN, None) for name in SETTING_OF.values()}


def _switched(
    account: Account,
    family: str,
    model: str,
    above: Mapping[str, list[SettingValue]],
    own: Iterable[SettingValue] = (),
    device: Device | None = None,
) -> dict[str, Given]:
    """The value that holds for each of the switches, with the place it was given at."""
    found = built_in()
    rows = [row for path in account.ancestor_paths() for row in above.get(path, ()) if row.name in found]
    for row in rows:
        if not row.model:
            found[row.name] = Given(row.value, level_of(row.account), row.account)
    for row in rows:
        if (row.family, row.model) == (family, model):
            found[row.name] = Given(row.value, GivenAt.MODEL, ModelIn(row.account, row.family, row.model))
    for row in own:
        found[row.name] = Given(row.value, GivenAt.PHONE, device)
    return found


# --- an account -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """Phones that share a score: of one model in one account, or one phone with values of its own."""

    score: Score
    phones: int
    which: Q


def of_account(account: Account) -> AccountScore:
    """The score of an account and all below it: the mean of its phones', rounded down.

    Phones of one model in one account, without values of their own, are weighed once, so it costs as many
    queries for a thousand phones as for one. Retired phones count no more.
    """
    groups, unknown = _groups(account)
    phones = sum(group.phones for group in groups)
    total = sum(group.score.points * group.phones for group in groups)
    return AccountScore(
        points=total // phones if phones else None,
        phones=phones,
        unknown=unknown,
        tallies=_tallies(groups),
        worst=_worst(account, groups),
    )


def _groups(account: Account) -> tuple[list[_Group], int]:
    living = _living(account)
    given = SettingValue.objects.filter(device__in=living, name__in=SETTING_OF.values())
    own: dict[int | None, list[SettingValue]] = {}
    for row in given:
        own.setdefault(row.device_id, []).append(row)
    same = living.exclude(pk__in=given.values("device"))
    counts = same.order_by().values_list("account", "family", "model").annotate(phones=Count("pk"))
    alone = list(living.filter(pk__in=given.values("device")))
    kinds = [(*row, None) for row in counts]
    kinds += [(device.account_id, device.family, device.model, 1, device) for device in alone]
    accounts = Account.objects.in_bulk({kind[0] for kind in kinds})
    above = given_above(accounts.values())
    groups, unknown = [], 0
    for account_id, family, model, phones, device in kinds:
        known, kind = _model(family, model)
        if known is None or kind is None:
            unknown += phones
            continue
        rows = own[device.pk] if device else ()
        switched = _switched(accounts[account_id], family, model, above, rows, device)
        which = Q(account=account_id, family=family, model=model) & ~Q(pk__in=given.values("device"))
        which = Q(pk=device.pk) if device else which
        groups.append(_Group(weigh(known, kind, switched), phones, which))
    return groups, unknown


def _living(account: Account) -> QuerySet[Device]:
    phones = Device.objects.filter(account__path__startswith=account.path)
    return phones.exclude(lock__state=State.RETIRED.value)


def _tallies(groups: Iterable[_Group]) -> tuple[Tally, ...]:
    counts = {name: dict.fromkeys(Standing, 0) for name in WEIGHTS}
    for group in groups:
        for row in group.score.protections:
            counts[row.name][row.standing] += group.phones
    return tuple(
        Tally(name, seen[Standing.ON], seen[Standing.OFF], seen[Standing.CANNOT])
        for name, seen in counts.items()
    )


def _worst(account: Account, groups: Iterable[_Group]) -> tuple[PhoneScore, ...]:
    """The phones with the fewest points, then by name; a full score is nothing to look at."""
    wanted: list[_Group] = []
    for group in sorted(groups, key=lambda group: group.score.points):
        if group.score.points == 100 or sum(one.phones for one in wanted) >= WORST:
            break
        wanted.append(group)
    if not wanted:
        return ()
    rank = Case(*(When(group.which, then=at) for at, group in enumerate(wanted)))
    phones = _living(account).annotate(rank=rank).filter(rank__isnull=False).select_related("account")
    rows = [PhoneScore(phone, wanted[phone.rank].score) for phone in phones.order_by("rank", "name")[:WORST]]
    return tuple(sorted(rows, key=lambda row: (row.score.points, str(row.device))))
