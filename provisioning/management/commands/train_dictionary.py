"""Train the dictionary with which files are compressed in the store, from made-up phones of every model."""

import random
import string
from collections.abc import Iterator
from typing import Any

import zstandard
from django.core.management.base import BaseCommand

from devices.catalog import catalog
from devices.phone import KeyKind, KeySetting, Line, PhoneSettings, SipServer, TimeSettings
from provisioning.compiling import CompileError, compile_full
from provisioning.edge.sealed import DICTIONARY, LEVEL

SIZE = 32 * 1024
PHONES_A_MODEL = 12
NAMES = ("Reception", "Sales", "Workshop", "Ben Hall", "Ana Reyes", "Meeting room", "Store", "Warehouse 2")
ZONES = ("UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Australia/Sydney")


class Command(BaseCommand):
    """Write provisioning/edge/files.zdict anew.

    A file that was sealed with another dictionary is compiled again when its phone asks for it. So this
    belongs into a release whose templates have changed a lot, followed by `republish`.
    """

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        chance = random.Random(1)  # the same phones each time
        samples: list[bytes | bytearray | memoryview] = list(_samples(chance))
        trained = zstandard.train_dictionary(SIZE, samples, level=LEVEL, k=1024, d=8)
        DICTIONARY.write_bytes(trained.as_bytes())
        compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=trained)
        fresh = list(_samples(random.Random(2)))
        before, after = sum(map(len, fresh)), sum(len(compressor.compress(body)) for body in fresh)
        self.stdout.write(
            f"{len(samples)} files; others of their kind shrink from {before // len(fresh)} to"
            f" {after // len(fresh)} bytes"
        )


def _samples(chance: random.Random) -> Iterator[bytes]:
    for family in catalog().families.values():
        for model in family.models.values():
            for _ in range(PHONES_A_MODEL):
                phone = _phone(chance, family.code, model.name, model.lines, model.keys)
                url = f"https://phones.example.org/d/{_letters(chance, 40)}/"
                try:
                    yield from (file.body for file in compile_full(phone, url).values())
                except CompileError:
                    continue  # a model with other room for keys; the next phone has other ones


def _phone(chance: random.Random, family: str, model: str, most_lines: int, keys: int) -> PhoneSettings:
    domain = f"{_letters(chance, 6)}.example.org"
    count = chance.randint(1, min(most_lines, 4))
    lines = tuple(
        Line(
            at,
            str(number := chance.randint(200, 9999)),
            str(number),
            _letters(chance, 16),
            domain,
            name,
            name,
        )
        for at, name in enumerate(chance.choices(NAMES, k=count), start=1)
    )
    places = range(count + 1, min(keys, count + chance.randint(0, 8)) + 1)
    return PhoneSettings(
        mac=f"{chance.getrandbits(48):012x}",
        family=family,
        model=model,
        name=chance.choice(NAMES),
        sip=SipServer(domain),
        lines=lines,
        keys=tuple(KeySetting(at, KeyKind.BLF, str(200 + at), chance.choice(NAMES)) for at in places),
        time=TimeSettings(chance.choice(ZONES)),
        voicemail_number=chance.choice(("", "*97")),
        admin_password=_letters(chance, 16),
        user_password=_letters(chance, 12),
        poll_minute=chance.randrange(1440),
    )


def _letters(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(string.ascii_lowercase + string.digits, k=count))
