"""The pages of policies and powers: what they say to whom, and that a refusal changes nothing."""

from typing import Any

import pytest
from django.utils.html import escape

from accounts.models import AuditEntry
from accounts.role_words import MEANS
from accounts.roles import POWERS, Power, Role
from portal.pages.powers import power_rows
from provisioning import policies
from provisioning.models import PolicyValue
from tests.world import World, actor, signed_in


def text(answer: Any) -> str:
    return str(answer.content.decode())


def part(answer: Any, name: str) -> str:
    """What stands about one policy."""
    shown = text(answer)
    start = shown.index(f'id="policy-{name}"')
    return shown[start : shown.index("</section>", start)]


def test_a_policy_says_its_value_its_source_and_who_may_change_it(world: World) -> None:
    policies.set_value(world.harbour, by=actor(world.rita), name="user_unlock_ttl", value=12)
    policies.set_value(world.acme.account, by=actor(world.rita), name="window_max_hours", value=60)

    ana = signed_in(world.ana).get("/policies/")
    rita = signed_in(world.rita).get("/policies/?account=acme")

    assert "Policies of Acme Anvils" in text(ana)
    assert "<strong>12 hours</strong>" in part(ana, "user_unlock_ttl")
    assert "Inherited from your provider." in part(ana, "user_unlock_ttl")
    assert "Inherited from Harbour Telecom." in part(rita, "user_unlock_ttl")
    assert "A manager of the account may only make it shorter." in part(ana, "user_unlock_ttl")
    assert "From 1 to 12 hours." in part(ana, "user_unlock_ttl")
    assert "From 1 to 48 hours (2 days)." in part(rita, "user_unlock_ttl")
    assert "Given to Acme Anvils by its provider." in part(ana, "window_max_hours")
    assert "As the product comes." in part(ana, "fresh_ttl")


def test_only_what_the_reader_may_change_has_a_button(world: World) -> None:
    ana, vic = (signed_in(user).get("/policies/") for user in (world.ana, world.acme.viewer))

    assert "<button" in part(ana, "fresh_ttl")
    assert "You may look, not change." in part(ana, "window_max_hours")
    assert "It is as strict as it can be." in part(ana, "match_user_agent")
    assert "<button" not in part(ana, "match_user_agent")
    assert text(vic).count("You may look, not change.") == len(policies.POLICIES)


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [("fresh_ttl", "48", 48), ("quarantine_on_clone", "on", True), ("first_fetch", "sites", "sites")],
)
def test_a_value_is_set_and_given_up(name: str, typed: str, kept: Any, world: World) -> None:
    ana = signed_in(world.ana)

    said = ana.post(f"/policies/{name}/", {"account": "acme", name: typed}, follow=True)
    held = PolicyValue.objects.get(name=name).value
    back = ana.post(f"/policies/{name}/", {"account": "acme", "do": "reset"}, follow=True)

    assert list(held.values()) == [kept]
    assert "for Acme Anvils and all below it." in text(said)
    assert "Set for Acme Anvils." in part(said, name)
    assert "Give up" in part(said, name)
    assert "As the product comes." in part(back, name)
    assert not PolicyValue.objects.exists()


@pytest.mark.parametrize(
    ("case", "name", "typed", "words"),
    [
        ("beyond the bounds", "fresh_ttl", "721", "less than or equal to 720"),
        ("longer than the provider's", "user_unlock_ttl", "25", "only stricter is possible"),
        ("nothing", "fresh_ttl", "", "This field is required"),
        ("no such word", "first_fetch", "nowhere", "is not one of the available choices"),
    ],
)
def test_a_refusal_comes_back_to_its_field(
    case: str, name: str, typed: str, words: str, world: World
) -> None:
    entries = AuditEntry.objects.count()

    answer = signed_in(world.ana).post(f"/policies/{name}/", {"account": "acme", name: typed})

    assert answer.status_code == 200, case
    assert words in part(answer, name)
    assert "Nothing was changed" in text(answer)
    assert not PolicyValue.objects.exists()
    assert AuditEntry.objects.count() == entries


def test_who_may_not_is_turned_away(world: World) -> None:
    answers = [
        signed_in(world.ana).post(
            "/policies/window_max_hours/", {"account": "acme", "window_max_hours": "5"}
        ),
        signed_in(world.ana).post("/policies/window_max_hours/", {"account": "acme", "do": "reset"}),
        signed_in(world.acme.viewer).post("/policies/fresh_ttl/", {"account": "acme", "fresh_ttl": "5"}),
        signed_in(world.ben).get("/policies/"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]
    assert not PolicyValue.objects.exists()


def test_a_policy_or_an_account_that_is_not_there(world: World) -> None:
    ana = signed_in(world.ana)

    assert ana.get("/policies/?account=globex").status_code == 404
    assert ana.post("/policies/no_such/", {"account": "acme", "no_such": "1"}).status_code == 404
    assert ana.post("/policies/fresh_ttl/", {"account": "globex", "fresh_ttl": "5"}).status_code == 404


def test_everybody_reads_what_each_role_may_do(world: World) -> None:
    shown = {user.email: text(signed_in(user).get("/powers/")) for user in (world.ben, world.ana, world.sam)}

    for page in shown.values():
        assert [means for means in MEANS.values() if escape(str(means)) not in page] == []
    assert "Your role is user." in shown[world.ben.email]
    assert "Your role is manager." in shown[world.ana.email]


def test_the_table_says_what_the_roles_are() -> None:
    rows = {row.means: dict(row.has) for row in power_rows()}

    assert set(MEANS) == set(Power)
    for power in Power:
        assert rows[MEANS[power]] == {role.value.capitalize(): power in POWERS[role] for role in Role}
    assert not any(rows[MEANS[Power.SEE_SECRETS]].values())
