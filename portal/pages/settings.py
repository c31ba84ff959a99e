"""Settings of a phone, an account or a model: where each comes from, and what a change does, told before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from devices import raw_keys, settings_tree
from devices.catalog import catalog
from devices.definitions import GROUPS, SETTINGS, Group, Value
from devices.levels import ModelIn, Target
from devices.models import Device
from devices.nearer import Nearer, NearerValues, nearer_values
from devices.trails import Trail, lacks, trails, without_own
from portal.model_words import model_words
from portal.pages.editing import model_choices
from portal.pages.phone import find_phone, frame_of
from portal.pages.policies import chosen_account
from portal.setting_forms import RawForm, SettingsForm, hidden, title_of
from portal.setting_rows import SettingRow, raw_row, row_of, settings_url
from provisioning import previewing

RAW = "raw"  # what the form of the vendors' own keys calls itself beside the groups


@dataclass(frozen=True, slots=True)
class Told:
    """One change in words."""

    title: str
    before: str
    after: str


@dataclass
class Edit:
    """What a form asks for: its words, and how it is done."""

    form: forms.Form
    told: list[Told] = field(default_factory=list)
    make: Callable[[], object] | None = None
    saved: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One group of settings as the page shows it."""

    group: Group
    slug: str
    rows: list[SettingRow]
    form: SettingsForm | None

    @property
    def own(self) -> int:
        return sum(row.is_own for row in self.rows)


@needs(Power.SEE_ACCOUNT)
def of_account(request: PageRequest) -> HttpResponse:
    account = chosen_account(request, request.GET.get("account", ""))
    return answer(request, model_of(account, request.GET.get("model", "")))


@needs(Power.SEE_ACCOUNT)
def of_phone(request: PageRequest, code: UUID) -> HttpResponse:
    return answer(request, find_phone(request, code))


def model_of(account: Account, text: str) -> Account | ModelIn:
    """The account, or the model of it that is asked for as maker/model."""
    if not text:
        return account
    family, _, model = text.partition("/")
    known = catalog().find_model(family, model)
    if known is None:
        raise Http404
    return ModelIn(account, family, known.name)


def answer(request: PageRequest, target: Target) -> HttpResponse:
    """The page; for a form first what it would do, then the deed."""
    if request.method != "POST":
        return show(request, target)
    edit = edit_of(request, target)
    if not edit.form.is_valid() or request.POST.get("do") == "back":
        return show(request, target, edit)
    if edit.make is None:
        messages.info(request, gettext("Nothing was different, so nothing was changed."))
        return redirect(settings_url(target))
    account = target if isinstance(target, Account) else target.account
    preview = previewing.Preview()
    with refused_into(edit.form):
        if request.POST.get("do") == "save":
            edit.make()
        else:
            preview = previewing.of_change(edit.make, by=request.actor, account=account)
    if edit.form.errors:
        return show(request, target, edit)
    if request.POST.get("do") == "save":
        messages.success(request, edit.saved)
        return redirect(settings_url(target))
    return review(request, target, edit, preview)


# --- what is asked for ----------------------------------------------------------------------------------


def edit_of(request: PageRequest, target: Target) -> Edit:
    """Read the form that was sent; Forbidden where the reader may not send it."""
    path = path_of(target)
    is_raw = request.POST.get("group") == RAW
    if not request.actor.may(Power.EDIT_RAW_KEYS if is_raw else Power.EDIT_SETTINGS, path):
        raise Forbidden
    if is_raw:
        return raw_edit(request, target)
    found = trails(target)
    name = request.POST.get("again", "")
    if name:
        return again_edit(request, target, name, found)
    group = next((group for group in Group if slug_of(group) == request.POST.get("group")), None)
    return group_edit(request, target, group, found) if group else Edit(forms.Form(request.POST))


def group_edit(request: PageRequest, target: Target, group: Group, found: Mapping[str, Trail]) -> Edit:
    form = form_of(target, group, found, request.POST)
    if not form.is_valid() or not form.changes():
        return Edit(form)
    changes = form.changes()
    told = [
        Told(SETTINGS[name].title, title_of(SETTINGS[name], found[name][-1].value), _said(name, value))
        for name, value in changes.items()
    ]
    titles = ", ".join(one.title for one in told)
    return Edit(
        form,
        told,
        partial(_set_all, target, changes, request),
        gettext("{titles}: saved. {learns}").format(titles=titles, learns=LEARNS),
    )


LEARNS = gettext_lazy("Each phone learns it at its next check-in.")


def _set_all(target: Target, changes: Mapping[str, Value], request: PageRequest) -> None:
    with transaction.atomic():
        for name, value in changes.items():
            settings_tree.set_value(target, by=request.actor, name=name, value=value)


def _said(name: str, value: Value) -> str:
    return title_of(SETTINGS[name], value)


def again_edit(request: PageRequest, target: Target, name: str, found: Mapping[str, Trail]) -> Edit:
    """Give up the own value of one setting."""
    if name not in SETTINGS:
        raise Http404
    form, without = forms.Form(request.POST), without_own(name, found[name], target)
    if without is None:
        return Edit(form)
    title = SETTINGS[name].title
    told = [Told(title, _said(name, found[name][-1].value), _said(name, without.value))]
    make = partial(settings_tree.reset_value, target, by=request.actor, name=name)
    said = gettext("{title}: what stands above holds again. {learns}")
    return Edit(form, told, make, said.format(title=title, learns=LEARNS))


def raw_edit(request: PageRequest, target: Target) -> Edit:
    """One of the vendor's own keys, added, changed or removed."""
    removed = request.POST.get("again", "")
    form = forms.Form(request.POST) if removed else raw_form(target, request.POST)
    if not form.is_valid():
        return Edit(form)
    family = request.POST.get("family", "") if isinstance(target, Account) else target.family
    at = raw_keys.target_in(target, family) if isinstance(target, Account) else target
    given = raw_keys.given_here(at)
    key = removed or form.cleaned_data["key"].strip()
    before = {one.casefold(): value for one, value in given.items()}.get(key.casefold())
    if removed:
        if before is None:
            return Edit(form)
        make = partial(raw_keys.reset_value, at, by=request.actor, key=key)
        said = gettext("{key} was removed. {learns}").format(key=key, learns=LEARNS)
        return Edit(form, [Told(key, before, gettext("Not given here"))], make, said)
    value = form.cleaned_data["value"]
    if value == before:
        return Edit(form)
    told = [Told(key, gettext("Not given here") if before is None else before, value)]
    make = partial(raw_keys.set_value, at, by=request.actor, key=key, value=value)
    return Edit(form, told, make, gettext("{titles}: saved. {learns}").format(titles=key, learns=LEARNS))


def form_of(target: Target, group: Group, found: Mapping[str, Trail], data: Any = None) -> SettingsForm:
    """The settings of a group that can be given here and that these phones can express."""
    all_can = isinstance(target, Account)
    able = [one for one in GROUPS[group] if (not one.for_models if all_can else not lacks(target, one.name))]
    return SettingsForm(data, settings=able, shown={one.name: found[one.name][-1].value for one in able})


def raw_form(target: Target, data: Any = None) -> RawForm:
    return RawForm(data, family="" if isinstance(target, Account) else target.family, prefix=None)


def slug_of(group: Group) -> str:
    return group.name.lower()


def path_of(target: Target) -> str:
    account = target if isinstance(target, Account) else target.account
    path: str = account.path
    return path


# --- what is shown --------------------------------------------------------------------------------------


def show(request: PageRequest, target: Target, edit: Edit | None = None) -> HttpResponse:
    """The settings page, with a form that came back where it stands."""
    found, tried = trails(target), edit.form if edit else None
    context = {**frame_for(request, target), "target_url": settings_url(target)}
    context |= {"form": tried, "shelves": [shelf_of(request, target, group, found, tried) for group in Group]}
    if request.actor.may(Power.EDIT_RAW_KEYS, path_of(target)) and knows_model(target):
        context |= raw_context(request, target, tried)
    name = "phone_settings" if isinstance(target, Device) else "settings"
    return render(request, f"devices/{name}.html", context)


def shelf_of(
    request: PageRequest, target: Target, group: Group, found: Mapping[str, Trail], tried: forms.Form | None
) -> Shelf:
    """One group; the form that came back where it is this group's."""
    form = None
    if request.actor.may(Power.EDIT_SETTINGS, path_of(target)):
        form = form_of(target, group, found)
        if isinstance(tried, SettingsForm) and list(tried.settings) == list(form.settings):
            form = tried
    rows = [row_of(one, found[one.name], target, request.actor, form) for one in GROUPS[group]]
    return Shelf(group, slug_of(group), rows, form if form and form.settings else None)


def raw_context(request: PageRequest, target: Target, tried: forms.Form | None) -> dict[str, Any]:
    """The vendors' own keys that stand here and above."""
    rows = raw_keys.standing(target)
    last = {row.key.casefold(): row for row in rows}
    shown = [
        raw_row(
            row,
            target,
            request.actor,
            is_own=raw_keys.is_given_for(row, target) and not (isinstance(target, Account) and row.model),
            holds=isinstance(target, Account) or last[row.key.casefold()] is row,
        )
        for row in rows
    ]
    return {"raw_form": tried if isinstance(tried, RawForm) else raw_form(target), "raw_rows": shown}


def frame_for(request: PageRequest, target: Target) -> dict[str, Any]:
    """What stands around the settings of a phone, an account or a model."""
    words = None if isinstance(target, Account) else model_words(target)
    if isinstance(target, Device):
        frame = {**frame_of(request, target, "settings"), "target": target, "words": words}
        frame["may"]["settings"] = request.actor.may(Power.EDIT_SETTINGS, path_of(target))
        return frame
    account = target if isinstance(target, Account) else target.account
    model = f"{target.family}/{target.model}" if isinstance(target, ModelIn) else ""
    return {
        "section": "settings",
        "target": target,
        "words": words,
        "account": account,
        "accounts": Account.objects.visible_to(request.actor).order_by("path"),
        "models": model_choices(),
        "model": model,
        "nearer": linked(nearer_values(target, request.actor)),
        "may": {"settings": request.actor.may(Power.EDIT_SETTINGS, account.path)},
    }


def linked(found: NearerValues) -> dict[str, Any]:
    """What is given nearer to the phones, each with its own page."""

    def rows(of: list[Nearer]) -> list[dict[str, Any]]:
        return [{"name": one.name, "values": one.values, "url": settings_url(one.at)} for one in of]

    return {"models": rows(found.models), "phones": rows(found.phones), "more_phones": found.more_phones}


def knows_model(target: Target) -> bool:
    return isinstance(target, Account) or catalog().has_model(target.family, target.model)


def review(request: PageRequest, target: Target, edit: Edit, preview: previewing.Preview) -> HttpResponse:
    """What would change on which phones, with the button that does it."""
    context = {
        **frame_for(request, target),
        "told": edit.told,
        "preview": preview,
        "target_url": settings_url(target),
        "carried": hidden(request.POST.dict(), without=("csrfmiddlewaretoken", "do")),
    }
    name = "phone_settings_review" if isinstance(target, Device) else "settings_review"
    return render(request, f"devices/{name}.html", context)
