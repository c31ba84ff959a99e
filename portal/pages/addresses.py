"""Addresses from which a reader's phones were refused, and what failed at one of them in the last hour."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.guards import PageRequest, needs
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from provisioning import facts, standing
from provisioning.gate import KeyKind, Outcome
from provisioning.models import DeviceEvent
from security.networks import AddressError, Network, parse_origin

KINDS = {
    KeyKind.UNKNOWN_MAC: "unknown MACs",
    KeyKind.BAD_TOKEN: "private URLs that were never given",
    KeyKind.LOCKED_MAC: "locked phones asked from elsewhere",
    KeyKind.WRONG_AGENT: "wrong agents",
    KeyKind.WRONG_CERTIFICATE: "wrong certificates",
    KeyKind.BAD_PATH: "bad paths, counted as one",
    KeyKind.BROWSER: "browsers, counted as one",
}
MOST = 2000


@needs(Power.SEE_ACCOUNT)
def addresses(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    refused = DeviceEvent.objects.visible_to(request.actor).filter(
        what="request", outcome=Outcome.REFUSED.value, at__gt=now - timedelta(days=1)
    )
    rows = by_address(refused)
    asked = request.GET.get("address", "").strip()[:60]
    context: dict[str, Any] = {
        "section": "addresses",
        "rows": rows,
        "asked": asked,
        "mine": request.actor.address,
    }
    if asked:
        try:
            context["found"] = checked(parse_origin(asked), request.actor, rows, now)
        except AddressError as error:
            messages.error(request, str(error))
    return render(request, "provisioning/addresses.html", context)


def by_address(events: Any) -> list[dict[str, Any]]:
    """One row an address: how many tries, of which phones, by which rules, when last; the busiest first."""
    rows: dict[str, dict[str, Any]] = {}
    for event in events.select_related("account", "device").exclude(address="").order_by("-at")[:MOST]:
        row = rows.setdefault(
            event.address, {"address": event.address, "tries": 0, "phones": {}, "rules": set(), "last": event}
        )
        row["tries"] += event.count
        if event.device is not None:  # otherwise it was removed, or is another account's now
            row["phones"][event.mac] = event.device
        row["rules"].add(event.rule)
    made = [
        {**row, "phones": list(row["phones"].values()), "rules": sorted(row["rules"])}
        for row in rows.values()
    ]
    return sorted(made, key=lambda row: -row["tries"])


def checked(
    origin: Network, actor: Actor, rows: list[dict[str, Any]], now: datetime
) -> dict[str, Any] | None:
    """The failures of the last hour, the reader's own phones in clear and others' as counts.

    None for an address that is not the reader's business: not where he is, and none of his phones was there.
    """
    own = Device.objects.visible_to(actor)
    living = standing.proved_at(origin, now).filter(pk__in=own.values("pk")).count()
    his = any(parse_origin(row["address"]) == origin for row in rows)
    his = his or any(parse_origin(address) == origin for address in actor.addresses)
    if not (his or living or actor.may_anywhere(Power.LIFT_BAN)):
        return None
    keys = standing.failures(origin, now)
    macs = {key.label for key in keys if key.label}
    phones = {phone.mac: phone for phone in own.filter(mac__in=macs).select_related("account")}
    banned, blocked = facts.standing_of(origin.first, now)
    return {
        "origin": origin,
        "keys": len(keys),
        "kinds": [
            (KINDS[KeyKind(kind)], count) for kind, count in Counter(key.kind for key in keys).most_common()
        ],
        "own": [(key, phones[key.label]) for key in keys if key.label in phones],
        "living": living,
        "banned": banned,
        "blocked": blocked,
    }
