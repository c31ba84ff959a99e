"""The staff site: support looks at everything but secrets, and changes nothing by hand."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.admin import ListOnly, LookOnly
from accounts.models import ApiKey, AuditEntry, KeptAnswer, User
from accounts.scope import NOBODY
from devices.models import Device, Extension, RawValue, SettingValue, SiteNetwork
from provisioning.models import (
    DeviceEvent,
    ImportDraft,
    Job,
    JobItem,
    Lock,
    MacRecord,
    Token,
    UnlockLink,
    Upload,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    Window,
)
from security.models import AllowedNetwork, Ban
from security.networks import Network
from tests.url_map import staff_urls
from tests.world import World, signed_in


def test_only_platform_support_comes_in(world: World) -> None:
    answers = {
        name: signed_in(user).get("/staff/").status_code
        for name, user in (("sam", world.sam), ("rita", world.rita), ("ana", world.ana), ("ben", world.ben))
    }

    assert answers["sam"] == 200
    assert {answers["rita"], answers["ana"], answers["ben"]} <= {302, 403}


def test_it_is_entered_by_the_pages_own_door() -> None:
    assert signed_in(None).get("/staff/login/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("model", [AuditEntry, DeviceEvent])
@pytest.mark.parametrize("what", ["change", "delete"])
def test_the_record_can_be_neither_changed_nor_deleted(model: type, what: str, world: World) -> None:
    row = model.objects.first()  # type: ignore[attr-defined]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}"  # type: ignore[attr-defined]
    before = model.objects.count()  # type: ignore[attr-defined]

    answer = signed_in(world.sam).post(reverse(name, args=[row.pk]), {"post": "yes", "verb": "nothing"})

    row_after = model.objects.get(pk=row.pk)  # type: ignore[attr-defined]
    assert answer.status_code == 403
    assert model.objects.count() == before  # type: ignore[attr-defined]
    assert row_after.__dict__ | {"_state": 0} == row.__dict__ | {"_state": 0}


def test_nothing_can_be_added_changed_or_deleted_by_hand(world: World) -> None:
    sam = signed_in(world.sam)
    open_doors = [
        url
        for url in staff_urls()
        if url.endswith(("/add/", "/delete/")) and sam.post(url, {"post": "yes"}).status_code != 403
    ]

    assert [url for url in open_doors if sam.get(url).status_code == 200] == []


def test_second_factors_and_groups_are_not_on_it() -> None:
    names = {model.__name__ for model in admin.site._registry}

    assert names & {"Authenticator", "Group", "APIKey", "EmailAddress"} == set()


# --- every model -----------------------------------------------------------------------------------------

DAY = timedelta(days=1)
OURS = ("accounts", "devices", "security", "provisioning")
#: Planted wherever a row keeps what nobody may read, sealed or not.
SECRET = "nobody-may-ever-read-this"


def models() -> list[type[Model]]:
    return [model for app in OURS for model in apps.get_app_config(app).get_models()]


def plant(world: World) -> None:
    """A row of every model that the world lacks, and the secret in every place that could hold one."""
    acme, phone, now = world.acme.account, world.acme.phone, timezone.now()
    line = ImportDraft.objects.get(account=acme)
    line.rows = [{"secret": SECRET}]
    line.save()
    Upload.objects.create(device=phone, name="directory.xml", content_type="x", body=SECRET.encode(), at=now)
    Job.objects.update(params={"secret": SECRET})
    JobItem.objects.update(details={"secret": SECRET})
    Token.objects.update(sealed=SECRET.encode())
    Extension.objects.update(secret=SECRET.encode())
    Device.objects.update(admin_password=SECRET.encode(), user_password=SECRET.encode())
    SettingValue.objects.create(account=acme, name="admin_note", value=SECRET)
    RawValue.objects.create(account=acme, family="yealink", key="a.b", value=SECRET)
    link = UnlockLink(device=phone, account=acme, key=SECRET, made_by="Ana", ends_at=now + DAY)
    link.maker = {"secret": SECRET}
    link.save()
    User.objects.update(password=SECRET)
    ApiKey.objects.filter(account=acme).update(hashed_key=SECRET)
    UserSession.objects.create(
        user=world.ben, session_key=SECRET[:40], ip="192.0.2.1", user_agent="A browser", data={"is": SECRET}
    )
    Authenticator.objects.update(data={"secret": SECRET})
    KeptAnswer.objects.create(caller="key 1", name="x", asked=SECRET, answer=SECRET, runs_until=now)
    endpoint = WebhookEndpoint.objects.create(
        account=acme, name="Desk", url=f"https://example.org/{SECRET}", secret=SECRET.encode()
    )
    event = WebhookEvent.objects.create(account=acme, kind="device.locked", lane="x", at=now)
    delivery = WebhookDelivery.objects.create(endpoint=endpoint, event=event, lane="x")
    WebhookAttempt.objects.create(delivery=delivery, at=now, took=0.1, answer=SECRET)
    MacRecord.objects.create(mac_hash=SECRET[:40], account_code=acme.code, left_at=now)


def test_every_model_of_ours_is_on_it() -> None:
    assert [model.__name__ for model in models() if not admin.site.is_registered(model)] == []


def test_what_packages_put_there_is_ours() -> None:
    """Nothing is added, changed or deleted by hand, in no list and on no page."""
    request = RequestFactory().get("/staff/")
    request.user, request.actor = AnonymousUser(), NOBODY  # type: ignore[attr-defined]

    for model, site in admin.site._registry.items():
        assert isinstance(site, LookOnly), model
        for may in ("has_add_permission", "has_change_permission", "has_delete_permission"):
            assert not getattr(site, may)(request), (model, may)
        assert not site.show_full_result_count, model


def test_its_pages_show_no_secret_and_save_nothing(world: World) -> None:
    plant(world)
    sam = signed_in(User.objects.get(pk=world.sam.pk))
    hidden = [SECRET, world.acme.secret, *world.acme.tokens, world.acme.key, "pbkdf2", "md5$"]
    hidden += [token.hash for token in Token.objects.all()]
    seen = 0

    for model, site in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.order_by("pk").first()
        urls = [reverse(f"{name}_changelist"), reverse(f"{name}_changelist") + "?q=a"]
        if row is not None:
            urls.append(reverse(f"{name}_change", args=[row.pk]))
        for url in urls:
            answer = sam.get(url)
            may_be_shut = isinstance(site, ListOnly) and url.endswith("/change/")
            assert answer.status_code == (403 if may_be_shut else 200), url
            shown = answer.content.decode()
            assert [word for word in hidden if word in shown] == [], url
            assert 'name="_save"' not in shown, url
            seen += 1
        assert sam.get(reverse(f"{name}_add")).status_code == 403, model
        assert site.actions is None or callable(site.actions[0])
    assert seen > 3 * len(OURS)


# --- actions call the verbs ------------------------------------------------------------------------------


def do(world: World, model: type[Model], action: str, *rows: Any, by: Any = None) -> str:
    """Choose rows of a list and an action; returns what is said."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    chosen = [str(row.code if model is ApiKey else row.pk) for row in rows]
    answer = signed_in(by or world.sam).post(url, {"action": action, "_selected_action": chosen}, follow=True)
    return answer.content.decode()


def state(phone: Device) -> str:
    return str(Lock.objects.get(device=phone).state)


def test_a_phone_is_unlocked_locked_and_quarantined_by_the_verbs(world: World) -> None:
    lock = Lock.objects.get(device=world.acme.phone)

    do(world, Lock, "unlock", lock)
    unlocked = state(world.acme.phone)
    do(world, Lock, "lock_again", lock)
    locked = state(world.acme.phone)
    said = do(world, Lock, "quarantine", lock)
    refused = do(world, Lock, "unlock", lock)

    assert (unlocked, locked, state(world.acme.phone)) == ("unlocked", "locked", "quarantined")
    assert "Quarantine, done." in said
    assert "messagelist" in refused
    assert "errornote" in refused or 'class="error"' in refused
    verbs = AuditEntry.objects.filter(user=world.sam, target_code=str(world.acme.phone.code))
    assert verbs.count() == 3


def test_keys_bans_windows_people_and_sessions_end_by_the_verbs(world: World) -> None:
    key = ApiKey.objects.get(code=world.acme.key_code)
    session = UserSession.objects.create(
        user=world.ben, session_key="of-ben", ip="192.0.2.1", user_agent="A browser"
    )

    do(world, ApiKey, "revoke", key)
    do(world, Ban, "lift", world.acme.ban)
    do(world, Window, "close", world.acme.window)
    do(world, UserSession, "end_session", session)
    do(world, User, "keep_from_signing_in", world.ben)
    do(world, User, "reset_second_factor", world.rita)
    do(world, AllowedNetwork, "end_allowance", world.acme.allowed)

    assert ApiKey.objects.get(code=world.acme.key_code).revoked
    assert Ban.objects.get(pk=world.acme.ban.pk).lifted_at is not None
    assert Window.objects.get(pk=world.acme.window.pk).closed_at is not None
    assert AllowedNetwork.objects.get(pk=world.acme.allowed.pk).ended_at is not None
    assert not UserSession.objects.filter(pk=session.pk).exists()
    assert not User.objects.get(pk=world.ben.pk).is_active
    assert not Authenticator.objects.filter(user=world.rita).exists()


def test_support_does_nothing_to_itself_there(world: World) -> None:
    before = AuditEntry.objects.count()

    do(world, User, "keep_from_signing_in", world.sam)
    do(world, User, "reset_second_factor", world.sam)

    assert User.objects.get(pk=world.sam.pk).is_active
    assert Authenticator.objects.filter(user=world.sam).exists()
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("who", ["rita", "ana", "ben"])
def test_nobody_else_uses_its_actions(who: str, world: World) -> None:
    lock = Lock.objects.get(device=world.acme.phone)

    do(world, Lock, "quarantine", lock, by=getattr(world, who))

    assert state(world.acme.phone) == lock.state


# --- what a person reads and asks there ------------------------------------------------------------------


def test_networks_are_written_as_people_write_them(world: World) -> None:
    sam = signed_in(world.sam)
    lock = Lock.objects.get(device=world.acme.phone)
    Lock.objects.filter(pk=lock.pk).update(
        bound_first="00000000000000000000ffffcb007100", bound_last="00000000000000000000ffffcb0071ff"
    )

    page = sam.get(reverse("admin:provisioning_lock_change", args=[lock.pk])).content.decode()
    networks = sam.get(reverse("admin:devices_sitenetwork_changelist")).content.decode()

    assert "203.0.113.0/24" in page
    assert "ffffcb0071" not in page
    assert "Bound network:" in page
    assert "00000000ffff" not in networks
    assert {str(Network.from_hex(row.first, row.last)) for row in SiteNetwork.objects.all()} <= set(
        re.findall(r"[0-9a-f.:]+/[0-9]+", networks)
    )


@pytest.mark.parametrize("spelled", ["{}", "{:upper:}", "{:colons:}", "{:dots:}"])
def test_a_phone_is_found_by_its_mac_in_any_spelling(spelled: str, world: World) -> None:
    mac = world.acme.phone.mac
    ways = {
        "{}": mac,
        "{:upper:}": mac.upper(),
        "{:colons:}": ":".join(mac[at : at + 2] for at in range(0, 12, 2)).upper(),
        "{:dots:}": ".".join(mac[at : at + 4] for at in range(0, 12, 4)),
    }

    page = signed_in(world.sam).get(reverse("admin:devices_device_changelist"), {"q": ways[spelled]})

    assert [phone.pk for phone in page.context["cl"].result_list] == [world.acme.phone.pk]


def test_a_hidden_column_cannot_be_asked_about(world: World) -> None:
    """Who may filter by a column learns what stands in it, row by row."""
    sam = signed_in(world.sam)
    asked = {
        "accounts_user": "password__startswith=pbkdf2",
        "devices_extension": "secret__gt=a",
        "provisioning_token": "hash__startswith=a",
        "devices_device": "admin_password__isnull=0",
    }

    for name, query in asked.items():
        assert sam.get(f"{reverse(f'admin:{name}_changelist')}?{query}").status_code == 400, name
    offered = sam.get(reverse("admin:devices_device_changelist"), {"family__exact": "yealink"})
    assert offered.status_code == 200


def test_passwords_are_changed_by_the_pages_own_door(world: World) -> None:
    answer = signed_in(world.sam).post("/staff/password_change/", {"old_password": "x"})

    assert answer.headers["Location"] == reverse("account_change_password")


def test_it_names_the_zone_of_its_times_and_leads_to_no_empty_list(world: World) -> None:
    sam = signed_in(world.sam)
    first = sam.get("/staff/").content.decode()
    row = sam.get(reverse("admin:devices_device_change", args=[world.acme.phone.pk])).content.decode()

    assert "Times are in UTC." in first
    assert "Recent actions" not in first
    assert "historylink" not in row
