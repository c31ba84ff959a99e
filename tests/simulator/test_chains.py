"""Phones that store the new address and go on there in the same run, and what they do where that fails."""

from collections.abc import Callable

import pytest
import redis

from tests.edge.serving import ServedEdge
from tests.edge.shelf import Shelf
from tests.simulator import Outcome, Reloading, Ruled
from tests.simulator.conftest import CURRENT, ENTRY, MAC, PROXY, Claiming, put_files, root_for
from tests.simulator.talking import at_once
from tests.simulator.test_phones import AGENTS, OVER_HTTPS

RELOADING = [("grandstream", model) for model in ("GRP2614", "GXP1628", "GXV3240", "HT802V2")]
RULED = [("cisco", model) for model in ("8841", "SPA504G", "SPA112", "ATA192")]
#: What is not settled of the first, as the simulated phone spells it.
UNSETTLED = [{"reads_binaries": False}, {"xml_first": True}, {"xml_first": True, "reads_binaries": False}]

Stage = Callable[..., ServedEdge]


def reloading(edge: ServedEdge, model: str, *, https: bool, **manner: bool) -> Reloading:
    at, agent, root = ("127.0.0.1", edge.port), AGENTS["grandstream", model], "https://phones.example.org/"
    if https:
        phone = Reloading(MAC, agent, root, PROXY, connect_to=at, headers=OVER_HTTPS)
    else:
        phone = Reloading(MAC, agent, root.replace("https", "http"), connect_to=at)
    for name, value in manner.items():
        setattr(phone, name, value)
    return phone


def ruled(edge: ServedEdge, model: str) -> Ruled:
    root, at = root_for("cisco", model), ("127.0.0.1", edge.port)
    return Ruled(MAC, AGENTS["cisco", model], root, PROXY, connect_to=at, headers=OVER_HTTPS)


def fill(edge: ServedEdge, store: "redis.Redis") -> None:
    assert isinstance(edge.doors, Claiming)
    put_files(Shelf(store), edge.doors.phone)


def places(asked: list[str]) -> list[str]:
    """The addresses without host, with words for the tokens."""
    paths = [url.partition("//")[2].partition("/")[2] for url in asked]
    return [path.replace(CURRENT, "private").replace(ENTRY, "entry").replace(MAC, "MAC") for path in paths]


@pytest.mark.parametrize("https", [True, False])
@pytest.mark.parametrize(("family", "model"), RELOADING)
def test_the_binary_file_leads_to_the_private_url_in_the_same_run(
    stage: Stage, family: str, model: str, https: bool
) -> None:
    phone = reloading(stage(family, model), model, https=https)

    outcome = phone.boot()

    assert places([one.url for one in outcome.asked]) == ["cfgMAC", "d/entry/cfgMAC.xml"]
    assert outcome.full_after == 2
    assert outcome.moved
    assert b"planted-secret" not in outcome.asked[0].body


@pytest.mark.parametrize("manner", UNSETTLED)
@pytest.mark.parametrize(("family", "model"), RELOADING)
def test_over_https_the_xml_at_the_root_is_the_full_file_and_polls_daily_an_hour_later(
    stage: Stage, family: str, model: str, manner: dict[str, bool]
) -> None:
    phone = reloading(stage(family, model), model, https=True, **manner)

    outcome = phone.boot()

    assert outcome.full_after is not None
    assert outcome.full_after <= 2
    assert outcome.moved
    assert "d/private/cfgMAC.xml" in places([one.url for one in outcome.asked])
    assert not [one for one in outcome.asked if ENTRY in one.url]
    assert 3600 < outcome.seconds <= 3660
    assert phone.polls_after() is None


@pytest.mark.parametrize("manner", UNSETTLED)
@pytest.mark.parametrize(("family", "model"), RELOADING)
def test_over_plain_http_the_xml_takes_the_hour_and_no_secret_passes_the_root(
    stage: Stage, family: str, model: str, manner: dict[str, bool]
) -> None:
    phone = reloading(stage(family, model), model, https=False, **manner)

    outcome = phone.boot()

    assert outcome.full_after is not None
    assert 3600 < outcome.full_after <= 3660
    assert outcome.moved
    assert not [one for one in outcome.asked if "/d/" not in one.url and b"planted-secret" in one.body]


def test_a_restart_hurries_a_phone_that_waits_for_its_hour(stage: Stage) -> None:
    phone = reloading(stage("grandstream", "GRP2614"), "GRP2614", https=False, reads_binaries=False)
    at_once(phone.run(Outcome()))
    assert phone.accounts() == {}

    again = phone.boot()

    assert again.full_after is not None
    assert again.full_after <= 60


@pytest.mark.parametrize("https", [True, False])
@pytest.mark.parametrize(("family", "model"), RELOADING)
def test_a_private_url_that_has_no_file_yet_is_asked_again_every_hour(
    stage: Stage, store: "redis.Redis", family: str, model: str, https: bool
) -> None:
    edge = stage(family, model, ready=False)
    phone = reloading(edge, model, https=https)

    first = phone.boot()
    fill(edge, store)
    second = phone.boot()

    assert (first.secrets, first.moved) == ({}, True)
    assert phone.settings["P145"] == "0"
    assert second.secret_of("200") == "planted-secret"
    assert CURRENT in second.server


@pytest.mark.parametrize(("family", "model"), RELOADING)
def test_dhcp_that_is_believed_again_is_told_so_again(stage: Stage, family: str, model: str) -> None:
    phone = reloading(stage(family, model), model, https=True)
    phone.boot()
    phone.settings["P145"] = "1"  # a hand set it back, and option 66 leads to the root again

    again = phone.boot()

    assert places([one.url for one in again.asked])[0] == "cfgMAC"
    assert again.moved
    assert phone.settings["P145"] == "0"


@pytest.mark.parametrize(("family", "model"), RULED)
def test_three_rules_are_one_run(stage: Stage, family: str, model: str) -> None:
    phone = ruled(stage(family, model), model)
    product = "8841-3PCC.xml" if model == "8841" else f"{model.lower()}.cfg".replace("504g", "504G")

    outcome = phone.boot()

    asked = [place for place in places([one.url for one in outcome.asked]) if not place.startswith("Cisco/")]
    assert asked == [product, "MAC.xml", "d/entry/MAC.xml"]
    assert [phone.settings[name] for name in ("Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D")] == [
        ""
    ] * 3
    assert outcome.full_after is not None
    assert outcome.full_after <= 4
    assert phone.settings["Resync_Periodic"] == "0"


@pytest.mark.parametrize("first", [True, False])
def test_a_second_rule_of_the_factorys_is_no_hindrance(stage: Stage, first: bool) -> None:
    phone = ruled(stage("cisco", "8841"), "8841")
    phone.second_rule_first = first

    outcome = phone.boot()

    assert [one.status for one in outcome.asked].count(404) == 1
    assert outcome.moved


@pytest.mark.parametrize(("family", "model"), RULED)
def test_a_whole_rule_by_dhcp_enters_one_step_later(stage: Stage, family: str, model: str) -> None:
    phone = ruled(stage(family, model), model)
    phone.settings["Profile_Rule"] = f"{phone.root_url}$MA.xml"

    outcome = phone.boot()

    assert places([one.url for one in outcome.asked]) == ["MAC.xml", "d/entry/MAC.xml"]
    assert outcome.secret_of("200") == "planted-secret"


@pytest.mark.parametrize(("family", "model"), RULED)
def test_a_private_url_that_has_no_file_yet_is_asked_again_within_the_minute(
    stage: Stage, store: "redis.Redis", family: str, model: str
) -> None:
    edge = stage(family, model, ready=False)
    phone = ruled(edge, model)

    first = phone.boot()
    fill(edge, store)
    at_once(phone.resync(second := Outcome()))

    assert (first.secrets, first.moved) == ({}, True)
    assert first.seconds >= 60
    assert second.full_after is not None
    assert places([one.url for one in second.asked])[0] == "d/entry/MAC.xml"


@pytest.mark.parametrize("model", ["SPA504G", "SPA112"])
def test_a_phone_that_trusts_its_maker_alone_is_never_sent_to_https(stage: Stage, model: str) -> None:
    phone = ruled(stage("cisco", model), model)

    outcome = phone.boot()

    named = [value for value in phone.settings.values() if "://" in value]
    assert not phone.trusts_all
    assert named
    assert all(value.startswith("http://") for value in named)
    assert outcome.moved
