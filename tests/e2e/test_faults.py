"""What is killed, flushed or stopped comes back by itself, and nothing wrong is said meanwhile."""

import os
import re
import signal
import threading
import time
from collections import Counter

import pytest
import redis

from tests.e2e.household import Household, eventually
from tests.e2e.phones import Entered, enter, lock_of

pytestmark = [pytest.mark.timeout(600)]

AGENT = "Yealink SIP-T46S 66.85.0.5 {colons}"


@pytest.mark.parametrize("victim", ["portal.asgi:edge", "portal.wsgi"])
def test_no_phone_ever_held_a_body_whose_lock_was_not_committed(household: Household, victim: str) -> None:
    """`kill -9` in the middle of a run of claims."""
    number = 20 if victim.startswith("portal.asgi") else 40
    devices = [enter(household) for _ in range(24)]
    served: dict[str, str] = {}
    stop = threading.Event()

    def claim_all(share: list[Entered]) -> None:
        for device in share:
            source = f"127.2.{number}.{devices.index(device) + 1}"
            while not stop.is_set():
                try:
                    reply = household.phone(f"/{device.mac}.boot", agent=device.agent(AGENT), source=source)
                except OSError:
                    time.sleep(0.05)
                    continue
                if reply.status == 200:
                    served[device.code] = source
                    break
                assert reply.status == 503, reply.status
                time.sleep(0.05)

    threads = [threading.Thread(target=claim_all, args=(devices[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(served) >= 4, what="the first claims")
    for pid in household.children(victim):
        os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join(timeout=90)
    stop.set()

    assert len(served) == len(devices)
    eventually(household.answers, what="the household")
    for device in devices:
        lock = lock_of(household, device)
        assert (lock["state"], lock["bound_origin"]) == ("locked", served[device.code])


def test_the_store_is_flushed_and_heals_by_itself(household: Household) -> None:
    device = enter(household)
    agent, home, thief = device.agent(AGENT), "127.2.60.1", "127.2.60.2"
    first = household.phone(f"/{device.mac}.boot", agent=agent, source=home)
    below = re.search(rb"/d/[a-z0-9]{40}/", first.body)
    assert below
    own = f"{below.group().decode()}{device.mac}.cfg"
    eventually(lambda: household.phone(own, agent=agent, source=home).status == 200)
    seen: Counter[tuple[str, int]] = Counter()
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            seen["own", household.phone(own, agent=agent, source=home).status] += 1
            seen["thief", household.phone(f"/{device.mac}.cfg", agent=agent, source=thief).status] += 1

    asking = threading.Thread(target=keep_asking)
    asking.start()
    began = time.monotonic()
    with redis.Redis.from_url(store_url(household)) as client:
        client.flushall()
    eventually(lambda: seen["own", 503] or time.monotonic() - began > 5)
    eventually(
        lambda: household.phone(own, agent=agent, source=home).status == 200,
        patience=60,
        what="the healed store",
    )
    over.set()
    asking.join()

    assert {status for who, status in seen if who == "own"} <= {200, 503}
    assert {status for who, status in seen if who == "thief"} <= {404, 503}
    assert lock_of(household, device)["bound_origin"] == home


def test_the_store_is_killed_and_the_pages_go_on(household: Household) -> None:
    device = enter(household)
    agent, home = device.agent(AGENT), "127.2.61.1"
    assert household.phone(f"/{device.mac}.boot", agent=agent, source=home).status == 200
    kill_store(household)

    statuses = set()
    unlocked = household.api("POST", f"/devices/{device.code}/unlock/", {"for": "24h"})
    assert unlocked.status == 200, "verbs go on without the store"
    assert household.api("POST", f"/devices/{device.code}/lock/").status == 200

    def healed() -> bool:
        status = household.phone(f"/{device.mac}.boot", agent=agent, source=home).status
        statuses.add(status)
        return status == 200

    eventually(healed, patience=60, what="the healed store")
    assert statuses <= {200, 503}


def kill_store(household: Household) -> None:
    """SIGKILL for the installation's own store; `up` starts it again."""
    with redis.Redis.from_url(store_url(household)) as client:
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)


def store_url(household: Household) -> str:
    """Where the installation's own store listens."""
    script = "from django.conf import settings; import json; print(json.dumps(settings.REDIS_URL))"
    return str(household.read(script))
