"""`manage.py demo --live` against a running `up`: all are served, nobody is banned, Ctrl-C ends it."""

import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.e2e.household import ROOT, Household, free_port

pytestmark = [pytest.mark.once, pytest.mark.timeout(600)]


Played = tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def played(household: Household) -> Played:
    """Played twice, by the first of these tests: only once have its phones a first morning."""
    first = household.command("demo", "--live", "--phones", "12", "--day", "4")
    return first, household.command("demo", "--live", "--phones", "12", "--day", "4")


def test_it_plays_a_day_and_a_power_cut_as_often_as_one_likes(played: Played) -> None:
    first, again = played
    for told in (first, again):
        assert told.returncode == 0, told.stderr
        assert told.stdout.count("12 of 12 phones were served") == 2, told.stdout
        assert "1 stranger's phone got nothing" in told.stdout
        assert "Nobody is banned." in told.stdout
        assert "12 phones are locked to the campus" in told.stdout
    assert "Their first morning: 12 phones" in first.stdout
    assert "Their first morning" not in again.stdout


@pytest.mark.usefixtures("played")
def test_ctrl_c_ends_it(household: Household) -> None:
    playing = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--live", "--phones", "3", "--day", "300"],
        cwd=ROOT,
        env=household.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, and it would be here as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert playing.stdout is not None
    for line in playing.stdout:
        if "ordinary day" in line:
            break
    playing.send_signal(signal.SIGINT)
    rest, errors = playing.communicate(timeout=60)

    assert playing.returncode == 0, errors
    assert "Traceback" not in errors
    assert rest.rstrip().endswith("Ended. What is entered stays; played again, it goes on from there.")


@override_settings(DEMO=True, PHONES_URL=f"http://127.0.0.1:{free_port()}")
def test_without_an_up_it_says_what_to_start() -> None:
    with pytest.raises(CommandError, match=r"Nobody answers at .*: start `manage.py up` first"):
        call_command("demo", "--live")


@override_settings(DEMO=True, PHONES_URL="https://phones.example.org")
def test_elsewhere_than_on_this_machine_it_plays_nobody() -> None:
    with pytest.raises(CommandError, match="listens on 127"):
        call_command("demo", "--live")
