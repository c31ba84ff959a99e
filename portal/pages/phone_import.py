"""Import phones: a list is sent, each row says what becomes of it, and one button adds what can be added."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices import tables
from portal.frame import home_account
from provisioning import phone_import
from provisioning.models import ImportDraft
from provisioning.phone_import_rows import What
from provisioning.phone_import_table import COLUMNS, read, sample

A_PAGE = 100
LATELY = 5
CSV = "text/csv; charset=utf-8"
KINDS = ".csv,.txt,.tsv,.xlsx,text/csv,text/plain"


class ListForm(forms.Form):
    """A list of phones out of a file, or pasted, and what holds for all of its rows."""

    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=_("Account")
    )
    file = forms.FileField(
        required=False,
        label=_("File"),
        help_text=_("An Excel workbook (.xlsx) or CSV, with a heading. At most 2 MB and 5,000 phones."),
        widget=forms.FileInput(attrs={"accept": KINDS}),
    )
    table = forms.CharField(
        required=False,
        strip=False,
        label=_("Or paste it"),
        help_text=_("Copied out of a spreadsheet, with its heading."),
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )
    make_extensions = forms.BooleanField(
        required=False, label=_("Make extensions that do not exist, with a drawn secret")
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_DEVICES).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]

    def data_given(self) -> bytes:
        """The list's bytes; a file wins over what was pasted."""
        file, table = self.cleaned_data["file"], self.cleaned_data["table"]
        if file is not None:
            return bytes(file.read(tables.LARGEST + 1))
        if not table.strip():
            self.add_error("file", _("Choose the file with your phones, or paste the list."))
            return b""
        return str(table).encode()


@needs(Power.EDIT_DEVICES)
def bring_in(request: PageRequest) -> HttpResponse:
    """Where a list is sent; it is looked at on a page of its own."""
    home = home_account(request.actor)
    initial = {"account": request.GET.get("account") or (home.slug if home else None)}
    form = ListForm(request.POST or None, request.FILES or None, actor=request.actor, initial=initial)
    if request.method == "POST" and form.is_valid() and (data := form.data_given()):
        with refused_into(form):
            kept = form.cleaned_data
            draft = phone_import.look(
                kept["account"],
                read(data),
                by=request.actor,
                file_name=kept["file"].name if kept["file"] else "",
                make_extensions=kept["make_extensions"],
            )
            return redirect("phone-import", code=draft.code)
    if kept_file := request.FILES.get("file"):
        for error in form.errors.pop("table", ()):
            form.add_error("file", f"{kept_file.name[:80]}: {error}" if kept_file.name else error)
    context = {
        "section": "phones",
        "form": form,
        "given": [form["file"], form["table"]],
        "columns": COLUMNS,
        "lately": phone_import.drafts(request.actor).defer("rows").order_by("-created_at")[:LATELY],
    }
    return render(request, "devices/phone_import.html", context)


@require_safe
@needs(Power.EDIT_DEVICES)
def take_sample(request: PageRequest) -> HttpResponse:
    return table_answer(sample(), "phones.csv")


@needs(Power.EDIT_DEVICES)
def preview(request: PageRequest, code: UUID) -> HttpResponse:
    """What becomes of each row, those that cannot be added first; the button makes the job of the others."""
    draft = find(request, code)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            expected = request.POST.get("count", "")
            job = phone_import.start(
                draft,
                by=request.actor,
                expected=int(expected) if expected.isdecimal() and len(expected) < 9 else None,
            )
            return redirect("job", code=job.code)
    found = phone_import.preview(draft, by=request.actor)
    context = {
        "section": "phones",
        "form": form,
        "draft": draft,
        "add": found.counts[What.ADD],
        "here": found.counts[What.HERE],
        "refused": found.counts[What.REFUSED],
        "bad": len(found.bad),
        "ignored": draft.params["ignored"],
        "titles": {column.name: column.title for column in COLUMNS},
        "page": Paginator(found.verdicts, A_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "devices/phone_import_preview.html", context)


@require_safe
@needs(Power.EDIT_DEVICES)
def take_bad_rows(request: PageRequest, code: UUID) -> HttpResponse:
    draft = find(request, code)
    return table_answer(phone_import.bad_rows(draft, by=request.actor), "phones-not-added.csv")


def find(request: PageRequest, code: UUID) -> ImportDraft:
    found: ImportDraft = get_object_or_404(phone_import.drafts(request.actor), code=code)
    return found


def table_answer(table: bytes, name: str) -> HttpResponse:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(table, content_type=CSV, headers=named)
