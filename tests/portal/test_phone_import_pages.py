"""Import phones on pages: sent or pasted, looked at, the bad rows taken away, the good ones added."""

import io
import re

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import tenants
from accounts.roles import Role
from devices.models import Device
from provisioning import phone_import
from provisioning.models import ImportDraft, Job
from tests.portal.reading import said
from tests.world import World, actor, signed_in

GOOD = "00:00:5E:00:53:E1;T46S;Reception"
LIST = f"MAC;Model;Name;Asset\n{GOOD};1\n00:00:5E;T46S;Door;2\n00:00:5E:00:53:A1;T46S;;3\n"


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def send(client: Client, text: str, name: str = "list.csv", **more: str) -> str:
    """Send a list as a file; where its page is."""
    file = SimpleUploadedFile(name, text.encode())
    answer = client.post("/phones/import/", {"account": "acme", "file": file, **more})
    assert answer.status_code == 302, said(answer)
    return answer.headers["Location"]


def test_the_page_says_what_a_list_may_hold(world: World, ana: Client) -> None:
    page = said(ana.get("/phones/import/"))

    for words in (
        "MAC",
        "SIP secret",
        "Ships on",
        "At most 2 MB",
        "phones-of-acme.csv",
        "waits for your Yes",
    ):
        assert words in page
    assert "/phones/import/" in ana.get("/phones/").content.decode()
    sample = ana.get("/phones/import/sample/")
    assert sample.headers["Content-Disposition"] == 'attachment; filename="phones.csv"'
    assert sample.content.decode("utf-8-sig").startswith("MAC;Model;Vendor;Name;")


def test_a_list_is_looked_at_before_anything_is_added(world: World, ana: Client) -> None:
    phones = Device.objects.count()

    page = ana.get(send(ana, LIST))

    text = said(page)
    assert "1 phone will be added to Acme Anvils." in text
    assert "1 row cannot be added." in text
    assert "1 phone is here already, and stays as it is." in text
    assert "This column is not read: “Asset”." in text
    assert "The first request within 7 days is let in, from anywhere, then it locks." in text
    rows = re.findall(r"Cannot be added|Here already|Will be added", text)
    assert rows == ["Cannot be added", "Here already", "Will be added"]
    assert f"/phones/{world.acme.phone.code}/" in page.content.decode()
    assert (Device.objects.count(), Job.objects.filter(kind="import").count()) == (phones, 0)


def test_one_button_adds_what_can_be_added(world: World, ana: Client) -> None:
    url = send(ana, LIST)

    answer = ana.post(url, {"count": "1"})

    job = Job.objects.get(kind="import")
    assert answer.headers["Location"] == f"/jobs/{job.code}/"
    waiting = ana.get(answer.headers["Location"])
    assert "Adding 1 phone to Acme Anvils" in said(waiting)
    assert 'hx-trigger="every 1s"' in waiting.content.decode()
    assert '<noscript><meta http-equiv="refresh"' in waiting.content.decode()
    phone_import.run(job.pk)
    done = ana.get(answer.headers["Location"])
    text = said(done)
    assert "1 of 1" in text
    assert "1 added" in text
    assert "2 rows of the list were left out. See which, and why" in text
    assert "hx-trigger" not in done.content.decode().partition('id="job"')[2]
    assert "refresh" not in done.content.decode().partition("<title>")[0]
    phone = Device.objects.get(mac="00005e0053e1")
    assert f"/phones/{phone.code}/" in done.content.decode()
    again = ana.post(url, {"count": "1"})
    assert again.headers["Location"] == answer.headers["Location"]
    after = said(ana.get(url))
    assert "What this list has done" in after
    assert "See the job" in after
    assert "Add 1 phone" not in after


def test_a_button_that_is_out_of_date_says_so(world: World, ana: Client) -> None:
    answer = ana.post(send(ana, LIST), {"count": "2"})

    assert answer.status_code == 200
    assert "1 can be added now. Look again." in said(answer)
    assert not Job.objects.filter(kind="import").exists()


def test_bad_rows_are_taken_away_as_a_table(world: World, ana: Client) -> None:
    url = send(ana, LIST.replace("Door", "=HYPERLINK(1)"))

    table = ana.get(f"{url}not-added/")

    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = table.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "MAC;Model;Name;Line of the list;Why it was not added"
    assert lines[1].startswith("00:00:5E;T46S;'=HYPERLINK(1);3;")
    assert len(lines) == 3


def test_a_pasted_list_is_read_alike(world: World, ana: Client) -> None:
    pasted = {"account": "acme", "table": "MAC\tModel\r\n00005e0053e1\tT46S\r\n", "make_extensions": "on"}

    answer = ana.post("/phones/import/", pasted)

    assert "1 phone will be added" in said(ana.get(answer.headers["Location"]))
    draft = ImportDraft.objects.latest("pk")
    assert (draft.file_name, draft.params["make_extensions"], draft.user) == ("", True, world.ana)


def test_a_workbook_is_read_alike(world: World, ana: Client) -> None:
    book = openpyxl.Workbook()
    for row in (["MAC", "Model", "Extension", "SIP secret"], ["00005e0053e1", "T46S", 777, "made-for-777"]):
        book.worksheets[0].append(row)
    out = io.BytesIO()
    book.save(out)

    file = SimpleUploadedFile("phones.xlsx", out.getvalue())
    answer = ana.post("/phones/import/", {"account": "acme", "file": file})

    page = said(ana.get(answer.headers["Location"]))
    assert "Extension 777 is made." in page
    assert "made-for-777" not in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Choose the file with your phones, or paste the list."),
        ({"table": "Model;Name\nT46S;Desk"}, "no column “MAC”"),
        (
            {"file": SimpleUploadedFile("a.csv", b"Model;Name\nT46S;Desk")},
            "a.csv: Its first line has no column",
        ),
        ({"file": SimpleUploadedFile("a.xlsx", b"PK\x03\x04zip")}, "a.xlsx: This file is damaged."),
        ({"file": SimpleUploadedFile("a.csv", b"x" * 2_100_000)}, "a.csv: A table has at most 2 MB."),
    ],
)
def test_what_is_no_list_is_sent_back_with_the_reason(
    given: dict[str, object], words: str, world: World, ana: Client
) -> None:
    before = ImportDraft.objects.count()
    if isinstance(file := given.get("file"), SimpleUploadedFile):
        file.seek(0)

    answer = ana.post("/phones/import/", {"account": "acme", **given})

    assert answer.status_code == 200
    assert words in said(answer)
    assert ImportDraft.objects.count() == before


def test_a_list_with_nothing_to_add_has_no_button(world: World, ana: Client) -> None:
    url = send(ana, "MAC;Model\n1;T46S\n")

    assert "No phone of this list can be added." in said(ana.get(url))
    assert "<button" not in ana.get(url).content.decode().partition("<main")[2].partition("</main>")[0]
    assert "Nothing was added No phone of this list can be added." in said(ana.post(url))


def test_managers_of_the_account_share_a_list_and_nobody_else_sees_it(world: World, ana: Client) -> None:
    url = send(ana, LIST)
    carl = tenants.add_person(
        world.acme.account,
        by=actor(world.ana),
        email="carl@acme.example",
        name="Carl",
        role=Role.MANAGER,
        password=None,
    ).user

    for user in (carl, world.rita):
        assert signed_in(user).get(url).status_code == 200
    for user, status in ((world.eve, 404), (world.acme.viewer, 403), (world.ben, 403)):
        for address in (url, f"{url}not-added/"):
            assert signed_in(user).get(address).status_code == status
        assert signed_in(user).post(url, {"count": "1"}).status_code == status
    assert not Job.objects.filter(kind="import").exists()


def test_a_long_list_goes_over_pages(world: World, ana: Client) -> None:
    rows = "".join(f"00005e2000{at:02x};T46S\n" for at in range(130))

    url = send(ana, f"MAC;Model\n{rows}bad;T46S\n")

    first, second = said(ana.get(url)), said(ana.get(f"{url}?page=2"))
    assert "1 to 100 of 131" in first
    assert "Cannot be added" in first
    assert "101 to 131 of 131" in second
    assert "Cannot be added" not in second
