"""Thousands of phones in one process, each with an address of its own in 127.0.0.0/8 or all behind one.

A phone's time may run faster than ours (`pace`); what it asks, and how often, stays what it is.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.simulator.phones import Handset, Outcome, Phone
from tests.simulator.wires import QuickLine

Seen = Callable[["Member", Outcome], None]


@dataclass(frozen=True)
class Member:
    """A phone of the crowd: what it sends, from where, and where it asks when it was set up before."""

    mac: str
    agent: str
    source: str
    private: str = ""


@dataclass
class Tally:
    """What a crowd got, in all."""

    phones: int = 0
    served: int = 0  # phones that fetched the file with their accounts
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # ours, from its power to its accounts, of each one
    unserved: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """What a boot or poll asked, however it ended."""
        self.requests += len(outcome.asked)
        self.statuses.update(asked.status for asked in outcome.asked)

    def end(self, member: Member, outcome: Outcome, seconds: float) -> None:
        """What has become of a phone."""
        self.phones += 1
        if outcome.full_after is not None:
            self.served += 1
            self.seconds.append(seconds)
        else:
            self.unserved.append(member.mac)


class Crowd:
    """Phones that get power together, and ask again each in its own time."""

    def __init__(
        self,
        members: Iterable[Member],
        root_url: str,
        *,
        connect_to: tuple[str, int] | Callable[[int], tuple[str, int]] | None = None,
        headers: Callable[[Member], dict[str, str]] | None = None,
        via: str | None = None,
        pace: float = 1.0,
        polls: int = 0,
        poll_after: float = 3600.0,
        seed: int = 1,
    ) -> None:
        """`via` plays whoever ends TLS: all connections come from there, and `headers` says who it was.

        A phone that got nothing asks again at its next polls, so many times.
        """
        self._polls, self._poll_after = polls, poll_after
        self.members: list[tuple[Member, Handset]] = []
        for at, member in enumerate(members):
            place = connect_to(at) if callable(connect_to) else connect_to
            told = headers(member) if headers else None
            line = QuickLine(via or member.source, connect_to=place, headers=told, pace=pace)
            phone = Phone(member.mac, member.agent, root_url, member.source, line=line)
            line.keeps, phone.patient = phone.keeps_line, True
            if member.private:
                phone.lives_at(member.private)
            self.members.append((member, phone))
        self._chance = random.Random(seed)

    async def power_up(self, *, within: float = 0.0, seen: Seen | None = None) -> Tally:
        """All boot, each at a moment of its own within so many of our seconds."""
        return await self._play([self._chance.uniform(0.0, within) for _ in self.members], seen)

    async def day(self, *, lasts: float, seen: Seen | None = None) -> Tally:
        """Each asks once, spread evenly over a day that lasts so many of our seconds."""
        moments = [lasts * at / len(self.members) for at in range(len(self.members))]
        self._chance.shuffle(moments)
        return await self._play(moments, seen)

    async def _play(self, moments: list[float], seen: Seen | None) -> Tally:
        tally, clock = Tally(), asyncio.get_running_loop().time

        async def live(member: Member, phone: Handset, moment: float) -> None:
            await asyncio.sleep(moment)
            began = clock()
            outcome = await phone.boot_up()
            tally.count(outcome)
            for _ in range(self._polls):
                if outcome.full_after is not None:
                    break
                await phone.line.wait(self._poll_after)
                outcome = await phone.boot_up()
                tally.count(outcome)
            phone.line.hang_up()
            tally.end(member, outcome, clock() - began)
            if seen is not None:
                seen(member, outcome)

        async with asyncio.TaskGroup() as group:
            for (member, phone), moment in zip(self.members, moments, strict=True):
                group.create_task(live(member, phone, moment))
        return tally
