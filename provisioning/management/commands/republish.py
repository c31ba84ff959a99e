"""Compile and publish every phone's files anew, and the locks, tokens and lists with them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from provisioning import files, keeper, publishing, store
from provisioning.models import Lock
from provisioning.tasks import COMPILED_AT_ONCE


class Command(BaseCommand):
    """Bring the store up to date with the rows, whatever it holds; a phone is served all the while."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if not keeper.is_complete():
                keeper.rebuild(timezone.now())
            number, failed = self._publish()
        except store.Away as error:
            raise CommandError(f"The store cannot be reached: {error}") from error
        for name, why in failed.items():
            self.stderr.write(f"{name}: {why}")
        self.stdout.write(f"{number - len(failed)} phones published, {len(failed)} could not be compiled")
        if failed:
            raise CommandError(
                "Phones that could not be compiled are held until their settings are put right."
            )

    def _publish(self) -> tuple[int, dict[str, str]]:
        store.client().ping()
        number = publishing.republish_all(queue=False)
        failed: dict[int, str] = {}
        ids = list(Lock.objects.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(ids), COMPILED_AT_ONCE):
            failed |= files.publish_files(ids[start : start + COMPILED_AT_ONCE])
        names = dict(Lock.objects.filter(pk__in=failed).values_list("pk", "device__mac"))
        return number, {names[pk]: why for pk, why in failed.items()}
