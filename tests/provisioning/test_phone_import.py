"""A list of phones: what becomes of each row is said first, and done then, row by row, by the same judge."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import appearances, extensions, profiles
from devices.appearances import KeyRow
from devices.models import Appearance, Device, Extension
from devices.phone import KeyKind
from provisioning import entering, phone_import, tasks
from provisioning.gate import State
from provisioning.models import ImportDraft, Job, JobItem, Lock
from provisioning.phone_import import look, preview, run, start
from provisioning.phone_import_rows import What
from provisioning.phone_import_table import read, read_dicts, sample
from tests.factories import make_mac, make_phone, make_site
from tests.provisioning.phone_lists import brought_in, one
from tests.tree import user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

DAY = timedelta(days=1)
SECRET = "planted-sip-secret-9Qw"


# --- who may look ------------------------------------------------------------------------------------------


def test_only_who_may_edit_the_phones_looks(
    acme: Account, ana: Actor, vic: Actor, ben: Actor, eve: Actor, rita: Actor
) -> None:
    table = read_dicts([{"mac": make_mac(), "model": "T46U"}])
    for actor in (vic, ben, eve):
        with pytest.raises(Forbidden):
            look(acme, table, by=actor)
    assert not ImportDraft.objects.exists()

    draft = look(acme, table, by=ana)

    for actor in (vic, ben, eve):
        assert not phone_import.drafts(actor).exists()
        for verb in (preview, start):
            with pytest.raises(Forbidden):
                verb(draft, by=actor)
    assert [list(phone_import.drafts(actor)) for actor in (ana, rita)] == [[draft], [draft]]
    assert not Job.objects.exists()
    ImportDraft.objects.update(created_at=timezone.now() - DAY)
    assert not phone_import.drafts(ana).exists()


def test_a_secret_lies_sealed_until_it_is_used(acme: Account, ana: Actor) -> None:
    def everything() -> str:
        models = (ImportDraft, Job, JobItem, AuditEntry)
        return str([list(model.objects.values()) for model in models])

    row = {"mac": make_mac(), "model": "T46U", "extension": "201", "secret": SECRET, "name": "Desk"}
    draft = look(acme, read_dicts([row, {**row, "mac": "bad"}]), by=ana)
    assert SECRET not in everything()

    job = start(draft, by=ana)
    assert SECRET not in everything()
    run(job.pk)

    assert SECRET not in everything()
    assert job.items.get().details == {"line": 1}
    assert ImportDraft.objects.get().rows[0]["secret"] == ""
    assert extensions.secret_of(Extension.objects.get()) == SECRET


def test_a_secret_that_no_key_opens_is_one_bad_row(acme: Account, ana: Actor) -> None:
    row = {"mac": make_mac(), "model": "T46U", "extension": "201", "secret": SECRET}
    draft = look(acme, read_dicts([row]), by=ana)
    draft.rows[0]["secret"] = "AAAA"
    draft.save()

    [verdict] = preview(draft, by=ana).verdicts

    assert (verdict.what, verdict.field) == (What.REFUSED, "secret")
    with pytest.raises(Invalid, match="No phone of this list"):
        start(draft, by=ana)


# --- E10's count -------------------------------------------------------------------------------------------


@pytest.mark.rule("E10")
def test_many_macs_of_others_alert_support_once_a_list_and_not_at_each_look(
    acme: Account, ana: Actor, globex: Account, eve: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("provisioning.publishing.tell_later", lambda *args: asked.append(args))
    theirs = [make_phone(globex, by=eve) for _ in range(9)]
    rows = [{"mac": phone.mac, "model": "T46U"} for phone in theirs]

    draft = look(acme, read_dicts(rows[:3]), by=ana)
    for _ in range(4):
        preview(draft, by=ana)
    look(acme, read_dicts(rows[:3]), by=ana)

    assert (entering.refused_lately(acme, timezone.now()).count(), asked) == (3, [])
    look(acme, read_dicts(rows), by=ana)
    assert entering.refused_lately(acme, timezone.now()).count() == 9
    assert set(asked) == {("refused-macs", acme.pk, ana.label)}


# --- what is done ------------------------------------------------------------------------------------------


def test_a_row_is_done_whole(acme: Account, ana: Actor, ben: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_site(acme, by=ana, name="Yard")
    profile = profiles.create(
        acme, by=ana, name="Desks", family="yealink", keys=[KeyRow(3, KeyKind.BLF, "207", "Carla")]
    )
    row = {
        "mac": make_mac(), "model": "T46U", "name": "Desk", "site": "yard", "owner": "Ben@example.org",
        "extension": "201", "secret": SECRET, "display_name": "Ben Hall", "auth_name": "auth201",
        "profile": "desks", "notes": "By the\nwindow", "ship_on": str((timezone.now() + 3 * DAY).date()),
    }  # fmt: skip

    job = brought_in(acme, ana, row)

    assert (job.total, job.done, job.skipped, job.kind) == (1, 1, 0, "import")
    assert job.finished_at is not None
    device = Device.objects.get(mac=row["mac"])
    assert (device.name, device.site, device.owner, device.profile) == ("Desk", site, user_of(ben), profile)
    assert (device.notes, device.account) == ("By the\nwindow", acme)
    shown = device.appearances.get()
    extension = shown.extension
    assert (shown.position, extension.username, extension.display_name, extension.auth_name) == (
        1, "201", "Ben Hall", "auth201",
    )  # fmt: skip
    assert extensions.secret_of(extension) == SECRET
    lock = Lock.objects.get(pk=device.pk)
    assert (lock.state, lock.armed_at > timezone.now()) == (State.NEW.value, True)
    item = job.items.get()
    assert (item.device, item.result, item.why) == (device, "done", "")
    verbs = set(AuditEntry.objects.filter(actor=ana.label).values_list("verb", flat=True))
    assert {"device.entered", "extension.created", "job.started", "job.finished"} <= verbs


def test_extensions_are_made_only_when_that_was_chosen(acme: Account, ana: Actor) -> None:
    rows = [{"mac": make_mac(), "model": "T46U", "extension": "201"} for _ in range(2)]

    with pytest.raises(Invalid):
        brought_in(acme, ana, *rows)
    assert not Extension.objects.exists()
    job = brought_in(acme, ana, *rows, make_extensions=True)

    assert job.done == 2
    assert len(extensions.secret_of(Extension.objects.get(username="201"))) == 24
    assert Appearance.objects.filter(extension__username="201").count() == 2


def test_an_extension_that_is_there_keeps_its_secret(acme: Account, ana: Actor) -> None:
    extensions.create(acme, by=ana, username="201", secret="the-first-one", display_name="First")

    verdict = one(acme, ana, extension="201", secret=SECRET, display_name="Second")
    brought_in(acme, ana, {"mac": make_mac(), "model": "T46U", "extension": "201", "secret": SECRET})

    assert verdict.notes == ("Extension 201 is there already: it keeps its secret and its name.",)
    extension = Extension.objects.get()
    assert (extensions.secret_of(extension), extension.display_name) == ("the-first-one", "First")


def test_only_what_can_be_added_is_in_the_job_and_the_rest_can_be_read_afterwards(
    acme: Account, ana: Actor
) -> None:
    here = make_phone(acme, by=ana)
    rows = [
        {"mac": make_mac(), "model": "T46U", "name": "Good"},
        {"mac": "12", "model": "T46U", "name": "=1+1", "secret": SECRET, "extension": "9"},
        {"mac": here.mac, "model": "T46U"},
    ]
    draft = look(acme, read_dicts(rows), by=ana, file_name="list.csv")
    before = phone_import.bad_rows(draft, by=ana)

    job = start(draft, by=ana)
    run(job.pk)

    assert [item.name for item in job.items.all()] == ["Good"]
    draft = phone_import.drafts(ana).get()
    assert phone_import.bad_rows(draft, by=ana) == before
    text = before.decode("utf-8-sig")
    assert text.splitlines()[0] == "MAC;Model;Name;Extension;SIP secret;Line of the list;Why it was not added"
    assert "12;T46U;'=1+1;9;;2;\"A MAC address is twelve" in text
    assert SECRET not in text
    told = preview(draft, by=ana)
    assert (told.counts[What.ADD], told.counts[What.HERE], told.counts[What.REFUSED]) == (1, 1, 1)
    again = read(before)
    assert [row.get("name") for row in again.rows] == ["=1+1", ""]


def test_started_or_run_twice_it_is_done_once(acme: Account, ana: Actor) -> None:
    rows = [{"mac": make_mac(), "model": "T46U"} for _ in range(3)]
    draft = look(acme, read_dicts(rows), by=ana)

    first, second = start(draft, by=ana), start(draft, by=ana)
    for _ in range(2):
        tasks.run_job(first.pk)

    assert first == second
    job = Job.objects.get()
    assert (job.total, job.done, job.skipped) == (3, 3, 0)
    assert Device.objects.filter(account=acme).count() == 3


def test_killed_in_the_middle_it_goes_on_from_there(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"mac": make_mac(), "model": "T46U", "extension": str(at), "secret": SECRET} for at in range(3)]
    job = start(look(acme, read_dicts(rows), by=ana), by=ana)
    put, calls = appearances.put, []

    def dies(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return put(*args, **more)

    monkeypatch.setattr(appearances, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        run(job.pk)
    job.refresh_from_db()
    assert (job.done, job.skipped, job.finished_at) == (1, 0, None)
    assert (Device.objects.count(), Extension.objects.count()) == (1, 1)

    run(job.pk)

    job.refresh_from_db()
    assert (job.done, job.skipped, job.finished_at) == (3, 0, timezone.now())
    assert (Device.objects.count(), Extension.objects.count()) == (3, 3)


def test_what_changes_between_is_judged_again_and_changes_nothing(
    acme: Account, ana: Actor, globex: Account, eve: Actor
) -> None:
    site = make_site(acme, by=ana, name="Yard")
    taken, stays = make_mac(), make_mac()
    rows = [
        {"mac": taken, "model": "T46U"},
        {"mac": stays, "model": "T46U", "site": "Yard", "extension": "201", "secret": SECRET},
    ]
    job = start(look(acme, read_dicts(rows), by=ana), by=ana)
    make_phone(globex, by=eve, mac=taken)
    site.delete()

    run(job.pk)

    job.refresh_from_db()
    assert (job.done, job.skipped) == (0, 2)
    first, second = job.items.all()
    assert (first.result, first.rule, first.why) == ("skipped", "E10", entering.ELSEWHERE)
    assert (second.result, second.rule, second.why) == (
        "skipped", "", "There is no site Yard in this account.",
    )  # fmt: skip
    assert not acme.devices.exists()
    assert not Extension.objects.exists()
    assert entering.refused_lately(acme, timezone.now()).get().details["mac"] == taken


def test_one_row_that_meets_another_hand_stops_no_others(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"mac": make_mac(), "model": "T46U", "extension": str(at), "secret": SECRET} for at in range(2)]
    job = start(look(acme, read_dicts(rows), by=ana), by=ana)
    create = extensions.create

    def overtaken(*args: Any, username: str, **more: Any) -> Extension:
        if username == "0":
            raise IntegrityError("extension_once")
        return create(*args, username=username, **more)

    monkeypatch.setattr(extensions, "create", overtaken)

    run(job.pk)

    job.refresh_from_db()
    assert (job.done, job.skipped) == (1, 1)
    assert [device.mac for device in acme.devices.all()] == [rows[1]["mac"]]
    assert "Import this row again." in job.items.first().why  # type: ignore[union-attr]


def test_a_button_that_promised_another_number_does_nothing(acme: Account, ana: Actor) -> None:
    rows = [{"mac": make_mac(), "model": "T46U"} for _ in range(2)]
    draft = look(acme, read_dicts(rows), by=ana)
    make_phone(acme, by=ana, mac=rows[0]["mac"])

    with pytest.raises(Refusal, match="1 can be added now") as refusal:
        start(draft, by=ana, expected=2)

    assert refusal.value.code == "changed-meanwhile"
    assert not Job.objects.exists()
    assert start(draft, by=ana, expected=1).total == 1


# --- the table ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "heading",
    [
        "MAC;Model;Name;Site;Owner;Extension",
        "mac address,PHONE MODEL,Label,Location,Owner e-mail,SIP user",
        "MAC-Adresse\tModell\tBezeichnung\tStandort\tBesitzer\tNebenstelle",
    ],
)
def test_columns_are_known_by_several_names(heading: str) -> None:
    delimiter = next(mark for mark in ";,\t" if mark in heading)
    table = read(f"{heading}{delimiter}Asset no.\n{delimiter.join('abcdefg')}\n".encode())

    [row] = table.rows
    names = ("mac", "model", "name", "site", "owner", "extension")
    assert [row.get(name) for name in names] == list("abcdef")
    assert (row.line, table.ignored) == (2, ("Asset no.",))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Model;Name\nT46U;Desk\n", "no column \u201cMAC\u201d. It has: Model, Name."),
        (b"00:00:5E:00:53:01;T46U\n00:00:5E:00:53:02;T46U\n", "The first line is a phone already"),
        (b"MAC;Model\n", "no rows"),
        (b"MAC;Model;mac address\n1;2;3\n", "Two columns are the MAC."),
    ],
)
def test_a_table_that_is_no_list_of_phones_says_why(data: bytes, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(data)

    assert words in refusal.value.detail
    assert refusal.value.field == "table"


def test_the_sample_is_a_list_that_can_be_imported(acme: Account, ana: Actor) -> None:
    table = read(sample())

    assert (len(table.rows), table.ignored) == (2, ())
    found = preview(look(acme, table, by=ana, make_extensions=True), by=ana)
    assert [verdict.sentence for verdict in found.bad] == []


def test_a_day_is_a_day(acme: Account, ana: Actor) -> None:
    day: date = timezone.now().date() + 2 * DAY
    for text in (f"{day} 00:00:00", f"{day.day:02}. {day.month:02}. {day.year}"):
        assert one(acme, ana, ship_on=text).wanted.ship_on == day  # type: ignore[union-attr]
