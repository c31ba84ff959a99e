"""What if, over the API: support starts a replay under other thresholds and reads what came of it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.refusals import Forbidden
from accounts.shapes import Shape
from provisioning import replaying
from provisioning.api.shapes import JobStarted
from provisioning.models import Job
from security import bans

TODAY = replaying.Wanted()


def _number(name: str, words: str) -> serializers.IntegerField:
    least, most = replaying.BOUNDS[name]
    today = getattr(TODAY, name)
    return serializers.IntegerField(min_value=least, max_value=most, default=today, help_text=words)


class WhatIfShape(Shape):
    """Other thresholds than today's; what is not named stays as it is."""

    base = _number("base", "Failures that anybody may have in an hour.")
    percent = _number("percent", "More for each hundred phones that are proved there.")
    most = _number("most", "At most, however many phones are proved.")
    allowed = _number("allowed", "In an allowed network.")
    crowd = _number("crowd", "From so many proved phones of an account on a locked phone of it is a card.")
    hours = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=replaying.LONGEST_BAN),
        min_length=3,
        max_length=3,
        default=list(TODAY.hours),
        help_text="The lengths of the first, second and third ban within 24 hours.",
    )
    days = serializers.IntegerField(min_value=1, max_value=replaying.LONGEST, default=replaying.LONGEST)


class WasShape(Shape):
    """An earned ban as it was."""

    network = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    step = serializers.IntegerField(help_text="The how manyth within 24 hours.")


class WouldBeShape(WasShape):
    """A ban that would have been."""

    keys = serializers.IntegerField(help_text="By how many distinct failures.")
    hit = serializers.IntegerField(help_text="Phones that were proved there.")
    propose_block = serializers.BooleanField()
    was = WasShape(allow_null=True, help_text="The ban of that address at that time, if there was one.")


class FoundShape(Shape):
    """What there would have been beside what there was."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    would_be = serializers.IntegerField()
    there_were = serializers.IntegerField()
    again = serializers.IntegerField(help_text="Of those that there were: so many would have been again.")
    with_phones = serializers.IntegerField(help_text="Would have been where phones are proved.")
    hit = serializers.IntegerField(help_text="Proved phones behind all of them, counted for each ban.")
    bans = WouldBeShape(many=True, help_text=f"At most {replaying.SHOWN}; those that hit most phones first.")
    spared = WasShape(many=True, help_text=f"Was banned and would not have been; at most {replaying.SHOWN}.")


class ReplayShape(Shape):
    """A replay: what it was asked, how far it is, and what came of it."""

    code = serializers.UUIDField()
    by = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    wanted = WhatIfShape()
    percent = serializers.IntegerField(help_text="How much of the time it has gone through.")
    result = FoundShape(allow_null=True, help_text="Nothing while it runs, or where it came to no end.")


class WhatIf(ApiView):
    """Replay what failed lately under other thresholds (support only); a worker does it."""

    @extend_schema(request=WhatIfShape, responses={202: JobStarted})
    def post(self, request: Request) -> Response:
        actor = acting(request)
        if not bans.may_see_all(actor):
            raise Forbidden("B7")
        shape = WhatIfShape(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        wanted: dict[str, Any] = shape.validated_data
        job = replaying.start(replaying.Wanted(**wanted | {"hours": tuple(wanted["hours"])}), by=actor)
        return Response(JobStarted({"job": job.code}).data, status=status.HTTP_202_ACCEPTED)


class WhatIfResult(ApiView):
    """How far a replay is, and what came of it."""

    @extend_schema(responses=ReplayShape)
    def get(self, request: Request, code: str) -> Response:
        actor = acting(request)
        job = Job.objects.visible_to(actor).filter(code=code, kind=replaying.KIND).first()
        if job is None or not bans.may_see_all(actor):
            raise exceptions.NotFound
        shown = {
            "code": job.code,
            "by": job.by,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
            "wanted": job.params["wanted"],
            "percent": 100 if job.finished_at else job.params.get("progress", {}).get("percent", 0),
            "result": job.params.get("result"),
        }
        return Response(ReplayShape(shown).data)
