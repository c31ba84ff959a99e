"""The pages of settings: where each value comes from, what a change does, and that a look changes nothing."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from accounts.models import AuditEntry
from devices import raw_keys, settings_tree
from devices.catalog import catalog
from devices.definitions import GROUPS, SETTINGS, Group
from devices.levels import model_in
from devices.models import Device, RawValue, SettingValue
from provisioning import entering, sites
from provisioning.models import DeviceEvent, Lock, Outbox
from tests.world import World, actor, signed_in

KEY = "phone_setting.contrast"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def words(html: str) -> str:
    """What a reader sees of some markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def part(answer: Any, name: str) -> str:
    """What stands about one setting."""
    shown = text(answer)
    start = shown.index(f'id="s-{name}"')
    end = shown.find('class="setting"', start)
    return shown[start : end if end > 0 else len(shown)]


def typed(client: Any, url: str, group: Group, **changed: Any) -> dict[str, str]:
    """What a browser sends of a group's form, with what the reader has changed in it."""
    shown = text(client.get(url))
    form = re.search(
        rf'<input type="hidden" name="group" value="{group.name.lower()}">(.*?)</form>', shown, re.DOTALL
    )
    assert form is not None, group
    sent = {"group": group.name.lower()}
    for tag in re.findall(r"<input [^>]*>", form[1]):
        name, value = _attribute(tag, "name"), _attribute(tag, "value")
        if 'type="checkbox"' in tag:
            if " checked" in tag:
                sent[name] = "on"
        else:
            sent[name] = value
    for name, options in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', form[1], re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        sent[name] = chosen[1] if chosen else ""
    for name, value in changed.items():
        sent.pop(name, None) if value is None else sent.update({name: value})
    return sent


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', tag)
    return found[1].replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&") if found else ""


def carried(answer: Any) -> dict[str, str]:
    """What the review sends on."""
    form = text(answer).rpartition('<form class="actions" method="post"')[2].partition("</form>")[0]
    tags = re.findall(r'<input type="hidden" [^>]*>', form)
    return {_attribute(tag, "name"): _attribute(tag, "value") for tag in tags if "csrf" not in tag}


def unchanged() -> tuple[Any, ...]:
    locks = list(Lock.objects.order_by("pk").values_list("pk", "revision", "files_revision"))
    rows = list(SettingValue.objects.values("account", "device", "name", "value"))
    raw = list(RawValue.objects.values("key", "value"))
    counts = AuditEntry.objects.count(), DeviceEvent.objects.count(), Outbox.objects.count()
    return rows, raw, locks, counts


@pytest.fixture
def phone_url(world: World) -> str:
    return f"/phones/{world.acme.phone.code}/settings/"


# --- reading ---------------------------------------------------------------------------------------------


def test_every_setting_stands_on_both_pages(world: World, phone_url: str) -> None:
    ana = signed_in(world.ana)

    for url in (phone_url, "/settings/", "/settings/?account=acme&model=yealink/T46S"):
        shown = text(ana.get(url))
        assert [name for name in SETTINGS if f'id="s-{name}"' not in shown] == []
        assert all(escape(group.value) in shown for group in GROUPS)


def test_a_row_says_from_where_its_value_comes(world: World, phone_url: str) -> None:
    model = model_in(world.acme.account, "yealink", "T46S")
    settings_tree.set_value(world.harbour, by=actor(world.rita), name="poll_hours", value=12)
    settings_tree.set_value(world.acme.account, by=actor(world.ana), name="register_expires", value=600)
    settings_tree.set_value(model, by=actor(world.ana), name="dtmf", value="sip_info")
    settings_tree.set_value(world.acme.phone, by=actor(world.ana), name="language", value="de")
    site = sites.create(world.acme.account, by=actor(world.ana), name="Lisbon", time_zone="Europe/Lisbon")
    entering.change(world.acme.phone, by=actor(world.ana), site=site)

    ana, rita = (signed_in(user).get(phone_url) for user in (world.ana, world.rita))

    assert "As the product comes." in words(part(ana, "sip_port"))
    assert "From your provider." in words(part(ana, "poll_hours"))
    assert "From Harbour Telecom ." in words(part(rita, "poll_hours"))
    assert 'href="/settings/?account=harbour#s-poll_hours"' in part(rita, "poll_hours")
    assert 'href="/settings/?account=acme#s-register_expires"' in part(ana, "register_expires")
    assert 'href="/settings/?account=acme&amp;model=yealink%2FT46S#s-dtmf"' in part(ana, "dtmf")
    assert "From every Yealink T46S in Acme Anvils ." in words(part(ana, "dtmf"))
    assert f'href="/sites/{site.code}/"' in part(ana, "time_zone")
    assert "Set on this phone." in words(part(ana, "language"))
    assert "Set here" in part(ana, "language")
    assert "Set here" not in part(ana, "dtmf")
    assert "Inherit again: English" in words(part(ana, "language"))


def test_the_ladder_shows_which_rung_decides(world: World, phone_url: str) -> None:
    settings_tree.set_value(world.harbour, by=actor(world.rita), name="poll_hours", value=12)
    settings_tree.set_value(world.acme.phone, by=actor(world.ana), name="poll_hours", value=6)

    rungs = re.findall(
        r"<i(?: class=\"(\w+)\")?></i>", part(signed_in(world.ana).get(phone_url), "poll_hours")
    )

    assert rungs == ["", "has", "", "", "", "decides"]


def test_what_the_model_cannot_is_told_and_not_asked(world: World) -> None:
    fanvil = entering.enter(
        world.acme.account,
        by=actor(world.ana),
        mac="00005e0053ee",
        family="fanvil",
        model="X4U",
        name="Lobby",
    )
    ana = signed_in(world.ana)

    on_phone, on_account = ana.get(f"/phones/{fanvil.code}/settings/"), ana.get("/settings/")

    assert "It counts the hours from its own start" in part(on_phone, "poll_window")
    assert "<input" not in part(on_phone, "poll_window")
    assert "Not on every phone" in part(on_account, "poll_window")
    assert "Fanvil: It counts the hours from its own start" in part(on_account, "poll_window")
    assert 'name="poll_window"' in part(on_account, "poll_window")


def test_what_is_doubtful_of_the_model_is_told(world: World) -> None:
    doubted = [
        (family, model, doubt)
        for family in catalog().families.values()
        for model in family.models.values()
        for doubt in model.doubts
    ]
    family, model, doubt = doubted[0]

    shown = signed_in(world.ana).get(f"/settings/?account=acme&model={family.code}/{model.name}")

    assert escape(doubt) in text(shown)


def test_who_may_only_look_has_no_form(world: World, phone_url: str) -> None:
    vic = signed_in(world.acme.viewer)

    for url in (phone_url, "/settings/"):
        shown = text(vic.get(url))
        assert "You may look, not change." in shown
        assert "What would this do?" not in shown
        assert "Inherit again" not in shown


def test_a_page_costs_the_same_whatever_is_given(world: World, phone_url: str) -> None:
    ana = signed_in(world.ana)

    def cost(url: str) -> int:
        ana.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert ana.get(url).status_code == 200
        return len(queries)

    before = {url: cost(url) for url in (phone_url, "/settings/")}
    rita, by = actor(world.rita), actor(world.ana)
    for account in (world.harbour, world.acme.account):
        for name, value in (("poll_hours", 12), ("language", "de"), ("dtmf", "sip_info"), ("sip_port", 5070)):
            settings_tree.set_value(account, by=rita, name=name, value=value)
            model = model_in(account, "yealink", "T46S")
            settings_tree.set_value(model, by=rita, name=name, value=value)
    for phone in (world.acme.phone, world.acme.other_phone):
        settings_tree.set_value(phone, by=by, name="language", value="fr")

    assert {url: cost(url) for url in before} == before


def test_a_phone_whose_model_the_catalogue_has_lost_still_has_its_page(world: World, phone_url: str) -> None:
    Device.objects.filter(pk=world.acme.phone.pk).update(model="T1")

    for user in (world.ana, world.rita):
        assert signed_in(user).get(phone_url).status_code == 200


def test_what_is_given_nearer_to_the_phones_is_named_on_the_accounts_page(world: World) -> None:
    by = actor(world.ana)
    model = model_in(world.acme.account, "yealink", "T46S")
    settings_tree.set_value(model, by=by, name="language", value="de")
    settings_tree.set_value(model, by=by, name="dtmf", value="sip_info")
    settings_tree.set_value(world.acme.phone, by=by, name="language", value="fr")
    ana = signed_in(world.ana)

    shown = words(text(ana.get("/settings/")))

    assert "Every Yealink T46S : 2 values" in shown
    assert f"{world.acme.phone.name} : 1 value" in shown
    assert "Nearer to the phones" not in text(signed_in(world.eve).get("/settings/"))


# --- changing --------------------------------------------------------------------------------------------


def test_a_change_is_shown_before_it_is_made(world: World) -> None:
    ana, before = signed_in(world.ana), unchanged()
    sent = typed(ana, "/settings/", Group.SERVER, sip_server="sip.acme.example")

    looked = ana.post("/settings/", sent)

    assert looked.status_code == 200
    assert "2 phones would change" in text(looked)
    assert "sip.acme.example" in text(looked)
    assert world.acme.secret not in text(looked)
    assert unchanged() == before

    saved = ana.post("/settings/", {**carried(looked), "do": "save"}, follow=True)

    assert "SIP server: saved." in text(saved)
    assert "Set for Acme Anvils." in words(part(saved, "sip_server"))
    assert list(SettingValue.objects.values_list("name", "value", "account")) == [
        ("sip_server", "sip.acme.example", world.acme.account.pk)
    ]


def test_only_what_the_reader_touched_is_given_here(world: World, phone_url: str) -> None:
    ana = signed_in(world.ana)
    sent = typed(ana, phone_url, Group.CALLS, call_waiting=None, codecs_g722="3", codecs_pcmu="1")
    settings_tree.set_value(world.acme.account, by=actor(world.ana), name="dtmf", value="sip_info")

    ana.post(phone_url, {**sent, "do": "save"})

    assert settings_tree.given_here(world.acme.phone) == {
        "call_waiting": False,
        "codecs": ["pcmu", "pcma", "g722", "g729"],
    }
    assert settings_tree.effective(world.acme.phone)["dtmf"].value == "sip_info"


def test_going_back_keeps_what_was_typed(world: World, phone_url: str) -> None:
    ana, before = signed_in(world.ana), unchanged()
    sent = typed(ana, phone_url, Group.SERVER, sip_server="sip.acme.example")

    back = ana.post(phone_url, {**carried(ana.post(phone_url, sent)), "do": "back"})

    assert 'value="sip.acme.example"' in part(back, "sip_server")
    assert 'name="was-sip_server" value="&quot;sip.invalid&quot;"' in part(back, "sip_server")
    assert unchanged() == before


def test_nothing_typed_changes_nothing(world: World, phone_url: str) -> None:
    ana, before = signed_in(world.ana), unchanged()

    for group in Group:
        answer = ana.post(phone_url, {**typed(ana, phone_url, group), "do": "save"}, follow=True)
        assert "Nothing was different" in text(answer), group

    assert unchanged() == before


def test_an_own_value_is_given_up_after_a_look(world: World, phone_url: str) -> None:
    settings_tree.set_value(world.acme.phone, by=actor(world.ana), name="language", value="de")
    ana, before = signed_in(world.ana), unchanged()

    looked = ana.post(phone_url, {"again": "language"})
    assert "German" in text(looked)
    assert unchanged() == before
    saved = ana.post(phone_url, {**carried(looked), "do": "save"}, follow=True)

    assert "what stands above holds again" in text(saved)
    assert not SettingValue.objects.filter(name="language").exists()


def test_a_models_values_are_given_on_its_own_page(world: World) -> None:
    ana, url = signed_in(world.ana), "/settings/?account=acme&model=yealink/SIP-T46S"
    sent = typed(ana, url, Group.DISPLAY, language="de")

    saved = ana.post(url, {**sent, "do": "save"}, follow=True)

    row = SettingValue.objects.get(name="language")
    assert (row.family, row.model, row.value) == ("yealink", "T46S", "de")
    assert "Set for every Yealink T46S in Acme Anvils." in words(part(saved, "language"))


@pytest.mark.parametrize(
    ("group", "name", "value", "complaint"),
    [
        (Group.SERVER, "register_expires", "59", "greater than or equal to 60"),
        (Group.SERVER, "register_expires", "", "This field is required"),
        (Group.SERVER, "sip_server", "not a host", "A host name or address."),
        (Group.SERVER, "sip_transport", "sctp", "is not one of the available choices"),
        (Group.CALLS, "codecs_g722", "2", "Two have the same place."),
        (Group.FETCHING, "poll_window", "22:00-22:10", "At least an hour"),
    ],
)
def test_a_refusal_comes_back_to_its_field(
    group: Group, name: str, value: str, complaint: str, world: World, phone_url: str
) -> None:
    ana, before = signed_in(world.ana), unchanged()
    sent = typed(ana, phone_url, group, **{name: value})

    for do in ("", "save"):
        answer = ana.post(phone_url, {**sent, "do": do})
        assert answer.status_code == 200
        assert complaint in part(answer, name.removesuffix("_g722"))
        assert "Nothing was saved" in text(answer)

    assert unchanged() == before


def test_who_may_not_is_turned_away(world: World, phone_url: str) -> None:
    settings_tree.set_value(world.acme.phone, by=actor(world.ana), name="language", value="de")
    before, vic = unchanged(), signed_in(world.acme.viewer)
    sent = typed(signed_in(world.ana), phone_url, Group.SERVER, sip_server="sip.acme.example")

    answers = [
        vic.post(phone_url, sent),
        vic.post(phone_url, {**sent, "do": "save"}),
        vic.post(phone_url, {"again": "language", "do": "save"}),
        vic.post("/settings/", {**sent, "do": "save"}),
        signed_in(world.ben).get("/settings/"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert unchanged() == before


def test_anothers_settings_are_not_there(world: World, phone_url: str) -> None:
    eve = signed_in(world.eve)

    assert eve.get(phone_url).status_code == 404
    assert eve.post(phone_url, {"again": "language"}).status_code == 404
    assert eve.get("/settings/?account=acme").status_code == 404
    assert eve.get("/settings/?account=globex&model=yealink/T1").status_code == 404
    assert eve.get("/settings/?account=globex&model=nobody").status_code == 404


def test_what_the_page_wrote_down_may_be_garbage(world: World, phone_url: str) -> None:
    ana = signed_in(world.ana)
    sent = typed(ana, phone_url, Group.SERVER, sip_server="sip.acme.example")

    for garbage in ("{", "", "[" * 100_000):
        answer = ana.post(phone_url, {**sent, "was-sip_server": garbage})
        assert answer.status_code == 200


# --- the vendors' own keys -------------------------------------------------------------------------------


def test_a_key_is_added_after_a_look_and_removed_likewise(world: World, phone_url: str) -> None:
    rita, before = signed_in(world.rita), unchanged()

    looked = rita.post(phone_url, {"group": "raw", "key": KEY, "value": "5"})
    assert f"{KEY} = 5" in text(looked)
    assert unchanged() == before
    saved = rita.post(phone_url, {**carried(looked), "do": "save"}, follow=True)
    assert list(RawValue.objects.values_list("key", "value")) == [(KEY, "5")]
    assert "Set on this phone." in words(part(saved, "raw"))
    gone = rita.post(phone_url, {"group": "raw", "again": KEY})
    rita.post(phone_url, {**carried(gone), "do": "save"})

    assert not RawValue.objects.exists()


def test_keys_of_an_account_are_for_a_maker_and_those_of_a_model_for_it(world: World) -> None:
    rita = signed_in(world.rita)
    body = {"group": "raw", "key": KEY, "do": "save"}

    rita.post("/settings/?account=acme", {**body, "family": "yealink", "value": "1"})
    rita.post("/settings/?account=acme&model=yealink/T46S", {**body, "value": "2"})

    assert list(RawValue.objects.order_by("pk").values_list("family", "model", "value")) == [
        ("yealink", "", "1"),
        ("yealink", "T46S", "2"),
    ]
    on_model = words(part(rita.get("/settings/?account=acme&model=yealink/T46S"), "raw"))
    assert "Every Yealink T46S Set for every Yealink T46S in Acme Anvils." in on_model
    assert "Replaced by the same key below" in on_model
    on_account = text(rita.get("/settings/?account=acme"))
    assert on_account.count(f'name="again" value="{KEY}"') == 1


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("account.1.password", "open", "key"),
        ("static.auto_provision.server.url", "http://x.example", "key"),
        ("", "5", "key"),
        (KEY, "x" * 501, "value"),
        (KEY, "caf\u0007", "value"),
    ],
)
def test_a_key_that_cannot_be_comes_back_to_its_field(
    key: str, value: str, field: str, world: World, phone_url: str
) -> None:
    rita, before = signed_in(world.rita), unchanged()

    for do in ("", "save"):
        answer = rita.post(phone_url, {"group": "raw", "key": key, "value": value, "do": do})
        assert answer.status_code == 200
        assert f'id="id_{field}_error"' in text(answer)

    assert unchanged() == before


def test_managers_see_nothing_of_them(world: World, phone_url: str) -> None:
    raw_keys.set_value(world.acme.phone, by=actor(world.rita), key=KEY, value="5")
    before, ana = unchanged(), signed_in(world.ana)

    for url in (phone_url, "/settings/"):
        shown = text(ana.get(url))
        assert KEY not in shown
        assert "own keys" not in shown
    refused = ana.post(phone_url, {"group": "raw", "key": KEY, "value": "6", "do": "save"})

    assert refused.status_code == 403
    assert unchanged() == before
