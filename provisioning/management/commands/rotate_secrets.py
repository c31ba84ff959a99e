"""Seal everything again with the first key of LATCHKEY_SECRET_KEYS, so that older keys can be taken away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from provisioning import publishing, resealing


class Command(BaseCommand):
    """Reseal the rows, publish the files anew, and name whatever no key opens."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        lost: list[str] = []
        for count in resealing.reseal_all():
            self.stdout.write(
                f"{count.title}: {count.resealed} sealed anew, {count.current} already were, "
                f"{len(count.lost)} cannot be opened"
            )
            lost += count.lost
        phones = publishing.republish_all()
        self.stdout.write(f"Files of {phones} phones are being published with the first key.")
        if lost:
            raise CommandError("No key of the ring opens:\n" + "\n".join(f"  {name}" for name in lost))
