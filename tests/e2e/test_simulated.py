"""Simulated phones against the whole product: root, private URL, restart with option 66, factory reset."""

import pytest

from tests.e2e.household import PROXY, Household, eventually
from tests.e2e.phones import enter, lock_of
from tests.simulator import Phone

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

PHONES = {
    ("yealink", "T46S", "001565"): "Yealink SIP-T46S 66.85.0.5 {colons}",
    ("poly", "VVX450", "64167f"): "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 Type/Application",
    ("snom", "D785", "000413"): "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004 {mac} SXM:0)",
    ("snom", "760", "000413"): "Mozilla/4.0 (compatible; snom760-SIP 8.7.3.19 2010.06)",
    ("snom", "M900", "000413"): "Mozilla/4.0 (compatible; Snom M900 05.20.0001 {mac})",
    ("fanvil", "X6U-Pro", "0c383e"): "Fanvil X6U Pro 2.12.16.17 {mac}",
    ("fanvil", "X4", "0c383e"): "Fanvil X4 2.10.2.6887 {mac}",
    ("fanvil", "i10SV", "0c383e"): "Fanvil i10SV 2.12.10.1 {mac}",
    ("grandstream", "GRP2614", "c074ad"): "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId {mac}",
    ("grandstream", "GXP1628", "c074ad"): "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId {colons}",
    ("grandstream", "HT802V2", "ec74d7"): "Grandstream Model HW HT802V2 V1.0A SW 1.0.5.4 DevId {mac}",
    ("cisco", "8841", "00562b"): "Cisco-CP-8841-3PCC/11.0 ({mac})",
    ("cisco", "SPA504G", "649ef3"): "Cisco/SPA504G-7.4.9c ({mac})(CCQ162306EA)",
    ("cisco", "SPA112", "0002fd"): "Cisco/SPA112-1.3.5p ({mac})(CCQ170000AA)",
}


@pytest.mark.parametrize(("family", "model", "oui"), PHONES)
def test_a_phone_moves_sticks_and_starts_over(
    household: Household, family: str, model: str, oui: str
) -> None:
    device = enter(household, family=family, model=model, oui=oui)
    home = f"127.5.0.{1 + list(PHONES).index((family, model, oui))}"
    phone = Phone(
        device.mac,
        device.agent(PHONES[family, model, oui]),
        f"http://127.0.0.1:{household.phones_port}/",
        PROXY,
        headers={"X-Forwarded-For": home, "X-Forwarded-Proto": "https"},
    )

    first = phone.boot()
    restarted = phone.boot()
    phone.factory_reset()
    # A second claim within two seconds is held; a phone that really restarts takes longer than that.
    anew = eventually(lambda: (outcome := phone.boot()).secrets and outcome, what="the file after a reset")

    assert first.secret_of(device.username) == device.secret, first.statuses
    assert first.full_after is not None
    assert first.full_after <= 60
    assert restarted.secret_of(device.username) == device.secret
    assert all("/d/" in asked.url for asked in restarted.asked), restarted.statuses
    assert "/d/" not in anew.asked[0].url
    assert anew.secret_of(device.username) == device.secret, anew.statuses
    assert anew.server != first.server, "a claim brings a new token"
    assert lock_of(household, device)["bound_origin"] == home
