"""What a phone's keys are once its profile is counted in: its own keys win, and an empty one hides."""

from collections.abc import Collection, Iterable, Mapping

from devices.catalog import catalog
from devices.models import Appearance, Device, Key, KeyColumns, ProfileKey
from devices.phone import KeyKind, KeySetting


def effective(
    own: Iterable[Key], inherited: Iterable[ProfileKey], lines: Collection[int] = ()
) -> list[KeyColumns]:
    """The phone's own keys and those of its profile whose place the phone does not use itself.

    `lines` are the places in the same row of keys that show a line. Empty keys hide, and are none themselves.
    """
    found: dict[int, KeyColumns] = {row.position: row for row in inherited if row.position not in lines}
    found |= {row.position: row for row in own}
    kept = (row for row in found.values() if row.kind != KeyKind.EMPTY.value)
    return sorted(kept, key=lambda row: row.position)


def line_places(family: str, model: str, positions: Iterable[int]) -> frozenset[int]:
    """The keys that these lines take on this model; none where lines and keys are counted apart."""
    return frozenset(positions) if catalog().families[family].models[model].keyed_lines else frozenset()


def of(device: Device, *, model: str = "", lines: Iterable[Appearance] | None = None) -> list[KeyColumns]:
    """The keys that the phone has, with other lines or as another model of its family if so asked."""
    shown = device.appearances.all() if lines is None else lines
    places = line_places(device.family, model or device.model, (row.position for row in shown))
    inherited = ProfileKey.objects.filter(profile=device.profile_id) if device.profile_id else ()
    return effective(device.keys.all(), inherited, places)


def of_many(devices: Iterable[Device], lines: Mapping[int, Collection[int]]) -> dict[int, list[KeyColumns]]:
    """As `of` for many phones, in two queries; `lines` holds the places of their lines."""
    wanted = list(devices)
    own: dict[int, list[Key]] = {}
    for key in Key.objects.filter(device__in=[device.pk for device in wanted]):
        own.setdefault(key.device_id, []).append(key)
    inherited: dict[int | None, list[ProfileKey]] = {}
    for row in ProfileKey.objects.filter(profile__in={device.profile_id for device in wanted} - {None}):
        inherited.setdefault(row.profile_id, []).append(row)
    return {
        device.pk: effective(
            own.get(device.pk, ()),
            inherited.get(device.profile_id, ()),
            line_places(device.family, device.model, lines.get(device.pk, ())),
        )
        for device in wanted
    }


def settings_of(rows: Iterable[KeyColumns]) -> tuple[KeySetting, ...]:
    """Keys as a file is made of them."""
    return tuple(KeySetting(row.position, KeyKind(row.kind), row.value, row.label, row.line) for row in rows)
