"""Unlock many phones: the consequence first, then a job (jobs.py) does it."""

from typing import Any

from django import forms
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Site
from portal.frame import home_account
from portal.pages.editing import SiteChoice, model_choices
from portal.pages.forms import MOST_HOURS, SpanForm
from portal.pages.windows import ticks
from provisioning import policies, unlock_all
from provisioning.gate import State


class UnlockAllForm(SpanForm):
    """Which phones and for how long."""

    account = forms.ModelChoiceField(
        Account.objects.none(),
        to_field_name="slug",
        empty_label=None,
        label=gettext_lazy("Of which account?"),
    )
    site = SiteChoice(
        Site.objects.none(), required=False, empty_label=gettext_lazy("Any site"), label=gettext_lazy("Site")
    )
    model = forms.ChoiceField(required=False, label=gettext_lazy("Model"))
    q = forms.CharField(required=False, max_length=120, label=gettext_lazy("Name or MAC holds"))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.UNLOCK_ALL).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        sites = Site.objects.visible_to(actor).select_related("account")
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]
        self.fields["model"].choices = [  # type: ignore[attr-defined]
            ("", gettext_lazy("Any model")),
            *model_choices(),
        ]

    def filter(self) -> dict[str, Any]:
        """The filter in the words of the verb and the API."""
        kept = self.cleaned_data
        family, _, model = kept["model"].partition("/")
        chosen = {
            "site": str(kept["site"].code) if kept["site"] else "",
            "family": family,
            "model": model,
            "search": kept["q"],
        }
        return {name: value for name, value in chosen.items() if value}


@needs(Power.UNLOCK_ALL)
def start(request: PageRequest) -> HttpResponse:
    """The form; `preview` counts what will happen, and only then the button starts it.

    For htmx the words and the buttons alone, while somebody chooses.
    """
    home = home_account(request.actor)
    initial = {"account": home.slug if home else None, "span": "first-fetch", "hours": 8}
    initial |= {k: request.GET[k] for k in ("q", "model", "account") if request.GET.get(k)}
    form = UnlockAllForm(request.POST or None, actor=request.actor, initial=initial)
    said = foretold(form) if request.method == "POST" and form.is_valid() else None
    if request.htmx:
        return render(request, "provisioning/_unlock_all_end.html", {"said": said, "live": True})
    if said and "preview" not in request.POST:
        with refused_into(form):
            kept = form.cleaned_data
            job = unlock_all.start(
                kept["account"], by=request.actor, span=form.chosen_span(), filter=form.filter()
            )
            return redirect("job", code=job.code)
    context = {
        "section": "windows",
        "form": form,
        "said": said,
        "longest": MOST_HOURS,
        "ticks": ticks(MOST_HOURS),
    }
    return render(request, "provisioning/unlock_all.html", context)


def foretold(form: UnlockAllForm) -> dict[str, Any]:
    """How many are unlocked, replaced and skipped, and until when."""
    now = timezone.now()
    account: Account = form.cleaned_data["account"]
    phones = unlock_all.phones(account, form.filter())
    off = Q(is_enabled=False)
    shut = Q(lock__state__in=[State.QUARANTINED.value, State.RETIRED.value])
    suspect = Q(lock__suspicion_until__gt=now) & ~off & ~shut
    span = form.chosen_span()
    length = policies.effective(account).manager_unlock_ttl if span.by_policy else span.length
    skipped = phones.filter(off | shut | suspect).count()
    return {
        "account": account,
        "zone": account.time_zone,
        "zone_words": account.time_zone.rpartition("/")[2].replace("_", " "),
        "until": now + length if length else None,
        "total": phones.count(),
        "unlocks": phones.count() - skipped,
        "open_already": phones.filter(lock__state=State.UNLOCKED.value).exclude(off).count(),
        "reasons": [
            why % count
            for why, count in (
                (_("%d quarantined or retired"), phones.filter(shut).count()),
                (_("%d disabled"), phones.filter(off & ~shut).count()),
                (_("%d under suspicion"), phones.filter(suspect).count()),
            )
            if count
        ],
        "skipped": skipped,
    }
