"""What is written down of an answer: one note a check-in, refusals folded to one a second with a count.

A scan of millions of requests must not become millions of rows: what an address is refused for MACs and
tokens that nobody knows has a small allowance of notes, the rest is a count.
"""

import asyncio
import time
from dataclasses import replace

from provisioning.edge.limits import Allowance
from provisioning.edge.reading import Where
from provisioning.edge.store import Store
from provisioning.gate import Verdict
from provisioning.wire import Note, pack_note

FOLD = 1.0  # seconds
COUNTS_EVERY = 60.0  # seconds between two notes of what was only counted
MOST_FOLDS = 5000  # distinct ones in one second, all addresses together
MOST_COUNTS = 2000  # addresses with a count of their own; the rest goes under one


class Notes:
    """The notes of one edge."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folds: dict[tuple[str, str, str], Note] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._counted_at = time.monotonic()
        self._of_known: Allowance[bytes] = Allowance(rate=20.0, burst=2000.0)
        self._of_unknown: Allowance[bytes] = Allowance(rate=1.0, burst=200.0)

    def check_in(self, note: Note) -> None:
        """Write one note at once."""
        self._store.note(pack_note(note))

    def fold(self, note: Note, where: Where) -> None:
        """Write the note with all of its kind in this second, or only count it."""
        key = (note.address, note.rule, note.mac or note.label)
        held = self._folds.get(key)
        if held is not None:
            self._folds[key] = replace(held, count=held.count + note.count)
            return
        allowance = self._of_known if note.code else self._of_unknown
        if len(self._folds) >= MOST_FOLDS or not allowance.take(where.key, note.at):
            self._count(where.hex, note.rule, note.outcome)
            return
        self._folds[key] = note
        self._wake()

    def count(self, verdict: Verdict, where: Where) -> None:
        """Only count: a banned caller, or one who was held without a look-up."""
        self._count(where.hex, verdict.rule, verdict.outcome.value)

    def _count(self, address: str, rule: str, outcome: str) -> None:
        key = (address, rule, outcome)
        if key not in self._counts and len(self._counts) >= MOST_COUNTS:
            key = ("0", rule, outcome)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._wake()

    def flush(self, *, everything: bool = False) -> None:
        """Hand what was gathered to the store."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        folds, self._folds = self._folds, {}
        for note in folds.values():
            self._store.note(pack_note(note))
        if self._counts and (everything or time.monotonic() - self._counted_at >= COUNTS_EVERY):
            counts, self._counts = self._counts, {}
            self._counted_at = time.monotonic()
            at = round(time.time(), 3)
            for (address, rule, outcome), count in counts.items():
                self._store.note(pack_note(Note(at, address, rule, outcome, count=count)))
        if self._counts:
            self._wake()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FOLD, self.flush)
