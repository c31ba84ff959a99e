"""The buttons that ask a phone to fetch its files again, and the page that asks many after it has counted."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.roles import Power
from devices.models import Device
from portal.pages.choosing import chosen_phones, home_of
from portal.pages.phone import find_phone
from provisioning import resync
from provisioning.gate import State


@require_POST
@needs(Power.EDIT_DEVICES)
def ask(request: PageRequest, code: UUID) -> HttpResponse:
    """With `reboot` it restarts as well."""
    device = find_phone(request, code)
    row = resync.ask(device, by=request.actor, reboot=request.POST.get("reboot") == "yes")
    said = gettext("{phone} is asked to fetch its files again. Its log says what comes of it.")
    if row.reboot:
        said = gettext("{phone} is asked to restart and fetch its files. Its log says what comes of it.")
    messages.success(request, said.format(phone=device))
    return redirect("phone", code=device.code)


class ResyncForm(forms.Form):
    """Whether they restart as well."""

    reboot = forms.BooleanField(required=False, label=gettext_lazy("Restart them as well"))


@needs(Power.EDIT_DEVICES)
def ask_many(request: PageRequest) -> HttpResponse:
    """What would be asked, and why others would not; only the second button starts it."""
    given = request.POST if request.method == "POST" else request.GET
    chosen = chosen_phones(request.actor, given, Power.EDIT_DEVICES, timezone.now())
    form = ResyncForm(request.POST if "start" in request.POST else None)
    account = home_of(request.actor, chosen.phones, Power.EDIT_DEVICES)
    said = foretold(chosen.phones)
    if "start" in request.POST and said["total"] and form.is_valid():
        with refused_into(form):
            if account is None:
                form.add_error(None, gettext("Choose phones of one account, and those below it."))
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


def foretold(phones: QuerySet[Device]) -> dict[str, Any]:
    """How many are asked, and how many are not, each why."""
    shut = Q(lock__state__in=[State.QUARANTINED.value, State.RETIRED.value])
    off = Q(is_enabled=False) | Q(account__is_active=False)
    counts = (
        (gettext("quarantined or retired"), phones.filter(shut)),
        (gettext("disabled"), phones.filter(off & ~shut)),
        (gettext("without a line"), phones.filter(Q(appearances=None) & ~off & ~shut)),
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
