"""Everything on one machine: store, database, demo, portal, edge, worker and beat."""

import fcntl
import http.client
import os
import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from portal import embedded, places, starting, static_files
from portal.bootstrap import stop
from portal.checks import store_problem
from portal.demo_facts import DemoFacts, recall, remember, replace_passwords
from portal.supervising import Child, DiedAtOnce, Household, end_with_starter

PATIENCE = 60.0


class Ended(BaseException):
    """Somebody asked for the end; what catches every Exception on the way must not catch this."""


class Command(BaseCommand):
    """Start the whole installation, print where it is, and end all of it together."""

    help = __doc__
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        starting.add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse early, then make, then start; whatever happens afterwards, leave no process behind."""
        kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup: it outlives who started it
        for number in (signal.SIGTERM, signal.SIGINT, *(() if kept else (signal.SIGHUP,))):
            signal.signal(number, _end)
        self.listen, self.port, self.phones_port = options["listen"], options["port"], options["phones_port"]
        self.store: embedded.Store | None = None
        self.household = Household([], sys.stdout)
        if not kept:
            end_with_starter(self._end_at_once)
        try:
            self._refuse_what_cannot_be_reached()
            lock = self._take_data_directory()
            self._prepare_database()
            self._keep_secrets()
            self._start_store()
            static_files.collect(say=self._say)
            facts = self._fill(empty=options["empty"])
            connections.close_all()
            self._start_children()
            self._print_facts(facts)
            self._watch()
            del lock
        except Ended:
            self._say("Ending ...")
        except (embedded.CannotStart, DiedAtOnce) as error:
            stop(str(error))
        finally:
            self._end_all()

    def _refuse_what_cannot_be_reached(self) -> None:
        if "REDIS_URL" in os.environ or "REDIS_URL_FILE" in os.environ:
            problem = store_problem(settings.REDIS_URL)
            if problem:
                stop(problem)
        else:
            embedded.store_program()
        if connection.vendor == "postgresql":
            parameters = {**connection.get_connection_params()}
            parameters.pop("pool", None)
            try:
                psycopg.connect(**parameters).close()
            except psycopg.Error as error:
                stop(f"The database cannot be reached: {' '.join(str(error).split())}")

    def _take_data_directory(self) -> Any:
        """Make sure that no second `up` works on the same data."""
        data = Path(settings.DATA_DIR)
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (data / "up.lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop(f"Another `up` runs on the data in {data}.")
        except OSError as error:
            stop(f"The data directory cannot be used: {error}")
        return lock

    def _keep_secrets(self) -> None:
        """Keep what was drawn; fresh keys cannot open what others have sealed, and would void every token."""
        if starting.has_drawn() and apps.get_model("accounts", "Account").objects.exists():
            stop(
                "The database is in use, but its keys are not here: start with the --data directory that "
                "holds them, or set SECRET_KEY, LATCHKEY_SECRET_KEYS and LATCHKEY_TOKEN_KEY."
            )
        starting.write_down(Path(settings.DATA_DIR))

    def _start_store(self) -> None:
        if places.store_url(Path(settings.DATA_DIR)) == settings.REDIS_URL:
            self.store = embedded.Store(Path(settings.DATA_DIR))
            self.store.start()

    def _prepare_database(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if steps:
                self._say(f"Preparing the database ({len(steps)} steps) ...")
                call_command("migrate", verbosity=0, interactive=False)
        except DatabaseError as error:
            stop(f"The database cannot be prepared: {' '.join(str(error).split())}")

    def _fill(self, *, empty: bool) -> DemoFacts | None:
        """Fill an empty database, and remember for the next start what people may do with it."""
        path = Path(settings.DATA_DIR) / "demo.json"
        facts = recall(path)
        if facts is None and not empty and not apps.get_model("accounts", "Account").objects.exists():
            self._say("Filling in the demo ...")
            from portal import demo

            facts = demo.fill(trial=settings.LATCHKEY_TRIAL)
            remember(path, facts)
        if starting.is_loopback(self.listen):
            return facts
        return replace_passwords(path, facts)

    def _start_children(self) -> None:
        python = [sys.executable, "-m"]
        bind = f"[{self.listen}]:{self.port}" if ":" in self.listen else f"{self.listen}:{self.port}"
        celery = [*python, "celery", "--quiet", "-A", "portal", "--skip-checks"]
        environment = {
            "LATCHKEY_DATA": str(settings.DATA_DIR),
            "PYTHONPATH": str(settings.BASE_DIR),
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        }
        self.household.children = [
            Child(name, command, {**environment, **more})
            for name, command, more in (
                (
                    "portal",
                    [
                        *(*python, "gunicorn", "portal.wsgi", "--bind", bind, "--worker-class", "gthread"),
                        *(
                            "--workers",
                            "2",
                            "--threads",
                            "8",
                            "--no-control-socket",
                            "--log-level",
                            "warning",
                        ),
                        *("--forwarded-allow-ips", "", "--chdir", str(settings.BASE_DIR)),
                    ],
                    {},
                ),
                (
                    "edge",
                    [
                        *(*python, "uvicorn", "portal.asgi:edge", "--host", self.listen),
                        *("--port", str(self.phones_port), "--loop", "uvloop"),
                        *("--http", "provisioning.edge.daily:DailyProtocol", "--no-date-header"),
                        *("--ws", "none", "--no-access-log", "--no-server-header", "--no-proxy-headers"),
                        *("--log-level", "warning", "--app-dir", str(settings.BASE_DIR)),
                    ],
                    {"DATABASE_WAIT": "2"},  # a phone asks again; a claim that waits longer is held
                ),
                (
                    "worker",
                    [
                        *(*celery, "--workdir", str(settings.BASE_DIR), "worker", "--pool", "prefork"),
                        *("--concurrency", "2", "--queues", "celery,demand", "--loglevel", "warning"),
                        *("--without-gossip", "--without-mingle"),
                    ],
                    {},
                ),
                (
                    "resync",
                    [
                        *(*celery, "--workdir", str(settings.BASE_DIR), "worker", "--pool", "solo"),
                        *("--queues", "resync", "--loglevel", "warning"),
                        *("--without-gossip", "--without-mingle"),
                    ],
                    {},
                ),
                (
                    "beat",
                    [
                        *(*celery, "--workdir", str(settings.BASE_DIR), "beat", "--pidfile", ""),
                        *("--loglevel", "warning"),
                    ],
                    {},
                ),
            )
            if name != "resync" or settings.SIP_EDGE
        ]
        self._say("Starting portal, edge, worker and beat ...")
        self.household.start()
        for name, port in (("portal", self.port), ("edge", self.phones_port)):
            if not self.household.wait_until(lambda port=port: self._answers(port), PATIENCE):  # type: ignore[misc]
                raise DiedAtOnce(f"{name} gives no answer after {PATIENCE:.0f} s.")

    def _answers(self, port: int) -> bool:
        """Whether something speaks HTTP there."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listen, self.listen)  # noqa: S104
        caller = http.client.HTTPConnection(host, port, timeout=5)
        try:
            caller.request("GET", "/")
            return caller.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            caller.close()

    def _print_facts(self, facts: DemoFacts | None) -> None:
        lines = ["", f"Portal          {settings.PORTAL_URL}/", f"Phones' root    {settings.PHONES_URL}/"]
        if facts is None:
            lines.append("Nobody can sign in before `manage.py found --email ... --name ...` made somebody.")
        else:
            lines += ["", "Sign in as"]
            lines += [f"  {e:<28}  {p or '(shown once before)':<20}  {r}" for e, p, r in facts.sign_ins]
        if facts is not None and facts.curl_phone:
            lines += ["", "Play a phone:", f"  {facts.curl_phone}", "Play a thief:", f"  {facts.curl_thief}"]
        self._say("\n".join([*lines, "", "Ctrl-C ends all of it."]))

    def _watch(self) -> None:
        """Keep everything running until somebody asks for the end."""
        while True:
            time.sleep(1)
            self.household.look_after()
            if self.store is not None and not self.store.is_running():
                self._say("The store ended by itself; starting it again")
                try:
                    self.store.start()
                except embedded.CannotStart as error:
                    self._say(str(error))

    def _end_at_once(self, number: int, frame: FrameType | None) -> None:
        """Whoever started this is gone, killed perhaps: nobody waits for an end in order."""
        self.household.kill()
        if self.store is not None and self.store.process is not None:
            self.store.process.kill()
        os._exit(128 + number)

    def _end_all(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # once is enough; the end is under way
        self.household.end(("portal", "edge", "beat"), ("worker",))
        if self.store is not None:
            self.store.stop()

    def _say(self, text: str) -> None:
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except OSError:
            pass  # the terminal is gone; ending in order matters more


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended
