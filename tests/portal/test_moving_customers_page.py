"""The page that moves a customer below another reseller: what would be different, then the typed name."""

import pytest

from accounts import tenants
from accounts.models import Account, AuditEntry
from provisioning import policies
from tests.portal.reading import said
from tests.world import World, actor, signed_in

pytestmark = pytest.mark.rule("E18")

MOVE = "/customers/acme/move/"


@pytest.fixture
def lakeside(world: World) -> Account:
    sam = actor(world.sam)
    made = tenants.create_account(world.platform, by=sam, slug="lakeside", name="Lakeside Phones")
    policies.set_value(made, by=sam, name="window_max_hours", value=12)
    return made


def test_the_differences_stand_before_the_button(world: World, lakeside: Account) -> None:
    sam = signed_in(world.sam)

    asked = sam.get(MOVE)
    shown = sam.get(MOVE, {"below": "lakeside"})
    same = sam.get(MOVE, {"below": "platform"})

    assert 'value="lakeside"' in asked.content.decode()
    assert 'value="harbour"' not in asked.content.decode(), "it stands there already"
    assert 'value="globex"' not in asked.content.decode(), "below a customer there is none"
    assert "btn danger primary" not in asked.content.decode()
    assert "The longest windowPolicy40 hours12 hours" in said(shown)
    assert "Harbour Telecom and its people see nothing of it any more, at once." in said(shown)
    assert "It inherits the same there as now." in said(same)


def test_a_customer_moves_when_its_short_name_is_typed(world: World, lakeside: Account) -> None:
    sam = signed_in(world.sam)
    entries = AuditEntry.objects.count()

    wrong = sam.post(MOVE, {"below": "lakeside", "typed": "globex"})
    stays = Account.objects.get(slug="acme").path, AuditEntry.objects.count()
    done = sam.post(MOVE, {"below": "lakeside", "typed": "acme"}, follow=True)

    assert "Its short name is acme." in said(wrong)
    assert "The longest window" in said(wrong)
    assert stays == (world.acme.account.path, entries)
    assert "Acme Anvils stands below Lakeside Phones now." in said(done)
    assert Account.objects.get(slug="acme").path.startswith(lakeside.path)


def test_a_refusal_comes_back_to_its_field(world: World, lakeside: Account) -> None:
    tenants.switch_account(lakeside, by=actor(world.sam), is_active=False)

    answer = signed_in(world.sam).post(MOVE, {"below": "lakeside", "typed": "acme"})

    assert "Lakeside Phones is switched off" in said(answer)
    assert '<span class="rule">E18</span>' in answer.content.decode()
    assert Account.objects.get(slug="acme").path == world.acme.account.path


def test_only_platform_support_gets_there(world: World) -> None:
    people = (world.rita, world.ana, world.eve, world.ben)

    assert [signed_in(user).get(MOVE).status_code for user in people] == [403, 403, 404, 403]
    assert MOVE in signed_in(world.sam).get("/customers/acme/").content.decode()
    assert MOVE not in signed_in(world.rita).get("/customers/acme/").content.decode()
