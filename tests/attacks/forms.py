"""A browser without JavaScript: it reads forms and sends them as they stand, tokens and all."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from accounts.scope import Actor
from tests.attacks.scene import Scene
from tests.provisioning.inside_edge import committed
from tests.tree import user_of

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Form:
    """Where it goes, what it holds, what its buttons say."""

    name: str
    method: str
    action: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Every form of a page; a button may name its form from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.buttons: list[tuple[str, list[str]]] = []  # of forms that are named, with their words
        self._inside = False
        self._words: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("id", ""), given.get("method", "get"), given.get("action", "")))
            self._inside = True
        elif tag == "input" and self._inside and given.get("name"):
            self.forms[-1].values[given["name"]] = given.get("value", "")
        elif tag == "button" and "disabled" not in given:
            self._words = []
            if "form" in given:
                self.buttons.append((given["form"], self._words))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "button" and self._words is not None:
            if self._inside:
                self.forms[-1].buttons.append("".join(self._words).strip())
            self._words = None

    def handle_data(self, data: str) -> None:
        if self._words is not None:
            self._words.append(data)


def forms_of(page: str) -> list[Form]:
    """The forms as they could be sent."""
    reader = _Reader()
    reader.feed(page)
    for name, words in reader.buttons:
        for form in reader.forms:
            if form.name == name:
                form.buttons.append("".join(words).strip())
    return reader.forms


class Browser:
    """One person's, at one address for the portal and at one for the phones' host."""

    def __init__(self, scene: Scene, person: Actor, address: str, *, phones_see: str = "") -> None:
        self.scene, self.phones_see = scene, phones_see or address
        self.client = Client(enforce_csrf_checks=True, REMOTE_ADDR=address, HTTP_USER_AGENT=AGENT)
        self.client.force_login(user_of(person))
        self.page: Any = None

    def opens(self, path: str, **query: str) -> str:
        """Go there; returns what is shown."""
        self.page = self.client.get(path, query, follow=True)
        return self.shown

    @property
    def shown(self) -> str:
        return str(self.page.content.decode())

    def has(self, button: str) -> bool:
        return any(button in form.buttons for form in forms_of(self.shown))

    def presses(self, button: str) -> str:
        """Send the form of that button to the portal or the phones' host, and go on to where that leads."""
        form = next(form for form in forms_of(self.shown) if button in form.buttons)
        assert form.method == "post"
        host = "https://phones.example.org"
        if form.action.startswith(host):
            self._proves(form.action.removeprefix(host), form.values)
        else:
            with committed():
                self.page = self.client.post(form.action, form.values, follow=True)
        return self.shown

    def _proves(self, path: str, values: dict[str, str]) -> None:
        answer = self.scene.ask(
            path,
            self.phones_see,
            AGENT,
            method="POST",
            body=urlencode(values).encode(),
            headers=[
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"origin", b"https://portal.example.org"),
                (b"sec-fetch-site", b"same-site"),
            ],
        )
        assert answer.status == 303, answer.status
        back = dict(answer.headers)[b"location"].decode()
        assert back.startswith("https://portal.example.org/")
        self.page = self.client.get(back.removeprefix("https://portal.example.org"), follow=True)
