"""What a person is told of by e-mail, and how: everybody chooses for himself."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import User
from accounts.roles import Power
from provisioning import letters, notice_words
from provisioning.noticing import KINDS, About, How, next_morning


@dataclass(frozen=True, slots=True)
class Option:
    """One way in which a kind can reach the reader."""

    how: How
    words: notice_words.Text
    is_usual: bool
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One kind on the page."""

    kind: About
    words: notice_words.Words
    options: list[Option]
    always: bool  #: it cannot be switched off
    field: Any


class NoticesForm(forms.Form):
    """How each kind reaches the reader."""

    def __init__(self, *args: Any, kinds: list[About], chosen: dict[About, How], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind in kinds:
            self.fields[kind.value] = forms.ChoiceField(
                label=str(notice_words.KINDS[kind].title),
                choices=[(how.value, str(notice_words.WAYS[how])) for how in KINDS[kind].ways],
                initial=chosen[kind].value,
                error_messages={"required": _("Choose one of them.")},
            )


@needs(Power.SEE_ACCOUNT)
def choose(request: PageRequest) -> HttpResponse:
    """Show how each kind reaches the reader, and keep what he changes."""
    now, person = timezone.now(), request.actor.user
    assert isinstance(person, User)
    kinds, chosen = letters.kinds_for(request.actor), letters.choices_of(person)
    form = NoticesForm(request.POST or None, kinds=kinds, chosen=chosen)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = letters.choose(person, by=request.actor, choices=form.cleaned_data, now=now)
            count = sum(kept[kind] is not chosen[kind] for kind in kinds)
            messages.success(request, _said(count))
            return redirect("notifications")
    zone = letters.zone_of(person)
    context = {
        "section": "notifications",
        "form": form,
        "rows": [_row(kind, form) for kind in kinds],
        "tally": _tally([chosen[kind] for kind in kinds]),
        "home": letters.home_of(person),
        "zone": zone,
        "next_daily": next_morning(now, zone),
        "waiting": letters.waiting_for(person),
    }
    return render(request, "provisioning/notifications.html", context)


def _said(count: int) -> str:
    if not count:
        return _("Nothing was changed: you hear of everything as before.")
    words = ngettext("%(count)d kind reaches", "%(count)d kinds reach", count) % {"count": count}
    return _("%(kinds)s you differently from now on.") % {"kinds": words}


def _tally(ways: list[How]) -> list[tuple[How, int, notice_words.Text]]:
    return [(how, count, notice_words.WAYS[how]) for how in How if (count := ways.count(how))]


def _row(kind: About, form: NoticesForm) -> Row:
    known, now_chosen = KINDS[kind], form[kind.value].value()
    options = [
        Option(how, notice_words.WAYS[how], how is known.usual, how.value == now_chosen) for how in known.ways
    ]
    return Row(kind, notice_words.KINDS[kind], options, How.NEVER not in known.ways, form[kind.value])
