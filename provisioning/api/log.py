"""A phone's log in the API: each line with its rule, its sentence and what helps."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from devices.models import Device
from provisioning import sentences
from provisioning.models import DeviceEvent

REQUEST = "request"


def lines(events: Iterable[DeviceEvent], device: Device, *, now: datetime) -> list[dict[str, Any]]:
    """The events as the API shows them; times inside sentences are the account's."""
    zone = device.account.time_zone
    return [_line(event, zone, now) for event in events]


def _line(event: DeviceEvent, zone: str, now: datetime) -> dict[str, Any]:
    places: dict[str, Any] = {name: _readable(value, zone, now) for name, value in event.details.items()}
    places |= {"address": event.address, "agent": event.agent, "actor": event.actor}
    if event.what == REQUEST:
        sentence = sentences.sentence(event.rule, event.outcome, **places)
        remedy = sentences.remedy(event.rule, event.outcome, **places)
    else:
        sentence, remedy = sentences.happened(event.what, **places), ""
    return {
        "at": event.at,
        "what": event.what,
        "outcome": event.outcome,
        "rule": event.rule,
        "sentence": sentence,
        "next": remedy,
        "address": event.address,
        "agent": event.agent,
        "file": event.file,
        "count": event.count,
        "actor": event.actor,
    }


def _readable(value: Any, zone: str, now: datetime) -> Any:
    """Moments stand in details as text for programs; people read them in their own zone."""
    if isinstance(value, str) and "T" in value:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return sentences.when(moment, zone, now=now) if moment.tzinfo else value
    return value
