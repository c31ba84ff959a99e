"""A phone that was let in and did not come over, or came back: its causes, and the line in its log."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning import coming_over, describing, entering, events, tasks
from provisioning.gate import TokenKind
from provisioning.models import DeviceEvent, Token
from tests.factories import bind, claimed, make_phone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CERTIFICATE = "It does not trust the certificate of the private URL, or its clock is wrong."
DHCP = "DHCP, plug-and-play or a redirection service leads it elsewhere at each start."
NUMBER = (
    "It holds a file with a higher number and takes no lower one: reset it to its factory state, then"
    " restart it."
)
FIRMWARE = "Its firmware is too old for the way to its private URL. Update it."
RESET = "Somebody reset it to its factory state. Then there is nothing to do."


def request(device: Device, rule: str, outcome: str, *, ago: timedelta = timedelta()) -> None:
    DeviceEvent.objects.create(
        device=device, account=device.account, mac=device.mac, at=timezone.now() - ago, what="request",
        outcome=outcome, rule=rule,
    )  # fmt: skip


def let_in(device: Device, rule: str = "R1", *, used: bool = False) -> Device:
    """As a claim leaves it; `used`: it has fetched below its private URL."""
    bind(device)
    claim = claimed(device, rule=rule)
    for kind in (TokenKind.CURRENT, TokenKind.ENTRY):
        Token.objects.create(
            device=device, mac=device.mac, hash=f"{device.pk}-{claim.pk}-{kind}", kind=kind.value,
            claim=claim, issued_at=claim.at, first_used_at=timezone.now() if used else None,
        )  # fmt: skip
    request(device, rule, "bootstrap")
    return device


def lines(device: Device) -> list[DeviceEvent]:
    return list(DeviceEvent.objects.filter(device=device).exclude(what__in=("request", "entered")))


@pytest.mark.parametrize(
    ("family", "model", "patience", "causes"),
    [
        ("yealink", "T46U", 3 * MINUTE, (CERTIFICATE, DHCP, FIRMWARE)),
        ("poly", "VVX450", 3 * MINUTE, (CERTIFICATE, DHCP, FIRMWARE)),
        ("snom", "D785", 3 * MINUTE, (CERTIFICATE, DHCP, FIRMWARE)),
        ("cisco", "8841", 3 * MINUTE, (CERTIFICATE, DHCP, FIRMWARE)),
        ("cisco", "SPA504G", 3 * MINUTE, (DHCP, FIRMWARE)),  # its private URL is plain http
        ("grandstream", "GRP2614", 65 * MINUTE, (CERTIFICATE, DHCP, FIRMWARE)),
        ("fanvil", "X6U", 65 * MINUTE, (CERTIFICATE, DHCP, NUMBER, FIRMWARE)),
        ("fanvil", "X4", 65 * MINUTE, (CERTIFICATE, DHCP, NUMBER, FIRMWARE)),
    ],
)
def test_who_is_late_is_told_what_may_keep_it_and_its_log_says_so_once(
    acme: Account, ana: Actor, family: str, model: str, patience: timedelta, causes: tuple[str, ...]
) -> None:
    phone = let_in(make_phone(acme, by=ana, family=family, model=model))
    now = timezone.now()

    assert coming_over.sweep(now + patience - SECOND) == 0
    before = describing.describe_lock(phone, now=now + patience - SECOND)
    assert coming_over.sweep(now + patience) == 1
    assert coming_over.sweep(now + patience + MINUTE) == 0
    after = describing.describe_lock(phone, now=now + patience)

    assert (before.handover, before.handover_causes) == ("waiting", ())
    assert (after.handover, after.handover_causes) == ("late", causes)
    assert after.next == "Restart the phone, so that it comes over to its private URL."
    assert before.next.startswith("Nothing to do.")
    assert after.as_json()["handover_causes"] == list(causes)
    (line,) = lines(phone)
    assert (line.what, line.at) == ("not-come-over", now + patience)
    said = events.described(line, now=now).sentence
    assert said.startswith("Let in Mon 2 Mar, 13:00 CET, and still not at its private URL. Restart it.")
    assert said.endswith(" ".join(causes))


def test_who_came_over_in_time_is_left_in_peace(phone: Device) -> None:
    let_in(phone, used=True)

    assert coming_over.sweep(timezone.now() + 3 * MINUTE) == 0
    assert lines(phone) == []


def test_a_phone_that_was_at_its_private_url_an_hour_ago_and_asks_at_the_root_does_not_stick(
    phone: Device,
) -> None:
    request(phone, "O3", "full", ago=HOUR)
    let_in(phone, "R4", used=True)

    assert tasks.end_what_is_over() == 0
    tasks.end_what_is_over()

    told = describing.describe_lock(phone, now=timezone.now())
    assert (told.handover, told.handover_causes) == ("does not stick", (RESET, DHCP, FIRMWARE))
    (line,) = lines(phone)
    assert (line.what, line.at) == ("does-not-stick", timezone.now())
    assert events.described(line).sentence == (
        f"It had its private URL and asked at the root URL again. {RESET} {DHCP} {FIRMWARE}"
    )


def test_a_second_claim_is_a_second_line(phone: Device) -> None:
    first = let_in(phone)
    coming_over.sweep(timezone.now() + 3 * MINUTE)
    Token.objects.filter(device=first).delete()
    DeviceEvent.objects.filter(device=phone, what="request").update(at=timezone.now())
    later = timezone.now() + 10 * MINUTE
    claim = claimed(phone, at=later, rule="R7")
    Token.objects.create(
        device=phone, mac=phone.mac, hash="x", kind=TokenKind.CURRENT.value, claim=claim, issued_at=later
    )

    assert coming_over.sweep(later + 3 * MINUTE) == 1
    assert [line.at for line in lines(phone)] == [later + 3 * MINUTE, timezone.now() + 3 * MINUTE]


def test_what_came_too_late_for_the_log_still_stands_on_the_page(phone: Device) -> None:
    let_in(phone)
    later = timezone.now() + coming_over.LOOKED_BACK

    assert coming_over.sweep(later) == 0
    assert describing.describe_lock(phone, now=later).handover == "late"


def test_a_phone_that_is_gone_stops_no_sweep(phone: Device, ana: Actor) -> None:
    let_in(phone)
    entering.remove(phone, by=ana)

    assert coming_over.sweep(timezone.now() + 3 * MINUTE) == 0


def test_a_model_that_the_catalogue_has_lost_still_gets_its_warning(phone: Device) -> None:
    let_in(phone)
    Device.objects.filter(pk=phone.pk).update(model="gone")

    assert coming_over.sweep(timezone.now() + 3 * MINUTE) == 1
    assert lines(phone)[0].details["causes"] == [DHCP, FIRMWARE]
