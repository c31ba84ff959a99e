"""The IP check, bans and allowances on pages: what is shown to whom, and that a button does what it says."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from provisioning.models import Incident
from security import bans
from security.models import AllowedNetwork, Ban
from security.networks import Network, origin_of, parse_address
from tests.factories import AGENT, failure
from tests.portal.reading import said
from tests.world import World, actor, signed_in

pytestmark = pytest.mark.django_db

THERE = "203.0.113.90"  # where acme's second phone lives, and is banned
LOCAL = "127.0.0.1"


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def place(address: str) -> Network:
    return origin_of(parse_address(address))


def ban_here(world: World) -> Ban:
    return bans.set_ban(place(LOCAL), by=actor(world.sam), length=timedelta(hours=1), reason="Scans")


def test_a_banned_address_is_explained_with_what_is_next(world: World, ana: Client) -> None:
    shown = said(ana.get("/addresses/", {"address": THERE}))

    assert f"{THERE} is banned" in shown
    assert "Your phone there keeps working." in shown
    assert f"Only somebody at {THERE} can unblock it, or platform support." in shown
    assert "Ask for an allowance" in shown
    assert "Lift the ban" not in shown
    assert "Lift the ban" in said(signed_in(world.sam).get("/addresses/", {"address": THERE}))
    assert "You can check your own address" in said(
        signed_in(world.eve).get("/addresses/", {"address": THERE})
    )


@pytest.mark.rule("B6")
def test_a_manager_unblocks_where_he_is(world: World, ana: Client) -> None:
    ban = ban_here(world)
    assert "Unblock my address" in said(ana.get("/addresses/", {"address": LOCAL}))

    answer = ana.post("/addresses/unblock/", {"address": LOCAL}, follow=True)

    ban.refresh_from_db()
    assert ban.lifted_by == actor(world.ana).label
    assert f"{LOCAL} is not banned any more. What failed there stays counted." in said(answer)


@pytest.mark.rule("B6")
def test_nobody_unblocks_another_address(world: World, ana: Client) -> None:
    answer = ana.post("/addresses/unblock/", {"address": THERE}, follow=True)

    assert f"Only somebody at {THERE} can unblock it" in said(answer)
    assert Ban.objects.standing(timezone.now()).filter(pk=world.acme.ban.pk).exists()
    assert ana.post("/addresses/unblock/", {"address": "nowhere"}).status_code == 302
    assert ana.get("/addresses/unblock/").status_code == 405


@pytest.mark.rule("B6")
def test_an_end_user_finds_the_button_on_his_own_page(world: World) -> None:
    ben = signed_in(world.ben)
    assert "Unblock my address" not in said(ben.get("/my-phones/"))
    ban = ban_here(world)
    assert "New phones cannot set themselves up where you are" in said(ben.get("/my-phones/"))

    answer = ben.post("/addresses/unblock/", {"address": LOCAL})

    assert answer.headers["Location"] == "/my-phones/"
    ban.refresh_from_db()
    assert ban.lifted_at is not None


def test_an_unknown_phone_is_added_with_its_facts_filled_in(world: World, ana: Client) -> None:
    key = failure(THERE, kind="unknown-mac", label="00005e0053f7")
    key.agent = AGENT
    key.save()

    shown = ana.get("/addresses/", {"address": THERE})

    assert "Unknown phones at this address" in said(shown)
    url = "/phones/add/?mac=00005e0053f7&amp;account=acme&amp;family=yealink&amp;model=T46U"
    assert url in shown.content.decode()
    form = ana.get(url.replace("&amp;", "&")).content.decode()
    assert 'value="00005e0053f7"' in form
    assert '<option value="yealink/T46U" selected>' in form


@pytest.mark.rule("B7")
def test_support_bans_and_lifts_and_others_look(world: World, ana: Client) -> None:
    sam = signed_in(world.sam)
    assert THERE in said(ana.get("/bans/"))
    assert "192.0.2.90" not in said(ana.get("/bans/"))
    assert ana.get("/bans/add/").status_code == 403

    wrong = sam.post("/bans/add/", {"network": "198.51.100.7", "kind": "banned", "length": 30, "reason": "x"})
    assert "It lasts at most 24 hours." in said(wrong)
    sam.post(
        "/bans/add/", {"network": "198.51.100.0/30", "kind": "blocked", "length": 30, "reason": "Botnet"}
    )

    made = Ban.objects.get(kind="blocked")
    assert (str(made.network), made.reason) == ("198.51.100.0/30", "Botnet")
    assert ana.post(f"/bans/{made.code}/lift/").status_code == 404
    assert ana.post(f"/bans/{world.acme.ban.code}/lift/").status_code == 403
    sam.post(f"/bans/{made.code}/lift/")
    made.refresh_from_db()
    assert made.lifted_at is not None
    assert "198.51.100.0/30" in said(sam.get("/bans/"))


@pytest.mark.rule("B8")
def test_an_allowance_is_asked_for_granted_and_ended(world: World, ana: Client) -> None:
    rita = signed_in(world.rita)
    asked = {"account": "acme", "network": "198.51.100.8/30", "days": 30, "reason": "Our hotel"}

    told = ana.post("/allowances/add/", asked, follow=True)

    row = AllowedNetwork.objects.get(reason="Our hotel")
    assert "198.51.100.8/30 waits for an answer." in said(told)
    assert f"/allowances/{row.code}/grant/" not in told.content.decode()
    assert ana.post(f"/allowances/{row.code}/grant/").status_code == 403
    assert f"/allowances/{row.code}/grant/" in rita.get("/allowances/").content.decode()
    rita.post(f"/allowances/{row.code}/grant/")
    row.refresh_from_db()
    assert row.state(timezone.now()) == "allowed"
    assert "More may fail in 1 network" in said(ana.get("/allowances/"))
    ana.post(f"/allowances/{row.code}/end/")
    row.refresh_from_db()
    assert row.state(timezone.now()) == "ended"
    wrong = ana.post("/allowances/add/", {**asked, "network": "198.51.0.0/16"})
    assert "An IPv4 /20 or IPv6 /40 is the widest" in said(wrong)


@pytest.mark.rule("B3")
def test_an_earned_ban_says_so_and_leads_support_from_the_third_to_a_block(world: World, ana: Client) -> None:
    sam, network, now = signed_in(world.sam), place(THERE), timezone.now()
    Ban.objects.filter(first=network.hex_first).update(
        step=3, propose_block=True, set_by="earned (B3)", reason="10 different failures within an hour"
    )

    shown = said(sam.get("/bans/"))
    assert "Earned" in shown
    assert "The third time within 24 hours. Block it? Only a person does that." in shown
    assert "Platform support decides whether to block it." in said(ana.get("/bans/"))
    form = sam.get("/bans/add/", {"network": THERE, "kind": "blocked"}).content.decode()
    assert '<option value="blocked" selected>' in form
    assert not Ban.objects.filter(kind="blocked", starts_at__gt=now).exists()


@pytest.mark.rule("B2")
def test_a_storm_of_own_phones_is_named_and_others_are_not_told(world: World, ana: Client) -> None:
    network = place(THERE)
    incident = Incident.objects.create(
        kind=Incident.Kind.STORM,
        account=world.acme.account,
        first=network.hex_first,
        last=network.hex_last,
        subject=THERE,
        title="200 phones asked within a minute",
        opened_at=timezone.now(),
    )

    shown = ana.get("/addresses/", {"address": THERE})
    assert f"/incidents/{incident.code}/" in shown.content.decode()
    assert "Many of your phones ask at once" in said(shown)
    incident.ended_at = timezone.now()
    incident.save()
    assert "Your phones do not all ask at once" in said(ana.get("/addresses/", {"address": THERE}))
