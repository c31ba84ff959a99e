"""Who is told by e-mail, and what: short, with the consequence and the place where to undo it."""

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage

from accounts.models import Membership, User
from accounts.roles import POWERS, Power, Role
from devices.models import Device
from provisioning import sentences
from provisioning.models import Lock


def managers_of(device: Device) -> list[User]:
    """The people nearest to the phone who may lock it again: its account's, else those of the one above."""
    roles = [role.value for role in Role if Power.UNLOCK_DEVICE in POWERS[role]]
    for path in reversed(device.account.ancestor_paths()):
        memberships = Membership.objects.filter(account__path=path, role__in=roles, user__is_active=True)
        people = [m.user for m in memberships.select_related("user").order_by("user__email")]
        if people:
            return people
    return []


def of_own_unlock(device: Device, *, owner: str, now: datetime) -> int:
    """E2: tell the managers that an owner lets his phone set itself up again; returns how many were told."""
    lock = Lock.objects.select_related("device__account").get(pk=device.pk)
    until = sentences.when(lock.grant_until, device.account.time_zone, now=now) if lock.grant_until else ""
    where = f"from {lock.grant_origin} only" if lock.grant_origin else "from any address"
    page = f"{settings.PORTAL_URL}/phones/{device.code}/"
    told = managers_of(device)
    body = (
        f"{owner} lets {device} set itself up again, once, {where}"
        + (f", until {until}" if until else "")
        + f".\n\nNothing to do if that is right. If not, lock it again:\n{page}\n"
    )
    for person in told:
        EmailMessage(subject=f"{owner} unlocked {device}", body=body, to=[person.email]).send()
    return len(told)
