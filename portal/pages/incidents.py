"""Incidents: what goes on, what is over; one with its consequence, its evidence and its timeline."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, pgettext
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from provisioning import incident_words, incidents
from provisioning.models import Incident

A_PAGE = 25
GOING_ON_SHOWN = 200


class NoteForm(forms.Form):
    """A line for the timeline."""

    note = forms.CharField(
        max_length=500,
        label=gettext_lazy("What was found, or done?"),
        help_text=gettext_lazy("It stands on the timeline with your name."),
    )


class CloseForm(forms.Form):
    """The end, by a person."""

    reason = forms.CharField(
        max_length=300,
        label=gettext_lazy("Why is it over?"),
        help_text=gettext_lazy("It is how the incident ended."),
    )


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    visible = seen_by(request.actor)
    kind = request.GET.get("kind", "")
    kind = kind if kind in Incident.Kind.values else ""
    shown = visible.filter(kind=kind) if kind else visible
    going_on = list(shown.going_on()[:GOING_ON_SHOWN])
    page = Paginator(shown.exclude(ended_at=None), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "incidents",
        "chips": _chips(visible, kind),
        "going_on": lines(going_on),
        "over": lines(page),
        "page": page,
    }
    return render(request, "provisioning/incidents.html", context)


@needs(Power.SEE_ACCOUNT)
def incident(request: PageRequest, code: UUID) -> HttpResponse:
    """What happened, what follows, by what it is known, who was told, how it ended."""
    return _page(request, code)


@require_POST
@needs(Power.SEE_ACCOUNT)
def note(request: PageRequest, code: UUID) -> HttpResponse:
    row, form = get_object_or_404(seen_by(request.actor), code=code), NoteForm(request.POST)
    if form.is_valid():
        with refused_into(form):
            incidents.note(row, by=request.actor, said=form.cleaned_data["note"])
            messages.success(request, gettext("The note is on the timeline."))
            return redirect("incident", code=code)
    return _page(request, code, note_form=form)


@require_POST
@needs(Power.SEE_ACCOUNT)
def close(request: PageRequest, code: UUID) -> HttpResponse:
    row, form = get_object_or_404(seen_by(request.actor), code=code), CloseForm(request.POST)
    if form.is_valid():
        with refused_into(form):
            incidents.close(row, by=request.actor, reason=form.cleaned_data["reason"])
            messages.success(request, gettext("The incident is over."))
            return redirect("incident", code=code)
    return _page(request, code, close_form=form)


def _chips(visible: Any, chosen: str) -> list[dict[str, Any]]:
    """The kinds that there are, each with its number."""
    counts = dict(visible.order_by().values_list("kind").annotate(rows=Count("pk")))
    every = {
        "kind": "",
        "words": pgettext("of all kinds", "All"),
        "count": sum(counts.values()),
        "is_chosen": not chosen,
    }
    kinds = [
        {"kind": kind, "words": words, "count": counts.get(kind, 0), "is_chosen": kind == chosen}
        for kind, words in Incident.Kind.choices
        if kind in counts or kind == chosen
    ]
    return [every, *kinds]


def _page(
    request: PageRequest, code: UUID, note_form: NoteForm | None = None, close_form: CloseForm | None = None
) -> HttpResponse:
    row = get_object_or_404(seen_by(request.actor).prefetch_related("steps"), code=code)
    words = incident_words.describe(row, now=timezone.now())
    codes = [fact.device for fact in words.facts if fact.device]
    # A phone that is another account's now, or nobody's, is a name and no link.
    there = Device.objects.visible_to(request.actor).filter(code__in=codes, account=row.account)
    context = {
        "section": "incidents",
        "row": row,
        "words": words,
        "zone": row.account.time_zone,
        "steps": row.steps.all(),
        "there": {str(code) for code in there.values_list("code", flat=True)} if codes else set(),
        "may_write": request.actor.may(Power.UNLOCK_DEVICE, row.account.path),
        "note_form": note_form or NoteForm(),
        "close_form": close_form or CloseForm(),
    }
    return render(request, "provisioning/incident.html", context)


def seen_by(actor: Actor) -> Any:
    """The incidents that this person may see, with what a line shows of them."""
    return Incident.objects.visible_to(actor).select_related("account", "site")


def lines(rows: Any) -> list[dict[str, Any]]:
    """Incidents as the lists show them."""
    now = timezone.now()
    return [{"row": row, "words": incident_words.describe(row, now=now)} for row in rows]
