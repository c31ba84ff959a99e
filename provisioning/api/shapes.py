"""What locks, windows, cards, jobs and answers look like in the API's JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.shapes import AccountField, CodeField, CodesField, LineField, Shape
from devices.models import Device, Site
from provisioning import windows
from provisioning.api.fields import AddressField, MacField, MomentField, OriginField, with_for
from provisioning.evidence import evidence
from provisioning.gate import Outcome, State
from provisioning.models import Approval, JobItem, Window

MOST_PHONES = 500
STATES = [(state.value, state.value) for state in State]
OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]


class CloneShape(Shape):
    """Two parties hold private URLs of the phone: since when, and from where the former one was used."""

    since = serializers.DateTimeField()
    address = serializers.CharField()


class ForecastShape(Shape):
    """What will happen to the lock by itself, when, and in a sentence."""

    what = serializers.ChoiceField(["ships", "locks", "locks-again", "last-file-ends"])
    at = serializers.DateTimeField()
    sentence = serializers.CharField()


class LockShape(Shape):
    """The lock of a phone: what it is, since when, by whom, until when, and what can be done next."""

    state = serializers.ChoiceField(STATES)
    bound_origin = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    by = serializers.CharField()
    reason = serializers.CharField()
    next = serializers.CharField()
    sentence = serializers.CharField()
    suspicion = serializers.BooleanField()
    suspicion_since = serializers.DateTimeField(allow_null=True)
    suspicion_until = serializers.DateTimeField(allow_null=True)
    suspicion_why = serializers.CharField()
    clone = CloneShape(allow_null=True)
    handover = serializers.CharField(
        allow_null=True, help_text="waiting, late or does not stick; null once it is at its private URL."
    )
    handover_sentence = serializers.CharField()
    handover_causes = serializers.ListField(child=serializers.CharField())
    forecast = ForecastShape(allow_null=True)


class EventShape(Shape):
    """One line of a phone's log."""

    at = serializers.DateTimeField()
    what = serializers.CharField()
    outcome = serializers.CharField()
    rule = serializers.CharField()
    sentence = serializers.CharField()
    next = serializers.CharField()
    address = serializers.CharField()
    agent = serializers.CharField()
    file = serializers.CharField()
    count = serializers.IntegerField()
    actor = serializers.CharField()


class RearmShape(Shape):
    ship_on = serializers.DateField(required=False, allow_null=True)


class ExplainQuery(Shape):
    mac = MacField()
    address = AddressField()
    agent = LineField(max_length=256, required=False, allow_blank=True)


class ExplanationShape(Shape):
    outcome = serializers.ChoiceField(OUTCOMES)
    rule = serializers.CharField()
    sentence = serializers.CharField()
    next = serializers.CharField()


class JobItemShape(Shape):
    device = CodeField(Device, allow_null=True)
    name = serializers.CharField()
    mac = serializers.CharField()
    result = serializers.ChoiceField(JobItem.Result.choices)
    rule = serializers.CharField()
    why = serializers.CharField()


class JobShape(Shape):
    """Work on many phones, with its counts."""

    code = serializers.UUIDField()
    account = AccountField()
    kind = serializers.CharField()
    by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    skipped = serializers.IntegerField()
    waiting = serializers.SerializerMethodField()

    def get_waiting(self, job: Any) -> int:
        return max(0, int(job.total - job.done - job.skipped))


class JobWithResults(JobShape):
    """The same with a result per device."""

    results = JobItemShape(source="items", many=True)


class JobStarted(Shape):
    job = serializers.UUIDField()


class WindowShape(Shape):
    """A provisioning window."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField(read_only=True)
    address = serializers.CharField(source="network", read_only=True)
    site = CodeField(Site, read_only=True, allow_null=True)
    listed = serializers.BooleanField(read_only=True)
    starts = serializers.DateTimeField(source="starts_at", read_only=True)
    ends = serializers.DateTimeField(source="ends_at", read_only=True)
    closed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    opened_by = serializers.CharField(read_only=True)
    covers = serializers.IntegerField(read_only=True)


class ArrivalShape(Shape):
    """A phone that the window let in: when and from where."""

    device = CodeField(Device)
    name = serializers.CharField(source="device.name")
    mac = serializers.CharField()
    at = serializers.DateTimeField()
    address = serializers.CharField()


class MissingShape(Shape):
    """A phone that has not come yet."""

    device = serializers.UUIDField(source="code")
    name = serializers.CharField()
    mac = serializers.CharField()


class WindowWithPhones(WindowShape):
    """The same with who was let in and who is missing, the first 500 of each."""

    let_in = serializers.SerializerMethodField()
    missing = serializers.SerializerMethodField()

    @extend_schema_field(ArrivalShape(many=True))
    def get_let_in(self, window: Window) -> Any:
        return ArrivalShape(windows.let_in(window)[:MOST_PHONES], many=True).data

    @extend_schema_field(MissingShape(many=True))
    def get_missing(self, window: Window) -> Any:
        return MissingShape(windows.missing(window)[:MOST_PHONES], many=True).data


class NewWindow(Shape):
    """What opens a window; `confirm` repeats the number of phones it covers when they are more than 50."""

    account = AccountField()
    address = OriginField()
    hours = serializers.IntegerField(min_value=1, max_value=168)
    starts = serializers.DateTimeField(required=False, allow_null=True)
    site = CodeField(Site, required=False, allow_null=True)
    devices = CodesField(Device, required=False, allow_null=True, allow_empty=False, max_length=10_000)
    confirm = serializers.IntegerField(required=False, allow_null=True, min_value=0)


class TryShape(Shape):
    """One of the last three origins that a phone was refused at."""

    at = MomentField()
    address = serializers.CharField()
    agent = serializers.CharField(allow_blank=True)
    rule = serializers.CharField()


class ApprovalShape(Shape):
    """A card: which phone asked from where, and what was answered."""

    code = serializers.UUIDField()
    account = AccountField()
    device = CodeField(Device)
    device_name = serializers.CharField(source="device.name")
    mac = serializers.CharField(source="device.mac")
    status = serializers.ChoiceField(Approval.Status.choices)
    rule = serializers.CharField()
    opened_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    last_try_at = serializers.DateTimeField()
    tries = serializers.IntegerField()
    origins = TryShape(many=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField()


class SiteOfferShape(Shape):
    site = CodeField(Site)
    name = serializers.CharField(source="site.name")
    accepting = serializers.IntegerField()


class EvidenceShape(Shape):
    """What speaks for and against the card's newest address."""

    address = serializers.CharField()
    agent = serializers.CharField()
    agent_fits = serializers.BooleanField()
    bound_there = serializers.BooleanField()
    last_check_in = serializers.DateTimeField(allow_null=True)
    last_check_in_from = serializers.CharField()
    phones_there = serializers.IntegerField()
    owner_there = serializers.DateTimeField(allow_null=True)
    manager_there = serializers.DateTimeField(allow_null=True)
    first_set_up_from = serializers.CharField()
    first_set_up_at = serializers.DateTimeField(allow_null=True)
    first_claim = serializers.UUIDField(allow_null=True, help_text="What a take-back is to name.")
    approve_first = serializers.BooleanField()
    sites = SiteOfferShape(many=True)


class ApprovalWithEvidence(ApprovalShape):
    evidence = serializers.SerializerMethodField()

    @extend_schema_field(EvidenceShape)
    def get_evidence(self, card: Approval) -> Any:
        return EvidenceShape(evidence(card, by=self.sender)).data


class DecisionShape(Shape):
    decision = serializers.ChoiceField(["once", "site", "deny", "quarantine"])
    site = CodeField(Site, required=False, allow_null=True)
    typed = LineField(max_length=120, required=False, allow_blank=True, default="")
    origin = OriginField(required=False, allow_null=True)


class _Unlock(Shape):
    """How long, and for which origin alone."""

    origin = OriginField(required=False, allow_null=True)


class _UnlockAll(Shape):
    """The phones of an account and below, all or those that the filter keeps."""

    account = AccountField()
    filter = serializers.DictField(required=False, default=dict)


class AllowShape(Shape):
    """For which origin alone; without one, for any, unless it was refused where the caller is."""

    origin = OriginField(required=False, allow_null=True)


UnlockShape = with_for(_Unlock, "UnlockShape")
UnlockAllShape = with_for(_UnlockAll, "UnlockAllShape", required=False)
