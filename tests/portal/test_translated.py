"""No page says a word that a translator never saw, whoever reads it and however much stands on it."""

import re
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from pytest_django import Settings

from accounts import invitations, keys, second_factor
from accounts.models import Account, Membership, User
from accounts.roles import Role
from devices.models import Contact, Device, Extension, Profile, Site
from portal import demo
from provisioning import digests, telling, unlock_all, unlock_links
from provisioning.models import (
    Approval,
    ImportDraft,
    Incident,
    Job,
    UnlockLink,
    WebhookDelivery,
    WebhookEndpoint,
    Window,
)
from provisioning.spans import Span
from security.models import AllowedNetwork, Ban
from tests import url_map
from tests.portal import foreign
from tests.portal.foreign import words_left
from tests.remembering import remembered
from tests.second_factors import equipped
from tests.world import actor, signed_in

#: One phone of each family is looked at on these.
OF_A_PHONE = ("phone", "phone-lines", "phone-settings", "phone-files", "phone-advanced")
TEMPLATES = Path(settings.BASE_DIR) / "portal" / "templates"
SAID = re.compile(
    r"\{%\s*blocktranslate\b.*?endblocktranslate\s*%\}|\{#.*?#\}|\{% comment.*?endcomment %\}", re.S
)
TAG = re.compile(r"\{[%{].*?[%}]\}", re.S)
#: Tags whose texts are names of files, of URLs, or what is translated.
NAMING = re.compile(r"\{%\s*(translate|url|extends|load|block|static|icon|include \"[^\"]*\" %)")
QUOTED = re.compile(r"""(?<!_\()(["'])([A-Z][a-z]+\b[^"']*|[a-z]+ [a-z][^"']*)\1""")


@dataclass
class House:
    """A customer with everything in it, the demo's, and somebody of each role."""

    people: dict[str, User]
    account: Account
    viewer: User
    phone: Device
    unlock_link: UnlockLink
    site: Site
    extension: Extension
    profile: Profile
    contact: Contact
    window: Window
    allowed: AllowedNetwork
    approval: Approval
    incident: Incident
    ban: Ban
    draft: ImportDraft
    job: Job
    key_code: str
    endpoint: WebhookEndpoint
    delivery: WebhookDelivery


def full_house() -> House:
    demo.fill(trial=True)
    acme = Account.objects.get(slug="acme")
    people = {row.role: row.user for row in Membership.objects.order_by("-pk").select_related("user")}
    people |= {row.role: row.user for row in acme.memberships.order_by("-pk").select_related("user")}
    by = actor(people[Role.MANAGER])
    job = unlock_all.start(acme, by=by, span=Span.parse("24h"), filter={})
    unlock_all.run(job.pk)

    def one(model: type[Model], **of: Any) -> Any:
        return model._default_manager.filter(**of).order_by("pk").first()

    link = one(UnlockLink)
    return House(
        people=people, account=acme, viewer=people[Role.USER], phone=link.device, unlock_link=link,
        site=one(Site, account=acme), extension=one(Extension, account=acme),
        profile=one(Profile, account=acme), contact=one(Contact, account=acme),
        window=one(Window, account=acme), allowed=one(AllowedNetwork, account=acme),
        approval=one(Approval, device__account=acme), incident=one(Incident, account=acme),
        ban=one(Ban), draft=one(ImportDraft), job=job,
        key_code=str(keys.create(acme, by=by, name="Shop", role=Role.MANAGER)[0].code),
        endpoint=one(WebhookEndpoint), delivery=one(WebhookDelivery, state="waiting"),
    )  # fmt: skip


@pytest.fixture
def house(db: None, settings: Settings, clock: object) -> House:
    settings.LATCHKEY_TRIAL = True
    return remembered(full_house)


def pages(house: House) -> dict[str, str]:
    """Every page, less the one that ends the session."""
    urls = url_map.page_urls(house) | url_map.own_urls()  # type: ignore[arg-type]
    first = {phone.family: phone for phone in Device.objects.order_by("-pk")}
    for phone in first.values():
        urls |= {f"{name} of {phone}": reverse(name, kwargs={"code": phone.code}) for name in OF_A_PHONE}
    urls |= {f"incident {row}": reverse("incident", args=[row.code]) for row in Incident.objects.all()}
    sent = WebhookDelivery.objects.all()
    urls |= {f"delivery {row}": reverse("delivery", args=[row.code]) for row in sent}
    return {name: url for name, url in urls.items() if name != "account_logout"}


def found_in(answer: HttpResponse, known: re.Pattern[str]) -> list[str]:
    if "text/html" not in answer.headers.get("Content-Type", ""):
        return []
    return list(foreign.untranslated(answer.content.decode(), known))


def known_data() -> re.Pattern[str]:
    """With what the demo's people say of incidents."""
    facts = [fact for row in tomllib.loads(demo.DATA.read_text())["incidents"] for fact in row["facts"]]
    return foreign.data(*(text for fact in facts for text in fact))


def listed(found: dict[str, str]) -> str:
    return "\n".join(f"{where}: {text}" for text, where in found.items())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", [Role.USER, Role.MANAGER, Role.RESELLER, Role.SUPPORT])
def test_every_page_can_be_read_in_another_language(
    house: House, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, known, found, seen = signed_in(house.people[role]), known_data(), {}, 0
    foreign.speak(monkeypatch.setattr)

    for name, url in pages(house).items():
        answer = browser.get(url)
        seen += answer.status_code == 200
        found |= dict.fromkeys(found_in(answer, known), f"GET {name}")

    assert not found, listed(found)
    assert seen > 12


@pytest.mark.timeout(900)
def test_what_an_empty_form_is_told_can_be_read_in_another_language(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error at a field, a refusal, or what was done: each is said to whoever sent the form."""
    browser, known, found = signed_in(house.people[Role.SUPPORT]), known_data(), {}
    foreign.speak(monkeypatch.setattr)

    for name, url in pages(house).items():
        with transaction.atomic():
            answer = browser.post(url, {"next": "/powers/", "csrfmiddlewaretoken": "any"}, follow=True)
            transaction.set_rollback(True)
        found |= dict.fromkeys(found_in(answer, known), f"POST {name}")

    assert not found, listed(found)


def test_every_e_mail_can_be_read_in_another_language(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    known, now, acme = known_data(), timezone.now(), house.account
    support, ana = actor(house.people[Role.SUPPORT]), actor(house.people[Role.MANAGER])
    eve = User.objects.get(email="eve@example.org")
    User.objects.filter(pk=eve.pk).update(last_login=now)
    foreign.speak(monkeypatch.setattr)

    with django_capture_on_commit_callbacks(execute=True):
        for email in ("new@example.org", eve.email):
            invitations.invite(acme, by=ana, email=email, name="Nora Lund", role=Role.USER)
        second_factor.reset(equipped(house.people[Role.RESELLER]), by=support)
        unlock_links.make(house.phone, by=ana, given_to="Lou, who fits phones", email="lou@example.org")
    Client().post(reverse("account_reset_password"), {"email": house.viewer.email})
    assert len(mail.outbox) == 5
    telling.of_own_unlock(house.phone, owner="Ben Hall", now=now)
    telling.of_yielded(acme, phone="Gate, spare", now=now)
    telling.of_refused_macs(acme, by="Ana Costa", now=now)
    telling.of_ban(acme, house.ban, now=now)
    telling.of_job(house.job, now=now)
    for incident in Incident.objects.all():
        telling.of_incident(incident, now=now)
    digests.tell_waiting(now)
    digests.tell_waiting(now + timedelta(hours=23))

    texts = [text for message in mail.outbox for text in (message.subject, message.body)]
    told = [text for text in texts if words_left(text, known)]
    assert not told, "\n\n".join(told)
    assert len(mail.outbox) > 12


def test_nobody_is_let_in_with_a_word_that_a_translator_never_saw(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_data()
    foreign.speak(monkeypatch.setattr)
    browser = Client()

    found = {
        text: name for name, url in url_map.own_urls().items() for text in found_in(browser.get(url), known)
    }
    found |= dict.fromkeys(found_in(browser.get("/no-such-page/"), known), "nowhere")

    assert not found, listed(found)


def test_no_branch_of_a_template_holds_a_word_of_its_own() -> None:
    found, nothing = {}, re.compile(r"(?!)")
    for path in sorted(TEMPLATES.rglob("*.html")):
        text = SAID.sub(" ", path.read_text(encoding="utf-8"))
        for tag in TAG.findall(text):
            if not NAMING.match(tag):
                found |= {quoted: path.name for _, quoted in QUOTED.findall(tag)}
        found |= dict.fromkeys(foreign.untranslated(TAG.sub(" ", text), nothing), path.name)

    found = {said: name for said, name in found.items() if not said.startswith("a href=")}  # parts of a tag
    assert not found, listed(found)


def test_a_word_outside_of_a_translation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign.speak(monkeypatch.setattr)
    known = re.compile(r"\b(?:Ben Hall|T46S)\b")
    said = gettext("Locked by {name} since %(day)s.")

    assert said == "⟦Locked by ⟧{name}⟦ since ⟧%(day)s⟦.⟧"
    for page, wrong in {
        f"<p>{said.format(name='Ben Hall') % {'day': 3}}</p>": [],
        f"<p>{said.format(name='the clock') % {'day': 3}}</p>": ["the clock 3"],
        "<p>⟦Phone⟧ T46S, 10.0.0.1, 00:00:5e:00:53:01, https://x.example/ <code>no words</code></p>": [],
        "<p>⟦It is⟧ locked</p>": ["locked"],
        '<img alt="A phone"><input placeholder="⟦Name⟧" value="Ben">': ["A phone"],
        "<p>⟦<b>Bold</b> words⟧ and more</p>": ["and more"],
        '<p translate="no">raw_word</p><p>T46SX</p>': ["T46SX"],
    }.items():
        assert [text.strip() for text in foreign.untranslated(page, known)] == wrong, page
