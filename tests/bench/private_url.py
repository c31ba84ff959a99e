"""The private URL beside nginx with the same static files: processor time a request, and throughput.

Everything is on: rules, standings, notes, sealing. The edge's time includes its store's.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import redis

from portal import embedded
from provisioning import wire
from tests.bench.fleet import fill, phones
from tests.bench.loading import load, write_script
from tests.bench.servers import Edge, Nginx

GOAL = 3.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each round (default 8)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--python", default=sys.executable, help="the edge's interpreter, of the same version"
    )
    parser.add_argument("--connections", type=int, default=64)


def run(options: argparse.Namespace) -> int:
    """Print the figures; 1 when the goal is missed or an answer was wrong."""
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        fleet = list(phones(options.devices))
        print(f"{len(fleet)} devices, files of {len(fleet[0].body)} bytes", flush=True)
        files = directory / "files"
        for phone in fleet:
            path = files / phone.path.lstrip("/")
            path.parent.mkdir(parents=True)
            path.write_bytes(phone.body)
        store = embedded.Store(directory / "data")
        store.start()
        with redis.Redis.from_url(store.url) as client:
            used = fill(client, fleet)
            print(f"store: {used / len(fleet):.0f} bytes a device", flush=True)
            script = write_script(directory, [(phone.path, phone.agent) for phone in fleet])
            edge, nginx = Edge(store, directory / "edge.log", python=options.python), Nginx(directory, files)
            try:
                return _rounds(options, edge, nginx, script, client)
            finally:
                edge.stop()
                nginx.stop()
                store.stop()


def _rounds(
    options: argparse.Namespace, edge: Edge, nginx: Nginx, script: Path, client: "redis.Redis"
) -> int:
    ratios, rates, wrong = [], [], 0
    for server in (nginx, edge):
        load(server.port, script, seconds=2, connections=options.connections)  # warm
    for number in range(options.rounds):
        cost: dict[str, float] = {}
        rate: dict[str, float] = {}
        parts = ""
        for server in (nginx, edge) if number % 2 == 0 else (edge, nginx):
            client.delete(wire.NOTES)
            before, before_parts = server.seconds(), edge.parts()
            seen = load(server.port, script, seconds=options.seconds, connections=options.connections)
            cost[server.name] = (server.seconds() - before) / seen.requests * 1e6
            rate[server.name] = seen.rate
            wrong += seen.failed
            if server is edge:
                split = {
                    name: (value - before_parts[name]) / seen.requests * 1e6
                    for name, value in edge.parts().items()
                }
                parts = " + ".join(f"{name} {value:.1f}" for name, value in split.items())
                time.sleep(0.5)  # the last notes are on their way
                notes, lost = client.xlen(wire.NOTES), client.get(wire.LOST_NOTES)
                if notes < seen.requests or lost:
                    print(f"  notes are missing: {seen.requests} requests, {notes} notes, {lost} lost")
                    wrong += 1
        ratios.append(cost["edge"] / cost["nginx"])
        rates.append(rate["edge"] / rate["nginx"])
        print(
            f"round {number + 1}: nginx {cost['nginx']:.1f} us, edge {cost['edge']:.1f} us ({parts}):"
            f" ratio {ratios[-1]:.2f};  nginx {rate['nginx']:.0f}/s, edge {rate['edge']:.0f}/s:"
            f" {rates[-1]:.2f}",
            flush=True,
        )
    print(
        f"processor time a request, edge and store over nginx: median {statistics.median(ratios):.2f}"
        f" (from {min(ratios):.2f} to {max(ratios):.2f}; goal {GOAL:.0f});"
        f" throughput: median {statistics.median(rates):.2f} (aim 0.5); wrong answers: {wrong}"
    )
    return int(wrong > 0 or statistics.median(ratios) > GOAL)
