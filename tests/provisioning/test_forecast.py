"""What will happen to a lock by itself is foretold; where a person has to act, nothing is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioning.forecast import Forecast, forecast
from provisioning.gate import State

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
END = datetime(2026, 11, 29, 8, 5, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "state": State.NEW,
    "until": END,
    "armed_at": NOW - timedelta(days=1),
    "is_enabled": True,
    "zone": "Europe/Berlin",
    "now": NOW,
}


@pytest.mark.parametrize(
    ("case", "changes", "told"),
    [
        (
            "new, inside its fresh time",
            {},
            Forecast("locks", END, "Locks itself on Sun 29 Nov, 09:05 CET, unless it is plugged in before."),
        ),
        (
            "new, to be shipped later",
            {"armed_at": NOW + timedelta(days=2)},
            Forecast(
                "ships",
                NOW + timedelta(days=2),
                "Ships on Wed 25 Nov, 13:00 CET. Locks itself on Sun 29 Nov, 09:05 CET, unless it is plugged"
                " in before.",
            ),
        ),
        (
            "unlocked with an end",
            {"state": State.UNLOCKED},
            Forecast("locks-again", END, "Locks again on Sun 29 Nov, 09:05 CET, or when it is set up."),
        ),
        (
            "retired with a last file",
            {"state": State.RETIRED},
            Forecast("last-file-ends", END, "Its last file ends on Sun 29 Nov, 09:05 CET."),
        ),
        ("unlocked without an end", {"state": State.UNLOCKED, "until": None}, None),
        ("locked", {"state": State.LOCKED, "until": None}, None),
        ("quarantined", {"state": State.QUARANTINED, "until": None}, None),
        ("disabled: no phone locks that nobody serves", {"is_enabled": False}, None),
    ],
)
def test_the_forecast_says_what_comes_by_itself(
    case: str, changes: dict[str, Any], told: Forecast | None
) -> None:
    assert forecast(**{**FACTS, **changes}) == told
