"""Who gets what from every page: nobody, a sibling's manager, a stranger, a viewer, an end user.

The API has a table of its own: tests/api/matrix.py.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client

from accounts import tenants
from accounts.models import Account, ApiKey, AuditEntry, Membership, User
from accounts.roles import Role
from devices.models import (
    Appearance,
    Contact,
    Device,
    Directory,
    Extension,
    Holiday,
    Key,
    Profile,
    ProfileKey,
    RawValue,
    SettingValue,
    Site,
    SiteNetwork,
)
from provisioning.models import (
    Approval,
    Denial,
    DeviceEvent,
    ImportDraft,
    Incident,
    IncidentStep,
    Job,
    Lock,
    Outbox,
    PolicyValue,
    ResyncRequest,
    Token,
    UnlockLink,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    Window,
)
from security.models import AllowedNetwork, Ban
from tests.url_map import (
    API,
    PAGES,
    api_urls,
    leaves,
    names_a_row,
    own_urls,
    page_urls,
    staff_urls,
)
from tests.world import Tenant, World, actor, signed_in

STAFF_SIGN_IN = ("/staff/login/", "/staff/logout/")
METHODS = ("get", "post", "put", "patch", "delete")
KEPT: tuple[type[Model], ...] = (
    Account, Membership, User, ApiKey, Device, Extension, Appearance, Key, Profile, ProfileKey, SettingValue,
    RawValue, Contact, Directory, Holiday, Site, SiteNetwork, Ban, AllowedNetwork,
    Lock, Denial, Token, Window, Approval, Job, PolicyValue, Outbox, ResyncRequest, DeviceEvent, Incident,
    IncidentStep, UnlockLink, ImportDraft, WebhookEndpoint, WebhookEvent, WebhookDelivery, AuditEntry,
)  # fmt: skip
TOUCHED_BY_LOOKING = {"last_login", "last_used_at"}


def snapshot() -> dict[str, list[dict[str, Any]]]:
    """Every row that a person can change, without what mere looking touches."""
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in TOUCHED_BY_LOOKING}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in KEPT
    }


def not_of(tenant: Tenant, rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of every other account: a form without fields may do something in the tenant's own."""
    paths = {row["id"]: row["path"] for row in rows["Account"]}
    phones = {row["id"]: row["account_id"] for row in rows["Device"]}

    def is_own(row: dict[str, Any]) -> bool:
        account = row.get("account_id") or phones.get(row.get("device_id") or 0)
        return paths.get(account, "").startswith(tenant.account.path)

    return {name: [row for row in entries if not is_own(row)] for name, entries in rows.items()}


def leaked(answer: HttpResponse, words: Iterable[str], asked: str = "") -> list[str]:
    """The words that stand in an answer though the caller did not bring them."""
    body = b"".join(answer) if answer.streaming else answer.content
    text = body.decode(errors="replace").lower()
    return [word for word in words if word.lower() in text and word.lower() not in asked.lower()]


def ask(client: Any, method: str, url: str, body: Any = None) -> HttpResponse:
    call: Callable[..., HttpResponse] = getattr(client, method)
    if body is None:
        return call(url)
    in_json = {"content_type": "application/json"} if type(client) is Client and "/api/" in url else {}
    return call(url, body, **in_json)


def test_every_url_is_known_here() -> None:
    unknown = [leaf.route for leaf in leaves() if not leaf.known]
    there = {(leaf.space, leaf.name) for leaf in leaves()}
    gone = [name for name in API if ("v1", name) not in there] + [n for n in PAGES if ("", n) not in there]

    assert unknown == [], "say in tests/url_map.py what this URL is"
    assert gone == []


def test_nobody_gets_anything(world: World) -> None:
    before = snapshot()

    for url in (*page_urls(world.acme).values(), *staff_urls(), *own_urls().values()):
        for method in METHODS:
            answer = ask(signed_in(None), method, url)
            assert leaked(answer, world.acme.words, url) == [], (url, method)
    for name, url in page_urls(world.acme).items():
        for method in ("get", "post"):
            answer = ask(signed_in(None), method, url)
            to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith(
                "/accounts/login/"
            )
            ours_alone = name == "theme" and answer.status_code == 302
            is_no_link = name == "unlock-link" and answer.status_code == 404
            known = to_sign_in or ours_alone or is_no_link or answer.status_code == 405
            assert known, (name, method, answer.status_code)

    assert snapshot() == before


def test_a_reseller_of_another_branch_gets_nothing(world: World) -> None:
    """He has the powers that managers lack, and reaches nothing with them."""
    sam = actor(world.sam)
    lakeside = tenants.create_account(world.platform, by=sam, slug="lakeside", name="Lakeside")
    person = tenants.add_person(
        lakeside, by=sam, email="lou@lakeside.example", name="Lou", role=Role.RESELLER, password=None
    ).user
    lou = signed_in(person)
    before, words = snapshot(), world.acme.words

    for name, url in page_urls(world.acme).items():
        for method in ("get", "post"):
            answer = ask(lou, method, url)
            assert leaked(answer, words, url) == [], (name, method)
            if names_a_row(PAGES[name], world.acme):
                assert answer.status_code in (404, 405), (name, method, answer.status_code)

    assert snapshot() == before


def test_a_manager_of_a_sibling_gets_nothing_by_the_pages(world: World) -> None:
    before, words = snapshot(), world.acme.words
    eve = signed_in(world.eve)

    for name, url in page_urls(world.acme).items():
        for method in ("get", "post"):
            body = {"account": "acme", "slug": "acme", "address": "203.0.113.7", "mac": world.acme.phone.mac}
            named = names_a_row(PAGES[name], world.acme)
            answer = ask(eve, method, url, body if not named else None)
            assert leaked(answer, words, f"{url} {world.acme.phone.mac} {name}") == [], (name, method)
            if named:
                assert answer.status_code in (404, 405), (name, method, answer.status_code)
    for url in own_urls().values():
        assert leaked(eve.get(url), words) == [], url
    eve = signed_in(world.eve)
    for url in staff_urls():
        answer = eve.get(url)
        assert answer.status_code in (302, 403, 404) or url in STAFF_SIGN_IN, url
        assert leaked(answer, words) == [], url

    assert not_of(world.globex, snapshot()) == not_of(world.globex, before)


def test_a_viewer_reads_and_writes_nothing(world: World) -> None:
    before = snapshot()

    viewer = signed_in(world.acme.viewer)
    for name, url in page_urls(world.acme).items():
        assert ask(viewer, "get", url).status_code in (200, 302, 403, 404, 405), name
        # A page that only shows something shows it to a POST too; what it must not do is in the snapshot.
        assert ask(viewer, "post", url).status_code in (200, 302, 403, 404, 405), name

    assert snapshot() == before


def test_an_end_user_sees_his_own_phone_and_no_other(world: World) -> None:
    other = world.acme.other_phone
    words = [str(other.code), other.mac, other.name, *world.globex.words, str(world.acme.job.code)]
    words += [str(world.acme.window.code), world.acme.key_code, world.acme.viewer.email]
    ben = signed_in(world.ben)

    for name, url in page_urls(world.acme).items():
        assert leaked(ask(ben, "get", url), words, url) == [], name
    others = {**api_urls(world.acme)}
    for name, args in API.items():
        if args(world.acme) == {"code": str(world.acme.phone.code)}:
            url = others[name].replace(str(world.acme.phone.code), str(other.code))
            assert ask(ben, "get", url).status_code in (404, 405), name
    assert [row["code"] for row in ben.get("/api/v1/devices/").json()["results"]] == [
        str(world.acme.phone.code)
    ]


def test_every_model_of_an_account_is_watched_here() -> None:
    """A new model with an account or a phone joins the snapshot, or is named as a machine's."""
    written_by_machines = {
        "Claim", "LastSeen", "CheckInHour", "Proof", "Upload", "JobItem",
        "Told", "CheckInDay", "UnknownTime", "Notice",
    }  # fmt: skip
    ours = {
        model.__name__
        for app in ("accounts", "devices", "provisioning", "security")
        for model in apps.get_app_config(app).get_models()
        if {"account", "device"} & {field.name for field in model._meta.fields}
    }

    assert ours - {model.__name__ for model in KEPT} - written_by_machines == set()
