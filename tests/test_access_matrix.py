"""Who gets what from every URL: nobody, a sibling's manager, a viewer, an end user."""

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
    ASKS_FOR_ACCOUNT,
    PAGES,
    api_urls,
    leaves,
    names_a_row,
    own_urls,
    page_urls,
    staff_urls,
    writes,
)
from tests.world import Tenant, World, actor, make_key, program, signed_in

#: Addresses of the API that take no GET, or none of a viewer.
WITHOUT_GET = {"docs"}  # it leads elsewhere
WITHOUT_GET |= {"nowhere", "unlock-all", "resync", "bulk"}
WITHOUT_GET |= {"device-unlock-link", "raw-key-detail", "raw-key-list"}
WITHOUT_GET |= {f"device-{verb}" for verb in ("unlock", "lock", "rearm", "quarantine", "release")}
WITHOUT_GET |= {f"device-{verb}" for verb in ("take-back", "clone", "retire", "swap", "move", "resync")}
WITHOUT_GET |= {
    "api-key-rotate",
    # where something is told to, and what was, is seen by whoever may change that
    *(f"webhook-{name}" for name in ("detail", "rotate", "test", "replay", "deliveries")),
    *("delivery-detail", "delivery-replay"),
    "allowed-network-grant",
    "ban-lift-mine",
    "incident-notes",
    "incident-close",
    "contact-bring-in",
    "profile-apply",
    "profile-take-off",
    "extension-new-secret",
    "extension-expose",
    "account-delete",
    "account-restore",
    "account-move",
    "device-files",
    "settings-preview",
    "what-if",
    "what-if-detail",
    "import-detail",  # a list that is to be imported is seen by whoever may import it
    "import-run",
    "me-notifications",
    "person-detail",  # people are seen by whoever may change them
    "person-invite",
    "person-reset-second-factor",
}
#: What a viewer may not even read.
WITHOUT_GET |= {"device-allow", "device-files-diff", "keeping", "unknown-phones"}
WITHOUT_GET |= {"bulk-preview", "customer-detail", "import-not-added"}
#: What says nothing of anybody, and is the same for everybody.
FOR_EVERYBODY = {"roles", "webhook-kinds"}
FOR_EVERYBODY |= {f"catalogue-{name}" for name in ("families", "family", "models", "model")}
FOR_EVERYBODY |= {"import-sample"}
#: What answers for each item of its input, that of a foreigner like that of none.
MANY = {"device-bulk", "extension-bulk", "appearance-bulk"}
WITHOUT_GET |= MANY
#: What names nobody's row: bans are the platform's, and one's own address is not banned here.
NOBODYS = {"ban-list": 403, "ban-lift-mine": 409, "what-if": 403}
OF_NOTHING = NOBODYS | dict.fromkeys(MANY, 200)
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


def test_every_call_that_changes_something_is_tried(world: World) -> None:
    """What answers 405 to a manager is offered to nobody; everything else is in `writes`."""
    tried = {(name, method) for name, calls in writes(world.acme).items() for method, _ in calls}
    ana = program(world.acme.key)
    offered = {
        (name, method)
        for name, url in api_urls(world.acme).items()
        for method in METHODS[1:]
        if name != "nowhere" and method.upper() in ana.options(url).headers["Allow"]
    }

    assert offered == tried


def test_nobody_gets_anything(world: World) -> None:
    before = snapshot()

    for name, url in api_urls(world.acme).items():
        for method in METHODS:
            answer = ask(program(), method, url)
            assert answer.status_code == 401, (name, method)
            assert leaked(answer, world.acme.words) == [], (name, method)
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


def test_a_manager_of_a_sibling_gets_nothing_by_the_api(world: World) -> None:
    before, words = snapshot(), world.acme.words
    own = program(world.globex.key).get("/api/v1/devices/").json()["count"]

    for client in (program(world.globex.key), signed_in(world.eve)):
        for name, url in api_urls(world.acme).items():
            answer = ask(client, "get", url)
            assert leaked(answer, words) == [], name
            named = names_a_row(API[name], world.acme) or name == "nowhere"
            if named:
                assert answer.status_code in (404, 405), (name, answer.status_code)
        for name, calls in writes(world.acme).items():
            for method, body in calls:
                answer = ask(client, method, api_urls(world.acme)[name], body)
                named = names_a_row(API[name], world.acme)
                expected = 403 if name in ABOVE_MANAGERS else 404 if named else OF_NOTHING.get(name, 400)
                assert answer.status_code == expected, (name, method)
                assert leaked(answer, words) == [], name
        for query in (
            f"devices/?mac={world.acme.phone.mac}",
            "devices/?account=acme",
            "devices/?search=acme",
            f"devices/?site={world.acme.site.code}",
            "devices/?owner=ben@acme.example",
            "extensions/?account=acme",
            "audit/?account=acme",
            f"audit/?target={world.acme.phone.code}",
            f"approvals/?device={world.acme.phone.code}",
            "windows/?account=acme",
            "sites/?search=acme",
            "accounts/?search=acme",
            f"explain/?mac={world.acme.phone.mac}&address=203.0.113.7",
        ):
            answer = client.get(f"/api/v1/{query}")
            assert leaked(answer, words, query) == [], query

    assert own == 2
    assert snapshot() == before


def test_a_reseller_of_another_branch_gets_nothing(world: World) -> None:
    """He has the powers that managers lack, and reaches nothing with them."""
    sam = actor(world.sam)
    lakeside = tenants.create_account(world.platform, by=sam, slug="lakeside", name="Lakeside")
    person = tenants.add_person(
        lakeside, by=sam, email="lou@lakeside.example", name="Lou", role=Role.RESELLER, password=None
    ).user
    text, lou = make_key(lakeside, Role.RESELLER, world.sam), signed_in(person)
    before, words = snapshot(), world.acme.words

    for client in (program(text), lou):
        for name, url in api_urls(world.acme).items():
            answer = ask(client, "get", url)
            assert leaked(answer, words) == [], name
            if names_a_row(API[name], world.acme):
                assert answer.status_code in (404, 405), (name, answer.status_code)
        for name, calls in writes(world.acme).items():
            for method, body in calls:
                answer = ask(client, method, api_urls(world.acme)[name], body)
                expected = 404 if names_a_row(API[name], world.acme) else OF_NOTHING.get(name, 400)
                assert answer.status_code == expected, (name, method, answer.status_code)
                assert leaked(answer, words) == [], name
    for name, url in page_urls(world.acme).items():
        for method in ("get", "post"):
            answer = ask(lou, method, url)
            assert leaked(answer, words, url) == [], (name, method)
            if names_a_row(PAGES[name], world.acme):
                assert answer.status_code in (404, 405), (name, method, answer.status_code)

    assert snapshot() == before


#: What no manager does anywhere, so that nothing is even looked up.
ABOVE_MANAGERS = {"account-list", "account-delete", "account-restore", "device-release", "device-move"}
ABOVE_MANAGERS |= {"raw-key-detail"}
ABOVE_MANAGERS |= {"allowed-network-grant"}


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
    text = make_key(world.acme.account, Role.VIEWER, world.ana)
    before = snapshot()

    for client in (program(text), signed_in(world.acme.viewer)):
        for name, url in api_urls(world.acme).items():
            if name in WITHOUT_GET:
                continue
            query = f"?mac={world.acme.phone.mac}&address=203.0.113.7" if name == "explain" else ""
            assert ask(client, "get", url + query).status_code == 200, name
        for name, calls in writes(world.acme).items():
            for method, body in calls:
                answer = ask(client, method, api_urls(world.acme)[name], body)
                assert answer.status_code == NOBODYS.get(name, 403), (name, method, answer.status_code)
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

    for name, url in api_urls(world.acme).items():
        answer = ask(ben, "get", url)
        assert leaked(answer, words, url) == [], name
        own = name.startswith(("device-", "approval-", "policy-"))
        own = own or name in ("root", "me", "me-notifications", "schema", "docs", "explain", "ip-check")
        own = own or name.startswith(("setting-", "raw-key-")) or name == "hardening"
        own = own or name in FOR_EVERYBODY or name == "event-list"
        if name.endswith("-list") and not own:
            assert answer.json()["results"] == [], name
        elif not own:
            told = (400, 404, 405) if name in ASKS_FOR_ACCOUNT else (404, 405)
            told = (403,) if name in {"check-ins", "heard", "keeping", "unknown-phones"} else told
            assert answer.status_code in told, (name, answer.status_code)
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
