"""manage.py explain: what would this phone get from that address, and why."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.refusals import Refusal
from provisioning import explaining


class Command(BaseCommand):
    help = "Say what a phone would get from an address now: the sentence, the rule, the outcome."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--mac", required=True, help="in any spelling")
        parser.add_argument("--address", required=True, help="where the request would come from")
        parser.add_argument("--agent", help="its User-Agent; without it the phone's own is assumed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = explaining.explain(
                mac=options["mac"],
                address=options["address"],
                agent=options["agent"],
                by=None,
                now=timezone.now(),
            )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(found.sentence)
        self.stdout.write(f"Rule: {found.rule}")
        self.stdout.write(f"Outcome: {found.outcome}")
        self.stdout.write(f"Next: {found.next}")
