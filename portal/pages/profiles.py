"""Profiles: their keys as rows of a form, and the phones that have them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from devices import appearances, keys, profiles
from devices.catalog import catalog
from devices.models import Device, Profile
from portal.pages.key_rows import Editor, cap_of, columns, limits, state_of

A_PAGE = 100


def kind_choices(family: str = "") -> list[tuple[str, list[tuple[str, str]]]]:
    """Each maker's phones as a whole and its models; of one family alone when it is given."""
    return [
        (
            known.name,
            [(f"{code}/", every(known.name)), *((f"{code}/{name}", name) for name in known.models)],
        )
        for code, known in catalog().families.items()
        if family in ("", code)
    ]


class ProfileForm(forms.Form):
    name = forms.CharField(
        max_length=120,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What people call it: Front desk, Call centre."),
    )
    model = forms.ChoiceField(label=gettext_lazy("For which phones?"))

    def __init__(self, *args: Any, family: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = kind_choices(family)  # type: ignore[attr-defined]


class NewProfileForm(ProfileForm):
    account = forms.ModelChoiceField(
        Account.objects.none(),
        to_field_name="slug",
        empty_label=None,
        label=gettext_lazy("Account"),
        help_text=gettext_lazy("Phones of this account and of those below it can have the profile."),
    )
    field_order = ("account", "name", "model")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_DEVICES).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    seen = below(request.actor.paths(Power.SEE_ACCOUNT), "devices__account__path")
    visible = Profile.objects.visible_to(request.actor).select_related("account")
    counted = visible.annotate(
        phones=Count("devices", filter=seen, distinct=True), size=Count("keys", distinct=True)
    )
    page = Paginator(counted.order_by("account__path", "name", "pk"), A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "section": "profiles",
        "page": page,
        "rows": [{"profile": profile, "meant": meant(profile)} for profile in page],
        "may_edit": request.actor.may_anywhere(Power.EDIT_DEVICES),
    }
    return render(request, "devices/profiles.html", context)


def meant(profile: Profile) -> str:
    """Which phones it is for."""
    family = catalog().families.get(profile.family)
    if family is None or (profile.model and profile.model not in family.models):
        known = f"{profile.family} {profile.model}".strip()
        return gettext("{model}, which the catalogue has no more").format(model=known)
    return family.models[profile.model].title if profile.model else every(family.name)


def every(maker: str) -> str:
    """All phones of one make."""
    return gettext("Every {maker}").format(maker=maker)


def find_profile(request: PageRequest, code: UUID) -> Profile:
    visible = Profile.objects.visible_to(request.actor).select_related("account")
    found: Profile = get_object_or_404(visible, code=code)
    return found


@needs(Power.EDIT_DEVICES)
def add(request: PageRequest) -> HttpResponse:
    form = NewProfileForm(request.POST or None, actor=request.actor)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            family, _, model = kept["model"].partition("/")
            made = profiles.create(
                kept["account"], by=request.actor, name=kept["name"], family=family, model=model
            )
            messages.success(
                request, gettext("{made} was added. Give it keys, then put it on phones.").format(made=made)
            )
            return redirect("profile", code=made.code)
    return render(request, "devices/profile_add.html", {"section": "profiles", "form": form})


@needs(Power.SEE_ACCOUNT)
def edit(request: PageRequest, code: UUID) -> HttpResponse:
    """Its name and its keys; who may not change it sees what it is."""
    profile = find_profile(request, code)
    may_edit = request.actor.may(Power.EDIT_DEVICES, profile.account.path)
    kept = list(profile.keys.order_by("position"))
    frame = {
        "section": "profiles",
        "profile": profile,
        "meant": meant(profile),
        "phones": _having(request, profile).count(),
        "may_edit": may_edit,
        "may_apply": request.actor.may_anywhere(Power.EDIT_DEVICES),
    }
    family = catalog().families.get(profile.family)
    if family is None:
        return render(request, "devices/profile.html", {**frame, "caps": map(cap_of, kept), "is_lost": True})
    initial = {"name": profile.name, "model": f"{profile.family}/{profile.model}"}
    form = ProfileForm(request.POST or None, family=profile.family, initial=initial)
    model = family.models.get(profile.model)
    editor = Editor(
        map(state_of, kept), family=family, model=model, has_lines=False, as_of=appearances.stamp((), kept)
    )
    formset = editor.formset()
    if request.method == "POST":
        if not may_edit:
            raise Forbidden
        editor.read(request.POST)
        button = request.POST.get("do", "save")
        if button != "save":
            editor.press(button)
            formset = editor.formset()
        else:
            editor.settle()
            formset = editor.formset(bound=True)
            if form.is_valid() and formset.is_valid() and _saved(request, profile, form, editor, formset):
                messages.success(
                    request, gettext("Saved. The phones that have it learn it at their next check-in.")
                )
                return redirect("profile", code=profile.code)
    context = {
        **frame,
        "limits": limits(model) if model else "",
        "columns": columns(model, map(cap_of, kept)) if model else [],
        "caps": [] if model else [cap_of(row) for row in kept],
        "form": form,
        "editor": editor,
        "formset": formset,
        "rows": [
            {
                "at": at,
                "form": one,
                "place": editor.place(state["position"], state["kind"]),
                "focus": editor.pressed if at == editor.focus else "",
            }
            for at, (one, state) in enumerate(zip(formset, editor.states, strict=True))
        ],
        "is_changed": editor.is_changed,
    }
    return render(request, "devices/profile.html", context)


def _saved(request: PageRequest, profile: Profile, form: ProfileForm, editor: Editor, formset: Any) -> bool:
    try:
        profiles.change(
            profile,
            by=request.actor,
            name=form.cleaned_data["name"],
            model=form.cleaned_data["model"].partition("/")[2],
            keys=editor.keys(formset),
            as_of=editor.as_of or None,
        )
    except Refusal as refusal:
        if refusal.field in form.fields:
            form.add_error(refusal.field, refusal.detail)
        else:
            editor.blame(formset, refusal)
        return False
    return True


def _having(request: PageRequest, profile: Profile) -> QuerySet[Device]:
    phones: QuerySet[Device] = Device.objects.reachable_by(request.actor, Power.SEE_ACCOUNT)
    return phones.filter(profile=profile)


@needs(Power.EDIT_DEVICES)
def phones(request: PageRequest, code: UUID) -> HttpResponse:
    """Put it on the chosen phones, or take it off them."""
    profile = find_profile(request, code)
    reach = Device.objects.reachable_by(request.actor, Power.EDIT_DEVICES)
    fitting = reach.filter(below([profile.account.path], "account__path"), family=profile.family)
    if profile.model:
        fitting = fitting.filter(model=profile.model)
    if request.method == "POST":
        return _put_on(request, profile, fitting)
    words = request.GET.get("q", "").strip()
    if words:
        fitting = fitting.filter(Q(name__icontains=words) | Q(mac__icontains=words))
    found = fitting.select_related("account", "site", "profile").prefetch_related("appearances", "keys")
    page = Paginator(found.order_by("name", "mac"), A_PAGE).get_page(request.GET.get("page"))
    places = set(profile.keys.values_list("position", flat=True))
    context = {
        "section": "profiles",
        "profile": profile,
        "meant": meant(profile),
        "page": page,
        "rows": [{"phone": phone, "own": _own_places(phone, places)} for phone in page],
        "q": words,
    }
    return render(request, "devices/profile_phones.html", context)


def _own_places(phone: Device, places: set[int]) -> list[int]:
    """The keys of the profile in whose place the phone has something of its own."""
    own = {row.position for row in phone.keys.all()}
    if catalog().has_model(phone.family, phone.model):
        lines = (row.position for row in phone.appearances.all())
        own |= keys.line_places(phone.family, phone.model, lines)
    return sorted(own & places)


def _put_on(request: PageRequest, profile: Profile, fitting: QuerySet[Device]) -> HttpResponse:
    codes = []
    for text in request.POST.getlist("phone")[:A_PAGE]:
        try:
            codes.append(UUID(text))
        except ValueError:
            continue
    chosen = list(fitting.filter(code__in=codes).select_related("account"))
    if not chosen:
        raise Refusal("input", gettext("Choose at least one phone."), code="nothing-chosen")
    if request.POST.get("do") == "take-off":
        having = [device for device in chosen if device.profile_id == profile.pk]
        count = len(profiles.take_off(having, by=request.actor))
        messages.success(
            request,
            gettext("{profile} was taken off {counted}. Their own keys stay.").format(
                profile=profile, counted=_counted(count)
            ),
        )
    else:
        count = len(profiles.apply(profile, by=request.actor, devices=chosen))
        messages.success(
            request,
            gettext("{profile} was put on {counted}. Their own keys stay.").format(
                profile=profile, counted=_counted(count)
            ),
        )
    return redirect("profile", code=profile.code)


def _counted(count: int) -> str:
    return ngettext("one phone", "{count} phones", count).format(count=count)


@needs(Power.EDIT_DEVICES)
def remove(request: PageRequest, code: UUID) -> HttpResponse:
    profile = find_profile(request, code)
    if request.method == "POST":
        profiles.remove(profile, by=request.actor)
        messages.success(request, gettext("{profile} was removed.").format(profile=profile))
        return redirect("profiles")
    context = {"section": "profiles", "profile": profile, "phones": _having(request, profile).count()}
    return render(request, "devices/profile_remove.html", context)
