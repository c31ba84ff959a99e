"""Phones as a table for spreadsheets: read and written in pieces, so that their number costs no memory."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from devices.catalog import catalog
from devices.mac import pretty
from devices.models import Device
from provisioning import describing

PIECE = 500
#: The columns, with what stands in them. An import reads the first eight again.
COLUMNS = {
    "MAC": "the MAC address",
    "Vendor": "the maker",
    "Model": "the model",
    "Name": "the phone's name",
    "Site": "the site it belongs to",
    "Owner": "the owner's e-mail address",
    "Extension": "the user name of its first line",
    "Profile": "its profile",
    "Further lines": "the user names of its other lines, in order",
    "Account": "the account's short name",
    "Enabled": "yes or no",
    "State": "what its lock is now: new, unlocked, locked, quarantined, retired",
    "Suspicion": "yes while others have tried to get its file",
    "Bound to": "its site or address",
    "Since": "since when the lock is so",
    "Until": "when that ends by itself",
    "Forecast": "what will happen by itself, in a sentence",
    "Last check-in": "when it last asked below its private URL",
    "Address": "from where",
    "Firmware": "the version it said then",
    "Code": "its name in the API",
}
#: What a spreadsheet would take for a formula, or for the mark that hides one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


class _Echo:
    """Hands back what a writer writes."""

    def write(self, text: str) -> str:
        return text


def lines(phones: QuerySet[Device], now: datetime) -> Iterator[bytes]:
    """The table, piece by piece: the columns' names, then the phones by name; times in UTC."""
    writer = csv.writer(_Echo(), delimiter=";")
    yield "\ufeff".encode() + str(writer.writerow(COLUMNS)).encode()
    keys = phones.order_by("name", "mac").values_list("pk", flat=True).iterator(chunk_size=10 * PIECE)
    while piece := list(islice(keys, PIECE)):
        text = "".join(str(writer.writerow([escaped(cell) for cell in row])) for row in _rows(piece, now))
        yield text.encode()


def escaped(cell: str) -> str:
    """The cell as a spreadsheet shows it and does not run it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _rows(keys: Iterable[int], now: datetime) -> Iterator[list[str]]:
    """The cells of these phones; one that was removed meanwhile is left out."""
    wanted = list(keys)
    found = Device.objects.filter(pk__in=wanted).select_related("account", "owner", "site", "profile")
    dressed = found.select_related("last_seen").prefetch_related("appearances__extension").order_by()
    phones = {device.pk: device for device in dressed}
    views = describing.describe_locks(list(phones.values()), now=now)
    for pk in wanted:
        if pk in phones and pk in views:
            yield _cells(phones[pk], views[pk])


def _cells(device: Device, view: describing.LockView) -> list[str]:
    family = catalog().families.get(device.family)
    seen: Any = getattr(device, "last_seen", None)
    lines = list(dict.fromkeys(row.extension.username for row in device.appearances.all()))
    return [
        pretty(device.mac),
        family.name if family else device.family,
        device.model,
        device.name,
        device.site.name if device.site else "",
        device.owner.email if device.owner else "",
        lines[0] if lines else "",
        device.profile.name if device.profile else "",
        ", ".join(lines[1:]),
        device.account.slug,
        "yes" if device.is_enabled else "no",
        view.state,
        "yes" if view.suspicion else "no",
        view.bound_origin or "",
        _utc(view.since),
        _utc(view.until),
        view.forecast.sentence if view.forecast else "",
        _utc(seen.at if seen else None),
        seen.address if seen else "",
        seen.firmware if seen else "",
        str(device.code),
    ]


def _utc(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""
