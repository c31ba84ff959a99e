"""What a list is asked and makes no sense is refused by its name; nothing of the question is left out."""

import pytest

from tests.world import World, program, signed_in

pytestmark = pytest.mark.django_db

YES_OR_NO = ("incidents/?open=", "bans/?standing=", "allowed-networks/?standing=", "windows/?open=")
YES_OR_NO += ("devices/?seen=", "devices/?quiet=", "extensions/?exposed=", "devices/{phone}/keys/?effective=")
ACCOUNTS = ("incidents", "allowed-networks", "windows", "devices", "extensions", "approvals", "sites")
ACCOUNTS += ("profiles", "directory/contacts")


@pytest.mark.parametrize("path", YES_OR_NO)
def test_yes_and_no_are_two_words_and_silence(world: World, path: str) -> None:
    path = path.format(phone=world.acme.phone.code)
    rita, field = signed_in(world.rita), path.partition("?")[2].rstrip("=")

    for word in ("true", "false", "1", "0", "True", ""):
        assert rita.get(f"/api/v1/{path}{word}").status_code == 200, word
    for word in ("yes", "nonsense", "2", "null"):
        answer = rita.get(f"/api/v1/{path}{word}")
        assert (answer.status_code, [error["attr"] for error in answer.json()["errors"]]) == (400, [field]), (
            word
        )


@pytest.mark.parametrize("path", [*ACCOUNTS])
@pytest.mark.parametrize("slug", ["nowhere", "globex"])
def test_an_account_that_is_not_there_is_no_empty_list(world: World, path: str, slug: str) -> None:
    key = program(world.acme.key)
    assert key.get(f"/api/v1/{path}/?account=acme").status_code == 200

    answer = key.get(f"/api/v1/{path}/?account={slug}")

    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error == {"code": "unknown", "detail": f"Nothing here is called “{slug}”.", "attr": "account"}


@pytest.mark.parametrize(
    "path",
    [
        "devices/?family=yealnk", "devices/?state=open", "devices/?site=nowhere", "devices/?ordering=size",
        "profiles/?family=yealnk", "incidents/?kind=fire", "bans/?kind=soft", "approvals/?status=maybe",
        "approvals/?device=7", "audit/?since=yesterday", "audit/?until=x", "accounts/?kind=friend",
    ],
)  # fmt: skip
def test_any_other_value_that_is_not_there_is_named(world: World, path: str) -> None:
    answer = signed_in(world.rita).get(f"/api/v1/{path}")

    field = path.partition("?")[2].partition("=")[0]
    assert (answer.status_code, [error["attr"] for error in answer.json()["errors"]]) == (400, [field])


def test_what_is_there_is_found(world: World) -> None:
    key = program(world.acme.key)

    def count(query: str) -> int:
        found: int = key.get(f"/api/v1/{query}").json()["count"]
        return found

    assert count("devices/?family=yealink") == count("devices/") > 0
    assert count("devices/?family=poly") == 0
    assert count("incidents/?open=true") + count("incidents/?open=false") == count("incidents/")
    assert count("devices/?seen=false") == count("devices/") > count("devices/?seen=1")
