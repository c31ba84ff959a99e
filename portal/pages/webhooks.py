"""Webhooks: endpoints that are told of events, how each does, what was sent to it and what came back."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from accounts.views import RotationForm
from devices.models import Device
from provisioning import announcing, outgoing, webhook_wire, webhook_words, webhooks
from provisioning.models import WebhookDelivery, WebhookEndpoint
from provisioning.webhook_words import Health

A_PAGE = 25
POWER = Power.EDIT_WEBHOOKS
State = WebhookDelivery.State

#: The events as the form groups them, by what each is about.
GROUPS = (
    (gettext_lazy("Phones"), {"device"}),
    (gettext_lazy("Extensions and windows"), {"extension", "window"}),
    (gettext_lazy("Addresses and places"), {"address", "site", "account"}),
    (gettext_lazy("Incidents and jobs"), {"incident", "job"}),
)
#: What a state is drawn as; its words are the state's own.
LOOKS = {State.WAITING: "pending", State.DELIVERED: "delivered", State.DEAD: "dead", State.DROPPED: "dropped"}
VOICES = {
    Health.NEW: ("is-new", "new"),
    Health.DELIVERING: ("is-well", "check"),
    Health.FAILING: ("is-wrong", "warn"),
    Health.RESTING: ("is-care", "clock"),
    Health.OFF: ("is-off", "off"),
}


class WebhookForm(forms.Form):
    """Where to, and what."""

    name = forms.CharField(
        max_length=60, label=gettext_lazy("Name"), help_text=gettext_lazy("Which program listens there.")
    )
    url = forms.CharField(
        max_length=500,
        label=gettext_lazy("Address"),
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "inputmode": "url", "spellcheck": "false"}
        ),
        help_text=gettext_lazy("An https address on the Internet; it may hold a secret of its own."),
    )
    with_below = forms.BooleanField(
        required=False, label=gettext_lazy("Also what happens in the accounts below")
    )
    kinds = forms.MultipleChoiceField(
        required=False, choices=lambda: [(kind, kind) for kind in announcing.KINDS]
    )

    def groups(self) -> list[dict[str, Any]]:
        """The events with their check boxes."""
        ticked = set(self["kinds"].value() or ())
        return [
            {
                "words": words,
                "kinds": [
                    {"name": name, "title": kind.title, "when": kind.when, "is_ticked": name in ticked}
                    for name, kind in announcing.KINDS.items()
                    if kind.about in about
                ],
            }
            for words, about in GROUPS
        ]


class NewWebhookForm(WebhookForm):
    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )
    field_order = ("account", "name", "url")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, POWER).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


class ChangeForm(WebhookForm):
    is_active = forms.BooleanField(required=False, label=gettext_lazy("Switched on"))


class SinceForm(forms.Form):
    """From when on what did not arrive is sent again."""

    hours = forms.TypedChoiceField(
        coerce=int,
        label=gettext_lazy("What happened in the last"),
        choices=[
            (24, gettext_lazy("24 hours")),
            (1, gettext_lazy("hour")),
            (72, gettext_lazy("3 days")),
            (168, gettext_lazy("7 days")),
        ],
    )


# --- endpoints ---------------------------------------------------------------------------------------------


@needs(POWER)
def listing(request: PageRequest) -> HttpResponse:
    found = webhook_words.with_waiting(_reach(request)).order_by("-is_active", "account__path", "name")
    lines = [_line(endpoint) for endpoint in found[:500]]
    wrong = sum(line["health"] in (Health.FAILING, Health.RESTING) for line in lines)
    context = {"section": "webhooks", "lines": lines, "wrong": wrong}
    return render(request, "provisioning/webhooks.html", context)


@never_cache
@needs(POWER)
def add(request: PageRequest) -> HttpResponse:
    """Make an endpoint; what signs stands on the answer to this form and nowhere else."""
    form = NewWebhookForm(request.POST or None, actor=request.actor)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            made = webhooks.create(kept.pop("account"), by=request.actor, **kept)
            return _shown_once(request, *made)
    context = {"section": "webhooks", "form": form, "endpoint": None}
    return render(request, "provisioning/webhook_form.html", context)


@needs(POWER)
def endpoint(request: PageRequest, code: UUID) -> HttpResponse:
    """How it does, and its log: filtered by state and event, a page at a time."""
    row = get_object_or_404(webhook_words.with_waiting(_reach(request)), code=code)
    return _page(request, row)


@needs(POWER)
def edit(request: PageRequest, code: UUID) -> HttpResponse:
    row = get_object_or_404(_reach(request), code=code)
    names = ("name", "url", "kinds", "with_below", "is_active")
    form = ChangeForm(request.POST or None, initial={name: getattr(row, name) for name in names})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            webhooks.change(row, by=request.actor, **form.cleaned_data)
            messages.success(request, gettext("The endpoint is changed, from the next delivery on."))
            return redirect("webhook", code=code)
    context = {"section": "webhooks", "form": form, "endpoint": row}
    return render(request, "provisioning/webhook_form.html", context)


@never_cache
@needs(POWER)
def rotate(request: PageRequest, code: UUID) -> HttpResponse:
    """Draw another secret; it stands on the answer, and until when the former one signs too."""
    row, form = get_object_or_404(_reach(request), code=code), RotationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            overlap = timedelta(hours=int(form.cleaned_data["overlap_hours"]))
            return _shown_once(request, *webhooks.rotate_secret(row, by=request.actor, overlap=overlap))
    context = {"section": "webhooks", "form": form, "endpoint": row}
    return render(request, "provisioning/webhook_rotate.html", context)


@needs(POWER)
def remove(request: PageRequest, code: UUID) -> HttpResponse:
    row = get_object_or_404(webhook_words.with_waiting(_reach(request)), code=code)
    if request.method == "POST":
        webhooks.remove(row, by=request.actor)
        messages.success(
            request, gettext("{name} was removed. It is told nothing more.").format(name=row.name)
        )
        return redirect("webhooks")
    return render(request, "provisioning/webhook_remove.html", {"section": "webhooks", "endpoint": row})


# --- deliveries --------------------------------------------------------------------------------------------


@require_POST
@needs(POWER)
def test(request: PageRequest, code: UUID) -> HttpResponse:
    """Send a test; what comes back stands beside the button, or on the page of that delivery."""
    row = get_object_or_404(webhook_words.with_waiting(_reach(request)), code=code)
    sent = webhooks.test(row, by=request.actor)
    return _result(request, sent.code)


@needs(POWER)
def result(request: PageRequest, code: UUID) -> HttpResponse:
    """What came back, for a page that asks until it has."""
    return _result(request, code)


@require_POST
@needs(POWER)
def replay_since(request: PageRequest, code: UUID) -> HttpResponse:
    """Send again what happened since then and did not arrive."""
    row = get_object_or_404(webhook_words.with_waiting(_reach(request)), code=code)
    form = SinceForm(request.POST)
    if form.is_valid():
        with refused_into(form):
            since = timezone.now() - timedelta(hours=form.cleaned_data["hours"])
            count = webhooks.replay_since(row, by=request.actor, since=since)
            said = ngettext("{count} event goes out again.", "{count} events go out again.", count)
            none = gettext("Nothing is missing there: all of it arrived or is on its way.")
            messages.success(request, said.format(count=count) if count else none)
            return redirect("webhook", code=code)
    return _page(request, row, form)


@needs(POWER)
def delivery(request: PageRequest, code: UUID) -> HttpResponse:
    """One delivery: what was sent, and what each try got."""
    context = _told(get_object_or_404(_sent(request), code=code))
    template = "provisioning/_delivery.html" if request.htmx else "provisioning/delivery.html"
    return render(request, template, context)


@require_POST
@needs(POWER)
def replay(request: PageRequest, code: UUID) -> HttpResponse:
    """Send the same event once more."""
    row = get_object_or_404(_sent(request), code=code)
    return redirect("delivery", code=webhooks.replay(row, by=request.actor).code)


# --- what the pages show -----------------------------------------------------------------------------------


def _reach(request: PageRequest) -> Any:
    return WebhookEndpoint.objects.reachable_by(request.actor, POWER).select_related("account")


def _sent(request: PageRequest) -> Any:
    rows = WebhookDelivery.objects.reachable_by(request.actor, POWER)
    return rows.select_related("endpoint__account", "event__account", "event__device")


def _result(request: PageRequest, code: UUID) -> HttpResponse:
    row = get_object_or_404(_sent(request), code=code)
    if not request.htmx:
        return redirect("delivery", code=code)
    told = _told(row)
    endpoint = webhook_words.with_waiting(_reach(request)).get(pk=row.endpoint_id)
    answer = render(request, "provisioning/_webhook_verdict.html", {**told, **_line(endpoint)})
    if not told["is_news"]:
        answer.headers["HX-Trigger"] = "tested"  # the log below has one more
    return answer


def _shown_once(request: PageRequest, row: WebhookEndpoint, secret: str) -> HttpResponse:
    context = {"section": "webhooks", "endpoint": row, "secret": secret, "zone": row.account.time_zone}
    return render(request, "provisioning/webhook_secret.html", context)


def _line(row: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint with how it does, in words and as it is drawn."""
    now = timezone.now()
    found = webhook_words.health(row, now)
    voice, icon = VOICES[found]
    return {
        "endpoint": row,
        "place": outgoing.read_url(row.url).place,
        "health": found,
        "sentence": webhook_words.sentence(row, now),
        "waiting": webhook_words.waiting(row.waiting) if row.waiting else "",  # type: ignore[attr-defined]
        "voice": voice,
        "icon": icon,
        "kinds": [webhook_words.title(kind) for kind in row.kinds],
    }


def _page(request: PageRequest, row: WebhookEndpoint, form: SinceForm | None = None) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("state", "kind")}
    rows = _sent(request).filter(endpoint=row).order_by("-pk")
    if asked["state"] in State.values:
        rows = rows.filter(state=asked["state"])
    if asked["kind"] in (*announcing.KINDS, webhooks.TEST):
        rows = rows.filter(event__kind=asked["kind"])
    before = _before(request, row)
    found = list((rows.filter(pk__lt=before.pk) if before else rows)[: A_PAGE + 1])
    context = {
        **_line(row),
        "section": "webhooks",
        "zone": row.account.time_zone,
        "now": timezone.now(),
        "log": [_entry(one) for one in found[:A_PAGE]],
        "older": found[A_PAGE - 1].code if len(found) > A_PAGE else None,
        "is_first": before is None,
        "asked": asked,
        "states": State.choices,
        "all_kinds": [(kind, webhook_words.title(kind)) for kind in (*announcing.KINDS, webhooks.TEST)],
        "form": form or SinceForm(),
    }
    template = "provisioning/_webhook_log.html" if request.htmx else "provisioning/webhook.html"
    return render(request, template, context)


def _before(request: PageRequest, row: WebhookEndpoint) -> WebhookDelivery | None:
    """The delivery after which the page goes on."""
    try:
        code = UUID(request.GET.get("before", ""))
    except ValueError:
        return None
    found: WebhookDelivery | None = _sent(request).filter(endpoint=row, code=code).first()
    return found


def _entry(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "row": row,
        "look": LOOKS[State(row.state)],
        "title": webhook_words.title(row.event.kind),
        "phone": _phone(row),
    }


def _phone(row: WebhookDelivery) -> dict[str, Any] | None:
    """The phone as it was told of, with its page where it is still that account's."""
    told = row.event.data.get("device")
    device: Device | None = row.event.device
    is_there = device is not None and device.account_id == row.event.account_id
    return (
        {"name": told["name"] or told["mac"], "code": device.code if device and is_there else None}
        if told
        else None
    )


def _told(row: WebhookDelivery) -> dict[str, Any]:
    """A delivery with its tries, the newest first, and what is sent."""
    body = webhook_wire.body(row.event.kind, row.event.at, row.event.data)
    tries = list(row.attempts.order_by("-pk"))
    is_news = row.state == State.WAITING and not tries
    return {
        **_entry(row),
        "section": "webhooks",
        "zone": row.endpoint.account.time_zone,
        "tries": [
            {"row": one, "words": webhook_words.came_back(one), "is_success": 200 <= one.status < 300}
            for one in tries
        ],
        "headers": tries[0].request_headers if tries else {},
        "body": json.dumps(json.loads(body), indent=2, ensure_ascii=False),
        "size": len(body),
        "message": webhook_wire.message_id(row.event.code),
        "is_news": is_news,
        "refresh": 3 if is_news else None,
    }
