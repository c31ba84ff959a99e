"""The guide for other people's programmers: every example in it is run, and prints what it says."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from portal import api_guide
from portal.celery import app
from provisioning import webhook_wire
from provisioning.api.webhooks import KINDS
from tests.e2e.household import eventually, free_port
from tests.world import World, make_world

pytestmark = [pytest.mark.once, pytest.mark.needs("curl", "nodejs")]

ROOT = Path(__file__).resolve().parents[2]
RUN = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<about>[^\n]+))?\n(?P<code>.*?)^```$", re.M | re.S)


@dataclass
class Block:
    """One fenced example, and what stands below it as its output."""

    language: str
    about: str
    code: str
    line: int
    prints: str | None = None


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        if match["language"] == "text":
            found[-1].prints = match["code"]
        else:
            line = text[: match.start()].count("\n") + 1
            found.append(Block(match["language"], match["about"] or "", match["code"], line))
    return found


def guide() -> list[Block]:
    return blocks(api_guide.GUIDE.read_text(encoding="utf-8"))


def in_readme() -> list[Block]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return blocks(text.split("\n## 8. API\n")[1].split("\n## ")[0])


@pytest.fixture
def served(live_server: LiveServer, settings: Settings, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of the examples: a portal that is served, with the world in it."""
    settings.LATCHKEY_TRIAL = True
    settings.API_RATE, settings.API_WRITE_RATE = 3000, 1500
    settings.ALLOWED_HOSTS = ["*"]
    eager, app.conf.task_always_eager = app.conf.task_always_eager, True
    with transaction.atomic():
        world: World = make_world()
    for block in guide():
        if block.about.startswith("title="):
            (tmp_path / block.about.removeprefix("title=")).write_text(block.code)
    yield {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(tmp_path),
        "BASE": f"{live_server.url}/api/v1",
        "KEY": world.acme.key,
        "CODE": str(world.acme.phone.code),
        "ACCOUNT": "acme",
        "FOLDER": str(tmp_path),
    }
    app.conf.task_always_eager = eager


def fits(prints: str, said: str) -> bool:
    """Whether it printed that; … stands for anything."""
    pattern = ".*".join(re.escape(part) for part in prints.strip().split("…"))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def complaint(block: Block, environment: dict[str, str]) -> str:
    """What is wrong with the example when it is run."""
    code = block.code.replace("http://127.0.0.1:8000/api/v1", environment["BASE"])
    done = subprocess.run(
        [*RUN[block.language], code],
        env=environment,
        cwd=environment["FOLDER"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        return f"line {block.line} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    if block.prints is not None and not fits(block.prints, done.stdout):
        return f"line {block.line} printed:\n{done.stdout}"
    failed = block.prints is None and '"code":"' in done.stdout and '"detail":' in done.stdout
    return f"line {block.line} was answered:\n{done.stdout}" if failed else ""


@pytest.mark.parametrize("where", ["guide", "readme"])
def test_every_example_runs_and_prints_what_it_says(where: str, served: dict[str, str]) -> None:
    examples = [block for block in (guide() if where == "guide" else in_readme()) if not block.about]

    wrong = [words for words in (complaint(block, served) for block in examples) if words]

    assert wrong == [], "\n".join(wrong)
    assert {block.language for block in examples} >= (
        {"sh", "python", "javascript"} if where == "guide" else {"sh"}
    )


def test_no_example_is_left_without_its_output() -> None:
    shown = [block for block in guide() if not block.about]

    assert [block.line for block in shown if block.prints is None] == []
    assert {block.language for block in guide()} == set(RUN)


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_a_receiver_believes_what_is_signed_and_nothing_else(language: str) -> None:
    (block,) = [block for block in guide() if block.about == "receiver" and block.language == language]
    secret, port = webhook_wire.draw_secret(), free_port()
    environment = {"PATH": os.environ["PATH"], "SECRET": secret, "PORT": str(port)}
    content = webhook_wire.body("device.locked", timezone.now(), {"account": {"slug": "acme"}})
    signed = webhook_wire.headers(uuid4(), content, keys=[webhook_wire.draw_secret(), secret], now=_now())
    old = webhook_wire.headers(uuid4(), content, keys=[secret], now=_now(-600))
    other = webhook_wire.headers(uuid4(), content, keys=[webhook_wire.draw_secret()], now=_now())

    with subprocess.Popen([*RUN[language], block.code], env=environment, stdout=subprocess.PIPE) as receiver:
        try:
            eventually(lambda: _answers(port, signed, content) == 204, what="the receiver", patience=30)
            said = [_answers(port, headers, content) for headers in (signed, old, other)]
            said.append(_answers(port, signed, content + b" "))
        finally:
            receiver.terminate()
        printed = receiver.stdout.read().decode() if receiver.stdout else ""

    assert said == [204, 400, 400, 400]
    assert printed == "device.locked acme\n"  # once, though it came twice


def _now(shift: float = 0) -> datetime:
    return datetime.fromtimestamp(time.time() + shift, tz=timezone.get_current_timezone())


def _answers(port: int, headers: dict[str, str], content: bytes) -> Any:
    try:
        return httpx2.post(f"http://127.0.0.1:{port}/", headers=headers, content=content).status_code
    except httpx2.TransportError:
        return None


def test_its_tables_are_those_of_the_code() -> None:
    text = api_guide.GUIDE.read_text(encoding="utf-8")

    assert text == api_guide.current(), "run python3 manage.py apischema and commit the guide"
    assert [kind for kind, _ in KINDS if f"| `{kind}` |" not in text] == []
