"""The texts of the product's tables, translated where they are shown: what no call of gettext names."""

from collections.abc import Iterable, Iterator
from itertools import chain

from devices import appearances
from devices.catalog import catalog
from devices.definitions import SETTINGS, Group
from devices.family import Family, Generation
from devices.levels import Level
from provisioning import (
    clones,
    coming_over,
    describing,
    entering,
    hardening,
    incident_words,
    keeping,
    policies,
    policy_words,
    resync,
    sentences,
    standing,
)


def words() -> Iterator[tuple[str, str]]:
    """Each text with the file that it stands in; one that stands in several comes several times."""
    for family in catalog().families.values():
        yield from _of("devices/families/" + family.code + "/family.toml", _family(family))
    for setting in SETTINGS.values():
        titles = setting.bounds.choices.values() if setting.name not in ("time_zone", "language") else ()
        yield from _of("devices/definitions.py", (setting.called, setting.meaning, *titles))
    yield from _of("devices/definitions.py", Group)
    yield from _of("devices/levels.py", Level)
    yield from _of("devices/appearances.py", appearances.KINDS.values())
    yield from _of("provisioning/entering.py", (entering.ELSEWHERE,))
    yield from _of("provisioning/policies.py", (policy.called for policy in policies.POLICIES.values()))
    for policy in policy_words.WORDS.values():
        yield from _of("provisioning/policy_words.py", (policy.means, *policy.choices.values()))
    for kept in keeping.KEPT:
        yield from _of("provisioning/keeping.py", (kept.what, kept.then))
    yield from _of("provisioning/sentences.py", sentences.texts())
    yield from _of("provisioning/describing.py", describing.TEXTS)
    yield from _of("provisioning/coming_over.py", coming_over.TEXTS)
    yield from _of("provisioning/hardening.py", hardening.TEXTS)
    yield from _of("provisioning/incident_words.py", incident_words.texts())
    yield from _of("provisioning/standing.py", standing.KINDS.values())
    yield from _of("provisioning/clones.py", clones.ANSWERS.values())
    yield from _of("provisioning/resync.py", resync.ASKED)


def _of(where: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((where, str(text)) for text in texts if text)


def _family(family: Family) -> Iterator[str]:
    """What a family lacks and why, what is doubtful, how its phones are connected."""
    tables = (family.cannot, family.cannot_set, family.line_cannot)
    yield from chain(family.doubts, *(table.values() for table in tables))
    if family.connect is not None:
        connect = family.connect
        yield from (connect.order, connect.where, *connect.steps, *connect.needs, *connect.doubts)
    if family.book is not None:
        yield family.book.search
    for generation in family.generations.values():
        yield from _generation(generation)
    for model in family.models.values():
        yield from (*model.doubts, *model.notes)


def _generation(generation: Generation) -> Iterator[str]:
    tables = (generation.cannot, generation.cannot_set, generation.line_cannot)
    yield from chain((generation.title, generation.book_cannot), *(table.values() for table in tables))
    yield from (*generation.doubts, *generation.notes)
