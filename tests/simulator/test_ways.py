"""What can go wrong on the way to the private URL, and that it strands nobody (repointing.md, section 14)."""

from collections.abc import Callable

import pytest
import redis

from tests.edge.serving import ServedEdge
from tests.edge.shelf import Shelf
from tests.simulator import Listing, Numbered
from tests.simulator.conftest import CURRENT, MAC, PROXY, ROOT, Claiming, put_files
from tests.simulator.test_phones import AGENTS, OVER_HTTPS

PRIVATE = f"{ROOT}d/{CURRENT}/"
LISTING = [("snom", "D785"), ("snom", "320")]
NUMBERED = [("fanvil", "X6U-Pro"), ("fanvil", "X4")]


def listing(edge: ServedEdge, family: str, model: str) -> Listing:
    return Listing(MAC, AGENTS[family, model], ROOT, connect_to=("127.0.0.1", edge.port))


def numbered(edge: ServedEdge, family: str, model: str, *, https: bool) -> Numbered:
    at, agent = ("127.0.0.1", edge.port), AGENTS[family, model]
    if https:
        return Numbered(MAC, agent, ROOT, PROXY, connect_to=at, headers=OVER_HTTPS)
    return Numbered(MAC, agent, ROOT, connect_to=at)


def doors_of(edge: ServedEdge) -> "Claiming":
    assert isinstance(edge.doors, Claiming)
    return edge.doors


@pytest.mark.parametrize(("family", "model"), LISTING)
def test_a_failing_private_host_changes_nothing_but_a_short_poll(
    stage: Callable[..., ServedEdge], store: "redis.Redis", family: str, model: str
) -> None:
    edge = stage(family, model, ready=False)
    phone = listing(edge, family, model)

    first = phone.boot()

    assert first.secrets == {}
    assert not first.moved
    assert set(phone.settings) == {
        "prov_polling_enabled",
        "prov_polling_mode",
        "prov_polling_period",
        "settings_refresh_timer",
    }
    roots = [asked for asked in first.asked if asked.url.endswith(".htm") and MAC.upper() in asked.url]
    assert len(roots) > 1, "it asks the root again within the minute"
    assert len({asked.body for asked in roots}) == 1

    put_files(Shelf(store), doors_of(edge).phone)
    second = phone.boot()

    assert second.secret_of("200") == "planted-secret"
    assert second.moved
    assert phone.polls_after() is None, "the full file has switched the short poll off"


def test_a_settings_server_that_answers_keeps_dhcp_out(stage: Callable[..., ServedEdge]) -> None:
    edge = stage("snom", "D785")
    phone = listing(edge, "snom", "D785")
    phone.boot()

    again = phone.boot()

    assert phone.has_dhcp
    assert [asked.url for asked in again.asked] == [f"{PRIVATE}{MAC.upper()}.xml"]


def test_a_desk_phone_whose_private_url_is_dead_does_not_ask_others(stage: Callable[..., ServedEdge]) -> None:
    edge = stage("snom", "D785")
    phone = listing(edge, "snom", "D785")
    phone.boot()
    phone.settings["setting_server"] = f"{ROOT}d/{'x9' * 20}/{{mac}}.xml"

    again = phone.boot()

    assert {asked.url for asked in again.asked} == {f"{ROOT}d/{'x9' * 20}/{MAC.upper()}.xml"}
    assert again.secret_of("200") == "planted-secret", "what is stored stays"


@pytest.mark.parametrize("dhcp_first", [False, True])
def test_a_base_station_is_served_whether_or_not_dhcp_wins_at_a_restart(
    stage: Callable[..., ServedEdge], dhcp_first: bool
) -> None:
    edge = stage("snom", "M900")
    phone = listing(edge, "snom", "M900")
    phone.dhcp_first = dhcp_first
    phone.boot()

    again = phone.boot()

    assert again.secret_of("200") == "planted-secret"
    assert again.moved
    assert again.asked[0].url.startswith(PRIVATE) is not dhcp_first


@pytest.mark.parametrize("by_digest", [False, True])
@pytest.mark.parametrize(("family", "model"), NUMBERED)
def test_over_https_a_slow_phone_is_there_at_once_and_polls_daily_an_hour_later(
    stage: Callable[..., ServedEdge], family: str, model: str, by_digest: bool
) -> None:
    edge = stage(family, model)
    phone = numbered(edge, family, model, https=True)
    phone.by_digest = by_digest

    outcome = phone.boot()

    assert outcome.full_after == 2
    assert [asked.url for asked in outcome.asked[1:]] == [f"{ROOT}{MAC}.cfg", f"{PRIVATE}{MAC}.cfg"]
    assert (outcome.settings["hours"], outcome.settings["dhcp"]) == ("24", "0")


@pytest.mark.parametrize(("family", "model"), NUMBERED)
def test_over_plain_http_it_takes_the_hour_and_no_secret_passes_the_root(
    stage: Callable[..., ServedEdge], family: str, model: str
) -> None:
    edge = stage(family, model)
    phone = numbered(edge, family, model, https=False)

    outcome = phone.boot()

    assert outcome.full_after is not None
    assert 3600 < outcome.full_after <= 3660
    assert outcome.moved
    assert not [a for a in outcome.asked if "/d/" not in a.url and b"planted-secret" in a.body]


def test_a_phone_that_comes_back_takes_the_next_claims_file(stage: Callable[..., ServedEdge]) -> None:
    """Not reset, it still knows its last number: a repeat is below it, the answer to a new claim above."""
    edge = stage("fanvil", "X6U-Pro")
    phone = numbered(edge, "fanvil", "X6U-Pro", https=True)
    phone.boot()
    phone.settings["dhcp"] = "66"  # a hand set it back, and option 66 leads to the root again

    repeat = phone.boot()
    doors_of(edge).build += 1
    claim = phone.boot()

    assert repeat.asked[0].url.startswith(ROOT)
    assert repeat.settings["dhcp"] == "66"
    assert (claim.settings["dhcp"], claim.settings["hours"]) == ("0", "1")
    assert claim.moved
