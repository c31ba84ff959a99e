"""Provisioning windows: for some hours one origin may set up the phones of an account and below (E4)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from devices.models import Device, Site
from provisioning import announcing, earned, facts, policies, publishing
from provisioning.announcing import Happened
from provisioning.gate import DeviceFacts, KeyKind, State
from provisioning.locking import CLOCK
from provisioning.models import Claim, FailureKey, Window
from security.models import Ban
from security.networks import Network, is_public, origin_of, show_address

START_AHEAD = timedelta(days=14)
OPEN_AT_ONCE = 20
TYPED_ABOVE = 50


# --- which phones ------------------------------------------------------------------------------------------


def covered(
    account: Account, *, site: Site | None = None, devices: Sequence[Device] | None = None
) -> QuerySet[Device]:
    """The phones that a window would serve: enabled, not quarantined, not retired, and in its filter."""
    phones = (
        Device.objects.filter(
            below([account.path], "account__path"), is_enabled=True, account__is_active=True
        )
        .exclude(lock__state__in=[State.QUARANTINED.value, State.RETIRED.value])
        .order_by("name", "mac")
    )
    for path in Account.objects.filter(below([account.path], "path"), is_active=False).values_list(
        "path", flat=True
    ):
        phones = phones.exclude(below([path], "account__path"))
    if site is not None:
        phones = phones.filter(site=site)
    if devices is not None:
        phones = phones.filter(pk__in=[device.pk for device in devices])
    return phones


def cover(account: Account, *, site: Site | None = None, devices: Sequence[Device] | None = None) -> int:
    """How many phones a window would serve; above 50 the number has to be typed."""
    return covered(account, site=site, devices=devices).count()


def phones_of(window: Window) -> QuerySet[Device]:
    """The phones that this window serves now."""
    listed = list(window.devices.all()) if window.listed else None
    return covered(window.account, site=window.site, devices=listed)


def let_in(window: Window) -> QuerySet[Claim]:
    """The claims of its phones at its origin while it was open, the newest first."""
    ends = min(window.ends_at, window.closed_at or window.ends_at)
    return Claim.objects.filter(
        device__in=phones_of(window).values("pk"),
        at__gte=window.starts_at,
        at__lt=ends,
        first__gte=window.first,
        last__lte=window.last,
    ).select_related("device")


def missing(window: Window) -> QuerySet[Device]:
    """The phones that it serves, that it has not let in yet and that are not at home there already."""
    there = Q(lock__bound_first__gte=window.first, lock__bound_last__lte=window.last) & ~Q(
        lock__bound_first=""
    )
    home = Q(lock__bound_site__networks__first__lte=window.first) & Q(
        lock__bound_site__networks__last__gte=window.last
    )
    at_home = Device.objects.filter(there | home).values("pk")
    arrived = let_in(window).order_by().values("device")
    return phones_of(window).exclude(pk__in=arrived).exclude(pk__in=at_home)


# --- opening and closing -----------------------------------------------------------------------------------


def open_window(
    account: Account,
    *,
    by: Actor,
    origin: Network,
    hours: int,
    starts: datetime | None = None,
    site: Site | None = None,
    devices: Sequence[Device] | None = None,
    confirm: int | None = None,
    now: datetime | None = None,
) -> Window:
    """Let one origin set up the account's phones for whole hours, from now or from a later start (E4)."""
    now = now or timezone.now()
    if not by.may(Power.OPEN_WINDOW, account.path):
        raise Forbidden
    _check_time(account, hours, starts, now)
    _check_origin(origin, now)
    _check_filter(account, site, devices)
    starts_at = (starts or now).astimezone(UTC)  # hours that pass, whatever a wall clock does meanwhile
    with transaction.atomic():
        # The account's row is held, so that two openings cannot both be the twentieth.
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if Window.objects.filter(account=account).open_or_coming(now).count() >= OPEN_AT_ONCE:
            raise Refusal(
                "E4",
                gettext("{open_at_once} windows are open here. Close one first.").format(
                    open_at_once=OPEN_AT_ONCE
                ),
                code="too-many-windows",
            )
        phones = covered(account, site=site, devices=devices)
        covers = phones.count()
        if covers > TYPED_ABOVE and confirm != covers:
            raise Refusal(
                "E4",
                gettext("This window would serve {covers} phones. Type that number to open it.").format(
                    covers=covers
                ),
                code="confirm",
                field="confirm",
            )
        window = Window(
            account=account,
            first=origin.hex_first,
            last=origin.hex_last,
            site=site,
            listed=devices is not None,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=hours),
            opened_by=by.label,
            covers=covers,
            created_at=now,
        )
        cleaning.full_clean(window)
        window.save()
        if devices is not None:
            window.devices.set(devices)
        withdraw_keys(origin, phones.values_list("mac", flat=True), now=now)
        audit.record(
            by,
            "window.opened",
            window,
            now=now,
            origin=str(origin),
            hours=hours,
            starts=starts_at.isoformat(),
            covers=covers,
            site=str(site.code) if site else None,
        )
        _tell(
            "window.opened",
            window,
            by=by,
            rule="E4",
            at=now,
            starts=starts_at,
            until=window.ends_at,
            phones=covers,
        )
        publishing.lists_changed()
    return window


def close_window(window: Window, *, by: Actor, now: datetime | None = None) -> Window:
    """Close the window early; one that is over stays as it was (E5)."""
    now = now or timezone.now()
    if not by.may(Power.OPEN_WINDOW, window.account.path):
        raise Forbidden
    with transaction.atomic():
        held: Window = (
            Window.objects.select_for_update(of=("self",)).select_related("account").get(pk=window.pk)
        )
        if held.closed_at is not None or held.ends_at <= now:
            return held
        held.closed_at = now
        cleaning.full_clean(held)
        held.save(update_fields=["closed_at"])
        audit.record(by, "window.closed", held, now=now, origin=str(held.network))
        _tell("window.closed", held, by=by, rule="E5", at=now)
        publishing.lists_changed()
    return held


def sweep(now: datetime) -> int:
    """Write down that windows have closed by themselves; safe to run twice or late (E6)."""
    ended = 0
    for pk in Window.objects.filter(closed_at=None, ends_at__lte=now).values_list("pk", flat=True):
        with transaction.atomic():
            window = Window.objects.select_for_update(of=("self",)).select_related("account").get(pk=pk)
            if window.closed_at is not None:
                continue
            window.closed_at = window.ends_at
            window.save(update_fields=["closed_at"])
            audit.record(CLOCK, "window.ended", window, now=now, origin=str(window.network))
            _tell("window.closed", window, by=CLOCK, rule="E6", at=window.ends_at)
            publishing.lists_changed()
            ended += 1
    return ended


def _tell(kind: str, window: Window, *, by: Actor, rule: str, at: datetime, **more: Any) -> None:
    """Programs that listen are told of the window, in the order of what happens to it."""
    announcing.announce(
        kind,
        window.account,
        at=at,
        lane=lane_of(window),
        rule=rule,
        by=by.label,
        window=str(window.code),
        origin=str(window.network),
        **more,
    )


def lane_of(window: Window) -> str:
    """In which order programs are told of it."""
    return f"window {window.code}"


def used(device: Device, admitted: DeviceFacts, *, address: int, rule: str, at: datetime) -> Happened | None:
    """What programs are told where a window has let a phone in: to the account that opened the window."""
    where, origin = f"{address:032x}", str(origin_of(address))
    rows = Window.objects.open_or_coming(at).filter(first__lte=where, last__gte=where).order_by("pk")
    for row in rows.select_related("account", "site"):
        if facts.window(row).admits(now=at.timestamp(), address=address, device=admitted):
            named = {"rule": rule, "window": str(row.code), "origin": origin}
            return Happened("window.used", row.account, at, device, lane_of(row), named)
    return None


def withdraw_keys(
    origin: Network, macs: "QuerySet[Device, str] | Sequence[str]", *, now: datetime, any_kind: bool = False
) -> int:
    """The *locked MAC* keys of these phones no longer count against the origin; returns how many went.

    With `any_kind` a person has said that it was the phone: a wrong agent's key goes too, and none of the
    last day is a sign of a thief (E7).
    """
    kinds = [KeyKind.LOCKED_MAC.value] + ([KeyKind.WRONG_AGENT.value] if any_kind else [])
    since = now - timedelta(hours=24 if any_kind else 1)
    keys = FailureKey.objects.filter(
        first=origin.hex_first, kind__in=kinds, last_at__gt=since, label__in=macs
    )
    earned.withdraw(origin, list(macs), kinds, now)
    return keys.delete()[0]


# --- what is refused ---------------------------------------------------------------------------------------


def _check_time(account: Account, hours: int, starts: datetime | None, now: datetime) -> None:
    longest = policies.effective(account).window_max_hours
    if not isinstance(hours, int) or isinstance(hours, bool) or not 1 <= hours <= longest:
        raise Invalid("hours", gettext("Whole hours from 1 to {longest}.").format(longest=longest), rule="E4")
    if starts is None:
        return
    if starts < now - timedelta(minutes=1):
        raise Invalid("starts", gettext("This start has passed."), rule="E4")
    if starts > now + START_AHEAD:
        raise Invalid(
            "starts", gettext("At most {days} days ahead.").format(days=START_AHEAD.days), rule="E4"
        )


def _check_origin(origin: Network, now: datetime) -> None:
    if origin != origin_of(origin.first):
        raise Invalid("address", gettext("A window is for one address: IPv4, or an IPv6 /64."), rule="E4")
    if not settings.LATCHKEY_TRIAL and not is_public(origin):
        raise Invalid("address", gettext("{origin} is no public address.").format(origin=origin), rule="E4")
    standing = Ban.objects.standing(now).filter(first__lte=origin.hex_last, last__gte=origin.hex_first)
    kinds = set(standing.values_list("kind", flat=True))
    shown = show_address(origin.first)
    if Ban.Kind.BLOCKED in kinds:
        raise Refusal(
            "E4",
            gettext("{shown} is blocked. Platform support can lift that.").format(shown=shown),
            code="blocked",
        )
    if Ban.Kind.BANNED in kinds:
        raise Refusal(
            "E4", gettext("{shown} is banned. Lift the ban first.").format(shown=shown), code="banned"
        )


def _check_filter(account: Account, site: Site | None, devices: Sequence[Device] | None) -> None:
    if site is not None and not site.account.path.startswith(account.path):
        raise Invalid("site", gettext("This site belongs to another account."), rule="E4")
    if devices is None:
        return
    if not devices:
        raise Invalid("devices", gettext("The list names no phone."), rule="E4")
    for device in devices:
        if not device.account.path.startswith(account.path):
            raise Invalid("devices", gettext("A phone of the list belongs to another account."), rule="E4")
