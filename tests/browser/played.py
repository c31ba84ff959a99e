"""A phone beside the browser: it asks the real edge, in a thread of its own, and its notes become rows."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from devices.mac import pretty
from devices.models import Device
from provisioning import draining, keeper
from security.networks import parse_address
from tests.provisioning.inside_edge import InsideEdge, Judges, Reply
from tests.world import AGENT

HERE = "127.0.0.1"  # where the browser of the tests is


class PlayedPhone:
    """A phone at the browser's address, in a thread of its own: Playwright keeps a loop running in its."""

    def __init__(self, device: Device, patch: pytest.MonkeyPatch) -> None:
        self.mac = device.mac
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="phone")
        self._folder = ""
        self._edge: InsideEdge = self._do(self._begin, Judges(patch))

    def starts(self) -> int:
        """Ask at the root as at every start; returns the status."""
        answer = self._ask(f"/{self.mac}.boot")
        found = re.search(rb"/d/[a-z0-9]+/", answer.body)
        self._folder = found.group(0).decode() if found else ""
        return answer.status

    def fetches(self) -> int:
        """Fetch all of its configuration from the address that the start has given."""
        return self._ask(f"{self._folder}{self.mac}.cfg").status

    def close(self) -> None:
        self._do(self._end)
        self._thread.shutdown()

    def _begin(self, judges: Judges) -> InsideEdge:
        keeper.rebuild(timezone.now())
        draining.drain(timezone.now())  # the first look takes note of an empty stream
        return InsideEdge(judges)

    def _end(self) -> None:
        self._edge.close()
        connections.close_all()

    def _ask(self, path: str) -> Reply:
        agent = AGENT.format(mac=pretty(self.mac).lower())

        def ask() -> Reply:
            answer = self._edge.ask(path, address=parse_address(HERE), agent=agent)
            draining.drain(timezone.now())
            return answer

        return self._do(ask)

    def _do(self, work: Any, *args: Any) -> Any:
        return self._thread.submit(work, *args).result(60)
