"""What the apps below have done, made known to phones: every receiver of every signal stands here."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts import signals as account_signals
from accounts.models import Account
from accounts.refusals import Invalid
from accounts.said import Said
from accounts.scope import Actor
from accounts.speaking import told
from devices import settings_tree
from devices import signals as device_signals
from devices.models import Device, Extension
from devices.signals import PhoneEvent
from provisioning import announcing, books, earned, events, publishing, resettled
from provisioning.compiling import CompileError, compile_full
from security import signals as security_signals
from security.models import AllowedNetwork, Ban

# Above this a change is compiled by the workers alone: nobody waits for hundreds of files.
TRIED_AT_ONCE = 20
SAMPLE_URL = f"{settings.PHONES_URL}/d/{'0' * 40}/"


def connect() -> None:
    """Connect every receiver; called once, when the app is ready."""
    for signal, receiver in (
        (account_signals.account_switched, on_account_switched),
        (account_signals.account_moving, on_account_moving),
        (account_signals.account_moved, on_account_moved),
        (device_signals.phones_changed, on_phones_changed),
        (device_signals.secret_changed, on_secret_changed),
        (device_signals.settings_changed, on_settings_changed),
        (device_signals.directory_changed, on_directory_changed),
        (security_signals.addresses_changed, on_addresses_changed),
        (security_signals.network_banned, on_network_banned),
        (security_signals.ban_ended, on_ban_ended),
    ):
        signal.connect(receiver, dispatch_uid=f"provisioning.{receiver.__name__}")


def on_account_switched(sender: Any, account: Account, **kwargs: Any) -> None:
    publishing.account_changed(account)


def on_account_moving(sender: Any, account: Account, **kwargs: Any) -> None:
    resettled.hold(account)


def on_account_moved(
    sender: Any, account: Account, old_path: str, by: Actor, now: datetime, **kwargs: Any
) -> None:
    resettled.settle(account, old_path=old_path, by=by, now=now)


def on_phones_changed(
    sender: Any, device_ids: Sequence[int], event: PhoneEvent | None, **kwargs: Any
) -> None:
    """Write the phones' logs, publish them, and refuse what their files cannot carry."""
    devices = list(Device.objects.filter(pk__in=device_ids).select_related("account").order_by("pk"))
    _try_out(devices[:TRIED_AT_ONCE])
    if event is not None:
        with announcing.asked_once():
            for device in devices:
                events.write(device, event.what, by=event.by, at=event.at, **event.details)
    publishing.devices_changed([device.pk for device in devices], files=True)


def on_secret_changed(
    sender: Any, extension: Extension, by: Actor, at: datetime, phones: int, **kwargs: Any
) -> None:
    """Tell whoever runs the switch; the secret itself is told to nobody."""
    announcing.announce(
        "extension.secret_changed",
        extension.account,
        at=at,
        lane=f"extension {extension.code}",
        rule="E15",
        by=by.label,
        extension=str(extension.code),
        username=extension.username,
        phones=phones,
    )


def on_settings_changed(sender: Any, reached: Callable[[], Sequence[int]], **kwargs: Any) -> None:
    publishing.reached_changed(reached)


def on_directory_changed(sender: Any, account: Account, **kwargs: Any) -> None:
    books.directory_changed(account)


def on_addresses_changed(sender: Any, **kwargs: Any) -> None:
    """Lists for the edges; an allowance may end a ban that was earned before it."""
    publishing.lists_changed()
    if sender is AllowedNetwork:
        earned.judge_all_later()


def on_network_banned(sender: Any, ban: Ban, **kwargs: Any) -> None:
    """Tell every account whose phones live there, once it is certain (B5)."""
    earned.open_incidents(ban, ban.starts_at)


def on_ban_ended(sender: Any, ban: Ban, **kwargs: Any) -> None:
    if ban.step:
        publishing.ban_lifted(ban)
    earned.end_incidents(ban, how=Said("Lifted by {who}.", who=ban.lifted_by))


def _try_out(devices: Sequence[Device]) -> None:
    """Compile once before anything is kept: a file that cannot be made would leave the phone HELD."""
    # A phone with another secret that no key opens is no reason against this change; publishing names it.
    for phone in settings_tree.phone_settings(devices, unreadable={}).values():
        try:
            compile_full(phone, SAMPLE_URL)
        except CompileError as error:
            field = error.field.rpartition(".")[2].partition("[")[0]
            raise Invalid(field, f"{phone.name or phone.mac}: {told(error.reason)}.") from error
