"""Another language: how its catalogue is made, and what of pages, API and e-mails it reaches."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import translation
from django.utils.html import escape
from pytest_django import Settings

from accounts.said import Said
from accounts.speaking import to_everybody, told
from devices import appearances, catalog
from devices.models import Device
from portal import languages
from provisioning import events, locking, publishing, tasks
from provisioning.models import DeviceEvent, Notice, Outbox
from tests.factories import refused
from tests.world import HOTEL, World, actor, signed_in

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
SNOM = catalog.catalog().families["snom"].connect
assert SNOM is not None
ORDER = SNOM.order
#: Texts of a family's table, of a template, of the settings, of a rule, of a refusal, of an e-mail, of a log.
GERMAN = {
    ORDER: "Erst die Umleitung.",
    "Connect phones": "Telefone anschließen",
    "Voicemail number": "Nummer der Mailbox",
    "The phone is locked to {bound}. It is not unlocked, and no window is open for {address}.": (
        "Das Telefon ist an {bound} gebunden; für {address} ist kein Fenster offen."
    ),
    "Approve it once, or unlock the phone.": "Einmal zulassen oder entsperren.",
    "This phone is quarantined. Only your provider can lift that.": "In Quarantäne.",
    "{owner} unlocked {phone}": "{owner} hat {phone} entsperrt",
    "appearance {name} on key {at} removed": "Leitung {name} von Taste {at} genommen",
    "Lines changed: {summary} by {actor}.": "Leitungen geändert: {summary} durch {actor}.",
}
GERMAN_FIRST, ENGLISH = "de-AT,de;q=0.8,en;q=0.5", "en"


@pytest.fixture
def german(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """A compiled catalogue, as `compilemessages` leaves one."""
    book = polib.POFile()
    book.metadata = {
        "Content-Type": "text/plain; charset=utf-8",
        "Plural-Forms": "nplurals=2; plural=n != 1;",
    }
    book.extend(polib.POEntry(msgid=text, msgstr=said) for text, said in GERMAN.items())
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    book.save_as_mofile(str(folder / "django.mo"))
    settings.LOCALE_PATHS = [tmp_path]
    settings.LANGUAGES = languages.found([tmp_path])
    yield
    translation.activate("en-gb")


@pytest.fixture
def browser(world: World) -> Client:
    return signed_in(world.ana)


def page(client: Client, url: str, reads: str) -> str:
    return str(client.get(url, headers={"accept-language": reads}).content.decode())


def test_a_catalogue_adds_its_language_and_nothing_else_does(tmp_path: Path) -> None:
    for code in ("de", "pt_BR", "fr"):
        (tmp_path / code / "LC_MESSAGES").mkdir(parents=True)
    for code in ("de", "pt_BR"):
        (tmp_path / code / "LC_MESSAGES" / "django.mo").touch()

    found = languages.found([tmp_path, tmp_path / "nowhere"])

    assert found == [("en-gb", "English"), ("de", "Deutsch"), ("pt-br", "Português Brasileiro")]


def test_a_page_follows_the_browser(browser: Client, german: None) -> None:
    url = "/connect/?family=snom"

    shown, plain = page(browser, url, GERMAN_FIRST), page(browser, url, ENGLISH)

    for text in (ORDER, "Connect phones"):
        assert GERMAN[text] in shown
        assert GERMAN[text] not in plain
        assert escape(text) in plain


def test_a_page_follows_the_cookie_before_the_browser(browser: Client, german: None) -> None:
    browser.cookies["django_language"] = "de"

    assert GERMAN["Connect phones"] in page(browser, "/connect/", ENGLISH)


def test_a_setting_is_called_so_on_its_page_and_in_the_api(
    world: World, browser: Client, german: None
) -> None:
    phone = world.acme.phone

    shown = page(browser, f"/phones/{phone.code}/settings/", GERMAN_FIRST)
    answer = browser.get(
        f"/api/v1/settings/?device={phone.code}", headers={"accept-language": GERMAN_FIRST}
    ).json()

    assert "Nummer der Mailbox" in shown
    titles = {row["name"]: row["title"] for group in answer for row in group["settings"]}
    assert titles["voicemail_number"] == "Nummer der Mailbox"


def test_a_rule_speaks_the_reader_s_language(world: World, browser: Client, german: None) -> None:
    phone = world.acme.phone
    refused(phone, HOTEL)

    def said(reads: str) -> tuple[str, str]:
        rows = browser.get(
            f"/api/v1/devices/{phone.code}/events/", headers={"accept-language": reads}
        ).json()["results"]
        row = next(row for row in rows if row["what"] == "request")
        return row["sentence"], row["next"]

    shown = page(browser, f"/phones/{phone.code}/log/", GERMAN_FIRST)
    assert said(GERMAN_FIRST)[1] == "Einmal zulassen oder entsperren."
    assert said(ENGLISH)[1] == "Approve it once, or unlock the phone."
    assert "Einmal zulassen oder entsperren." in shown


def test_a_refusal_is_translated_and_its_code_is_not(world: World, browser: Client, german: None) -> None:
    phone = world.acme.phone
    locking.quarantine(phone, by=actor(world.sam), reason="Lost")

    answer = browser.post(
        f"/api/v1/devices/{phone.code}/unlock/",
        {"for": "24h"},
        content_type="application/json",
        headers={"accept-language": GERMAN_FIRST},
    )

    said = answer.json()
    assert (answer.status_code, said["code"], said["rule"]) == (409, "quarantined", "E8q")
    assert said["detail"] == "In Quarantäne."


def test_what_is_stored_does_not_depend_on_who_caused_it(world: World, german: None) -> None:
    phone = world.acme.phone
    line = phone.appearances.select_related("extension").order_by("position").first()
    assert line is not None

    with translation.override("de"):
        appearances.put(phone, by=actor(world.ana), rows=[])
        event = DeviceEvent.objects.filter(device=phone, what="lines-changed").latest("pk")
        read = events.described(event).sentence

    name, at = line.extension.username, line.position
    assert event.details["summary"].startswith(f"appearance {name} on key {at} removed")
    assert f"Leitung {name} von Taste {at} genommen" in read


def test_a_mail_is_in_the_installation_s_language(
    locked: Device, ben: Any, german: None, settings: Settings
) -> None:
    def sent(language: str) -> str:
        settings.LANGUAGE_CODE = language
        mail.outbox.clear()
        Notice.objects.all().delete()
        publishing.tell_later("own-unlock", locked.pk, ben.label)
        asked = Outbox.objects.filter(what=Outbox.What.MAIL).latest("pk")
        with translation.override("en-gb" if language == "de" else "de"):  # whoever pressed the button
            tasks.tell.apply(args=[asked.pk]).get()
        return str(mail.outbox[0].subject)

    locking.allow_reprovision(locked, by=ben)

    assert sent("de") == f"{ben.label} hat {locked} entsperrt"
    assert sent("en-gb") == f"{ben.label} unlocked {locked}"


def test_a_sentence_keeps_its_places_until_it_is_read(german: None) -> None:
    inner = Said("Voicemail number")
    outer = Said("{owner} unlocked {phone}", owner="Ben", phone=inner)

    assert outer == "Ben unlocked Voicemail number"
    with translation.override("de"):
        assert told(outer) == "Ben hat Nummer der Mailbox entsperrt"
        assert told("") == ""
        with to_everybody():
            assert told(outer) == outer


# --- extraction --------------------------------------------------------------------------------------------

#: Where a family's data speaks to people; all else in it is the phones'.
SPEAKS = {"doubts", "notes", "needs", "steps", "order", "where", "search", "book_cannot"}
REASONS = {"cannot", "cannot_set", "line_cannot"}


def spoken(data: Any, *, name: str = "", above: str = "") -> Iterator[str]:
    """Every text of a family.toml that is for people, read from the file itself."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from spoken(value, name=key, above=name)
    elif isinstance(data, list):
        for value in data:
            yield from spoken(value, name=name, above=above)
    elif isinstance(data, str) and data and (name in SPEAKS or above in REASONS):
        yield data


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What makemessages finds, by what a translator would open."""
    from django.test import override_settings

    folder = tmp_path_factory.mktemp("locale")
    with override_settings(LOCALE_PATHS=[folder]):
        call_command("makemessages", locale=["de"], verbosity=0)
    return {entry.msgid for entry in polib.pofile(str(folder / "de" / "LC_MESSAGES" / "django.po"))}


@pytest.mark.once
@pytest.mark.needs("gettext")
def test_every_text_of_the_families_is_extracted(extracted: set[str]) -> None:
    for file in sorted((ROOT / "devices" / "families").glob("*/family.toml")):
        texts = set(spoken(tomllib.loads(file.read_text(encoding="utf-8"))))

        assert len(texts) > 20
        assert texts - extracted == set(), file


@pytest.mark.once
@pytest.mark.needs("gettext")
def test_what_is_translated_above_is_extracted(extracted: set[str]) -> None:
    assert set(GERMAN) - extracted == set()


#: How django_filters calls the fields by which the API puts phones in order, and a language of Django's own.
OF_THE_API = {"Mac", "Created at", "Last seen  at", "%s (descending)", "Norwegian"}


@pytest.mark.once
@pytest.mark.needs("gettext")
def test_whatever_pages_and_the_api_ask_for_is_extracted(
    world: World, extracted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every text that gettext is asked for is in our catalogue, or in that of the library that asks."""
    asked: set[str] = set()
    trans: Any = translation._trans  # type: ignore[attr-defined]
    gettext, ngettext = trans.gettext, trans.ngettext

    def one(text: str) -> str:
        asked.add(str(text))
        return str(gettext(text))

    def several(text: str, many: str, count: int) -> str:
        asked.add(str(text))
        return str(ngettext(text, many, count))

    monkeypatch.setattr(trans, "gettext", one)
    monkeypatch.setattr(trans, "ngettext", several)
    phone, browser = world.acme.phone, signed_in(world.ana)
    refused(phone, HOTEL)
    pages = ("", "lines/", "settings/", "files/", "log/", "advanced/")
    for url in (
        "/",
        "/phones/",
        "/connect/",
        "/keeping/",
        "/policies/",
        "/hardening/",
        "/settings/",
        "/directory/",
    ):
        assert browser.get(url).status_code == 200, url
    for name in pages:
        assert browser.get(f"/phones/{phone.code}/{name}").status_code == 200, name

    strange = {text for text in asked if text} - extracted - libraries() - OF_THE_API
    assert len(asked) > 500
    assert not strange, "\n".join(sorted(strange))


def libraries() -> set[str]:
    """The texts of Django and of the libraries, which have catalogues of their own."""
    import allauth
    import django
    import rest_framework

    found: set[str] = set()
    for library in (django, allauth, rest_framework):
        for file in Path(str(library.__file__)).parent.rglob("locale/en/LC_MESSAGES/django.po"):
            for entry in polib.pofile(str(file)):
                found |= {entry.msgid}
    return found
