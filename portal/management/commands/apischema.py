"""`manage.py apischema`: writes the API's description to portal/openapi/v1.json, and the guide's tables."""

import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from portal import api_description, api_guide


class Command(BaseCommand):
    help = "Writes the API's description to portal/openapi/v1.json, and the tables of the guide beside it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--record", action="store_true", help="Run the examples first and keep their answers."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["record"]:
            self._record()
        api_description.COMMITTED.write_text(api_description.build(), encoding="utf-8")
        api_guide.GUIDE.write_text(api_guide.current(), encoding="utf-8")
        self.stdout.write(f"Wrote {api_description.COMMITTED.relative_to(settings.BASE_DIR)}.")

    def _record(self) -> None:
        """The examples run in the tests' world; nothing of this installation is touched."""
        apart = ["env", "-u", "LATCHKEY_DATA", "-u", "DJANGO_SETTINGS_MODULE", "LATCHKEY_EXAMPLES=write"]
        tests = [sys.executable, "-m", "pytest", "-q", "tests/api/test_examples.py"]
        subprocess.run([*apart, *tests], cwd=settings.BASE_DIR, check=True)
