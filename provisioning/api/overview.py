"""How things are over the API: an account's numbers in one call, what checks in by the hour, what is kept."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor, below
from accounts.shapes import AccountField, Shape
from accounts.speaking import told
from devices.models import Device
from provisioning import arrivals, finding, health, keeping, locking, unknown_phones
from provisioning.models import Approval, Window


class StatesShape(Shape):
    """How many phones there are, and in which states; a phone can be in more than one."""

    all = serializers.IntegerField()
    quiet = serializers.IntegerField(help_text="Are waited for, and do not check in.")
    waiting = serializers.IntegerField(help_text="Were refused, and wait for an answer.")
    clone = serializers.IntegerField()
    suspect = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    unlocked = serializers.IntegerField()
    new = serializers.IntegerField()
    locked = serializers.IntegerField()
    retired = serializers.IntegerField()
    disabled = serializers.IntegerField()


class OverviewShape(Shape):
    """What is true now of the phones of an account and of those below it."""

    account = AccountField()
    at = serializers.DateTimeField()
    phones = StatesShape()
    checked_in = serializers.IntegerField(help_text="Phones, in the last 24 hours.")
    turned_away = serializers.IntegerField(help_text="Phones, in the last 24 hours.")
    locked_out = serializers.IntegerField(help_text="Of these, not let in and not heard from since.")
    needs_answer = serializers.IntegerField(help_text="Open approvals and suspected clones.")
    oldest_approval = serializers.DateTimeField(allow_null=True, help_text="Waits since then.")
    windows_open = serializers.IntegerField()
    windows_coming = serializers.IntegerField()
    left_open = serializers.IntegerField(
        help_text="Unlocked without an end, and not used for more than 7 days."
    )
    unknown_phones = serializers.IntegerField(help_text="That the caller may add: see `unknown-phones/`.")
    bans = serializers.IntegerField(help_text="Incidents of this kind that go on.")
    incidents = serializers.IntegerField(help_text="All others that go on.")


class OverviewQuery(Shape):
    account = AccountField()


class Overview(ApiView):
    """An account with all below it, in one call."""

    @extend_schema(parameters=[OverviewQuery], responses=OverviewShape)
    def get(self, request: Request) -> Response:
        query = OverviewQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        account, actor = query.validated_data["account"], acting(request)
        if not actor.may(Power.SEE_ACCOUNT, account.path):
            raise Forbidden
        return Response(OverviewShape(_overview(account, actor, timezone.now())).data)


def _overview(account: Account, by: Actor, now: datetime) -> dict[str, Any]:
    here = below([account.path], "account__path")
    phones = Device.objects.visible_to(by).filter(here)
    accounts = (
        Account.objects.visible_to(by).filter(below([account.path], "path")).values_list("pk", flat=True)
    )
    sums: Counter[str] = Counter()
    for figures in health.of_accounts(list(accounts), now).values():
        sums.update(asdict(figures))
    cards = Approval.objects.visible_to(by).filter(here, status=Approval.Status.OPEN, closes_at__gt=now)
    windows = Window.objects.visible_to(by).open_or_coming(now).filter(here)
    refused = health.turned_away(now).visible_to(by).filter(here)
    strangers = unknown_phones.seen_by(by, now)
    return {
        "account": account,
        "at": now,
        "phones": finding.count_states(phones, now),
        **{name: sums[name] for name in ("checked_in", "turned_away", "bans", "incidents")},
        "locked_out": health.locked_out(refused).values("device").distinct().count(),
        "needs_answer": sums["waiting"],
        "oldest_approval": cards.order_by("opened_at").values_list("opened_at", flat=True).first(),
        "windows_open": sums["windows"],
        "windows_coming": windows.filter(starts_at__gt=now).count(),
        "left_open": locking.left_open(now).filter(device__in=phones).count(),
        "unknown_phones": sum(one.account.path.startswith(account.path) for one in strangers),
    }


class HourShape(Shape):
    """One hour: what checked in, and between which numbers it was expected."""

    at = serializers.DateTimeField()
    count = serializers.IntegerField(help_text="A phone counts once in a quarter of an hour.")
    low = serializers.IntegerField(allow_null=True, help_text="Null: the weeks before say too little.")
    high = serializers.IntegerField(allow_null=True)
    is_low = serializers.BooleanField(help_text="Fewer than expected, in an hour that is complete.")
    is_unknown = serializers.BooleanField(help_text="Nobody was listening: the count says nothing.")
    is_over = serializers.BooleanField()


class CheckIns(ApiView):
    """The last 48 hours of all the caller's accounts together, the one that is going on last."""

    @extend_schema(responses=HourShape(many=True))
    def get(self, request: Request) -> Response:
        actor = acting(request)
        if not actor.may_anywhere(Power.SEE_ACCOUNT):
            raise Forbidden
        return Response(HourShape(arrivals.hours(actor, timezone.now()), many=True).data)


class KeptShape(Shape):
    """One kind of thing: how long it is kept, and what becomes of it then."""

    name = serializers.CharField()
    what = serializers.CharField()
    days = serializers.IntegerField(help_text="Or months of the calendar; one of them is 0.")
    months = serializers.IntegerField()
    then = serializers.CharField()
    swept_at = serializers.DateTimeField(allow_null=True, help_text="When the sweep last came by.")
    is_whole = serializers.BooleanField(allow_null=True, help_text="Whether it then came to its end.")


class Keeping(ApiView):
    """What is kept for how long: the same for all accounts."""

    @extend_schema(responses=KeptShape(many=True))
    def get(self, request: Request) -> Response:
        if not acting(request).may_anywhere(Power.EDIT_SETTINGS):
            raise Forbidden
        shown = [
            {
                "name": line.kept.name,
                "what": told(line.kept.what),
                "days": line.kept.term.days,
                "months": line.kept.term.months,
                "then": told(line.kept.then),
                "swept_at": line.swept.at if line.swept else None,
                "is_whole": line.swept.is_whole if line.swept else None,
            }
            for line in keeping.lines()
        ]
        return Response(KeptShape(shown, many=True).data)
