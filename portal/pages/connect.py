"""Connect phones: what to enter where, maker by maker, and who asked just now from the reader's place."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.guards import PageRequest, needs
from accounts.roles import Power
from devices.catalog import catalog
from devices.connecting import Address, addresses, without_tls
from devices.family import Connect, Family
from devices.models import Device
from portal.pages.presence import presence_of
from provisioning import heard

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Maker:
    """One family as the page shows it."""

    family: Family
    connect: Connect
    addresses: list[Address]
    plain_models: str


@needs(Power.SEE_ACCOUNT)
def connect(request: PageRequest) -> HttpResponse:
    """The page; every few seconds the phones that were heard alone."""
    now = timezone.now()
    context = {
        "now": now,
        "heard": heard.lately(request.actor, now)[:SHOWN],
        "places": request.actor.addresses,
    }
    if request.htmx:
        return render(request, "devices/_heard.html", context)
    families = [family for family in catalog().families.values() if family.connect is not None]
    chosen = _chosen(request, families)
    context |= {
        "section": "connect",
        "families": [(family.code, family.name, family is chosen) for family in families],
        "maker": _maker(chosen) if chosen else None,
        "root": f"{settings.PHONES_URL}/",
        "presence": presence_of(request, query=request.GET.urlencode()),
        "may_add": request.actor.may_anywhere(Power.EDIT_DEVICES),
    }
    return render(request, "devices/connect.html", context)


def _chosen(request: PageRequest, families: list[Family]) -> Family | None:
    """The family that was asked for, else that of a phone of the reader's, else the first."""
    codes = {family.code: family for family in families}
    asked = codes.get(request.GET.get("family", ""))
    if asked is not None:
        return asked
    newest = Device.objects.visible_to(request.actor).filter(family__in=codes).order_by("-pk").first()
    return codes[newest.family] if newest is not None else next(iter(families), None)


def _maker(family: Family) -> Maker:
    assert family.connect is not None
    ways = addresses(family, str(settings.PHONES_URL))
    return Maker(family, family.connect, ways, ", ".join(without_tls(family)))
