"""Settings and the vendors' own keys as people type them; a field that nobody touched changes nothing."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info, gettext, gettext_lazy

from accounts.speaking import told
from devices.bounds import Kind
from devices.catalog import catalog
from devices.definitions import Setting, Value
from devices.trails import say

AS_IT_IS = gettext_lazy("As the phone has it")
LONGEST = 500
_OFF = gettext_lazy("Off")


class OrderWidget(forms.Widget):
    """A place for each word: first, second, or off."""

    def __init__(self, words: Mapping[str, str]) -> None:
        super().__init__()
        self.words = words

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        placed = {word: str(place) for place, word in enumerate(value or (), 1)}
        if isinstance(value, dict):
            placed = value
        return format_html_join(
            "\n",
            '<span class="order"><select class="input" id="id_{0}_{1}" name="{0}_{1}">{2}</select>'
            '<label for="id_{0}_{1}">{3}</label></span>',
            (
                (name, word, self._places(placed.get(word, "")), told(title))
                for word, title in self.words.items()
            ),
        )

    def _places(self, chosen: str) -> SafeString:
        places = ["", *map(str, range(1, len(self.words) + 1))]
        return format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (place, SafeString(" selected") if place == chosen else "", f"{place}." if place else _OFF)
                for place in places
            ),
        )

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> dict[str, str]:
        return {word: str(data.get(f"{name}_{word}", "")) for word in self.words}

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return not any(f"{name}_{word}" in data for word in self.words)

    def id_for_label(self, id_: str | None) -> str:
        return f"{id_}_{next(iter(self.words))}"


class OrderField(forms.Field):
    """Words in the order of their places."""

    widget: OrderWidget

    def to_python(self, value: Any) -> list[str]:
        placed = {word: int(place) for word, place in value.items() if place.isdecimal()}
        if len(set(placed.values())) < len(placed):
            raise forms.ValidationError(gettext("Two have the same place."))
        return sorted(placed, key=lambda word: placed[word])


def _number(setting: Setting, more: dict[str, Any]) -> forms.Field:
    bounds = setting.bounds
    widget = forms.NumberInput(attrs={"class": "input short"})
    return forms.IntegerField(
        required=not bounds.optional,
        min_value=bounds.lowest,
        max_value=bounds.highest,
        widget=widget,
        **more,
    )


def _choice(setting: Setting, more: dict[str, Any]) -> forms.Field:
    empty = [("", str(AS_IT_IS))] if setting.bounds.optional else []
    named = [(value, title_of(setting, value)) for value in setting.bounds.choices]
    widget = forms.Select(attrs={"class": "input"})
    return forms.ChoiceField(
        required=not setting.bounds.optional, choices=empty + named, widget=widget, **more
    )


_FIELDS: Mapping[Kind, Callable[[Setting, dict[str, Any]], forms.Field]] = {
    Kind.SWITCH: lambda setting, more: forms.BooleanField(
        required=False, widget=forms.CheckboxInput(attrs={"class": "switch", "role": "switch"}), **more
    ),
    Kind.NUMBER: _number,
    Kind.CHOICE: _choice,
    Kind.LIST: lambda setting, more: OrderField(
        required=False, widget=OrderWidget(setting.bounds.choices), **more
    ),
    Kind.TEXT: lambda setting, more: forms.CharField(
        required=False, max_length=LONGEST, widget=forms.TextInput(attrs={"class": "input"}), **more
    ),
}


def title_of(setting: Setting, value: Value) -> str:
    """A value as people say it; languages by their names."""
    if setting.name == "language":
        try:
            return str(get_language_info(str(value).lower())["name_translated"])
        except KeyError:
            return str(value)
    return say(setting, value)


class SettingsForm(forms.Form):
    """The settings of one group; a hidden copy of what was shown tells what the reader changed."""

    def __init__(self, *args: Any, settings: Iterable[Setting], shown: Mapping[str, Value], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.settings = {setting.name: setting for setting in settings}
        self.shown = {name: shown[name] for name in self.settings}
        for name, setting in self.settings.items():
            more = {"label": setting.title, "help_text": _said(setting.help), "initial": shown[name]}
            self.fields[name] = _FIELDS[setting.bounds.kind](setting, more)

    def clean(self) -> dict[str, Any]:
        """As the settings keep their values; one that cannot be is told at its field."""
        kept = super().clean() or {}
        for name, setting in self.settings.items():
            if name not in kept:
                continue
            try:
                kept[name] = setting.bounds.check("" if kept[name] is None else kept[name])
            except ValueError as error:
                said = told(error.args[0])
                self.add_error(name, said[:1].upper() + said[1:])
        return kept

    def changes(self) -> dict[str, Value]:
        """What the reader changed of what he was shown."""
        return {name: value for name, value in self.cleaned_data.items() if value != self._was(name)}

    def _was(self, name: str) -> Value:
        try:
            was: Value = json.loads(self.data[f"was-{name}"])
        except (KeyError, ValueError, RecursionError):
            return self.shown[name]
        return was

    def was(self, name: str) -> str:
        """What the page writes down of the value that it shows."""
        return json.dumps(self._was(name) if self.is_bound else self.shown[name])


class RawForm(forms.Form):
    """One of the vendor's own keys with its value."""

    family = forms.ChoiceField(label=gettext_lazy("Phones"))
    key = forms.CharField(max_length=120, label=gettext_lazy("Key"))
    value = forms.CharField(max_length=LONGEST, required=False, strip=False, label=gettext_lazy("Value"))

    def __init__(self, *args: Any, family: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if family:
            del self.fields["family"]
            raw = catalog().families[family].raw
            self.fields["key"].help_text = (
                gettext("It looks like {example}.").format(example=raw.example) if raw else ""
            )
        else:
            makers = catalog().families.items()
            named = [
                (code, gettext("Every {maker}").format(maker=maker.name))
                for code, maker in makers
                if maker.raw
            ]
            self.fields["family"].choices = named  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"


def _said(text: str) -> str:
    """A text in the reader's language; gettext has another meaning for none."""
    return gettext(text) if text else ""


def hidden(data: Mapping[str, Any], without: Iterable[str]) -> SafeString:
    """What was typed, carried along to the next page."""
    left = set(without)
    return format_html_join(
        "",
        '<input type="hidden" name="{}" value="{}">',
        ((name, data[name]) for name in sorted(data) if name not in left),
    )
