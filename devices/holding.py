"""A phone's row, held by one transaction at a time, and seen as it is once it is held."""

from collections.abc import Iterable

from django.utils.translation import gettext

from accounts.refusals import Refusal
from devices.models import Device


def hold(pk: int) -> Device | None:
    """The phone, held until the transaction ends; None when it is gone.

    Read anew once it is held: rows that are joined to a locking query are those from before the wait. The key
    stays free, because whoever writes of the phone (a claim, the drain) needs it while others wait for him.
    """
    if not Device.objects.select_for_update(no_key=True).filter(pk=pk).order_by().values_list("pk"):
        return None
    return Device.objects.select_related("account", "owner", "site").filter(pk=pk).first()


def held(device: Device) -> Device:
    """As `hold`, for a verb whose power was looked at on this object: refused when the phone moved since."""
    return same_place(hold(device.pk), device)


def hold_many(pks: Iterable[int]) -> list[Device]:
    """As `hold` for many phones, in the order of their keys; one that is gone is left out."""
    wanted = sorted(set(pks))
    held_rows = Device.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    there = list(held_rows.values_list("pk", flat=True))
    return list(Device.objects.select_related("account").filter(pk__in=there).order_by("pk"))


def same_place(found: Device | None, seen: Device) -> Device:
    """The phone as it is now; refused when it is gone, or no longer where the actor's power was looked at."""
    if found is None:
        raise Refusal("input", gettext("This phone was removed a moment ago."), code="gone")
    if (found.account_id, found.account.path) != (seen.account_id, seen.account.path):
        raise Refusal("E17", gettext("This phone was moved a moment ago. Load the page again."), code="moved")
    return found
