"""What goes over the wire, read by the independent library; and when it goes again."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from provisioning import webhook_wire

CODE = UUID("7d4c8f9a-0b1e-4c55-9a52-0d9b6c2f7a10")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.text(), PLAIN, max_size=5))
def test_any_event_is_read_and_trusted_by_the_other_side(data: dict[str, object]) -> None:
    secret, now = webhook_wire.draw_secret(), datetime.now(UTC)
    content = webhook_wire.body("device.locked", now, data)

    read = Webhook(secret).verify(content, webhook_wire.headers(CODE, content, keys=[secret], now=now))

    assert read == {"type": "device.locked", "timestamp": now.isoformat()[:26] + "Z", "data": data} or (
        not now.microsecond
    )


def test_the_bytes_are_the_same_in_whichever_order_the_facts_come() -> None:
    at = NOON.astimezone(timezone(timedelta(hours=5)))

    assert (
        webhook_wire.body("a.b", at, {"b": "ü", "a": 1})
        == webhook_wire.body("a.b", NOON, {"a": 1, "b": "ü"})
        == '{"data":{"a":1,"b":"ü"},"timestamp":"2026-03-02T12:00:00Z","type":"a.b"}'.encode()
    )


@pytest.mark.parametrize("what", ["body", "webhook-id", "webhook-timestamp", "webhook-signature", "secret"])
def test_nothing_of_it_can_be_changed(what: str) -> None:
    secret, now = webhook_wire.draw_secret(), datetime.now(UTC)
    content = webhook_wire.body("device.locked", now, {"number": 1})
    headers = webhook_wire.headers(CODE, content, keys=[secret], now=now)
    changed = {
        "body": content.replace(b"1", b"2"),
        "webhook-id": "msg_other",
        "webhook-timestamp": str(int(now.timestamp()) + 1),
        "webhook-signature": webhook_wire.signature(webhook_wire.draw_secret(), "x", 1, b""),
        "secret": webhook_wire.draw_secret(),
    }[what]
    if what == "body":
        content = changed  # type: ignore[assignment]
    elif what == "secret":
        secret = changed  # type: ignore[assignment]
    else:
        headers[what] = changed  # type: ignore[assignment]

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(content, headers)


def test_secrets_are_their_own_and_long_enough() -> None:
    drawn = {webhook_wire.draw_secret() for _ in range(50)}

    assert len(drawn) == 50
    assert all(secret.startswith("whsec_") and len(Webhook(secret)._whsecret) == 32 for secret in drawn)
    with pytest.raises(ValueError, match="not a secret"):
        webhook_wire.signature("whsec_!", "x", 1, b"")


def test_the_log_keeps_of_each_signature_its_beginning() -> None:
    keys = [webhook_wire.draw_secret(), webhook_wire.draw_secret()]
    sent = webhook_wire.headers(CODE, b"{}", keys=keys, now=NOON)
    first, second = sent["webhook-signature"].split()

    assert webhook_wire.shown(sent) == {**sent, "webhook-signature": f"{first[:11]}… {second[:11]}…"}
    assert json.dumps(webhook_wire.shown(sent)).count(first) == 0


@pytest.mark.parametrize(
    ("failed", "seconds"),
    [(1, 5), (2, 60), (3, 300), (4, 1800), (5, 7200), (6, 18_000), (7, 36_000), (8, 50_400), (99, 50_400)],
)
def test_pauses_grow_and_are_spread_by_a_tenth(failed: int, seconds: int) -> None:
    def spread(*, is_resting: bool) -> list[float]:
        pauses = [webhook_wire.pause(failed, is_resting=is_resting, luck=luck) for luck in (0, 0.5, 1)]
        return [pause.total_seconds() for pause in pauses]

    down = min(seconds, 3600)
    assert spread(is_resting=False) == pytest.approx([seconds * 0.9, seconds, seconds * 1.1])
    assert spread(is_resting=True) == pytest.approx([down * 0.9, down, down * 1.1])


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "30", 30),
        (503, "30", 30),
        (500, "30", 0),
        (429, "", 0),
        (429, "-5", 0),
        (429, "9" * 400, 3600),
        (429, "²", 0),
        (429, "Mon, 02 Mar 2026 12:00:45 GMT", 45),
        (429, "Mon, 02 Mar 2026 11:00:00 GMT", 0),
        (429, "Fri, 31 Dec 9999 23:59:59 -2359", 0),
        (503, "tomorrow", 0),
    ],
)
def test_how_long_a_busy_one_asks_us_to_stay_away(status: int, text: str, seconds: int) -> None:
    assert webhook_wire.asked_pause(status, text, NOON) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 10), (6, 20), (7, 40), (10, 320), (11, 600), (5000, 600)],
)
def test_rest_begins_with_the_fifth_failure_and_doubles(failures: int, seconds: int) -> None:
    assert webhook_wire.rest(failures) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "given_up"), [(0, False), (-1, False), (72 * 3600, True)])
def test_it_is_given_up_after_three_days(seconds: int, given_up: bool) -> None:
    assert webhook_wire.is_given_up(NOON, NOON + timedelta(seconds=seconds)) is given_up
    assert not webhook_wire.is_given_up(NOON, NOON + timedelta(hours=72, seconds=-1))
