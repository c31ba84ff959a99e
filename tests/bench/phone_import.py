"""An import of phones: the list read, kept with its secrets sealed, judged for the preview; PostgreSQL."""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime

from tests.bench.what_if_rows import database


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)


def run(options: argparse.Namespace) -> int:
    """Print the seconds of each step, the median and the longest of all rounds."""
    with database("postgresql"):
        from accounts.authentication import actor_of
        from provisioning import phone_import
        from provisioning.phone_import_table import read
        from tests.bench import pages_rows

        campus = pages_rows.fill(100, 20, datetime.now(tz=UTC))
        by, text = actor_of(campus.manager), table(options.rows)
        spent: dict[str, list[float]] = {"read": [], "keep": [], "preview": []}
        for _ in range(options.rounds):
            start = time.perf_counter()
            found = read(text)
            parsed = time.perf_counter()
            draft = phone_import.look(campus.account, found, by=by)
            kept = time.perf_counter()
            judged = phone_import.preview(draft, by=by)
            spent["read"].append(parsed - start)
            spent["keep"].append(kept - parsed)
            spent["preview"].append(time.perf_counter() - kept)
        assert sum(judged.counts.values()) >= options.rows, judged.counts
    for step, times in spent.items():
        row = {"step": step, "median_s": round(statistics.median(times), 2), "most_s": round(max(times), 2)}
        print(json.dumps({**row, "rows": options.rows}))
    return 0


def table(rows: int) -> bytes:
    """A CSV of an office: a phone, a name and a new extension with its secret a row."""
    lines = [f"00005e2{at:05x};T46U;Desk {at};{200000 + at};secret-of-{at}" for at in range(rows)]
    return "\n".join(["MAC;Model;Name;Extension;SIP secret", *lines]).encode()
