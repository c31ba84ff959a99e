"""What is said of each row of a list of phones before anything is done, and that it comes true."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices import profiles
from devices.appearances import KeyRow
from devices.models import Device
from devices.phone import KeyKind
from provisioning import entering, ledger, policies
from provisioning.models import Lock, MacRecord
from provisioning.phone_import import look, preview
from provisioning.phone_import_rows import What
from provisioning.phone_import_table import read_dicts
from tests.factories import claimed, make_mac, make_phone
from tests.provisioning.phone_lists import brought_in, one, seen

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

DAY = timedelta(days=1)
SECRET = "planted-sip-secret-9Qw"


# --- what is said ------------------------------------------------------------------------------------------


def test_a_good_row_says_which_phone_it_is_and_how_it_will_be_locked(acme: Account, ana: Actor) -> None:
    before = (Device.objects.count(), Lock.objects.count())

    verdict = one(acme, ana, mac="00:00:5E:00:53:77", model="yealink sip-t46u", name=" Desk ")

    assert (verdict.what, verdict.mac, verdict.name, verdict.make) == (
        What.ADD, "00005e005377", "Desk", "Yealink T46U",
    )  # fmt: skip
    said = "The first request within 7 days is let in, from anywhere, then it locks."
    assert (verdict.forecast, verdict.forecast_rule, verdict.notes) == (said, "R1", ())
    assert (Device.objects.count(), Lock.objects.count()) == before


@pytest.mark.parametrize(
    ("cells", "field", "words"),
    [
        ({"mac": ""}, "mac", "The MAC is missing."),
        ({"mac": "00:00:5E:00:53"}, "mac", "this has 10"),
        ({"model": ""}, "model", "The model is missing."),
        ({"model": "T46X", "vendor": "Yealink"}, "model", "Yealink has no model 'T46X'. Did you mean T46U"),
        ({"model": "T46UU"}, "model", "There is no model T46UU. Did you mean Yealink T46U"),
        ({"model": "Rotary 1910"}, "model", "There is no model Rotary 1910."),
        ({"vendor": "Bakelite"}, "vendor", "There is no maker Bakelite here. Known are "),
        ({"site": "Mars"}, "site", "There is no site Mars in this account."),
        ({"owner": "nobody@example.org"}, "owner", "There is no person nobody@example.org in this account."),
        ({"owner": "eve@example.org"}, "owner", "There is no person eve@example.org in this account."),
        ({"profile": "Desks"}, "profile", "There is no profile Desks for this account."),
        ({"extension": "201"}, "extension", "There is no extension 201. Give its SIP secret"),
        ({"extension": "20 1", "secret": SECRET}, "extension", "no blanks"),
        ({"extension": "201", "secret": " blank"}, "secret", "lose blanks"),
        ({"secret": SECRET}, "extension", "no extension"),
        ({"name": "x" * 121}, "name", "121 characters"),
        ({"name": "a\u2028b"}, "name", "U+2028"),
        ({"name": "%NULL%", "extension": "201", "secret": SECRET}, "name", "take this text as a reset"),
        ({"extension": "201", "secret": "%NULL%"}, "secret", "take this text as a reset"),
        ({"ship_on": "12/01/2026"}, "ship_on", "Write the day as"),
        ({"ship_on": "2026-02-31"}, "ship_on", "no such day"),
        ({"ship_on": "2001-01-01"}, "ship_on", "passed"),
        ({"ship_on": "2099-01-01"}, "ship_on", "At most 60 days"),
    ],
)
def test_a_bad_row_names_its_field_and_says_why(
    cells: dict[str, str], field: str, words: str, acme: Account, ana: Actor
) -> None:
    verdict = one(acme, ana, **cells)

    assert (verdict.what, verdict.field) == (What.REFUSED, field)
    assert words in verdict.sentence
    assert (verdict.forecast, verdict.wanted) == ("", None)


def test_a_maker_is_found_by_its_model_and_asked_for_where_two_have_it(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devices.catalog import catalog

    poly = catalog().families["poly"]
    assert one(acme, ana, model="VVX 250").make.startswith("Poly")
    monkeypatch.setitem(poly.spellings, "t46u", next(iter(poly.models)))

    verdict = one(acme, ana)

    assert (verdict.field, "Name one in the column Vendor" in verdict.sentence) == ("vendor", True)
    assert one(acme, ana, vendor="yealink").what is What.ADD


def test_the_forecast_follows_the_accounts_policy(acme: Account, ana: Actor) -> None:
    policies.set_value(account=acme, name="first_fetch", value="approval", by=ana)
    assert "waits for your approval" in one(acme, ana).forecast
    policies.set_value(account=acme, name="first_fetch", value="sites", by=ana)
    policies.set_value(account=acme, name="fresh_ttl", value=36, by=ana)
    assert "from one of your sites within 36 hours" in one(acme, ana).forecast


@pytest.mark.rule("E11")
def test_a_phone_that_ships_later_says_its_day(acme: Account, ana: Actor) -> None:
    day = timezone.now().date() + 10 * DAY

    for text in (day.isoformat(), f"{day.day}.{day.month}.{day.year}"):
        verdict = one(acme, ana, ship_on=text)

        assert verdict.wanted is not None
        assert verdict.wanted.ship_on == day
        assert f"{day.day} {day:%b} {day.year}: until that day it gets nothing. The first" in verdict.forecast
        assert verdict.forecast_rule == "E11"


@pytest.mark.rule("E9")
@pytest.mark.parametrize(
    ("left", "words", "state"),
    [
        ({"claimed": True}, "Arrives locked: it was registered before.", "locked"),
        ({"claimed": True, "quarantined": True}, "Arrives quarantined", "quarantined"),
        ({"suspicion_until": True}, "Others have tried to get its file", "new"),
    ],
)
def test_what_the_ledger_remembers_is_foretold_and_comes_true(
    left: dict[str, Any], words: str, state: str, acme: Account, ana: Actor, globex: Account
) -> None:
    mac = make_mac()
    if "suspicion_until" in left:
        left = {"suspicion_until": timezone.now() + DAY}
    MacRecord.objects.create(mac_hash=ledger._hash(mac), account_code=globex.code, **left)

    verdict = one(acme, ana, mac=mac)
    brought_in(acme, ana, {"mac": mac, "model": "T46U"})

    assert words in verdict.forecast
    assert Lock.objects.get(device__mac=mac).state == state


@pytest.mark.rule("E9")
def test_a_phone_that_was_here_goes_back_to_where_it_stood(acme: Account, ana: Actor) -> None:
    phone = make_phone(acme, by=ana)
    Lock.objects.filter(pk=phone.pk).update(
        last_claim_at=timezone.now(), bound_first="0" * 32, bound_last="0" * 32
    )
    entering.remove(phone, by=ana)

    assert "locked to where it stood before" in one(acme, ana, mac=phone.mac).forecast


@pytest.mark.rule("E10")
def test_anothers_mac_is_refused_in_the_words_for_one_phone(
    acme: Account, ana: Actor, globex: Account, eve: Actor
) -> None:
    theirs = make_phone(globex, by=eve, name="Secret desk")
    old = make_phone(globex, by=eve)
    Device.objects.filter(pk=old.pk).update(created_at=timezone.now() - 31 * DAY)
    Lock.objects.filter(pk=old.pk).update(armed_at=timezone.now() - 31 * DAY)

    verdict = one(acme, ana, mac=theirs.mac)

    assert (verdict.what, verdict.field, verdict.rule) == (What.REFUSED, "mac", "E10")
    assert verdict.sentence == entering.ELSEWHERE
    assert one(acme, ana, mac=old.mac).what is What.ADD, "it was never used, so it yields"
    assert Device.objects.filter(pk=old.pk).exists()
    claimed(old)
    Lock.objects.filter(pk=old.pk).update(last_claim_at=timezone.now())
    assert one(acme, ana, mac=old.mac).rule == "E10"


def test_a_phone_that_is_here_is_skipped_and_stays_as_it_is(acme: Account, ana: Actor) -> None:
    phone = make_phone(acme, by=ana, name="Desk")

    verdict = one(acme, ana, mac=phone.mac, model="no such model", name="Renamed")

    assert (verdict.what, verdict.device, verdict.field) == (What.HERE, phone, "")


def test_rows_of_one_list_know_each_other(acme: Account, ana: Actor) -> None:
    mac, other, third = make_mac(), make_mac(), make_mac()
    rows = [
        {"mac": mac, "model": "T46U", "extension": "201", "secret": SECRET},
        {"mac": mac.upper(), "model": "T46U"},
        {"mac": other, "model": "T46U", "extension": "201"},
        {"mac": third, "model": "T46U", "extension": "201", "secret": "another"},
    ]

    found = {verdict.line: verdict for verdict in seen(acme, ana, *rows).verdicts}

    assert found[1].notes == ("Extension 201 is made.",)
    assert (found[2].field, found[2].sentence) == ("mac", "This MAC stands in line 1 already.")
    assert found[3].notes == ("Extension 201 becomes a shared line: 1 other phone shows it.",)
    assert found[4].notes == (
        "Extension 201 is made by line 1, with the secret that stands there.",
        "Extension 201 is a shared line: 2 other phones show it.",
    )


def test_a_profile_that_does_not_fit_is_said(acme: Account, ana: Actor, eve: Actor, globex: Account) -> None:
    far = [KeyRow(29, KeyKind.SPEED_DIAL, "112")]
    profiles.create(acme, by=ana, name="Many keys", family="yealink", keys=far)
    profiles.create(acme, by=ana, name="Poly desks", family="poly")
    profiles.create(globex, by=eve, name="Theirs", family="yealink")

    assert one(acme, ana, profile="many KEYS").what is What.ADD
    assert "Key 29" in one(acme, ana, profile="Many keys", model="T31P").sentence
    assert one(acme, ana, profile="Poly desks").sentence == "The profile Poly desks is not for this model."
    assert one(acme, ana, profile="Theirs").sentence == "There is no profile Theirs for this account."


def test_what_cannot_be_added_comes_first(acme: Account, ana: Actor) -> None:
    here = make_phone(acme, by=ana)
    good = {"mac": make_mac(), "model": "T46U"}

    found = seen(acme, ana, good, {"mac": here.mac, "model": "T46U"}, {"mac": "1"})

    assert [(v.line, v.what) for v in found.verdicts] == [(3, "refused"), (2, "here"), (1, "add")]
    assert (found.counts[What.ADD], found.counts[What.HERE], found.counts[What.REFUSED]) == (1, 1, 1)


def test_a_preview_costs_the_same_whatever_its_length(acme: Account, ana: Actor) -> None:
    def queries(count: int) -> int:
        rows = [
            {
                "mac": make_mac(),
                "model": "T46U",
                "extension": str(at),
                "secret": SECRET,
                "owner": "ben@example.org",
            }
            for at in range(count)
        ]
        draft = look(acme, read_dicts(rows), by=ana)
        with CaptureQueriesContext(connection) as found:
            assert preview(draft, by=ana).counts[What.ADD] == count
        return len(found)

    assert queries(2) == queries(200) <= 20
