"""The long run by hand: `python -m tests.api.fuzz --minutes 10 --seed 7`; says what is wrong, and figures.

Calls that follow each other, then every call by itself with a little; from the second round on with all of
schemathesis' phases, each round in another order and from another seed, until the time is over. In the tests'
own world, on SQLite.
"""

import argparse
import sys
from pathlib import Path

import pytest

LONG = Path(__file__).with_name("fuzzing_long.py")


class Asked:
    """How long and from which seed, as pytest's plugin."""

    def __init__(self, minutes: float, seed: int) -> None:
        self.minutes, self.seed = minutes, seed

    @pytest.fixture
    def long_run(self) -> tuple[float, int]:
        return self.minutes, self.seed


def main() -> int:
    """Run for so many minutes; 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    options = ["-q", "-s", "--tb=short", "-p", "no:randomly", "--log-level=CRITICAL"]
    return int(pytest.main([*options, f"{LONG}::test_long"], plugins=[Asked(asked.minutes, asked.seed)]))


if __name__ == "__main__":
    sys.exit(main())
