"""Sites and their networks: what "the same IP" means for the phones that are bound to a place."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices.definitions import SETTINGS
from devices.models import Site, SiteNetwork
from provisioning import publishing
from provisioning.models import Claim, Lock, Window
from security.networks import AddressError, Network, is_public, parse_network

MOST_NETWORKS = 20
NARROW_V4, NARROW_V6 = 24, 48
# What B8 lets support allow at most: wider than this is no place any more.
SUPPORT_V4, SUPPORT_V6 = 20, 40

Places = defaultdict[int, list[tuple[Network, int]]]


def create(
    account: Account,
    *,
    by: Actor,
    name: str,
    time_zone: str = "",
    networks: Sequence[str] = (),
    now: datetime | None = None,
) -> Site:
    """Make a site with its networks; no phone is in it yet."""
    _needs(by, account)
    now = now or timezone.now()
    wanted = _read_networks(networks, account, by)
    with transaction.atomic():
        account = _locked(account)
        _refuse_overlap(account, wanted, of=None)
        site = Site(account=account, name=_read_name(name), time_zone=_read_zone(time_zone), created_at=now)
        cleaning.full_clean(site, blame="name")
        site.save()
        _write(site, wanted)
        audit.record(by, "site.created", site, now=now, networks=[str(network) for network in wanted])
        publishing.lists_changed()
    return site


def change(
    site: Site,
    *,
    by: Actor,
    name: str | None = None,
    time_zone: str | None = None,
    networks: Sequence[str] | None = None,
    now: datetime | None = None,
) -> Site:
    """Change what is given; `networks` is the whole set, and phones bound here are bound to it at once."""
    _needs(by, site.account)
    wanted = None if networks is None else _read_networks(networks, site.account, by)
    with transaction.atomic():
        account = _locked(site.account)
        site = Site.objects.select_for_update(of=("self",)).select_related("account").get(pk=site.pk)
        before: dict[str, Any] = {
            "name": site.name,
            "time_zone": site.time_zone,
            "networks": _names(networks_of(site)),
        }
        if name is not None:
            site.name = _read_name(name)
        if time_zone is not None:
            site.time_zone = _read_zone(time_zone)
        if wanted is not None:
            _refuse_overlap(account, wanted, of=site)
        after: dict[str, Any] = {
            "name": site.name,
            "time_zone": site.time_zone,
            "networks": before["networks"] if wanted is None else _names(wanted),
        }
        details: dict[str, Any] = {
            key: [before[key], after[key]] for key in before if before[key] != after[key]
        }
        if not details:
            return site
        cleaning.full_clean(site, blame="name")
        site.save(update_fields=["name", "time_zone"])
        if "networks" in details and wanted is not None:
            _write(site, wanted)
            publishing.lists_changed()
        if "time_zone" in details:
            publishing.devices_changed(list(site.devices.values_list("pk", flat=True)), files=True)
        audit.record(by, "site.changed", site, now=now, **details)
    return site


def add_network(site: Site, *, by: Actor, network: str, now: datetime | None = None) -> Site:
    """Add one network to the site."""
    return change(site, by=by, networks=[*_names(networks_of(site)), network], now=now)


def remove_network(site: Site, *, by: Actor, network: str, now: datetime | None = None) -> Site:
    """Take one network from the site: from there it is another origin at once."""
    gone = _parse(network)
    left = [str(kept) for kept in networks_of(site) if kept != gone]
    return change(site, by=by, networks=left, now=now)


def remove(site: Site, *, by: Actor, now: datetime | None = None) -> None:
    """Remove a site; phones bound to it stay bound to the very address they were last set up from."""
    _needs(by, site.account)
    now = now or timezone.now()
    with transaction.atomic():
        _locked(site.account)
        site = Site.objects.select_for_update(of=("self",)).select_related("account").get(pk=site.pk)
        if Window.objects.open_or_coming(now).filter(site=site).exists():
            raise Refusal(
                "E4",
                gettext("A window for {site} is open or coming; close it first.").format(site=site),
                code="in-use",
            )
        bound = list(Lock.objects.select_for_update(of=("self",)).filter(bound_site=site))
        last: dict[int, Claim] = {}
        for claim in Claim.objects.filter(device__in=[lock.pk for lock in bound]).order_by("id"):
            last[claim.device_id or 0] = claim
        for lock in bound:
            claim_row = last.get(lock.pk)
            lock.bound_site = None
            lock.bound_first, lock.bound_last = (claim_row.first, claim_row.last) if claim_row else ("", "")
        Lock.objects.bulk_update(bound, ["bound_site", "bound_first", "bound_last"], batch_size=500)
        placed = set(site.devices.values_list("pk", flat=True))
        audit.record(by, "site.removed", site, now=now, phones=len(placed), bound=len(bound))
        site.delete()
        publishing.devices_changed(sorted(placed), files=True)
        publishing.devices_changed(sorted({lock.pk for lock in bound} - placed), files=False)
        publishing.lists_changed()


def networks_of(site: Site) -> list[Network]:
    """The site's networks, the lowest first."""
    return [Network.from_hex(row.first, row.last) for row in site.networks.order_by("first")]


def places(account_ids: Iterable[int]) -> Places:
    """The networks of the accounts' sites, each with its site's key, by account."""
    found: Places = defaultdict(list)
    rows = SiteNetwork.objects.filter(account__in=set(account_ids)).order_by("pk")
    for account, site, first, last in rows.values_list("account_id", "site_id", "first", "last"):
        found[account].append((Network.from_hex(first, last), site))
    return found


# --- inside ----------------------------------------------------------------------------------------------


def _needs(by: Actor, account: Account) -> None:
    if not by.may(Power.EDIT_SITES, account.path):
        raise Forbidden


def _locked(account: Account) -> Account:
    """One change of an account's networks at a time: two that overlap cannot come in side by side."""
    locked: Account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    return locked


def _read_name(text: str) -> str:
    return cleaning.needed("name", text, gettext("The name"), longest=120)


def _read_zone(text: str) -> str:
    return str(SETTINGS["time_zone"].read(text)) if text else ""


def _parse(text: str) -> Network:
    try:
        return parse_network(text)
    except AddressError as error:
        raise Invalid("networks", told(error.args[0])) from error


def _read_networks(texts: Sequence[str], account: Account, by: Actor) -> list[Network]:
    """The networks in order; Invalid names the one that a site cannot hold."""
    if len(texts) > MOST_NETWORKS:
        raise Invalid(
            "networks",
            gettext("A site has at most {most_networks} networks.").format(most_networks=MOST_NETWORKS),
        )
    wide = by.may(Power.WIDE_SITES, account.path)
    narrow_v4, narrow_v6 = (SUPPORT_V4, SUPPORT_V6) if wide else (NARROW_V4, NARROW_V6)
    found: list[Network] = []
    for text in texts:
        network = _parse(text)
        if network.prefix < (narrow_v4 if network.is_v4 else narrow_v6):
            said = gettext("{network} is too wide: an IPv4 /{v4} or IPv6 /{v6} at most.")
            raise Invalid("networks", said.format(network=network, v4=narrow_v4, v6=narrow_v6))
        if not settings.LATCHKEY_TRIAL and not is_public(network):
            raise Invalid(
                "networks",
                gettext("{network} is not public: phones of others could have it too.").format(
                    network=network
                ),
            )
        if any(network.overlaps(other) for other in found):
            raise Invalid("networks", gettext("{network} is named twice.").format(network=network))
        found.append(network)
    return sorted(found)


def _refuse_overlap(account: Account, wanted: Iterable[Network], *, of: Site | None) -> None:
    for network in wanted:
        others: Any = SiteNetwork.objects.filter(
            account=account, first__lte=network.hex_last, last__gte=network.hex_first
        ).select_related("site")
        other = others.exclude(site=of).first()
        if other is not None:
            held = Network.from_hex(other.first, other.last)
            raise Invalid(
                "networks",
                gettext("{network} overlaps {held} of {site}.").format(
                    network=network, held=held, site=other.site
                ),
            )


def _write(site: Site, wanted: Iterable[Network]) -> None:
    site.networks.all().delete()
    SiteNetwork.objects.bulk_create(
        SiteNetwork(site=site, account=site.account, first=network.hex_first, last=network.hex_last)
        for network in wanted
    )


def _names(networks: Iterable[Network]) -> list[str]:
    return [str(network) for network in networks]
