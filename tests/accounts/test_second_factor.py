"""The second factor: who must have one, what is shut without it, and what becomes of a lost one."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.usersessions.models import UserSession
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from django.test.utils import override_settings
from pytest_django import Settings

from accounts import second_factor, tenants
from accounts.models import AuditEntry, User
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Role
from accounts.sealing import new_key
from tests.second_factors import SECRET, digits_of, equipped, six_digits
from tests.url_map import api_urls, own_urls, page_urls, staff_urls
from tests.world import PASSWORD, World, actor, make_key, program, signed_in

LOGIN, CODE = "/accounts/login/", "/accounts/2fa/authenticate/"
SET_UP = "/second-factor/"
#: What helps to set one up, or to go; nothing else opens without one.
OPEN = {"second-factor", "theme"}
OPEN_OWN = {"account_login", "account_logout", "account_reauthenticate"}


def bare(user: User) -> Client:
    """This person's browser; he has no second factor."""
    Authenticator.objects.filter(user=user).delete()
    client = Client()
    client.force_login(user)
    return client


def by_password(user: User, **more: Any) -> Client:
    """A browser that has given the password."""
    client = Client(**more)
    client.post(LOGIN, {"login": user.email, "password": PASSWORD})
    return client


@pytest.mark.parametrize("who", ["sam", "rita"])
def test_without_one_nothing_opens_but_the_way_to_one(who: str, world: World) -> None:
    client = bare(getattr(world, who))
    pages = {name: url for name, url in page_urls(world.acme).items() if name not in OPEN}
    own = {
        name: url for name, url in own_urls().items() if name not in OPEN_OWN and not name.startswith("mfa_")
    }

    answers = {url: client.get(url) for url in (*pages.values(), *own.values(), *staff_urls(), "/no-such/")}

    led = {url for url, answer in answers.items() if answer.headers.get("Location") == SET_UP}
    assert set(answers) - led == set()
    for url in api_urls(world.acme).values():
        answer = client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (403, "second-factor"), url
    posted = client.post("/people/add/", {"account": "acme", "email": "x@acme.example", "name": "X"})
    assert posted.headers["Location"] == SET_UP
    assert not User.objects.filter(email="x@acme.example").exists()
    assert client.get("/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == SET_UP


def test_the_page_says_why_and_lets_one_go(world: World) -> None:
    client = bare(world.rita)

    shown = client.get(SET_UP).content.decode()

    assert "Set up a passkey" in shown
    assert "reaches the phones of many people" in shown
    assert client.get("/accounts/2fa/webauthn/add/").status_code == 302  # is it still you?
    assert client.post("/accounts/logout/").status_code == 302
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("who", ["ana", "ben"])
def test_managers_and_users_are_asked_for_none(who: str, world: World) -> None:
    user = getattr(world, who)

    assert by_password(user).get("/", follow=True).status_code == 200
    assert by_password(user).get(SET_UP).status_code == 200


def test_an_api_key_is_no_person(world: World) -> None:
    text = make_key(world.harbour, Role.RESELLER, world.rita)
    client = bare(world.rita)

    with_both = client.get("/api/v1/devices/", headers={"Authorization": f"Api-Key {text}"})
    wrong = client.get("/api/v1/devices/", headers={"Authorization": "Api-Key nonsense.key"})

    assert program(text).get("/api/v1/devices/").status_code == 200
    assert with_both.status_code == 200
    assert wrong.status_code == 401
    assert client.get("/phones/", headers={"Authorization": f"Api-Key {text}"}).headers["Location"] == SET_UP


def test_a_role_that_needs_one_is_judged_at_once(world: World) -> None:
    ana = by_password(world.ana)
    assert ana.get("/phones/").status_code == 200

    tenants.add_person(world.harbour, by=actor(world.sam), email=world.ana.email, name="", role=Role.RESELLER)

    assert ana.get("/phones/").headers["Location"] == SET_UP


def test_six_digits_are_asked_for_after_the_password(world: World) -> None:
    client = by_password(world.rita)
    assert client.get("/phones/").headers["Location"].startswith(LOGIN)

    wrong = client.post(CODE, {"code": "000000" if six_digits(world.rita) != "000000" else "111111"})
    right = client.post(CODE, {"code": six_digits(world.rita)})

    assert "Incorrect code" in wrong.content.decode()
    assert right.headers["Location"] == "/"
    assert client.get("/phones/").status_code == 200


@pytest.mark.once  # what it commits is made by verbs outside a transaction
@pytest.mark.django_db(transaction=True)
def test_an_app_is_set_up_and_the_recovery_codes_are_shown_once(world: World) -> None:
    Authenticator.objects.filter(user=world.rita).delete()
    client, thief = by_password(world.rita), by_password(world.rita)

    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r"wrap\">([A-Z2-7]{32})<", page)
    assert secret is not None
    client.post("/accounts/2fa/totp/activate/", {"code": digits_of(secret[1])})
    done = client.get("/accounts/2fa/recovery-codes/")

    shown = re.findall(r"<li>(\d{8})</li>", done.content.decode())
    assert len(shown) == 10
    again = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert [code for code in shown if code in again] == []
    assert client.get("/phones/").status_code == 200
    assert thief.get("/phones/").headers["Location"].startswith(LOGIN), "it knew the password alone"
    assert [letter.subject for letter in mail.outbox] == ["[Latchkey] An authenticator app was added"]
    rows = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert [word for word in (secret[1], *shown) if word in rows] == []

    lost = by_password(world.rita)
    assert lost.post(CODE, {"code": shown[3]}).headers["Location"] == "/"
    used = by_password(world.rita).post(CODE, {"code": shown[3]})
    assert "Incorrect code" in used.content.decode()


def test_a_password_alone_takes_no_second_factor_away(world: World) -> None:
    rita = signed_in(world.rita)  # a session that has shown none lately
    off = "/accounts/2fa/totp/deactivate/"

    asked = rita.post(off)
    by_word = rita.post(f"/accounts/reauthenticate/?next={off}", {"password": PASSWORD})
    rita.post(off)

    assert asked.headers["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert by_word.headers["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert second_factor.has_one(world.rita)
    rita.post(f"/accounts/2fa/reauthenticate/?next={off}", {"code": six_digits(world.rita)})
    rita.post(off)
    assert not second_factor.has_one(world.rita)
    assert rita.get("/phones/").headers["Location"] == SET_UP


def test_a_published_password_is_spared_in_a_demo_alone(world: World, settings: Settings) -> None:
    client = bare(world.rita)
    User.objects.filter(pk=world.rita.pk).update(has_demo_password=True)
    outside = client.get("/phones/")
    settings.DEMO = True

    inside = client.get("/phones/").content.decode()

    assert outside.headers["Location"] == SET_UP
    assert "This is a demo: its passwords are published" in inside
    assert "This is a demo" not in signed_in(world.ana).get("/phones/").content.decode()
    form = {"oldpassword": PASSWORD, "password1": "nobody-knows-it-2", "password2": "nobody-knows-it-2"}
    client.post("/accounts/password/change/", form)
    assert client.get("/phones/").headers["Location"] == SET_UP


# --- lost ------------------------------------------------------------------------------------------------


def test_somebody_above_resets_a_lost_one(world: World, django_capture_on_commit_callbacks: Any) -> None:
    equipped_by_hand(world.ana)
    here = by_password(world.ana)
    here.post(CODE, {"code": six_digits(world.ana)})
    assert here.get("/phones/").status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        second_factor.reset(world.ana, by=actor(world.rita))

    assert not Authenticator.objects.filter(user=world.ana).exists()
    assert here.get("/phones/").headers["Location"].startswith(LOGIN)
    assert by_password(world.ana).get("/phones/").status_code == 200
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.account, entry.user) == (
        "person.second-factor-reset",
        world.acme.account,
        world.rita,
    )
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [
        ([world.ana.email], "Your second factor was reset")
    ]


def equipped_by_hand(user: User) -> None:
    """Whose role asks for none may have one all the same."""
    secret = {"secret": second_factor.seal(SECRET)}
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=secret)
    RecoveryCodes.activate(user)


@pytest.mark.parametrize(
    ("case", "who", "whose"),
    [
        ("his own", "rita", "rita"),
        ("a superior's", "ana", "rita"),
        ("a superior's", "rita", "sam"),
        ("somebody's elsewhere", "eve", "ana"),
        ("without the power", "ben", "ana"),
    ],
)
def test_nobody_resets_that(case: str, who: str, whose: str, world: World) -> None:
    person: User = getattr(world, whose)
    if not second_factor.has_one(person):
        equipped_by_hand(person)
    UserSession.objects.create(user=person, session_key="a", ip="192.0.2.1", user_agent="A browser")
    before = AuditEntry.objects.count(), UserSession.objects.count()

    with pytest.raises((Forbidden, Refusal)):
        second_factor.reset(person, by=actor(getattr(world, who)))

    assert second_factor.has_one(person)
    assert (AuditEntry.objects.count(), UserSession.objects.count()) == before


def test_where_there_is_none_nothing_is_reset(world: World) -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(Refusal, match="has no second factor"):
        second_factor.reset(world.ben, by=actor(world.ana))

    assert AuditEntry.objects.count() == before


def test_a_changed_role_counts_as_well(world: World) -> None:
    """Whoever has a role above the manager's anywhere is nobody for that manager to reset."""
    tenants.add_person(world.harbour, by=actor(world.sam), email=world.ben.email, name="", role=Role.RESELLER)
    equipped(world.ben)

    with pytest.raises(Forbidden):
        second_factor.reset(world.ben, by=actor(world.ana))

    assert second_factor.has_one(world.ben)


# --- sessions --------------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(world: World) -> None:
    firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 Version/18.0 Mobile Safari/604"
    here = by_password(world.ana, REMOTE_ADDR="203.0.113.5", HTTP_USER_AGENT=firefox)
    there = by_password(world.ana, REMOTE_ADDR="198.51.100.6", HTTP_USER_AGENT=safari)
    third = by_password(world.ana, REMOTE_ADDR="198.51.100.7", HTTP_USER_AGENT="")
    eve = by_password(world.eve)

    page = here.get("/accounts/sessions/").content.decode()
    row = UserSession.objects.get(ip="198.51.100.6")

    assert "Firefox on Windows" in page
    assert "Safari on iPhone" in page
    assert "198.51.100.6" in page
    assert "In 3 places" in page
    assert eve.post(f"/sessions/{row.pk}/end/").status_code == 404
    assert there.get("/phones/").status_code == 200
    assert here.post(f"/sessions/{row.pk}/end/").status_code == 302
    assert there.get("/phones/").headers["Location"].startswith(LOGIN)
    assert third.get("/phones/").status_code == 200
    here.post("/accounts/sessions/")
    assert third.get("/phones/").headers["Location"].startswith(LOGIN)
    assert (here.get("/phones/").status_code, eve.get("/phones/").status_code) == (200, 200)


def test_the_address_of_a_session_is_the_true_callers(world: World) -> None:
    by_password(world.ana, REMOTE_ADDR="203.0.113.5", HTTP_X_FORWARDED_FOR="192.0.2.66")

    assert [session.ip for session in UserSession.objects.filter(user=world.ana)] == ["203.0.113.5"]


def test_a_stranger_who_asks_for_a_link_gets_no_letter(world: World) -> None:
    for email in (world.ana.email, "nobody@nowhere.example"):
        answer = Client().post("/accounts/password/reset/", {"email": email}, follow=True)
        assert "If you have an account with that e-mail" in answer.content.decode()

    assert [letter.to for letter in mail.outbox] == [[world.ana.email]]


def test_secrets_of_second_factors_follow_a_new_key(world: World) -> None:
    with override_settings(SECRET_KEYRING=f"{new_key('k2')},{django_settings.SECRET_KEYRING}"):
        assert second_factor.reseal() == (2, 0, [])
        assert second_factor.reseal() == (0, 2, [])
        rows = [row.data["secret"] for row in Authenticator.objects.all()]
        assert all(second_factor.is_sealed_now(sealed) for sealed in rows)
        assert [second_factor.open_sealed(sealed) for sealed in rows] == [SECRET, SECRET]
    with override_settings(SECRET_KEYRING=new_key("k3")):
        assert second_factor.reseal()[2] == [f"totp of {world.sam.email}", f"totp of {world.rita.email}"]
