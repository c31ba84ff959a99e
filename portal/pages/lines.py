"""A phone's lines and keys: as they sit on it, who else shows a line, and the rows to change them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.speaking import told
from devices import appearances, keys, profiles
from devices.catalog import catalog
from devices.models import Appearance, Device, Extension, Key, ProfileKey
from portal.pages.key_faces import drawing
from portal.pages.key_rows import (
    ICONS,
    LINE,
    TITLES,
    Cap,
    Editor,
    cap_of,
    limits,
    number_of,
    state_of,
)
from portal.pages.phone import find_phone, frame_of

MOST_NAMES = 500

#: What a family may be unable to say of shared lines (devices.phone.SHARING), as the page calls it.
CANNOT = {
    "shared": gettext_lazy("Show who talks on a shared line"),
    "call_appearances": gettext_lazy("How many calls a shared line holds"),
    "barge_in": gettext_lazy("Whether others may join a call"),
    "delayed": gettext_lazy("Ring after a while"),
    "never": gettext_lazy("Stay silent"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the form with what is known of it."""

    at: int
    form: Any
    place: str
    others: list[Device]
    note: str
    focus: str
    is_line: bool


@needs(Power.SEE_ACCOUNT)
def lines(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    frame = frame_of(request, device, "lines")
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    sits = _sits_on(device)
    if family is None or model is None:
        caps = [cap_of(row) for row in sits.own]
        for row in sits.lines:
            name = row.label or row.extension.display_name
            caps.append(_line_cap(row.position, name, row.extension.username, False, row.ring))
        lost = {**frame, "caps": sorted(caps, key=lambda cap: cap.position)}
        return render(request, "devices/phone_lines_lost.html", lost)
    editor = Editor(
        [*_line_states(device, sits.lines), *map(state_of, sits.own)],
        family=family,
        model=model,
        has_lines=True,
        inherited=sits.inherited,
        as_of=appearances.stamp(sits.lines, sits.own),
    )
    formset = editor.formset()
    if request.method == "POST":
        if not frame["may"]["edit"]:
            raise Forbidden
        editor.read(request.POST)
        button = request.POST.get("do", "save")
        if button == "save":
            editor.settle()
            formset = editor.formset(bound=True)
            if formset.is_valid() and _saved(request, device, editor, formset):
                messages.success(
                    request, _("Saved. %(phone)s learns it at its next check-in.") % {"phone": device}
                )
                return redirect("phone-lines", code=device.code)
        else:
            editor.press(button)
            formset = editor.formset()
    firmware = frame["row"].seen.firmware if frame["row"].seen else None
    reasons = family.lacks_sharing(family.generation_of(model.name, firmware))
    lacks = {name: told(reason) for name, reason in reasons.items()}
    extensions = _extensions(device, editor, sits.lines)
    rows = _rows(editor, formset, extensions, device, lacks)
    caps, places = _caps(editor, rows, extensions, sits)
    drawn = drawing(model, caps, places, _shown(request, editor))
    lines_apart = [_cap_of_row(row, editor, extensions) for row in rows if row.is_line]
    context = {
        **frame,
        "limits": limits(model),
        "drawing": drawn,
        "own_pages": bool(model.keys_per_page or model.memory_keys_per_page),
        "lines_used": len({str(state["value"]).strip() for state in editor.states if state["kind"] == LINE}),
        "lines_room": model.lines,
        "lines_apart": () if model.keyed_lines else [cap for cap in lines_apart if cap],
        "rows": rows,
        "formset": formset,
        "editor": editor,
        "is_changed": editor.is_changed,
        "hidden": [cap_of(row, inherited=True) for row in sits.inherited if row.position not in sits.taken],
        "covered": [cap_of(row) for row in sits.inherited if row.position in sits.taken],
        "cannot": [(CANNOT[name], reason) for name, reason in lacks.items()],
        "names": device.account.extensions.order_by("username")[:MOST_NAMES] if frame["may"]["edit"] else (),
        "profiles": profiles.for_phone(device) if frame["may"]["edit"] else (),
    }
    return render(request, "devices/phone_lines.html", context)


def _saved(request: PageRequest, device: Device, editor: Editor, formset: Any) -> bool:
    try:
        appearances.arrange(
            device,
            by=request.actor,
            lines=editor.lines(formset),
            keys_=editor.keys(formset),
            as_of=editor.as_of or None,
        )
    except Refusal as refusal:
        editor.blame(formset, refusal)
        return False
    return True


@dataclass(frozen=True, slots=True)
class Sits:
    """What is saved of a phone's lines and keys."""

    lines: list[Appearance]
    own: list[Key]
    inherited: list[ProfileKey]
    places: frozenset[int]  #: the keys that lines take

    @property
    def taken(self) -> set[int]:
        """The places that the phone uses itself, so that its profile has no say there."""
        return {row.position for row in self.own} | self.places


def _sits_on(device: Device) -> Sits:
    shown = list(device.appearances.select_related("extension").order_by("position"))
    inherited = list(device.profile.keys.order_by("position")) if device.profile else []
    places: frozenset[int] = frozenset()
    if catalog().has_model(device.family, device.model):
        places = keys.line_places(device.family, device.model, (row.position for row in shown))
    return Sits(shown, list(device.keys.order_by("position")), inherited, places)


def _line_states(device: Device, shown: Iterable[Appearance]) -> list[dict[str, Any]]:
    """Lines by their user name; by their code where the account has that name more than once."""
    wanted = {row.extension.username for row in shown}
    named = device.account.extensions.filter(username__in=wanted).order_by().values("username")
    twice = set(named.annotate(count=Count("pk")).filter(count__gt=1).values_list("username", flat=True))
    return [
        {
            "position": row.position,
            "kind": LINE,
            "value": str(row.extension.code) if row.extension.username in twice else row.extension.username,
            "label": row.label,
            "ring": row.ring,
            "line": "",
        }
        for row in shown
    ]


def _extensions(device: Device, editor: Editor, shown: Iterable[Appearance]) -> dict[str, Extension]:
    """The extensions that are shown or typed, by name and by code, with the phones that show them."""
    typed = [str(state["value"]).strip() for state in editor.states if state["kind"] == LINE]
    found = device.account.extensions.prefetch_related("appearances__device")
    known = [row.extension_id for row in shown]
    rows = sorted(found.filter(Q(username__in=typed) | Q(pk__in=known)), key=lambda row: row.pk in known)
    return {key: row for row in rows for key in (row.username, str(row.code))}


def _others(extension: Extension | None, device: Device) -> list[Device]:
    """The other phones that show it, each once."""
    rows = extension.appearances.all() if extension else ()
    return list({row.device_id: row.device for row in rows if row.device_id != device.pk}.values())


def _rows(
    editor: Editor, formset: Any, extensions: dict[str, Extension], device: Device, lacks: dict[str, str]
) -> list[Row]:
    rows = []
    for at, (form, state) in enumerate(zip(formset, editor.states, strict=True)):
        extension = extensions.get(str(state["value"]).strip()) if state["kind"] == LINE else None
        others = _others(extension, device)
        focus = editor.pressed if at == editor.focus else ""
        place = editor.place(state["position"], state["kind"])
        note = _note(state, others, lacks)
        rows.append(Row(at, form, place, others, note, focus, is_line=state["kind"] == LINE))
    return rows


def _note(state: dict[str, Any], others: list[Device], lacks: dict[str, str]) -> str:
    """Why a line rings although it shall not, or not at once."""
    if state["kind"] != LINE or state["ring"] in ("", "now"):
        return ""
    if not others:
        return _("A line that only this phone shows always rings at once.")
    return lacks.get(str(state["ring"]), "")


def _shown(request: PageRequest, editor: Editor) -> int:
    """The key whose page is drawn: the one that was pressed, asked for, or shown before."""
    if editor.focus >= 0:
        return number_of(editor.states[editor.focus]["position"], 1)
    button = request.POST.get("do", "")
    asked = button.removeprefix("show-") if button.startswith("show-") else request.POST.get("shown", "")
    return number_of(asked or request.GET.get("key", ""), 1)


def _caps(
    editor: Editor, rows: Sequence[Row], extensions: dict[str, Extension], sits: Sits
) -> tuple[list[Cap], dict[int, int]]:
    """What sits on the keys as the rows say, its profile's keys below; and the rows by their keys."""
    caps: dict[int, Cap] = {}
    places: dict[int, int] = {}
    for row in rows:
        cap = _cap_of_row(row, editor, extensions)
        if cap is not None and (editor.keyed or not row.is_line):
            caps.setdefault(cap.position, cap)
            places.setdefault(cap.position, row.at)
    for key in sits.inherited:
        caps.setdefault(key.position, cap_of(key, inherited=True))
    return list(caps.values()), places


def _cap_of_row(row: Row, editor: Editor, extensions: dict[str, Extension]) -> Cap | None:
    """A row as a key; None while its number is none."""
    state = editor.states[row.at]
    position, value = number_of(state["position"], 0), str(state["value"]).strip()
    if not position:
        return None
    if not row.is_line:
        kind = str(state["kind"])
        title = str(state["label"]) or value
        words = f"{TITLES.get(kind, '')} {value}".strip()
        return Cap(position, ICONS.get(kind, "minus"), title or str(TITLES.get(kind, "")), words)
    extension = extensions.get(value)
    shown = extension.username if extension else value
    title = str(state["label"]) or (extension.display_name if extension else "") or shown
    return _line_cap(position, title, shown, bool(row.others), str(state["ring"]))


def _line_cap(position: int, title: str, shown: str, is_shared: bool, ring: str) -> Cap:
    places = {"extension": shown}
    words = _("Shared line %(extension)s") % places if is_shared else _("Line %(extension)s") % places
    if is_shared and ring not in ("", Appearance.Ring.NOW.value) and ring in Appearance.Ring.values:
        places["rings"] = Appearance.Ring(ring).label.lower()
        words = _("Shared line %(extension)s, rings %(rings)s") % places
    return Cap(position, "shared" if is_shared else "line", title or _("Line"), words, is_shared=is_shared)


@require_POST
@needs(Power.EDIT_DEVICES)
def profile(request: PageRequest, code: UUID) -> HttpResponse:
    """Put a profile on the phone, or take the present one off."""
    device = find_phone(request, code)
    chosen = request.POST.get("profile", "")
    if chosen:
        try:
            wanted = UUID(chosen)
        except ValueError as error:
            raise Refusal("input", _("There is no profile of this code."), code="unknown") from error
        found = get_object_or_404(profiles.usable(device.account), code=wanted)
        profiles.apply(found, by=request.actor, devices=[device])
        messages.success(
            request,
            _("%(phone)s has the profile %(profile)s now. Its own keys stay.")
            % {"phone": device, "profile": found},
        )
    elif profiles.take_off([device], by=request.actor):
        messages.success(
            request, _("%(phone)s has no profile any more. Its own keys stay.") % {"phone": device}
        )
    return redirect("phone-lines", code=device.code)
