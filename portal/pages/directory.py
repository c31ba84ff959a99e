"""The company directory: who stands in it, contacts by form and by table, and what phones make of it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices import directory, importing, phone_books
from devices.models import Contact, Device, Extension
from portal.pages.policies import chosen_account

A_PAGE = 50
SHOWN_ROWS = 200  # of a table that is looked at; what is refused comes first


class ContactForm(forms.Form):
    """A name and what can be dialled for it."""

    name = forms.CharField(max_length=60, label=gettext_lazy("Name"))
    number = forms.CharField(
        max_length=60,
        required=False,
        label=gettext_lazy("Number"),
        help_text=gettext_lazy("As you write it: +49 (0)30 123-45 is dialled as +493012345."),
    )
    mobile = forms.CharField(max_length=60, required=False, label=gettext_lazy("Mobile"))
    other = forms.CharField(max_length=60, required=False, label=gettext_lazy("Other number"))


class AccountForm(forms.Form):
    """In whose directory."""

    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_EXTENSIONS).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


class NewContactForm(AccountForm, ContactForm):
    field_order = ("account", "name", "number", "mobile", "other")


class TableForm(AccountForm):
    """A table out of a file, or the one that was looked at."""

    file = forms.FileField(
        required=False,
        label=gettext_lazy("Table"),
        help_text=gettext_lazy(
            "CSV in UTF-8 with a heading: Name, Number, Mobile, Other. Semicolons, commas or tabs."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )
    table = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    mark = forms.CharField(required=False, widget=forms.HiddenInput)

    def data_given(self) -> bytes:
        """The table's bytes; a file wins over what was looked at."""
        file, table = self.cleaned_data["file"], self.cleaned_data["table"]
        if file is None and not table:
            self.add_error("file", gettext("Choose the file with your contacts."))
            return b""
        if file is not None:
            return bytes(file.read(importing.LARGEST + 1))
        return str(table).encode()


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    account = chosen_account(request, request.GET.get("account", ""))
    words = request.GET.get("q", "").strip()[:60]
    only_lines = request.GET.get("show") == "extensions"
    contacts = Contact.objects.visible_to(request.actor).filter(account=account)
    lines = Extension.objects.visible_to(request.actor).filter(account=account)
    found: Any = lines.order_by("username", "pk") if only_lines else contacts.order_by("name", "pk")
    if words:
        named = Q(username__icontains=words) | Q(display_name__icontains=words)
        numbers = Q(number__icontains=words) | Q(mobile__icontains=words) | Q(other__icontains=words)
        found = found.filter(named if only_lines else Q(name__icontains=words) | numbers)
    context = {
        "section": "directory",
        "account": account,
        "accounts": Account.objects.visible_to(request.actor).order_by("path"),
        "page": Paginator(found, A_PAGE).get_page(request.GET.get("page")),
        "words": words,
        "only_lines": only_lines,
        "contacts": contacts.count(),
        "lines": lines.count(),
        "hidden": lines.filter(in_directory=False).count(),
        "notes": phone_books.notes(account, models_of(request, account)),
        "may_edit": request.actor.may(Power.EDIT_EXTENSIONS, account.path),
    }
    return render(request, "devices/directory.html", context)


def models_of(request: PageRequest, account: Account) -> Any:
    """The family and model of each kind of phone in this account."""
    phones = Device.objects.visible_to(request.actor).filter(account=account)
    return phones.order_by("family", "model").values_list("family", "model").distinct()


@needs(Power.EDIT_EXTENSIONS)
def add(request: PageRequest) -> HttpResponse:
    initial = {"account": request.GET.get("account", "")}
    form = NewContactForm(request.POST or None, actor=request.actor, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            contact = directory.add(kept.pop("account"), by=request.actor, **kept)
            messages.success(
                request,
                gettext("{contact} was added. Phones show it when they next ask for their book.").format(
                    contact=contact
                ),
            )
            return back_to(contact.account)
    context = {"section": "directory", "form": form, "contact": None}
    return render(request, "devices/contact_form.html", context)


@needs(Power.EDIT_EXTENSIONS)
def edit(request: PageRequest, code: UUID) -> HttpResponse:
    contact = find(request, code)
    initial = {name: getattr(contact, name) for name in directory.FIELDS}
    form = ContactForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            directory.change(contact, by=request.actor, **form.cleaned_data)
            messages.success(request, gettext("The contact was changed."))
            return back_to(contact.account)
    context = {"section": "directory", "form": form, "contact": contact}
    return render(request, "devices/contact_form.html", context)


@needs(Power.EDIT_EXTENSIONS)
def remove(request: PageRequest, code: UUID) -> HttpResponse:
    contact = find(request, code)
    if request.method == "POST":
        directory.remove(contact, by=request.actor)
        messages.success(request, gettext("{contact} was removed.").format(contact=contact))
        return back_to(contact.account)
    return render(request, "devices/contact_remove.html", {"section": "directory", "contact": contact})


@require_POST
@needs(Power.EDIT_EXTENSIONS)
def show(request: PageRequest, code: UUID) -> HttpResponse:
    """Show an extension in the directory, or hide it there."""
    visible = Extension.objects.visible_to(request.actor).select_related("account")
    extension = get_object_or_404(visible, code=code)
    shown = request.POST.get("do") == "show"
    directory.show(extension, by=request.actor, shown=shown)
    said = gettext("{extension} is hidden from the directory.")
    if shown:
        said = gettext("{extension} stands in the directory again.")
    messages.success(request, said.format(extension=extension))
    return back_to(extension.account, "&show=extensions")


@needs(Power.EDIT_EXTENSIONS)
def bring_in(request: PageRequest) -> HttpResponse:
    """A table is looked at first; what was seen is kept as a whole or not at all."""
    initial = {"account": request.GET.get("account", "")}
    form = TableForm(request.POST or None, request.FILES or None, actor=request.actor, initial=initial)
    context: dict[str, Any] = {"section": "directory", "form": form, "account": None}
    if request.method == "POST" and form.is_valid() and (data := form.data_given()):
        account = form.cleaned_data["account"]
        with refused_into(form):
            if request.POST.get("do") == "keep":
                done = importing.run(
                    account, by=request.actor, data=data, expected=form.cleaned_data["mark"] or "-"
                ).counts
                said = gettext("The table was imported: {added} added and {changed} changed.")
                messages.success(request, said.format(added=done["added"], changed=done["changed"]))
                return back_to(account)
            plan = importing.plan(account, data)
            table = data.decode("utf-8-sig")
            seen = TableForm(
                actor=request.actor, initial={"account": account.slug, "table": table, "mark": plan.mark}
            )
            context |= {"form": seen, "plan": plan, "account": account, "rows": first_rows(plan)}
    if form.errors.get("table"):
        for error in form.errors.pop("table"):
            form.add_error("file", error)
    return render(request, "devices/directory_import.html", context)


def first_rows(plan: importing.Plan) -> list[importing.Row]:
    """The rows to look at: refused ones first, then what changes something."""
    order = ("refused", "changed", "added", "same")
    return [row for what in order for row in plan.of(what)][:SHOWN_ROWS]


@needs(Power.SEE_ACCOUNT)
def take_out(request: PageRequest) -> HttpResponse:
    account = chosen_account(request, request.GET.get("account", ""))
    named = {"Content-Disposition": f'attachment; filename="contacts-{account.slug}.csv"'}
    return HttpResponse(importing.export(account), content_type="text/csv; charset=utf-8", headers=named)


def find(request: PageRequest, code: UUID) -> Contact:
    visible = Contact.objects.visible_to(request.actor).select_related("account")
    found: Contact = get_object_or_404(visible, code=code)
    return found


def back_to(account: Account, more: str = "") -> HttpResponse:
    return redirect(f"{reverse('directory')}?account={account.slug}{more}")
