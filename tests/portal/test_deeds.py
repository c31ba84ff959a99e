"""Whatever the code writes into the audit and into a phone's log has its words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from portal.deeds import DETAILS, EVENTS, KINDS, VERBS
from provisioning import announcing, sentences, webhooks

ROOT = Path(__file__).parents[2]
APPS = ("accounts", "devices", "security", "provisioning", "portal")
VERB = re.compile(rf"(?:{'|'.join(KINDS)})\.[a-z]+(?:[_-][a-z]+)*")
NO_VERBS = {"device.mac", "device.name", "job.code", "person.html", "site.name"}
#: Verbs that are put together where they are written: the kind, and what may follow.
PUT_TOGETHER = {
    ("devices/appearances.py", "device."): {"lines-changed", "keys-changed"},
    ("devices/profiles.py", "device."): {"profile-applied", "profile-taken-off"},
    ("provisioning/entering.py", "device."): {"removed", "yielded"},
    ("provisioning/locking.py", "device."): {"stale", "unlock-expired"},
    ("security/allowances.py", "allowance."): {"ended", "granted", "proposed", "turned-down"},
    ("security/bans.py", "address."): {"banned", "blocked", "unbanned", "unblocked"},
}


def sources() -> Iterator[tuple[str, ast.AST]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if "/migrations/" not in name and name != "portal/deeds.py":
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def recordings() -> Iterator[tuple[str, ast.Call]]:
    """Every call that adds an entry to the audit."""
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.record", "record", "_record"):
                yield name, node


def test_every_verb_has_its_words() -> None:
    told = {*announcing.KINDS, webhooks.TEST} - set(VERBS)  # to programs, in words of their own
    written = {
        text
        for _name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and VERB.fullmatch(text := str(node.value)) and text not in NO_VERBS
    }
    joined = {
        (name, str(part.values[0].value))
        for name, call in recordings()
        for part in call.args
        if isinstance(part, ast.JoinedStr) and isinstance(part.values[0], ast.Constant)
    }
    written |= {f"{kind}{what}" for (_, kind), whats in PUT_TOGETHER.items() for what in whats}

    assert joined == set(PUT_TOGETHER), "say in PUT_TOGETHER what may stand there"
    assert written - set(VERBS) - told == set()
    assert set(VERBS) - written == set(), "nobody writes these any more"
    assert {verb.partition(".")[0] for verb in VERBS} == set(KINDS)


def test_every_name_of_a_detail_has_its_words() -> None:
    named = {
        keyword.arg
        for _, call in recordings()
        for keyword in call.keywords
        if keyword.arg not in (None, "account", "now")
    }

    assert len(named) > 30
    assert named - set(DETAILS) == set()


def test_every_event_of_a_phones_log_has_its_words() -> None:
    assert set(EVENTS) == set(sentences._HAPPENED)
