"""The simulated phones themselves, and the compiled files of each hand-over, over a served edge."""

from collections.abc import Callable

import pytest
import redis

from provisioning.gate import DeviceFacts, State
from security.networks import parse_origin
from tests.edge.serving import ServedEdge
from tests.edge.shelf import Shelf
from tests.simulator import Phone
from tests.simulator.conftest import CODE, CURRENT, MAC, PROXY, root_for

AGENTS = {
    ("yealink", "T46S"): "Yealink SIP-T46S 66.85.0.5 00:00:5e:00:53:77",
    ("yealink", "T38G"): "Yealink SIP-T38G  38.70.0.125 00:00:5e:00:53:77",
    ("poly", "VVX450"): "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 Type/Application",
    ("snom", "D785"): "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5)",
    ("snom", "320"): "Mozilla/4.0 (compatible; snom320-SIP 8.4.18 1.1.3-s)",
    ("snom", "M900"): "Mozilla/4.0 (compatible; Snom M900 05.20.0001 00005e005377)",
    ("fanvil", "X6U-Pro"): "Fanvil X6U Pro 2.12.16.17 00005e005377",
    ("fanvil", "X4"): "Fanvil X4 2.10.2.6887 00005e005377",
    ("fanvil", "i10SV"): "Fanvil i10SV 2.12.10.1 00005e005377",
    ("grandstream", "GRP2614"): "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId 00005e005377",
    ("grandstream", "GXP2170"): "Grandstream Model HW GXP2170 SW 1.0.11.79 DevId 00005e005377",
    ("grandstream", "GXP1628"): "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId 00:00:5e:00:53:77",
    ("grandstream", "GXV3370"): "Grandstream Model HW GXV3370  V1.3A SW 1.0.3.45 DevId 00005e005377",
    ("grandstream", "GXV3240"): "Grandstream Model HW GXV3240 V1.6B SW 1.0.1.27 DevId 00005e005377",
    ("grandstream", "HT802V2"): "Grandstream Model HW HT802V2 V1.0A SW 1.0.5.4 DevId 00005e005377",
    ("cisco", "8841"): "Cisco-CP-8841-3PCC/11.0 (00005e005377)",
    ("cisco", "SPA504G"): "Cisco/SPA504G-7.4.9c (00005E005377)(CCQ162306EA)",
    ("cisco", "SPA525G"): "Cisco/SPA525G-7.4.7 (CBT141900G7)",
    ("cisco", "SPA942"): "Linksys/SPA-942-6.1.5(a) (4MM00F903042)",
    ("cisco", "SPA112"): "Cisco/SPA112-1.3.5p (00005E005377)(CCQ170000AA)",
    ("cisco", "ATA192"): "Cisco/ATA192-MPP-11-1-0MPP0401-001 (00005E005377)(FCH170000AA)",
}
OVER_HTTPS = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
#: Simulated seconds until the full file; before V81 the shortest poll is a minute.
WITHIN = {"T38G": 90}


@pytest.mark.parametrize(("family", "model"), list(AGENTS))
def test_a_phone_finds_its_private_url_and_its_secret(
    stage: Callable[..., ServedEdge], family: str, model: str
) -> None:
    edge = stage(family, model)
    at, root = ("127.0.0.1", edge.port), root_for(family, model)
    phone = Phone(MAC, AGENTS[family, model], root, PROXY, connect_to=at, headers=OVER_HTTPS)

    outcome = phone.boot()

    assert outcome.secret_of("200") == "planted-secret", outcome.statuses
    assert outcome.server == f"{root}d/{CURRENT}/"
    assert outcome.moved
    assert outcome.full_after is not None
    assert outcome.full_after <= WITHIN.get(model, 60)
    for asked in outcome.asked:
        if "/d/" not in asked.url and family != "fanvil":
            assert b"planted-secret" not in asked.body

    again = phone.boot()

    assert again.secret_of("200") == "planted-secret"
    assert all(asked.url.startswith(f"{root}d/{CURRENT}/") for asked in again.asked)

    phone.factory_reset()
    anew = phone.boot()

    assert not anew.asked[0].url.startswith(f"{root}d/"), "option 66 leads to the root again"
    assert anew.secret_of("200") == "planted-secret"
    assert anew.moved


@pytest.mark.parametrize(("family", "model"), list(AGENTS))
def test_a_thief_who_plays_the_same_phone_elsewhere_gets_nothing(
    stage: Callable[..., ServedEdge], store: "redis.Redis", family: str, model: str
) -> None:
    edge = stage(family, model)
    bound = (parse_origin("127.0.0.1"),)
    Shelf(store).lock(DeviceFacts(CODE, MAC, family, "0001", State.LOCKED, bound=bound), model=model)
    root, at = root_for(family, model), ("127.0.0.1", edge.port)
    thief = Phone(MAC, AGENTS[family, model], root, "127.0.9.9", connect_to=at)

    outcome = thief.boot()

    assert outcome.secrets == {}
    assert not outcome.moved
    assert edge.doors.claims == []
