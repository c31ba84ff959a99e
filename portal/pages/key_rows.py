"""Lines and keys as rows of a form: put in order by buttons that need no script, saved as a whole."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.refusals import Forbidden, Refusal
from devices.appearances import AppearanceRow, KeyRow
from devices.family import Family, Model
from devices.layout import bank_of
from devices.models import Appearance, Key, KeyColumns
from devices.phone import KeyKind

MOST_ROWS = 600
LINE = KeyKind.LINE.value
TITLES = {
    LINE: gettext_lazy("Line"),
    **dict(Key.Kind.choices),
    KeyKind.EMPTY.value: gettext_lazy("Nothing"),
}
ICONS = {
    LINE: "line",
    "blf": "lamp",
    "speed_dial": "speed",
    "park": "park",
    "dtmf": "list",
    "url": "globe",
    "empty": "minus",
}
_NAMED = re.compile(r"Key (\d+): ")

_COUNTS = ("position", "kind", "value", "label")

State = dict[str, Any]  #: a row as it was typed


class RowForm(forms.Form):
    """One line or key."""

    position = forms.IntegerField(min_value=1, max_value=1000, label=gettext_lazy("Key"))
    kind = forms.ChoiceField(label=gettext_lazy("What it is"))
    value = forms.CharField(
        max_length=200, required=False, label=gettext_lazy("Extension, number or address")
    )
    label = forms.CharField(max_length=60, required=False, label=gettext_lazy("Label"))
    ring = forms.ChoiceField(choices=Appearance.Ring.choices, required=False, label=gettext_lazy("Rings"))
    line = forms.IntegerField(
        min_value=0, max_value=1000, required=False, label=gettext_lazy("Calls on line")
    )

    def __init__(self, *args: Any, kinds: Sequence[str], has_lines: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind, TITLES[kind]) for kind in kinds]  # type: ignore[attr-defined]
        for name, more in WIDGETS.items():
            self.fields[name].widget.attrs |= {"class": "input", **more}
        if has_lines:
            self.fields["value"].widget.attrs["list"] = "extensions"
        else:
            del self.fields["ring"], self.fields["line"]

    def clean(self) -> dict[str, Any]:
        kept = super().clean() or {}
        if kept.get("kind") == LINE and not kept.get("value", "").strip():
            self.add_error("value", _("Which extension?"))
        return kept


WIDGETS: Mapping[str, Mapping[str, str | Promise]] = {
    "position": {"class": "input short", "inputmode": "numeric"},
    "kind": {},
    "value": {"autocomplete": "off"},
    "label": {"autocomplete": "off"},
    "ring": {},
    "line": {"class": "input short", "inputmode": "numeric", "placeholder": gettext_lazy("first")},
}


@dataclass(frozen=True, slots=True)
class Cap:
    """One key as the overview shows it."""

    position: int
    icon: str
    title: str
    words: str
    is_shared: bool = False
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A block of keys, or one expansion module."""

    title: str
    first: int
    last: int
    caps: tuple[Cap, ...]

    @property
    def free(self) -> int:
        return self.last - self.first + 1 - len(self.caps)


class Editor:
    """The rows of one phone or profile on their way through a form."""

    def __init__(
        self,
        states: Iterable[State],
        *,
        family: Family,
        model: Model | None,
        has_lines: bool,
        inherited: Sequence[KeyColumns] = (),
        as_of: str = "",
    ) -> None:
        self.family, self.model, self.has_lines, self.inherited = family, model, has_lines, inherited
        self.keyed = model is None or model.keyed_lines
        self.states = sorted(states, key=self._order)
        self.saved = _plain(self.states)
        self.kept = {str(state["kind"]) for state in self.states}  #: kinds that are there already
        self.focus = -1  #: the row whose button was pressed
        self.pressed = ""
        self.as_of = as_of  #: what the rows were when they were shown first
        self.errors: list[str] = []

    @property
    def kinds(self) -> list[str]:
        """What a key can be here, a line first; nothing only where something can be hidden."""
        if self.model is None:
            able = frozenset(KeyKind(kind) for kind in self.family.key_codes)
        else:
            able = self.family.key_kinds(self.model.name) if self.model.room else frozenset()
        allowed = {kind.value for kind in able} - {LINE, "empty"} | self.kept
        allowed |= ({LINE} if self.has_lines else set()) | ({"empty"} if self.inherited else set())
        return [kind for kind in TITLES if kind in allowed]

    def _order(self, state: State) -> tuple[bool, int]:
        apart = not self.keyed and state["kind"] != LINE
        return apart, number_of(state["position"])

    @property
    def is_changed(self) -> bool:
        """Whether the rows are other ones than were saved."""
        return _plain(self.states) != self.saved

    # --- from and to the form ---

    def read(self, data: QueryDict) -> None:
        """Take over what was typed; a form that came without its rows is not one without rows."""
        if "row-TOTAL_FORMS" not in data:
            raise Refusal(
                "input", _("The form came without its rows. Load the page again."), code="incomplete"
            )
        count = number_of(data.get("row-TOTAL_FORMS", ""))
        if count > MOST_ROWS:
            raise Refusal(
                "input", _("A form holds %(most)s rows at the most.") % {"most": MOST_ROWS}, code="incomplete"
            )
        names = RowForm.base_fields
        self.states = [{name: data.get(f"row-{at}-{name}", "") for name in names} for at in range(count)]
        self.as_of = data.get("as_of", "")

    def settle(self) -> None:
        """Put the rows in order, as a script that moved some has left it to be done here."""
        self.states.sort(key=self._order)

    def formset(self, *, bound: bool = False) -> Any:
        made: Any = forms.formset_factory(RowForm, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS)
        more = {"kinds": self.kinds, "has_lines": self.has_lines}
        if not bound:
            formset = made(initial=self.states, prefix="row", form_kwargs=more)
            if self.pressed in ("position", "kind"):
                formset.forms[self.focus].fields[self.pressed].widget.attrs["autofocus"] = True
            return formset
        data: MultiValueDict[str, str] = MultiValueDict()
        count = str(len(self.states))
        data["row-TOTAL_FORMS"] = data["row-INITIAL_FORMS"] = count
        for at, state in enumerate(self.states):
            for name, text in state.items():
                data[f"row-{at}-{name}"] = str(text)
        return made(data, prefix="row", form_kwargs=more)

    # --- what the buttons do ---

    def press(self, button: str) -> None:
        """Do what a button says, without saving; one that is not known does nothing."""
        what, _dash, rest = button.partition("-")
        at = number_of(rest, -1)
        if what == "add":
            self._add(self._free_place(), next(iter(self.kinds), LINE))
        elif what == "put" and at < MOST_ROWS + 1000:
            self._add(at, next((kind for kind in self.kinds if kind not in (LINE, "empty")), LINE))
            self.pressed = "kind"
        elif what == "own":
            self._take_over(at)
        elif what == "hide":
            self._add(at, "empty")
        elif 0 <= at < len(self.states) and what in ("up", "down"):
            self._move(at, -1 if what == "up" else 1)
            self.pressed = what
        elif 0 <= at < len(self.states) and what == "remove":
            del self.states[at]
            self.settle()
        else:
            self.settle()

    def _add(self, position: int, kind: str) -> None:
        blank = {"value": "", "label": "", "ring": "now", "line": ""}
        self._put({"position": position, "kind": kind, **blank})

    def _take_over(self, position: int) -> None:
        row = next((row for row in self.inherited if row.position == position), None)
        if row is not None:
            self._put(state_of(row))

    def _put(self, state: State) -> None:
        self.states = sorted([*self.states, state], key=self._order)
        self.focus, self.pressed = self.states.index(state), "position"

    def _move(self, at: int, step: int) -> None:
        state = self.states[at]
        here = number_of(state["position"])
        there = max(1, here + step)
        moved: dict[int, int] = {}
        for other in self.states:
            same_row = self.keyed or (other["kind"] == LINE) == (state["kind"] == LINE)
            if other is not state and same_row and number_of(other["position"]) == there:
                other["position"] = here
                if other["kind"] == LINE:
                    moved[there] = here
        if state["kind"] == LINE:
            moved[here] = there
        state["position"] = there
        for other in self.states:  # keys go on calling on the lines that they call on
            if other["kind"] != LINE and number_of(other["line"]) in moved:
                other["line"] = moved[number_of(other["line"])]
        self.states.sort(key=self._order)
        self.focus = next(index for index, one in enumerate(self.states) if one is state)

    def _free_place(self) -> int:
        taken = {number_of(state["position"]) for state in self.states}
        taken |= {row.position for row in self.inherited}
        return next(place for place in range(1, MOST_ROWS + 1000) if place not in taken)

    # --- what the verb takes, and what it says ---

    @staticmethod
    def lines(formset: Any) -> list[AppearanceRow]:
        return [
            AppearanceRow(row["position"], row["value"].strip(), row["label"], row["ring"] or "now")
            for row in (form.cleaned_data for form in formset)
            if row["kind"] == LINE
        ]

    @staticmethod
    def keys(formset: Any) -> list[KeyRow]:
        return [
            KeyRow(row["position"], KeyKind(row["kind"]), row["value"], row["label"], row.get("line") or 0)
            for row in (form.cleaned_data for form in formset)
            if row["kind"] != LINE
        ]

    def blame(self, formset: Any, refusal: Refusal) -> None:
        """Put a refusal next to the key that it names, of two at one place the later; else above the rows."""
        if isinstance(refusal, Forbidden):
            raise refusal
        named = _NAMED.search(refusal.detail)
        for form in reversed(formset.forms):
            row = form.cleaned_data
            if named is not None and row["position"] == int(named[1]):
                field = {"extension": "value"}.get(refusal.field or "", refusal.field or "")
                form.add_error(field if field in form.fields else "position", refusal.detail)
                return
        self.errors.append(refusal.detail)

    def place(self, position: Any, kind: str) -> str:
        """Where a key is, where that is not plain from its number."""
        number, model = number_of(position), self.model
        if model is None or not 1 <= number <= model.room or (kind == LINE and not self.keyed):
            return ""
        bank, module, within = bank_of(model, number)
        if bank == "module":
            return _("Module %(module)s, key %(key)s") % {"module": module, "key": within}
        return _("Memory key %(key)s") % {"key": within} if bank == "memory" else ""


def _plain(states: Iterable[State]) -> list[tuple[str, ...]]:
    """The rows for comparing: what does not count for a kind is left out."""
    found = []
    for state in states:
        own = state["ring"] if state["kind"] == LINE else number_of(state["line"], 0)
        found.append(tuple(str(part).strip() for part in (*(state[name] for name in _COUNTS), own)))
    return sorted(found)


def columns(model: Model, caps: Iterable[Cap]) -> list[Column]:
    """The keys by their blocks; modules as further columns, as far as they are used and the next one."""
    shown = sorted(caps, key=lambda cap: cap.position)
    first, found = 1, []
    blocks = [(_("On the phone"), model.keys), (_("Memory keys"), model.memory_keys)]
    blocks += [
        (_("Module %(module)s") % {"module": at + 1}, model.expansion.keys)
        for at in range(model.expansion.modules)
    ]
    for title, size in blocks:
        if size:
            last = first + size - 1
            inside = tuple(cap for cap in shown if first <= cap.position <= last)
            found.append(Column(title, first, last, inside))
            first = last + 1
    used = max((at for at, column in enumerate(found) if column.caps), default=0)
    plugged = [at for at, column in enumerate(found) if column.first > model.keys + model.memory_keys]
    hidden = [at for at in plugged if at > max(used, plugged[0])] if plugged else []
    return [column for at, column in enumerate(found) if at not in hidden]


def limits(model: Model) -> str:
    """What fits on a model, in one sentence."""
    parts = [ngettext("one line", "{count} lines", model.lines).format(count=model.lines)]
    own, more = model.keys + model.memory_keys, model.expansion
    if own:
        said = ngettext("one key of its own", "{count} keys of its own, numbered from 1", own)
        parts.append(said.format(count=own))
    if more.modules:
        said = ngettext(
            "up to one module of {keys} keys, from key {first} on",
            "up to {count} modules of {keys} keys, from key {first} on",
            more.modules,
        )
        parts.append(said.format(count=more.modules, keys=more.keys, first=own + 1))
    elif own:
        parts.append(_("no expansion module"))
    return _("A {model} has {parts}.").format(model=model.title, parts=", ".join(parts))


def state_of(row: KeyColumns) -> State:
    """A key as a row of the form."""
    return {
        "position": row.position,
        "kind": row.kind,
        "value": row.value,
        "label": row.label,
        "ring": "now",
        "line": row.line or "",
    }


def cap_of(row: KeyColumns, *, inherited: bool = False) -> Cap:
    words = f"{TITLES[row.kind]} {row.value}".strip()
    return Cap(row.position, ICONS[row.kind], row.label or row.value, words, inherited=inherited)


def number_of(text: Any, other: int = 10**6) -> int:
    """What was typed as a number; `other` where it is none."""
    digits = str(text).strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 7 else other
