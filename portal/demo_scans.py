"""Who asked for phones that nobody has, days ago: what "what if" has to replay in the demo."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from provisioning import draining, earned, pressed
from provisioning.gate import KeyKind
from provisioning.wire import Note
from security import pressure
from security.networks import origin_of, parse_address
from security.pressure import Facts, Key


def scan(address: str, days_ago: int, macs: Iterable[str], *, agent: str, now: datetime) -> None:
    """One try a second; the address is banned when the rules say so, and leaves no key from then on."""
    number, at = parse_address(address), now - timedelta(days=days_ago)
    keys: list[Key] = []
    judgement = pressure.judge(keys, Facts(), at.timestamp())
    for seconds, mac in enumerate(macs):
        tried = round((at + timedelta(seconds=seconds)).timestamp(), 3)
        keys.append(Key(KeyKind.UNKNOWN_MAC.value, mac, "", tried))
        judgement = pressure.judge(keys, Facts(), tried)
        if judgement.ban is not None:
            break
    draining.write(
        [
            Note(
                at=key.at,
                address=f"{number:x}",
                rule="R11",
                outcome="refused",
                agent=agent,
                key=key.kind,
                label=key.label,
            )
            for key in keys
        ],
        now,
    )
    if judgement.ban is not None:
        earned.write([pressed.earned(judgement, origin_of(number), judgement.ban.since)], now)
