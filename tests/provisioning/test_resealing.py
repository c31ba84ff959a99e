"""rotate_secrets: everything sealed anew with the first key, and what no key opens is named."""

import io
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts.sealing import Keyring, new_key
from devices import extensions, secrets, settings_tree
from devices.models import Device, Extension
from provisioning import claims, entering, files, phone_import, resealing, tokens, webhooks
from provisioning.models import Lock, Token, Upload
from provisioning.phone_import_table import opened, read_dicts
from tests.provisioning.making import request
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = "Planted-secret-4711"
NEW_KEY = new_key("fresh")


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def phone(tree: Tree) -> Device:
    """A phone with everything that is ever sealed: passwords, tokens, an upload; an extension beside it."""
    device = entering.enter(
        tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S", now=NOW
    )
    extensions.create(tree.acme, by=tree.ana, username="4101", secret=SECRET)
    claims.claim(request(device), now=NOW)
    token = Token.objects.get(device=device, kind="current").hash
    files.keep_upload(token, "00005e005301-contact.xml", b"<contacts/>", "text/xml", now=NOW)
    return device


def rotate() -> str:
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    return said.getvalue()


def sealed_values() -> list[bytes]:
    device = Device.objects.get()
    values = [Extension.objects.get().secret, device.admin_password, device.user_password]
    values += Token.objects.values_list("sealed", flat=True)
    values += Upload.objects.values_list("body", flat=True)
    return [bytes(value) for value in values]


def test_everything_is_sealed_with_the_first_key_and_opens_without_the_old_one(phone: Device) -> None:
    before = settings_tree.phone_settings([phone])[phone.pk]
    texts = {tokens.text_of(token) for token in Token.objects.all()}
    revision = Lock.objects.get().files_revision

    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        said = rotate()

    assert "SIP secrets: 1 sealed anew, 0 already were, 0 cannot be opened" in said
    assert "tokens: 2 sealed anew" in said
    assert "kept uploads: 1 sealed anew" in said
    with override_settings(SECRET_KEYRING=NEW_KEY):
        assert all(Keyring.parse(NEW_KEY).is_current(value) for value in sealed_values())
        assert settings_tree.phone_settings([phone])[phone.pk] == before
        assert extensions.secret_of(Extension.objects.get()) == SECRET
        assert {tokens.text_of(token) for token in Token.objects.all()} == texts
    assert Lock.objects.get().files_revision == revision + 1


def test_a_list_that_waits_and_one_that_is_worked_through_are_sealed_anew(tree: Tree) -> None:
    """Its Yes and its worker come when the old key is gone."""
    rows = read_dicts(
        [
            {"mac": f"00005e00531{at}", "model": "Yealink T46S", "extension": f"43{at}", "secret": SECRET}
            for at in range(3)
        ]
    )
    waits = phone_import.look(tree.acme, rows, by=tree.ana)
    started = phone_import.look(tree.acme, rows, by=tree.ana)

    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        job = phone_import.start(started, by=tree.ana)
        assert "import lists: 6 sealed anew, 0 already were, 0 cannot be opened" in rotate()
        assert "import lists: 0 sealed anew, 6 already were, 0 cannot be opened" in rotate()

    with override_settings(SECRET_KEYRING=NEW_KEY):
        waits.refresh_from_db()
        assert [opened(row, waits.code).cells["secret"] for row in waits.rows] == [SECRET] * 3
        phone_import.run(job.pk)
        assert [extensions.secret_of(line) for line in Extension.objects.all()] == [SECRET] * 3


def test_both_secrets_of_a_webhook_are_sealed_anew(tree: Tree) -> None:
    endpoint, former = webhooks.create(tree.acme, by=tree.ana, name="CRM", url="https://crm.example.org/in")
    endpoint, current = webhooks.rotate_secret(endpoint, by=tree.ana)

    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        said = rotate()

    assert "secrets of webhooks: 1 sealed anew" in said
    assert "former secrets of webhooks: 1 sealed anew" in said
    endpoint.refresh_from_db()
    with override_settings(SECRET_KEYRING=NEW_KEY):
        kind, sealed = secrets.Kind.WEBHOOK_SECRET, (endpoint.secret, endpoint.former_secret)
        assert [secrets.open_text(kind, endpoint.code, one) for one in sealed] == [current, former]


def test_a_row_that_no_key_opens_is_named_and_left(tree: Tree) -> None:
    row = {"mac": "00005e005310", "model": "Yealink T46S", "extension": "430", "secret": SECRET}
    draft = phone_import.look(tree.acme, read_dicts([row, {**row, "mac": "00005e005311"}]), by=tree.ana)
    before = draft.rows

    with override_settings(SECRET_KEYRING=NEW_KEY), pytest.raises(CommandError) as said:
        rotate()

    assert [f"line {row['line']} of the import {draft.code}" in str(said.value) for row in before] == [
        True
    ] * 2
    draft.refresh_from_db()
    assert draft.rows == before


def test_a_second_run_finds_nothing_to_do(phone: Device) -> None:
    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        rotate()
        before = sealed_values()
        said = rotate()

    assert "SIP secrets: 0 sealed anew, 1 already were" in said
    assert sealed_values() == before


def test_an_interrupted_run_is_taken_up_where_it_stopped(phone: Device) -> None:
    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        run = resealing.reseal_all()
        assert next(run).resealed == 1
        run.close()
        counts = list(resealing.reseal_all())

    assert [(count.resealed, count.current) for count in counts] == [
        (0, 1), (1, 0), (1, 0), (2, 0), (1, 0), (0, 0), (0, 0), (0, 0), (2, 0)
    ]  # fmt: skip


def test_batches_reach_every_row(tree: Tree, phone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        extensions.create(tree.acme, by=tree.ana, username=f"42{number}", secret=SECRET)
    monkeypatch.setattr(resealing, "BATCH", 3)

    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        assert next(resealing.reseal_all()).resealed == 8


def test_a_secret_that_changes_meanwhile_is_not_overwritten(
    tree: Tree, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension = Extension.objects.get()
    honest = secrets.keyring().__class__.seal

    def seal_late(ring: Keyring, plain: bytes, about: bytes) -> bytes:
        monkeypatch.setattr(Keyring, "seal", honest)
        extensions.change(extension, by=tree.ana, secret="Chosen meanwhile")
        return honest(ring, plain, about)

    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        monkeypatch.setattr(Keyring, "seal", seal_late)
        next(resealing.reseal_all())

        assert extensions.secret_of(Extension.objects.get()) == "Chosen meanwhile"


def test_what_no_key_opens_is_named_and_the_rest_is_done(phone: Device) -> None:
    with override_settings(SECRET_KEYRING=NEW_KEY):
        lost = Extension.objects.get()
        sealed_elsewhere = secrets.seal(secrets.Kind.SIP_SECRET, lost.code, "of another installation")
    Extension.objects.update(secret=sealed_elsewhere)

    said = io.StringIO()
    with (
        override_settings(SECRET_KEYRING=f"{new_key('third')},{settings.SECRET_KEYRING}"),
        pytest.raises(CommandError, match="extension 4101 of acme"),
    ):
        call_command("rotate_secrets", stdout=said)

    assert "SIP secrets: 0 sealed anew, 0 already were, 1 cannot be opened" in said.getvalue()
    assert "tokens: 2 sealed anew" in said.getvalue()
    assert bytes(Extension.objects.get().secret) == sealed_elsewhere


def test_no_secret_is_printed(phone: Device) -> None:
    with override_settings(SECRET_KEYRING=f"{NEW_KEY},{settings.SECRET_KEYRING}"):
        said = rotate()
        texts = [SECRET, *(tokens.text_of(token) for token in Token.objects.all())]

    assert [text for text in texts if text in said] == []
