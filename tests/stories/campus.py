"""The campus of story 0, made in bulk in an installation's shell, and what its rows say afterwards."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models import Min
from django.utils import timezone

from accounts.models import Account
from devices import secrets as sealed
from devices.models import Appearance, Device, Extension, Site
from provisioning import earned, publishing, wire
from provisioning.gate import State
from provisioning.models import DeviceEvent, Incident, Lock, Proof, Token
from security.models import Ban
from security.networks import origin_of, parse_address
from tests.e2e.fill import fill

SLUG = "initech"
LONG_AGO = timedelta(days=3)


def settle(private: int, single: int, path: str, *, homes: list[str], other: str) -> None:
    """Phones that have come by these lines to the world for days, at a site that has another one.

    The path gets [MAC, token] of those with a private URL, and [MAC, ""] of those that ask at the root.
    """
    account, now = Account.objects.get(slug=SLUG), timezone.now()
    site = Site.objects.create(account=account, name="Campus")
    for address in (*homes, other):
        origin = origin_of(parse_address(address))
        site.networks.create(account=account, first=origin.hex_first, last=origin.hex_last)
    told = _single_step(account, single, homes)
    fill(private, path, slug=SLUG, source=homes[0])
    told += json.loads(Path(path).read_text())
    phones = list(Device.objects.filter(mac__in=[mac for mac, _ in told]))
    Device.objects.filter(pk__in=[phone.pk for phone in phones]).update(site=site)
    Lock.objects.filter(device__in=phones).update(bound_site=site)
    origins = [origin_of(parse_address(home)) for home in homes]
    used = {wire.pack_network(origin): (now - LONG_AGO).timestamp() for origin in origins}
    Token.objects.filter(device__in=phones).update(origins=used)
    for origin in origins:
        proof = {"first": origin.hex_first, "last": origin.hex_last, "at": now - LONG_AGO}
        Proof.objects.bulk_create([Proof(device=phone, **proof) for phone in phones], batch_size=1000)
    publishing.republish_all()
    earned.publish_all(now)
    Path(path).write_text(json.dumps(told))


def _single_step(account: Account, number: int, homes: list[str]) -> list[list[str]]:
    """Phones that cannot be moved: they poll at the root URL, and did so on other days."""
    origin, now = origin_of(parse_address(homes[0])), timezone.now()
    phones = Device.objects.bulk_create(
        [
            Device(
                account=account, mac=f"001565f{at:05x}", family="yealink", model="VP530", name=f"Screen {at}"
            )
            for at in range(number)
        ]
    )
    lines = [Extension(account=account, username=str(300_000 + at)) for at in range(number)]
    for at, line in enumerate(lines):
        line.secret = sealed.seal(sealed.Kind.SIP_SECRET, line.code, f"secret-of-a-screen-{at}")
    Extension.objects.bulk_create(lines)
    Appearance.objects.bulk_create(
        [
            Appearance(device=phone, extension=line, position=1)
            for phone, line in zip(phones, lines, strict=True)
        ]
    )
    bound = {"bound_first": origin.hex_first, "bound_last": origin.hex_last}
    Lock.objects.bulk_create([Lock(device=phone, state=State.LOCKED.value, **bound) for phone in phones])
    came = {"what": "request", "outcome": "bootstrap", "rule": "R4", "at": now - LONG_AGO}
    came |= {"details": {"check_in": True}, "account": account}
    DeviceEvent.objects.bulk_create(
        [DeviceEvent(device=d, mac=d.mac, address=home, **came) for d in phones for home in homes]
    )
    return [[phone.mac, ""] for phone in phones]


def tell(address: str, since: float) -> None:
    """Print what stands in the rows about this address since then."""
    origin = origin_of(parse_address(address))
    began = timezone.datetime.fromtimestamp(since, tz=timezone.get_current_timezone())
    rows = DeviceEvent.objects.filter(
        account__slug=SLUG, address=address, at__gte=began, what="request", details__check_in=True
    )
    firsts = rows.filter(outcome="full").order_by().values("device").annotate(first=Min("at"))
    incidents = Incident.objects.filter(first=origin.hex_first, opened_at__gte=began).order_by("opened_at")
    facts: dict[str, Any] = {
        "bans": [
            {
                "at": ban.starts_at.timestamp(),
                "over": (ban.lifted_at or ban.ends_at).timestamp(),
                "keys": len(ban.evidence["keys"]),
                "threshold": ban.evidence["threshold"],
                "step": ban.step,
            }
            for ban in Ban.objects.filter(first=origin.hex_first, starts_at__gte=began).order_by("starts_at")
        ],
        "proved_at": sorted(row["first"].timestamp() for row in firsts),
        "checked_in": rows.values("device").distinct().count(),
        "incidents": [
            {
                "kind": one.kind,
                "account": one.account.slug,
                "title": one.title,
                "evidence": one.evidence,
                "over": one.ended_at is not None,
            }
            for one in incidents
        ],
        "suspected": sorted(
            Lock.objects.filter(
                device__account__slug=SLUG, suspicion_why=Lock.Suspicion.CLONE, suspicion_since__gte=began
            ).values_list("device__mac", flat=True)
        ),
    }
    sys.stdout.write(json.dumps(facts))
