"""The buttons that ask a phone to fetch its files again, and the page that asks many after it has counted."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor, below
from devices.models import Device
from portal.pages.phone import find_phone
from portal.pages.phones import in_state, narrowed
from provisioning import resync
from provisioning.gate import State

NARROWED_BY = ("q", "account", "model", "state")
MOST_CHOSEN = 500


@require_POST
@needs(Power.EDIT_DEVICES)
def ask(request: PageRequest, code: UUID) -> HttpResponse:
    """With `reboot` it restarts as well."""
    device = find_phone(request, code)
    row = resync.ask(device, by=request.actor, reboot=request.POST.get("reboot") == "yes")
    messages.success(
        request, f"{device} is asked to {resync.asked(row.reboot)}. Its log says what comes of it."
    )
    return redirect("phone", code=device.code)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The phones that a list gave: those that were ticked, or all that fit what was asked there."""

    phones: QuerySet[Device]
    words: dict[str, Any]  #: what the job remembers of it
    fields: tuple[tuple[str, str], ...]  #: how a form gives it on

    @property
    def query(self) -> str:
        """What leads back to the list."""
        return urlencode([(name, value) for name, value in self.fields if name in NARROWED_BY])


class ResyncForm(forms.Form):
    """Whether they restart as well."""

    reboot = forms.BooleanField(required=False, label="Restart them as well")


@needs(Power.EDIT_DEVICES)
def ask_many(request: PageRequest) -> HttpResponse:
    """What would be asked, and why others would not; only the second button starts it."""
    chosen = chosen_phones(request.actor, request.POST if request.method == "POST" else request.GET)
    form = ResyncForm(request.POST or None)
    account, said = home_of(request.actor, chosen.phones), foretold(chosen.phones)
    if "start" in request.POST and said["total"] and form.is_valid():
        with refused_into(form):
            if account is None:
                form.add_error(None, "Choose phones of one account, and those below it.")
            else:
                job = resync.ask_many(
                    account,
                    by=request.actor,
                    phones=chosen.phones,
                    filter=chosen.words,
                    reboot=form.cleaned_data["reboot"],
                )
                return redirect("job", code=job.code)
    context = {
        "section": "phones",
        "form": form,
        "chosen": chosen,
        "account": account,
        "said": said,
        "edge": resync.edge() is not None,
    }
    return render(request, "provisioning/resync_many.html", context)


def chosen_phones(actor: Actor, given: QueryDict) -> Chosen:
    """What the list's form says, of the phones that this person may change."""
    phones = Device.objects.reachable_by(actor, Power.EDIT_DEVICES)
    asked = {name: given.get(name, "").strip()[:120] for name in NARROWED_BY}
    fields = [(name, value) for name, value in asked.items() if value]
    if "chosen" not in given:
        shown = in_state(actor, narrowed(actor, phones, asked), asked["state"], timezone.now())
        return Chosen(shown.order_by("name", "mac"), dict(fields), tuple(fields))
    codes = [code for text in given.getlist("phone")[:MOST_CHOSEN] if (code := _code(text))]
    fields += [("chosen", "yes"), *(("phone", str(code)) for code in codes)]
    words = {"devices": [str(code) for code in codes]}
    return Chosen(phones.filter(code__in=codes).order_by("name", "mac"), words, tuple(fields))


def home_of(actor: Actor, phones: QuerySet[Device]) -> Account | None:
    """The account that all of them belong to, or are below of; None when there is no such one."""
    tops = Account.objects.reachable_by(actor, Power.EDIT_DEVICES).filter(
        path__in=actor.paths(Power.EDIT_DEVICES)
    )
    account: Account
    for account in tops:
        if not phones.exclude(below([account.path], "account__path")).exists():
            return account
    return None


def foretold(phones: QuerySet[Device]) -> dict[str, Any]:
    """How many are asked, and how many are not, each why."""
    shut = Q(lock__state__in=[State.QUARANTINED.value, State.RETIRED.value])
    off = Q(is_enabled=False) | Q(account__is_active=False)
    counts = (
        ("quarantined or retired", phones.filter(shut)),
        ("disabled", phones.filter(off & ~shut)),
        ("without a line", phones.filter(Q(appearances=None) & ~off & ~shut)),
    )
    total = phones.count()
    told = [(rows.count(), why) for why, rows in counts]
    return {
        "total": total,
        "asked": total - sum(count for count, _ in told),
        "skipped": sum(count for count, _ in told),
        "reasons": [f"{count} {why}" for count, why in told if count],
        "rate": round(settings.RESYNC_RATE),
        "gap": round(settings.RESYNC_PLACE_GAP),
    }


def _code(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
