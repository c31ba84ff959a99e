"""Deeds for many phones, those that were ticked in the list or all that fit it: counted before they start."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor, below
from devices import profiles
from devices.models import Device, Profile
from portal.pages.forms import RearmForm, SpanForm
from provisioning import bulk, finding, phone_export, policies, unlock_all
from provisioning.models import Job

MOST_CHOSEN = 500


@dataclass(frozen=True, slots=True)
class Chosen:
    """The phones that a list gave: those that were ticked, or all that fit what was asked there."""

    phones: QuerySet[Device]
    words: dict[str, Any]  #: what the job remembers of it
    fields: tuple[tuple[str, str], ...]  #: how a form gives it on
    query: str  #: what leads back to the list
    problems: tuple[str, ...]


def chosen_phones(actor: Actor, given: QueryDict, power: Power, now: datetime) -> Chosen:
    """What the list's form says, of the phones over which this person has that power."""
    phones = Device.objects.reachable_by(actor, power)
    asked = finding.read(actor, {name: given.get(name, "") for name in (*finding.NAMES, "order")})
    fields, query = list(asked.fields.items()), urlencode(asked.fields)
    if "chosen" not in given:
        rows = finding.found(actor, phones, asked, now).order_by("name", "mac")
        return Chosen(rows, asked.fields, tuple(fields), query, asked.problems)
    codes = [code for text in given.getlist("phone") if (code := finding.code_in(text))]
    problems = asked.problems
    if len(codes) > MOST_CHOSEN:
        said = _("Chosen phones: at most %(most)s at once. Narrow the list and take all that fit.")
        problems = (*problems, said % {"most": MOST_CHOSEN})
    fields += [("chosen", "yes"), *(("phone", str(code)) for code in codes[:MOST_CHOSEN])]
    words = {"devices": [str(code) for code in codes[:MOST_CHOSEN]]}
    rows = phones.filter(code__in=codes[:MOST_CHOSEN]) if not problems else phones.none()
    return Chosen(rows.order_by("name", "mac"), words, tuple(fields), query, problems)


def home_of(actor: Actor, phones: QuerySet[Device], power: Power) -> Account | None:
    """The account that all of them belong to, or are below of; None when there is no such one."""
    tops = Account.objects.reachable_by(actor, power).filter(path__in=actor.paths(power))
    account: Account
    for account in tops:
        if not phones.exclude(below([account.path], "account__path")).exists():
            return account
    return None


# --- the forms ---------------------------------------------------------------------------------------------


class NoForm(forms.Form):
    """Nothing to say but yes."""


class TargetForm(forms.Form):
    """Where they go."""

    account_to = forms.ModelChoiceField(
        Account.objects.none(),
        to_field_name="slug",
        label=gettext_lazy("To which account?"),
        empty_label=gettext_lazy("Choose one"),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reach = Account.objects.reachable_by(actor, Power.MOVE_DEVICE).order_by("path")
        self.fields["account_to"].queryset = reach  # type: ignore[attr-defined]


class ProfileForm(forms.Form):
    """Which profile they get."""

    profile = forms.ModelChoiceField(
        Profile.objects.none(),
        to_field_name="code",
        label=gettext_lazy("Which profile?"),
        empty_label=gettext_lazy("Choose one"),
    )

    def __init__(self, *args: Any, actor: Actor, home: Account | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = profiles.usable(home) if home else Profile.objects.none()
        rows = Profile.objects.visible_to(actor).select_related("account")
        within = below([home.path], "account__path") if home else below([], "account__path")
        rows = rows.filter(pk__in=usable.order_by().values("pk")) | rows.filter(within)
        self.fields["profile"].queryset = rows.order_by("name", "pk")  # type: ignore[attr-defined]


#: What the pages say of a deed: its name, and what will come of it.
WORDS: dict[str, dict[str, Any]] = {
    "unlock": {
        "title": gettext_lazy("Unlock many phones"),
        "lead": gettext_lazy(
            "Each may be set up once from any address, and locks to the place it asked from."
        ),
        "note": gettext_lazy("Unlocked phones keep working. Nothing restarts."),
        "failed": gettext_lazy("Nothing was unlocked"),
        "icon": "unlock",
    },
    "lock": {
        "title": gettext_lazy("Lock many phones again"),
        "lead": gettext_lazy("Ends their unlocks now. Each is locked to where it was bound before."),
        "note": gettext_lazy("A new phone is locked to nothing: somebody has to unlock or re-arm it."),
        "failed": gettext_lazy("Nothing was locked"),
        "icon": "lock",
    },
    "rearm": {
        "title": gettext_lazy("Re-arm many phones"),
        "lead": gettext_lazy(
            "Makes them new: each is bound to nothing, until it is plugged in or its time ends."
        ),
        "note": gettext_lazy("What they have keeps working, until they are set up anew."),
        "failed": gettext_lazy("Nothing was re-armed"),
        "icon": "new",
    },
    "move": {
        "title": gettext_lazy("Move many phones"),
        "lead": gettext_lazy("For phones that change hands. Nothing of their old account goes with them."),
        "note": gettext_lazy(
            "This cannot be undone. Lines, keys, settings, owners, sites and names are dropped; each is"
            " locked to nothing in the new account."
        ),
        "failed": gettext_lazy("Nothing was moved"),
        "icon": "truck",
    },
    "profile": {
        "title": gettext_lazy("Give many phones a profile"),
        "lead": gettext_lazy("They get its keys at their next check-in. Their own keys stay, and win."),
        "note": gettext_lazy("A phone on which a key does not fit is skipped, and the result says which."),
        "failed": gettext_lazy("No phone got it"),
        "icon": "layers",
    },
    "take-off": {
        "title": gettext_lazy("Take the profile off many phones"),
        "lead": gettext_lazy("Their own keys stay; those of their profiles go at the next check-in."),
        "note": gettext_lazy("The profiles themselves stay as they are."),
        "failed": gettext_lazy("Nothing was taken off"),
        "icon": "minus",
    },
}


@needs(Power.SEE_ACCOUNT)
def deed(request: PageRequest) -> HttpResponse:
    """What it would do, and to whom it would not be done; only the second button starts it."""
    given = request.POST if request.method == "POST" else request.GET
    what = given.get("do", "")
    if what not in WORDS:
        raise Http404
    power = Power.UNLOCK_ALL if what == "unlock" else bulk.DEEDS[what].power
    if not request.actor.may_anywhere(power):
        raise Forbidden
    now = timezone.now()
    chosen = chosen_phones(request.actor, given, power, now)
    home = home_of(request.actor, chosen.phones, power)
    form = form_for(what, request, home, starts="start" in request.POST or "preview" in request.POST)
    wanted = {}
    if form.is_bound and form.is_valid():
        wanted = wanted_of(what, form)
        if "start" in request.POST and chosen.phones.exists():
            with refused_into(form):
                if home is None:
                    form.add_error(None, _("Choose phones of one account, and those below it."))
                else:
                    return redirect("job", code=start(what, home, request.actor, chosen, form, wanted).code)
    said = None
    if wanted or what not in ("move", "profile"):
        said = bulk.foretell(chosen.phones, what, by=request.actor, now=now, **wanted)
    context = {
        "section": "phones",
        "what": what,
        "words": WORDS[what],
        "form": form,
        "chosen": chosen,
        "total": said.total if said else chosen.phones.count(),
        "said": said,
        "reasons": [f"{count} {why}" for count, why in said.reasons] if said else [],
        "home": home,
        "ends": ends(form, home, now) if what == "unlock" else None,
    }
    return render(request, "devices/phones_bulk.html", context)


def form_for(what: str, request: PageRequest, home: Account | None, *, starts: bool) -> forms.Form:
    data = request.POST if starts else None
    if what == "unlock":
        return SpanForm(data, initial={"span": "first-fetch", "hours": 8})
    if what == "rearm":
        return RearmForm(data)
    if what == "move":
        return TargetForm(data, actor=request.actor)
    if what == "profile":
        return ProfileForm(data, actor=request.actor, home=home)
    return NoForm(data)


def wanted_of(what: str, form: forms.Form) -> dict[str, Any]:
    """What the form says, in the words of the verbs."""
    kept = form.cleaned_data
    if what == "move":
        return {"to": kept["account_to"]}
    if what == "profile":
        return {"profile": kept["profile"]}
    return {"ship_on": kept["ship_on"]} if what == "rearm" else {}


def start(
    what: str, home: Account, by: Actor, chosen: Chosen, form: forms.Form, wanted: dict[str, Any]
) -> Job:
    if what == "unlock":
        assert isinstance(form, SpanForm)
        span = form.chosen_span()
        return unlock_all.start(home, by=by, span=span, filter=chosen.words, chosen=chosen.phones)
    return bulk.start(home, what, by=by, filter=chosen.words, phones=chosen.phones, **wanted)


def ends(form: forms.Form, home: Account | None, now: datetime) -> dict[str, Any] | None:
    """When the unlocks would end, once that is said."""
    if home is None or not isinstance(form, SpanForm) or not (form.is_bound and form.is_valid()):
        return None
    span = form.chosen_span()
    length = policies.effective(home).manager_unlock_ttl if span.by_policy else span.length
    return {"until": now + length if length else None, "zone": home.time_zone}


# --- taking them away --------------------------------------------------------------------------------------


@needs(Power.SEE_ACCOUNT)
def export(request: PageRequest) -> StreamingHttpResponse | HttpResponse:
    """The chosen phones, or all that fit, as a table; it streams."""
    now = timezone.now()
    given = request.POST if request.method == "POST" else request.GET
    chosen = chosen_phones(request.actor, given, Power.SEE_ACCOUNT, now)
    if chosen.problems:
        return redirect(
            f"{reverse('phones')}?{urlencode({name: given.get(name, '') for name in finding.NAMES})}"
        )
    named = {"Content-Disposition": f'attachment; filename="phones-{now:%Y-%m-%d}.csv"'}
    lines = phone_export.lines(chosen.phones, now)
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=named)
