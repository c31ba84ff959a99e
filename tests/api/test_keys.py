"""API keys: how one comes in, what it may not do, and that its text is seen once."""

import io
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts import keys
from accounts.models import ApiKey, AuditEntry
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Role
from tests.world import World, actor, make_key, program, signed_in

ME = "/api/v1/me/"


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("apikey", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_without_a_key_the_answer_says_how_to_send_one(world: World) -> None:
    answer = program().get(ME)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Api-Key"
    assert answer.json()["code"] == "not-authenticated"


def test_a_key_ends_within_ten_years_or_never(world: World) -> None:
    ana, before = program(world.acme.key), ApiKey.objects.count()
    body = {"account": "acme", "name": "Far", "role": "viewer"}

    far = ana.post("/api/v1/api-keys/", body | {"expires_at": "9999-12-31T23:59:59Z"})
    page = signed_in(world.ana).post("/keys/add/", body | {"expires_at": "9999-12-31"})

    assert (far.status_code, far.json()["errors"][0]["attr"]) == (400, "expires_at")
    assert "A key ends within ten years, or never." in page.content.decode()
    assert ApiKey.objects.count() == before
    assert signed_in(world.ana).get("/keys/").status_code == 200


def test_a_key_acts_as_its_account_and_role(world: World) -> None:
    said = program(world.acme.key).get(ME).json()

    assert said["roles"] == [{"account": "acme", "role": "manager"}]
    assert said["address"] == "127.0.0.1"
    assert said["email"] is None


def test_a_session_acts_as_the_person(world: World) -> None:
    said = signed_in(world.rita).get(ME).json()

    assert (said["email"], said["key"]) == ("rita@harbour.example", None)
    assert said["roles"] == [{"account": "harbour", "role": "reseller"}]


@pytest.mark.parametrize("case", ["unknown", "of the same prefix", "revoked", "over", "empty", "odd"])
def test_keys_that_are_no_good_are_one_answer(world: World, case: str) -> None:
    text = world.acme.key
    rows = ApiKey.objects.filter(code=world.acme.key_code)
    if case == "unknown":
        text = "abcdefgh." + "x" * 32
    elif case == "of the same prefix":
        text = text[:-1] + ("a" if text[-1] != "a" else "b")
    elif case == "revoked":
        keys.revoke(rows.get(), by=actor(world.ana))
    elif case == "over":
        rows.update(expiry_date=timezone.now() - timedelta(seconds=1))
    else:
        text = "" if case == "empty" else "\xff\xfe.\x01"

    answer = program().get(ME, HTTP_AUTHORIZATION=f"Api-Key {text}")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Api-Key"
    assert answer.json() == {"code": "bad-key", "detail": "This API key is not valid."}


def test_a_key_with_networks_works_from_there_only(world: World) -> None:
    text = make_key(world.acme.account, Role.VIEWER, world.ana, networks=["198.51.100.0/24", "2001:db8::/32"])

    answers = {
        address: program(text, REMOTE_ADDR=address).get(ME).status_code
        for address in ("198.51.100.7", "::ffff:198.51.100.7", "2001:db8::5", "192.0.2.1", "")
    }

    assert answers == {
        "198.51.100.7": 200,
        "::ffff:198.51.100.7": 200,
        "2001:db8::5": 200,
        "192.0.2.1": 401,
        "": 401,
    }


def test_a_forwarded_address_counts_from_a_trusted_proxy_only(world: World, settings: Settings) -> None:
    text = make_key(world.acme.account, Role.VIEWER, world.ana, networks=["198.51.100.0/24"])
    forwarded = {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}

    before = program(text, REMOTE_ADDR="192.0.2.1").get(ME, **forwarded)
    settings.TRUSTED_PROXIES = ["192.0.2.0/24"]
    after = program(text, REMOTE_ADDR="192.0.2.1").get(ME, **forwarded)

    assert (before.status_code, after.status_code) == (401, 200)
    assert after.json()["address"] == "198.51.100.7"


def test_the_last_use_is_written_at_most_once_a_minute(world: World) -> None:
    row = ApiKey.objects.get(code=world.acme.key_code)
    start = timezone.now()

    seen = []
    for seconds in (0, 30, 59, 60):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            program(world.acme.key).get(ME)
        row.refresh_from_db()
        seen.append(round((row.last_used_at - start).total_seconds()))

    assert seen == [0, 0, 0, 60]


def test_a_key_is_shown_once_and_kept_as_a_hash(world: World) -> None:
    body = {"account": "acme", "name": "Switch", "role": "viewer", "networks": ["192.0.2.0/24"]}

    made = program(world.acme.key).post("/api/v1/api-keys/", body)

    assert made.status_code == 201, made.json()
    text = made.json()["key"]
    row = ApiKey.objects.get(code=made.json()["code"])
    assert program(text, REMOTE_ADDR="192.0.2.9").get(ME).json()["roles"] == [
        {"account": "acme", "role": "viewer"}
    ]
    assert text.partition(".")[2] not in f"{row.id} {row.hashed_key}"
    listed = program(world.acme.key).get("/api/v1/api-keys/")
    assert text not in listed.content.decode()
    assert row.name in [entry["name"] for entry in listed.json()["results"]]


def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    text = make_key(world.acme.account, Role.VIEWER, world.ana)
    code = ApiKey.objects.get(prefix=text.partition(".")[0]).code

    answer = program(world.acme.key).delete(f"/api/v1/api-keys/{code}/")

    assert answer.status_code == 204
    assert program(text).get(ME).status_code == 401
    assert AuditEntry.objects.filter(verb="api-key.revoked", target_code=str(code)).count() == 1


@pytest.mark.parametrize(
    ("case", "role", "error"),
    [
        ("above one's own rank", Role.RESELLER, Forbidden),
        ("support", Role.SUPPORT, Forbidden),
        ("an end user, who would see nothing", Role.USER, Invalid),
    ],
)
def test_a_manager_makes_no_key_of_these_roles(
    world: World, case: str, role: Role, error: type[Exception]
) -> None:
    before = ApiKey.objects.count()

    with pytest.raises(error):
        make_key(world.acme.account, role, world.ana)

    assert ApiKey.objects.count() == before


def test_a_viewer_makes_and_revokes_no_key(world: World) -> None:
    viewer = program(make_key(world.acme.account, Role.VIEWER, world.ana))

    made = viewer.post("/api/v1/api-keys/", {"account": "acme", "name": "Mine", "role": "viewer"})
    ended = viewer.delete(f"/api/v1/api-keys/{world.acme.key_code}/")

    assert (made.status_code, ended.status_code) == (403, 403)
    assert program(world.acme.key).get(ME).status_code == 200


def test_the_command_prints_the_key_alone(world: World) -> None:
    code, out, err = run("--account", "acme", "--role", "manager")

    assert code == 0
    assert out.count("\n") == 1
    assert program(out.strip()).get(ME).json()["roles"] == [{"account": "acme", "role": "manager"}]
    assert out.strip() not in err


@pytest.mark.parametrize(
    ("case", "account", "role", "words"),
    [
        ("no such account", "nowhere", "manager", "There is no account with the slug 'nowhere'."),
        ("no such role", "acme", "king", "There is no role 'king' for a key"),
        (
            "a role that is at home elsewhere",
            "acme",
            "support",
            "A customer has nobody with the role support.",
        ),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    world: World, case: str, account: str, role: str, words: str
) -> None:
    before = ApiKey.objects.count()

    code, out, err = run("--account", account, "--role", role)

    assert (code, out) == (1, "")
    assert words in err
    assert err.strip().count("\n") == 0
    assert ApiKey.objects.count() == before
