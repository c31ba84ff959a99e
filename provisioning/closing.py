"""When nobody expects phones to ask: a site's opening hours, its holidays, and those of a whole account."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices.models import Holiday, Site
from provisioning import opening_hours

MOST_HOLIDAYS = 100
PAST = timedelta(days=60)  # older ones matter to nothing any more, and are not shown
AHEAD = timedelta(days=3 * 366)

Day = tuple[date, str]


def set_times(
    site: Site,
    *,
    by: Actor,
    lines: Sequence[str] | None = None,
    days: Sequence[Day] | None = None,
    now: datetime | None = None,
) -> Site:
    """Give a site's opening hours and its holidays together: both are kept, or none."""
    with transaction.atomic():
        if lines is not None:
            site = set_hours(site, by=by, lines=lines, now=now)
        if days is not None:
            set_holidays(site, by=by, days=days, now=now)
    return site


def set_hours(site: Site, *, by: Actor, lines: Sequence[str], now: datetime | None = None) -> Site:
    """Give the site's opening hours, a line a day from Monday on; all empty: it is open day and night."""
    _needs(by, site.account)
    try:
        week = opening_hours.read(lines)
    except ValueError as error:
        raise Invalid("opening", told(error.args[0])) from error
    with transaction.atomic():
        site = Site.objects.select_for_update(of=("self",)).select_related("account").get(pk=site.pk)
        before = site.opening
        if before != week:
            site.opening = week
            site.save(update_fields=["opening"])
            audit.record(by, "site.hours-changed", site, now=now, old=_said(before), new=_said(week))
    return site


def holidays_of(target: Site | Account, now: datetime | None = None) -> "QuerySet[Holiday]":
    """The holidays of a site itself, or those of all places of an account; long past ones are left out."""
    since = (now or timezone.now()).date() - PAST
    rows = Holiday.objects.filter(day__gte=since)
    if isinstance(target, Site):
        return rows.filter(site=target)
    return rows.filter(account=target, site=None)


def set_holidays(
    target: Site | Account, *, by: Actor, days: Sequence[Day], now: datetime | None = None
) -> list[Holiday]:
    """Give all holidays of a site, or those that hold for every place of an account."""
    account = target.account if isinstance(target, Site) else target
    _needs(by, account)
    now = now or timezone.now()
    wanted = _read(days, now)
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        rows = holidays_of(target, now)
        held = {row.day: row.name for row in rows}
        if held != wanted:
            rows.delete()
            site = target if isinstance(target, Site) else None
            Holiday.objects.bulk_create(
                Holiday(account=account, site=site, day=day, name=name) for day, name in wanted.items()
            )
            verb = "site.holidays-changed" if site else "account.holidays-changed"
            audit.record(by, verb, target, now=now, old=_named(held), new=_named(wanted))
    return list(holidays_of(target, now))


def read_days(text: str) -> list[Day]:
    """Holidays as people write them, one a line: 2026-12-25 Christmas Day. Invalid names the line."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        day, _, name = line.partition(" ")
        try:
            found.append((date.fromisoformat(day), name.strip()))
        except ValueError as error:
            raise Invalid(
                "holidays",
                gettext("{value!r} is no line such as 2026-12-25 Christmas Day.").format(value=line[:60]),
            ) from error
    return found


def _read(days: Sequence[Day], now: datetime) -> dict[date, str]:
    if len(days) > MOST_HOLIDAYS:
        raise Invalid(
            "holidays", gettext("At most {most_holidays} holidays.").format(most_holidays=MOST_HOLIDAYS)
        )
    wanted: dict[date, str] = {}
    for day, name in days:
        if not now.date() - PAST <= day <= now.date() + AHEAD:
            raise Invalid(
                "holidays",
                gettext("{day} is too far away: at most 60 days back and three years ahead.").format(day=day),
            )
        if day in wanted:
            raise Invalid("holidays", gettext("{day} stands there twice.").format(day=day))
        wanted[day] = cleaning.needed(
            "holidays", name, gettext("The name of {day}").format(day=day), longest=80
        )
    return dict(sorted(wanted.items()))


def _needs(by: Actor, account: Account) -> None:
    if not by.may(Power.EDIT_SITES, account.path):
        raise Forbidden


def _said(week: opening_hours.Week | None) -> list[str] | None:
    return None if week is None else opening_hours.say(week)


def _named(days: dict[date, str]) -> list[str]:
    return [f"{day} {name}" for day, name in sorted(days.items())]
