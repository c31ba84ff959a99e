"""Taking back, clones, release, retiring, swapping, moving and new secrets, as programs call them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.roles import Role
from devices import extensions
from devices.models import Device, Extension
from provisioning import locking, taking_back
from provisioning.models import Claim, Denial, DeviceEvent, Lock, Outbox, Token
from tests.provisioning.making import HOME, THIEF
from tests.provisioning.stolen import Stolen, poll, real_phone, steal
from tests.world import World, actor, make_key, program

DEVICES, EXTENSIONS = "/api/v1/devices/", "/api/v1/extensions/"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DRAWN = 24


@pytest.fixture
def stolen(world: World) -> Stolen:
    """A phone of Acme, its real token (a former one now) and the thief's."""
    now = timezone.now()
    phone, real = real_phone(world.acme.account, at=now - 10 * DAY)
    thief = steal(phone, at=now - DAY)
    real.refresh_from_db()
    return phone, real, thief


@pytest.fixture
def suspected(stolen: Stolen) -> Stolen:
    """The real phone polled by its former token since."""
    phone, real, _ = stolen
    poll(phone, real, at=timezone.now() - HOUR)
    return stolen


@pytest.fixture
def ana(world: World) -> Any:
    return program(world.acme.key)


@pytest.fixture
def rita(world: World) -> Any:
    return program(make_key(world.harbour, Role.RESELLER, world.rita))


def call(client: Any, device: Device, verb: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"{DEVICES}{device.code}/{verb}/", body or {})


def everything() -> tuple[Any, ...]:
    """What a refusal must leave as it was."""
    rows = [
        list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (Device, Lock, Claim, Token, Denial, Extension, Outbox)
    ]
    return rows, DeviceEvent.objects.count(), AuditEntry.objects.count()


def is_refused(answer: Any, before: tuple[Any, ...], code: str, rule: str, field: str | None = None) -> None:
    said = answer.json()
    assert answer.status_code == 409, said
    assert (said["code"], said["rule"], said.get("field")) == (code, rule, field)
    assert everything() == before


def is_bad(answer: Any, before: tuple[Any, ...], field: str) -> None:
    said = answer.json()
    assert (answer.status_code, said["errors"][0]["attr"]) == (400, field), said
    assert everything() == before


# --- take back ---------------------------------------------------------------------------------------------


@pytest.mark.rule("E16")
def test_the_claims_are_listed_newest_first_with_the_one_offered(ana: Any, stolen: Stolen) -> None:
    phone, _, thief = stolen

    answer = ana.get(f"{DEVICES}{phone.code}/claims/").json()

    assert answer["count"] == 2
    last, first = answer["results"]
    assert last["code"] == str(thief.claim.code)  # type: ignore[union-attr]
    assert (last["rule"], last["address"], last["offered"], last["undone_at"]) == ("R7", THIEF, True, None)
    assert last["agent"].startswith("Yealink SIP-T46S")
    assert (first["rule"], first["address"], first["offered"]) == ("R1", HOME, False)


@pytest.mark.rule("E16")
def test_the_offered_claim_is_taken_back(ana: Any, stolen: Stolen) -> None:
    phone, real, thief = stolen

    answer = call(ana, phone, "take-back")

    assert answer.status_code == 200, answer.json()
    assert (answer.json()["state"], answer.json()["bound_origin"]) == ("locked", HOME)
    assert Token.objects.get(device=phone, kind="current").pk == real.pk
    assert Token.objects.get(pk=thief.pk).kind == "dead"
    rows = ana.get(f"{DEVICES}{phone.code}/claims/").json()["results"]
    assert [row["undone_at"] is None for row in rows] == [False, True]
    assert [row["offered"] for row in rows] == [False, True]


@pytest.mark.rule("E16")
def test_a_claim_is_named_and_all_later_ones_go_with_it(ana: Any, stolen: Stolen) -> None:
    phone, real, _ = stolen

    answer = call(ana, phone, "take-back", {"claim": str(real.claim.code)})  # type: ignore[union-attr]

    assert (answer.json()["state"], answer.json()["bound_origin"]) == ("locked", None)
    assert set(Token.objects.filter(device=phone).values_list("kind", flat=True)) == {"dead"}
    before = everything()
    is_refused(call(ana, phone, "take-back"), before, "none", "E16")


@pytest.mark.rule("E16")
def test_a_claim_that_is_none_of_this_phones_takes_nothing_back(
    ana: Any, world: World, stolen: Stolen
) -> None:
    other = taking_back.offered(world.acme.phone)
    assert other is not None
    before = everything()

    for wrong in (str(other.code), "6b3a2f0e-0000-4000-8000-000000000000"):
        answer = call(ana, stolen[0], "take-back", {"claim": wrong})
        is_bad(answer, before, "claim")
    is_bad(call(ana, stolen[0], "take-back", {"claim": "the last"}), before, "claim")


# --- a suspected clone -------------------------------------------------------------------------------------


@pytest.mark.rule("T3")
def test_a_suspected_clone_stands_in_the_lock(ana: Any, suspected: Stolen) -> None:
    phone, real, _ = suspected
    real.refresh_from_db()
    assert real.clone_since is not None

    lock = ana.get(f"{DEVICES}{phone.code}/").json()["lock"]
    others = [row["lock"]["clone"] for row in ana.get(DEVICES).json()["results"]]

    assert lock["clone"]["address"] == HOME
    assert lock["clone"]["since"].endswith("Z")
    assert lock["next"].startswith("Say which of the two is the real phone.")
    assert (lock["suspicion"], lock["suspicion_why"]) == (True, "clone")
    assert [clone for clone in others if clone] == [lock["clone"]]


@pytest.mark.rule("T3")
@pytest.mark.parametrize(
    ("decision", "bound", "current"),
    [("take-back", HOME, "real"), ("moved", THIEF, "thief"), ("secrets", THIEF, "thief")],
)
def test_a_suspected_clone_is_answered_once(
    decision: str, bound: str, current: str, ana: Any, suspected: Stolen
) -> None:
    phone, real, thief = suspected
    secret = Extension.objects.get(appearances__device=phone).secret

    answer = call(ana, phone, "clone", {"decision": decision})

    assert answer.status_code == 200, answer.json()
    assert (answer.json()["clone"], answer.json()["bound_origin"]) == (None, bound)
    holder = {"real": real, "thief": thief}[current]
    assert Token.objects.get(device=phone, kind="current").pk == holder.pk
    changed = bytes(Extension.objects.get(appearances__device=phone).secret) != bytes(secret)
    assert changed is (decision == "secrets")
    before = everything()
    is_refused(call(ana, phone, "clone", {"decision": decision}), before, "answered", "T3")


@pytest.mark.rule("T3")
def test_an_answer_is_one_of_three(ana: Any, suspected: Stolen) -> None:
    before = everything()

    for body in ({}, {"decision": "perhaps"}):
        is_bad(call(ana, suspected[0], "clone", body), before, "decision")


# --- quarantine, release -----------------------------------------------------------------------------------


@pytest.mark.rule("E8", "E8q")
def test_a_quarantine_is_lifted_by_the_reseller_alone(ana: Any, rita: Any, world: World) -> None:
    phone = world.acme.phone
    shut = call(ana, phone, "quarantine", {"reason": "Stolen"})
    assert (shut.status_code, shut.json()["state"]) == (200, "quarantined")
    before = everything()

    refused = call(ana, phone, "release", {"reason": "Found"})
    assert (refused.status_code, everything()) == (403, before)
    released = call(rita, phone, "release", {"reason": "Found"})

    assert released.status_code == 200, released.json()
    assert (released.json()["state"], released.json()["bound_origin"]) == ("locked", world.acme.site.name)
    entry = AuditEntry.objects.get(verb="device.released")
    assert (entry.details["reason"], entry.account) == ("Found", world.acme.account)


@pytest.mark.rule("E8")
def test_a_release_may_unlock_for_one_address(rita: Any, world: World) -> None:
    phone = world.acme.phone
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")

    answer = call(rita, phone, "release", {"reason": "Found", "for": {"hours": 3}, "origin": THIEF})

    assert (answer.status_code, answer.json()["state"]) == (200, "unlocked")
    lock = Lock.objects.get(pk=phone.pk)
    assert str(lock.grant_origin) == THIEF
    assert lock.grant_until - lock.grant_given_at == 3 * HOUR  # type: ignore[operator]


@pytest.mark.rule("E8", "E8q")
def test_a_reason_is_needed_on_both_ways(ana: Any, rita: Any, world: World) -> None:
    phone = world.acme.phone
    before = everything()
    is_bad(call(ana, phone, "quarantine"), before, "reason")
    is_refused(call(rita, phone, "release", {"reason": "Found"}), before, "nothing-to-lift", "E8")
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")
    before = everything()

    is_bad(call(rita, phone, "release"), before, "reason")
    is_bad(call(rita, phone, "release", {"reason": "Found", "origin": THIEF}), before, "for")


# --- retire, swap, move ------------------------------------------------------------------------------------


@pytest.mark.rule("E19")
def test_a_phone_is_retired_and_armed_again(ana: Any, world: World) -> None:
    phone = world.acme.phone

    retired = call(ana, phone, "retire")

    assert (retired.status_code, retired.json()["state"]) == (200, "retired")
    before = everything()
    is_refused(call(ana, phone, "unlock", {"for": "24h"}), before, "retired", "E19")
    assert call(ana, phone, "rearm").json()["state"] == "new"


@pytest.mark.rule("E12")
def test_hardware_is_swapped_in_any_spelling_of_its_mac(ana: Any, world: World) -> None:
    phone = world.acme.phone

    answer = call(ana, phone, "swap", {"mac": "0000-5E00-53F7", "model": "SIP-T46U"})

    assert answer.status_code == 200, answer.json()
    assert [answer.json()[name] for name in ("code", "mac", "model")] == [
        str(phone.code),
        "00005e0053f7",
        "T46U",
    ]
    assert (answer.json()["lock"]["state"], answer.json()["owner"]) == ("new", "ben@acme.example")
    assert len(ana.get(f"{DEVICES}{phone.code}/appearances/").json()) == 1
    assert not Device.objects.filter(mac=phone.mac).exists()


@pytest.mark.rule("E12", "E10")
def test_hardware_that_cannot_be_taken_swaps_nothing(ana: Any, world: World) -> None:
    phone, before = world.acme.phone, everything()

    def refused(body: dict[str, str], code: str, rule: str) -> None:
        said = call(ana, phone, "swap", body)
        assert said.status_code == 409, said.json()
        assert (said.json()["code"], said.json()["rule"], said.json()["field"]) == (code, rule, "mac")
        assert everything()[0] == before[0]

    refused({"mac": world.globex.phone.mac}, "active-elsewhere", "E10")
    refused({"mac": phone.mac}, "same-mac", "E12")
    before = everything()
    is_bad(call(ana, phone, "swap", {"mac": "00005e"}), before, "mac")
    is_bad(call(ana, phone, "swap"), before, "mac")
    is_bad(call(ana, phone, "swap", {"mac": "00005e0053f7", "model": "T4600"}), before, "model")


@pytest.mark.rule("E17")
def test_a_phone_moves_and_its_old_account_sees_it_no_more(ana: Any, rita: Any, world: World) -> None:
    phone = world.acme.phone
    eve = program(world.globex.key)
    assert eve.get(f"{DEVICES}{phone.code}/").status_code == 404

    moved = call(rita, phone, "move", {"account": "globex", "name": "Lift"})

    assert moved.status_code == 200, moved.json()
    assert [moved.json()[name] for name in ("account", "name", "owner", "site")] == [
        "globex",
        "Lift",
        None,
        None,
    ]
    assert (moved.json()["lock"]["state"], moved.json()["lock"]["reason"]) == ("locked", "moved")
    assert ana.get(f"{DEVICES}{phone.code}/").status_code == 404
    assert eve.get(f"{DEVICES}{phone.code}/appearances/").json() == []
    events = eve.get(f"{DEVICES}{phone.code}/events/").json()["results"]
    assert [event["what"] for event in events] == ["moved-here"]
    assert eve.get(f"{DEVICES}{phone.code}/claims/").json()["results"] == []


@pytest.mark.rule("E17", "E8q")
def test_a_move_that_cannot_be_moves_nothing(ana: Any, rita: Any, world: World) -> None:
    phone, before = world.acme.phone, everything()

    assert call(ana, phone, "move", {"account": "acme"}).status_code == 403
    is_refused(call(rita, phone, "move", {"account": "acme"}), before, "already-there", "E17", "account")
    is_bad(call(rita, phone, "move", {"account": "nowhere"}), before, "account")
    is_bad(call(rita, phone, "move", {"account": "platform"}), before, "account")
    is_bad(call(rita, phone, "move"), before, "account")
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")
    before = everything()
    is_refused(call(rita, phone, "move", {"account": "globex"}), before, "quarantined", "E8q")


# --- secrets -----------------------------------------------------------------------------------------------


def secret_of(world: World) -> str:
    return extensions.secret_of(Extension.objects.get(pk=world.acme.extension.pk))


@pytest.mark.rule("E15")
def test_a_new_secret_is_drawn_and_never_shown(ana: Any, world: World) -> None:
    row = f"{EXTENSIONS}{world.acme.extension.code}/"
    marked = ana.post(f"{row}expose/", {"why": "Read over the phone"})
    assert marked.status_code == 200, marked.json()
    assert marked.json()["exposed_why"] == "Read over the phone"
    assert marked.json()["exposed_since"] is not None
    known = ana.get(EXTENSIONS, {"exposed": "true"}).json()["results"]
    assert [found["code"] for found in known] == [str(world.acme.extension.code)]

    answer = ana.post(f"{row}new-secret/", {})

    assert answer.status_code == 200, answer.json()
    drawn = secret_of(world)
    assert (drawn != world.acme.secret, len(drawn)) == (True, DRAWN)
    for said in (answer, ana.get(row), ana.get(EXTENSIONS)):
        assert drawn not in said.content.decode()
        assert "secret" not in said.json()
    assert (answer.json()["exposed_since"], answer.json()["exposed_why"]) == (None, "")
    assert ana.get(EXTENSIONS, {"exposed": "true"}).json()["results"] == []
    assert AuditEntry.objects.filter(verb="extension.secret_changed").count() == 1


@pytest.mark.rule("E15")
def test_a_secret_that_is_given_is_taken_as_it_is(ana: Any, world: World) -> None:
    path = f"{EXTENSIONS}{world.acme.extension.code}/new-secret/"

    answer = ana.post(path, {"secret": "Known-to-the-switch-1"})

    assert (answer.status_code, secret_of(world)) == (200, "Known-to-the-switch-1")
    assert "Known-to-the-switch-1" not in answer.content.decode()
    before = everything()
    is_refused(
        ana.post(path, {"secret": "Known-to-the-switch-1"}), before, "same-secret", "E15", field="secret"
    )
    is_bad(ana.post(path, {"secret": ""}), before, "secret")
    is_bad(ana.post(path, {"secret": " padded "}), before, "secret")
