"""What a customer's move below another reseller means for its phones, and for who was above it (E18)."""

from datetime import datetime

from django.db.models import QuerySet

from accounts import audit
from accounts.models import Account, Membership
from accounts.scope import Actor, below
from devices import profiles
from devices.models import Device
from provisioning import draining, events, locking, publishing
from provisioning.models import Window


def hold(account: Account) -> None:
    """Hold the locks of all its phones, and the drain, before the paths above them change.

    A claim that has begun is answered by what was true before; one that comes now waits for what will be.
    """
    draining.pause()
    locking.locked_rows(_phones(account).values_list("pk", flat=True))


def settle(account: Account, *, old_path: str, by: Actor, now: datetime) -> None:
    """Let go of whom and what does not reach the customer any more; every phone of it is published anew.

    Inherited settings and policies are the new reseller's, and windows of accounts above are judged by paths,
    which stand in the store.
    """
    _let_go_of_owners(account, by, now)
    _let_go_of_profiles(account, by, now)
    _let_go_of_windows(account, old_path, by, now)
    publishing.account_changed(account, files=True)
    publishing.lists_changed()


def _phones(account: Account) -> "QuerySet[Device]":
    return Device.objects.filter(below([account.path], "account__path"))


def _let_go_of_owners(account: Account, by: Actor, now: datetime) -> None:
    """A phone's owner is a user of its account, or of one above: who was only that is its owner no more."""
    owned = _phones(account).filter(owner__isnull=False).select_related("account", "owner").order_by("pk")
    reaching: dict[str, set[int]] = {}
    for device in owned:
        path = device.account.path
        if path not in reaching:
            rows = Membership.objects.filter(account__path__in=device.account.ancestor_paths())
            reaching[path] = set(rows.values_list("user_id", flat=True))
        if device.owner_id in reaching[path]:
            continue
        lost, device.owner = str(device.owner), None
        device.save(update_fields=["owner"])
        audit.record(by, "device.changed", device, now=now, owner=[lost, None])
        events.write(device, "changed", by=by, rule="E18", at=now, changes={"owner": [lost, None]})


def _let_go_of_profiles(account: Account, by: Actor, now: datetime) -> None:
    """Keys of a profile that is no longer above a phone become the phone's own, so that it keeps them."""
    for device, name in profiles.cut_off(_phones(account)):
        audit.record(by, "device.changed", device, now=now, profile=[name, None])
        events.write(device, "changed", by=by, rule="E18", at=now, changes={"profile": [name, None]})


def _let_go_of_windows(account: Account, old_path: str, by: Actor, now: datetime) -> None:
    """Windows of who is no longer above name none of its phones; one that is for nothing else ends."""
    step = account.steplen
    former = {old_path[:end] for end in range(step, len(old_path), step)} - set(account.ancestor_paths())
    theirs = Window.objects.open_or_coming(now).filter(account__path__in=former)
    phones = _phones(account).values("pk")
    names = Window.devices.through.objects.filter(window__in=theirs, device__in=phones)
    emptied = set(names.values_list("window_id", flat=True))
    names.delete()
    for window in theirs.select_related("account", "site__account").select_for_update(of=("self",)):
        of_its_site = window.site is not None and window.site.account.path.startswith(account.path)
        if of_its_site or (window.pk in emptied and not window.devices.exists()):
            window.closed_at = now
            window.save(update_fields=["closed_at"])
            audit.record(by, "window.closed", window, now=now, origin=str(window.network), rule="E18")
