"""The accounts below a reseller: how they are, the worst first; taken on, switched off, deleted, restored."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from accounts import customers, deleting, tenants
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import GRACE, Account
from accounts.refusals import Refusal
from accounts.roles import Power
from accounts.scope import Actor
from portal.templatetags.latchkey import when
from provisioning import health
from provisioning.health import Health

A_PAGE = 50
LONGEST = 80
SHOWS = ("all", "need", "off")


@dataclass(frozen=True, slots=True)
class Row:
    """One customer with his figures."""

    account: Account
    health: Health

    @property
    def is_off(self) -> bool:
        return not self.account.is_active

    @property
    def needs_somebody(self) -> bool:
        return self.account.is_active and self.health.needs_somebody


class DeleteForm(forms.Form):
    """What confirms it."""

    typed = forms.CharField(
        max_length=60,
        label=gettext_lazy("Type its short name"),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )


class SwitchForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        max_length=300,
        required=False,
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("It stands in the audit."),
    )


class CustomerForm(forms.Form):
    """A new account, and who manages it first."""

    below = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Below")
    )
    name = forms.CharField(max_length=120, label=gettext_lazy("Name"))
    slug = forms.SlugField(
        max_length=60,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy("For programs and addresses of pages: acme. It stays for ever."),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    kind = forms.ChoiceField(required=False, label=gettext_lazy("Kind"))
    time_zone = forms.CharField(
        max_length=60,
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Windows, digests and closing times go by it: Europe/Berlin."),
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
    )
    email = forms.EmailField(
        required=False,
        label=gettext_lazy("E-mail of its first manager"),
        help_text=gettext_lazy("Empty: you look after it yourself, by acting for it."),
    )
    person = forms.CharField(max_length=120, required=False, label=gettext_lazy("The manager's name"))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        parents = parents_of(actor)
        self.fields["below"].queryset = parents  # type: ignore[attr-defined]
        several = [one for one in parents if len(tenants.BELOW[Account.Kind(one.kind)]) > 1]
        if several:  # elsewhere there is only one kind that fits
            kinds = dict.fromkeys(kind for one in several for kind in tenants.BELOW[Account.Kind(one.kind)])
            choices = [("", _("What is usual there")), *((kind.value, kind.label) for kind in kinds)]
            self.fields["kind"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["kind"]
        if len(parents) < 2:
            self.fields["below"].widget = forms.HiddenInput()


def parents_of(actor: Actor) -> Any:
    """The accounts below which the actor may make one."""
    reach = Account.objects.reachable_by(actor, Power.EDIT_CUSTOMERS).filter(deleted_at=None)
    return reach.exclude(kind=Account.Kind.SUB_ACCOUNT).order_by("path")


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    """All customers with their health, the worst first; with htmx the table alone."""
    asked = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    show = request.GET.get("show", "all")
    everybody = list(customers.below_the(request.actor))
    figures = health.of_accounts([account.pk for account in everybody], timezone.now())
    rows = sorted((Row(account, figures[account.pk]) for account in everybody), key=_worst_first)
    shown = [row for row in rows if _fits(row, asked, show)]
    page: Page[Row] = Paginator(shown, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "customers",
        "sentence": _sentence(rows),
        "rows": page.object_list,
        "page": page,
        "asked": asked,
        "show": show if show in SHOWS else "all",
        "counts": [
            ("all", _("All"), len(rows)),
            ("need", _("Need you"), sum(row.needs_somebody for row in rows)),
            ("off", _("Switched off"), sum(row.is_off for row in rows)),
        ],
        "may_move": request.actor.may_anywhere(Power.MOVE_CUSTOMER),
        "may_add": request.actor.may_anywhere(Power.EDIT_CUSTOMERS),
    }
    template = "accounts/_customers.html" if request.htmx else "accounts/customers.html"
    return render(request, template, context)


def _worst_first(row: Row) -> tuple[Any, ...]:
    badness = tuple(-figure for figure in row.health.badness)
    return (row.is_off, not row.needs_somebody, badness, row.account.name.casefold())


def _fits(row: Row, asked: str, show: str) -> bool:
    if (show == "need" and not row.needs_somebody) or (show == "off" and not row.is_off):
        return False
    words = f"{row.account.name} {row.account.slug}".casefold()
    return all(word in words for word in asked.casefold().split())


def _sentence(rows: list[Row]) -> str:
    """What is true of all of them."""
    on = [row for row in rows if not row.is_off]
    needy = sum(row.needs_somebody for row in on)
    if not on:
        return ""
    if not needy:
        words = ngettext(
            "Your %(all)d customer is well: nothing waits for you.",
            "All %(all)d customers are well: nothing waits for you.",
            len(on),
        )
    else:
        words = ngettext(
            "%(needy)d of %(all)d customers needs you.", "%(needy)d of %(all)d customers need you.", needy
        )
    return words % {"needy": needy, "all": len(on)}


@needs(Power.SEE_ACCOUNT)
def customer(request: PageRequest, slug: str) -> HttpResponse:
    """One customer: how it is, and what is rare or dangerous."""
    account: Account = get_object_or_404(customers.below_the(request.actor), slug=slug)
    row = Row(account, health.of_accounts([account.pk], timezone.now())[account.pk])
    context = {
        "section": "customers",
        "row": row,
        "account": account,
        "people": account.memberships.select_related("user").order_by("user__name")[:50],
        "may_move": request.actor.may_anywhere(Power.MOVE_CUSTOMER) and account.kind == Account.Kind.CUSTOMER,
    }
    return render(request, "accounts/customer.html", context)


@needs(Power.EDIT_CUSTOMERS)
def add(request: PageRequest) -> HttpResponse:
    """Take on a customer, with the first person who manages it."""
    parent = parents_of(request.actor).first()
    initial = {"below": parent and parent.slug, "time_zone": parent.time_zone if parent else "UTC"}
    form = CustomerForm(request.POST or None, actor=request.actor, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = dict(form.cleaned_data)
            kind = kept.pop("kind", None) or None
            try:
                made = customers.take_on(kept.pop("below"), by=request.actor, kind=kind, **kept)
            except Refusal as refusal:
                if refusal.code != "mail-away":
                    raise
                messages.warning(request, refusal.detail)  # the account is there all the same
                return redirect("customers")
            messages.success(
                request, _("%(account)s is there. Act for it to enter its phones.") % {"account": made}
            )
            return redirect("customer", made.slug)
    zones = sorted(zone for zone in tenants.time_zones() if "/" in zone)
    context = {"section": "customers", "form": form, "zones": zones}
    return render(request, "accounts/customer_add.html", context)


@needs(Power.SEE_ACCOUNT)
def switch(request: PageRequest, slug: str) -> HttpResponse:
    """Say what switching it off or on does to how many phones, then do it."""
    account: Account = get_object_or_404(customers.below_the(request.actor), slug=slug)
    form = SwitchForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            on = request.POST.get("to") == "on"
            now_so = tenants.switch_account(
                account, by=request.actor, is_active=on, reason=form.cleaned_data["reason"]
            )
            said = _("%(account)s is on: its phones get their files again.")
            if not now_so.is_active:
                said = _("%(account)s is switched off: its phones get no file.")
            messages.success(request, said % {"account": now_so})
            return redirect("customer", now_so.slug)
    context = {
        "section": "customers",
        "account": account,
        "form": form,
        "phones": health.phones_below(account),
        "below": deleting.living_below(account),
    }
    return render(request, "accounts/customer_switch.html", context)


@needs(Power.SEE_ACCOUNT)
def delete(request: PageRequest, slug: str) -> HttpResponse:
    """Say what would go and what would stay, then switch it off; its short name is typed."""
    account: Account = get_object_or_404(customers.below_the(request.actor), slug=slug)
    form = DeleteForm(request.POST or None)
    form.fields["typed"].help_text = _("It is %(slug)s.") % {"slug": account.slug}
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            gone = deleting.delete_account(account, by=request.actor, typed=form.cleaned_data["typed"])
            end = when(gone.removed_at, gone.time_zone)
            said = _("%(account)s is switched off. It will be removed on %(end)s.")
            messages.success(request, said % {"account": gone, "end": end})
            return redirect("customers")
    context = {
        "section": "customers",
        "account": account,
        "phones": health.phones_below(account),
        "form": form,
        "below": deleting.living_below(account),
        "would_end": timezone.now() + GRACE,
    }
    return render(request, "accounts/customer_delete.html", context)


@require_POST
@needs(Power.SEE_ACCOUNT)
def restore(request: PageRequest, slug: str) -> HttpResponse:
    account = get_object_or_404(customers.below_the(request.actor), slug=slug)
    kept = deleting.restore_account(account, by=request.actor)
    said = _("%(account)s is back. It is switched off, as it was before.")
    if kept.is_active:
        said = _("%(account)s is back. Its phones get their files again.")
    messages.success(request, said % {"account": kept})
    return redirect("customers")
