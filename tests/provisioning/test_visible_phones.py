"""A list finds the phones that somebody sees on a way of its own: those that the scope says."""

from dataclasses import replace

import pytest

from accounts import filtering
from accounts.scope import NOBODY, Standing
from devices.models import Device
from provisioning import finding
from tests.factories import make_phone
from tests.tree import Tree
from tests.world import World, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("few", [0, 1, 100])
def test_it_is_what_the_scope_says(cast: Tree, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(finding, "FEW_ACCOUNTS", few)
    for account in (cast.harbour, cast.acme, cast.globex):
        make_phone(account, by=cast.rita)
    make_phone(cast.acme, by=cast.rita, owner=cast.ben.user)
    both = replace(
        cast.ben, standings=(*cast.ben.standings, Standing(cast.globex.path, cast.vic.standings[0].role))
    )
    seen = {}

    for name, actor in vars(cast).items() | {"both": both, "nobody": NOBODY}.items():
        if not hasattr(actor, "standings"):
            continue
        seen[name] = set(finding.visible_to(actor))
        assert seen[name] == set(Device.objects.visible_to(actor)), name
    assert len(seen["rita"]) > len(seen["ana"]) > len(seen["ben"]) > len(seen["nobody"]) == 0
    assert len(seen["both"]) > len(seen["ben"])


@pytest.mark.parametrize("few", [0, 1, 100])
def test_an_account_and_what_is_below_it_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(filtering, "FEW", few)

    def accounts(asked: str) -> set[str]:
        answer = signed_in(world.rita).get(f"/api/v1/devices/?account={asked}").json()
        return {row["account"] for row in answer["results"]}

    assert accounts("acme") == {"acme"}
    assert accounts("harbour") >= {"acme", "globex"}
