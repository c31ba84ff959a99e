"""Fill an empty database with the demo, say what people may do with it, or let its phones live."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from portal import demo, living


class Command(BaseCommand):
    """The demo without `up`; its passwords are published, so the installation has to allow it."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--live", action="store_true", help="play a campus against a running `up`: a day, and a power cut"
        )
        parser.add_argument("--phones", type=int, default=200, help="phones of the campus (default 200)")
        parser.add_argument("--day", type=float, default=60.0, help="seconds that its day lasts (default 60)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "The demo's passwords are published; set LATCHKEY_DEMO=1 where that is no harm."
            )
        if options["live"]:
            self._live(living.Play(max(1, options["phones"]), max(0.0, options["day"])))
            return
        facts = demo.fill(trial=settings.LATCHKEY_TRIAL)
        for email, password, role in facts.sign_ins:
            self.stdout.write(f"{email:<28}  {password:<20}  {role}")
        self.stdout.write(f"Play a phone:\n  {facts.curl_phone}\nPlay a thief:\n  {facts.curl_thief}")

    def _live(self, play: living.Play) -> None:
        try:
            living.play(play, say=self._say)
        except KeyboardInterrupt:
            self._say("\nEnded. What is entered stays; played again, it goes on from there.")
        except living.CannotPlay as error:
            raise CommandError(str(error)) from error
        except User.DoesNotExist as error:
            raise CommandError(
                "The campus belongs to the demo, and this database was not filled with it."
            ) from error

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
