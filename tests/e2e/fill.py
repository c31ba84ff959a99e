"""Thousands of devices that live below their private URLs, made in bulk in an installation's shell."""

import json
import secrets
from pathlib import Path

from django.utils import timezone

from accounts.models import Account
from devices import secrets as sealed
from devices.models import Appearance, Device, Extension
from provisioning import publishing, tokens
from provisioning.gate import State, TokenKind
from provisioning.models import Claim, Lock, Token
from security.networks import origin_of, parse_address


def fill(
    number: int,
    path: str,
    *,
    slug: str = "initech",
    source: str = "127.3.0.1",
    first: int = 100_000,
    publish: bool = True,
) -> None:
    """Make them, with extensions from `first` on, and write [MAC, token] of each to the path."""
    now = timezone.now()
    account = Account.objects.get(slug=slug)
    origin = origin_of(parse_address(source))
    start = secrets.randbelow(0xF00000)
    devices = Device.objects.bulk_create(
        [
            Device(
                account=account,
                mac=f"805ec0{start + i:06x}",
                family="yealink",
                model="T46S",
                name=f"Desk {i}",
            )
            for i in range(number)
        ],
        batch_size=1000,
    )
    extensions = []
    for i, _ in enumerate(devices):
        extension = Extension(account=account, username=str(first + i), display_name=f"Desk {i}")
        extension.secret = sealed.seal(sealed.Kind.SIP_SECRET, extension.code, secrets.token_hex(12))
        extensions.append(extension)
    Extension.objects.bulk_create(extensions, batch_size=1000)
    Appearance.objects.bulk_create(
        [Appearance(device=d, extension=e, position=1) for d, e in zip(devices, extensions, strict=True)],
        batch_size=1000,
    )
    Lock.objects.bulk_create(
        [
            Lock(device=d, state=State.LOCKED.value, bound_first=origin.hex_first, bound_last=origin.hex_last)
            for d in devices
        ],
        batch_size=1000,
    )
    claims = Claim.objects.bulk_create(
        [
            Claim(
                device=d,
                mac=d.mac,
                at=now,
                rule="R1",
                first=origin.hex_first,
                last=origin.hex_last,
                address=source,
            )
            for d in devices
        ],
        batch_size=1000,
    )
    told, rows = [], []
    for device, claim in zip(devices, claims, strict=True):
        text = tokens.draw()
        name = tokens.hash_of(text)
        told.append([device.mac, text])
        rows.append(
            Token(
                device=device,
                mac=device.mac,
                hash=name,
                claim=claim,
                kind=TokenKind.CURRENT.value,
                sealed=tokens.keyring().seal(text.encode(), tokens.about(name)),
                issued_at=now,
                first_used_at=now,
                first=origin.hex_first,
                last=origin.hex_last,
            )
        )
    Token.objects.bulk_create(rows, batch_size=1000)
    Path(path).write_text(json.dumps(told))
    if publish:
        publishing.republish_all()
