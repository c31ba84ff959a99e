"""Fill an empty database with the demo, and say what people may do with it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import demo


class Command(BaseCommand):
    """The demo without `up`; its passwords are published, so the installation has to allow it."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "The demo's passwords are published; set LATCHKEY_DEMO=1 where that is no harm."
            )
        facts = demo.fill(trial=settings.LATCHKEY_TRIAL)
        for email, password, role in facts.sign_ins:
            self.stdout.write(f"{email:<28}  {password:<20}  {role}")
        self.stdout.write(f"Play a phone:\n  {facts.curl_phone}\nPlay a thief:\n  {facts.curl_thief}")
