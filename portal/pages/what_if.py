"""What if: support tries other thresholds on what failed lately, and reads what bans that would have made."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.refusals import Forbidden
from accounts.roles import Power
from provisioning import replaying
from provisioning.models import Job
from security import bans
from security.pressure import RULES

LENGTHS = ("first", "second", "third")
PAST = 10


def number(label: Any, bounds: tuple[int, int], now: float, help_text: Any = "") -> forms.IntegerField:
    """A number that is offered as it is today."""
    today = format_lazy(gettext_lazy("Today {now}."), now=f"{int(now):,}")
    return forms.IntegerField(
        label=label,
        min_value=bounds[0],
        max_value=bounds[1],
        initial=int(now),
        help_text=format_lazy("{help} {today}", help=help_text, today=today) if help_text else today,
        widget=forms.NumberInput(attrs={"class": "input short"}),
    )


def hours(label: Any, at: int) -> forms.IntegerField:
    return number(label, (1, replaying.LONGEST_BAN), RULES.lengths[at] / 3600, gettext_lazy("In hours."))


class WhatIfForm(forms.Form):
    """Other thresholds than today's, and over which time."""

    base = number(gettext_lazy("Failures anybody may have in an hour"), replaying.BOUNDS["base"], RULES.base)
    percent = number(
        gettext_lazy("More for each hundred proved phones"),
        replaying.BOUNDS["percent"],
        RULES.percent,
        gettext_lazy("The same for those that an open window may serve."),
    )
    most = number(gettext_lazy("At most, however many phones"), replaying.BOUNDS["most"], RULES.most)
    allowed = number(gettext_lazy("In an allowed network"), replaying.BOUNDS["allowed"], RULES.allowed)
    crowd = number(
        gettext_lazy("Phones that make a crowd"),
        replaying.BOUNDS["crowd"],
        RULES.crowd,
        gettext_lazy(
            "Where so many phones of an account are proved, a locked phone of it is a card, not an attack."
        ),
    )
    first = hours(gettext_lazy("First ban"), 0)
    second = hours(gettext_lazy("Second ban within 24 hours"), 1)
    third = hours(gettext_lazy("Third ban"), 2)
    days = number(gettext_lazy("Days back"), (1, replaying.LONGEST), replaying.LONGEST)
    days.help_text = gettext_lazy("30 at most: what failed is kept no longer.")

    def wanted(self) -> replaying.Wanted:
        """What the verb asks for."""
        kept = dict(self.cleaned_data)
        return replaying.Wanted(hours=tuple(kept.pop(name) for name in LENGTHS), **kept)


@needs(Power.LIFT_BAN)
def ask(request: PageRequest) -> HttpResponse:
    """The form, and what was asked before."""
    if not bans.may_see_all(request.actor):
        raise Forbidden("B7")
    form = WhatIfForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            return redirect("what-if-result", code=replaying.start(form.wanted(), by=request.actor).code)
    tried = Job.objects.visible_to(request.actor).filter(kind=replaying.KIND)
    past = [(job, changes(job)) for job in tried[:PAST]]
    context = {"section": "bans", "form": form, "past": past, "kept": replaying.LONGEST}
    return render(request, "provisioning/what_if.html", context)


@needs(Power.SEE_ACCOUNT)
def result(request: PageRequest, code: UUID) -> HttpResponse:
    """How far it is, then what would have been; refreshes itself until it is finished."""
    if not bans.may_see_all(request.actor):
        raise Http404
    job = get_object_or_404(Job.objects.visible_to(request.actor), code=code, kind=replaying.KIND)
    running = job.finished_at is None
    found = job.params.get("result")
    context = {
        "section": "bans",
        "job": job,
        "wanted": replaying.Wanted.of(job),
        "changes": changes(job),
        "running": running,
        "percent": job.params.get("progress", {}).get("percent", 0),
        "refresh": 2 if running else 0,
        "found": read(found) if found else None,
    }
    page = "provisioning/_what_if.html" if request.htmx else "provisioning/what_if_result.html"
    return render(request, page, context)


def changes(job: Job) -> list[str]:
    """What was asked that is not so today, in words."""
    wanted, today = replaying.Wanted.of(job), replaying.Wanted()
    words = {
        "base": gettext("{} failures for anybody"),
        "percent": gettext("{} for each hundred phones"),
        "most": gettext("{} at most"),
        "allowed": gettext("{} in an allowed network"),
        "crowd": gettext("a crowd of {}"),
    }
    said = [
        text.format(f"{getattr(wanted, name):,}")
        for name, text in words.items()
        if getattr(wanted, name) != getattr(today, name)
    ]
    if wanted.hours != today.hours:
        said.append(gettext("bans of {hours} hours").format(hours=", ".join(map(str, wanted.hours))))
    return said


def read(found: dict[str, Any]) -> dict[str, Any]:
    """A result with its times as times."""
    return found | {
        **{name: datetime.fromisoformat(found[name]) for name in ("since", "until")},
        "bans": [_times(row) | {"was": _times(row["was"])} for row in found["bans"]],
        "spared": [_times(row) for row in found["spared"]],
    }


def _times(row: dict[str, Any] | None) -> dict[str, Any]:
    return row | {name: datetime.fromisoformat(row[name]) for name in ("since", "until")} if row else {}
