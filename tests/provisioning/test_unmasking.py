"""A file in clear: for who may see secrets, in the audit each time; two phones side by side, masked."""

from dataclasses import replace

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.models import Device, Extension
from provisioning import claims, entering, previewing, unmasking
from provisioning.models import Token
from provisioning.tokens import text_of
from tests.provisioning.making import request
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db
SECRET, OTHER = "s3cret-of-4102-here", "s3cret-of-4103-there"


@pytest.fixture
def tree() -> Tree:
    return plant()


def enter(tree: Tree, number: int, *lines: Extension, **more: str) -> Device:
    facts = {"family": "yealink", "model": "T46S", "name": f"Desk {number}", **more}
    device = entering.enter(tree.acme, by=tree.ana, mac=f"00005e0053{number:02x}", **facts)
    rows = [AppearanceRow(at, line) for at, line in enumerate(lines, 1)]
    appearances.put(device, by=tree.ana, rows=rows)
    return Device.objects.select_related("account").get(pk=device.pk)


def line(tree: Tree, name: str, secret: str) -> Extension:
    return extensions.create(tree.acme, by=tree.ana, username=name, secret=secret)


def seeing(by: Actor) -> Actor:
    """The same person with the power to see secrets."""
    standings = tuple(replace(one, extra=frozenset({Power.SEE_SECRETS})) for one in by.standings)
    return replace(by, standings=standings)


def test_a_file_in_clear_is_what_the_phone_gets(tree: Tree) -> None:
    phone = enter(tree, 1, line(tree, "4102", SECRET))
    claims.claim(request(phone))
    name = f"{phone.mac}.cfg"

    shown = "\n".join(unmasking.uncovered(phone, name, by=seeing(tree.ana)).lines)

    token = Token.objects.get(device=phone, kind="current")
    assert f"account.1.password = {SECRET}" in shown
    assert f"/d/{text_of(token)}/" in shown
    assert previewing.MASK not in shown
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.target_code, entry.details) == (
        "device.file_seen",
        str(phone.code),
        {"file": name},
    )
    assert entry.actor == tree.ana.label


def test_each_look_is_in_the_audit_and_each_refusal_is_not(tree: Tree) -> None:
    phone = enter(tree, 1, line(tree, "4102", SECRET))
    name = f"{phone.mac}.cfg"
    with pytest.raises(Refusal, match="no private URL yet"):
        unmasking.uncovered(phone, name, by=seeing(tree.ana))
    claims.claim(request(phone))
    for by in (tree.ana, tree.vic, tree.eve, seeing(tree.eve)):
        with pytest.raises(Forbidden):
            unmasking.uncovered(phone, name, by=by)
    with pytest.raises(Refusal, match="no file of this name"):
        unmasking.uncovered(phone, "00005e0053ff.cfg", by=seeing(tree.ana))
    Device.objects.filter(pk=phone.pk).update(model="T999")
    with pytest.raises(Refusal, match="cannot be made"):
        unmasking.uncovered(Device.objects.get(pk=phone.pk), name, by=seeing(tree.ana))
    assert not AuditEntry.objects.filter(verb="device.file_seen").exists()
    Device.objects.filter(pk=phone.pk).update(model="T46S")

    for _ in range(2):
        unmasking.uncovered(Device.objects.get(pk=phone.pk), name, by=seeing(tree.ana))

    assert AuditEntry.objects.filter(verb="device.file_seen").count() == 2


def differing(device: Device, other: Device, by: Actor) -> dict[str, list[str]]:
    diff = previewing.between(device, other, by=by)
    return {file.name: [f"{sign} {text}" for sign, text in file.lines] for file in diff.files}


def test_two_phones_are_compared_without_a_secret_of_either(tree: Tree) -> None:
    shared = line(tree, "4102", SECRET)
    one = enter(tree, 1, shared, line(tree, "4103", OTHER))
    two = enter(tree, 2, shared, line(tree, "4104", "s3cret-of-4104-else"))

    found = differing(one, two, tree.ana)[f"{one.mac}.cfg"]

    assert "+ account.2.user_name = 4103" in found
    assert "- account.2.user_name = 4104" in found
    assert "+ account.2.password = MASKEDNEW" in found
    assert "- account.2.password = MASKED" in found
    assert not [text for text in found if "account.1.password" in text]  # one and the same secret
    for secret in (SECRET, OTHER, "s3cret-of-4104-else"):
        assert secret not in str(found)


def test_phones_that_say_the_same_differ_in_nothing_but_themselves(tree: Tree) -> None:
    shared = line(tree, "4102", SECRET)
    one, two = enter(tree, 1, shared), enter(tree, 2, shared)

    assert differing(one, one, tree.ana) == {}
    for name, lines in differing(one, two, tree.ana).items():
        assert one.mac in name
        assert not [text for text in lines if "account." in text or "linekey." in text]


def test_only_phones_of_one_make_that_one_may_look_into_are_compared(tree: Tree) -> None:
    one = enter(tree, 1)
    poly = enter(tree, 2, family="poly", model="VVX 250")
    foreign = entering.enter(
        tree.globex, by=tree.eve, mac="00005e005377", family="yealink", model="T46S", name="Theirs"
    )

    with pytest.raises(Refusal, match="one make"):
        previewing.between(one, poly, by=tree.ana)
    for by in (tree.ana, tree.eve):
        with pytest.raises(Forbidden):
            previewing.between(one, foreign, by=by)
    with pytest.raises(Forbidden):
        previewing.between(one, one, by=tree.vic)
