"""Celery's way in: thin calls of verbs with ids; each runs twice without harm."""

from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from provisioning import store

COMPILED_AT_ONCE = 100
AGAIN = 600  # seconds until a sweep goes on that did not come to its end


@shared_task(autoretry_for=(store.Away,), max_retries=5, retry_backoff=True)
def compile_devices(device_ids: list[int]) -> int:
    """Compile and publish the files of these devices."""
    from provisioning import files

    return len(device_ids) - len(files.publish_files(device_ids))


@shared_task(autoretry_for=(store.Away,), max_retries=5, retry_backoff=True)
def compile_books(account_id: int) -> int:
    """Compile and publish the phone books of this account, if a change of them waits."""
    from provisioning import books

    return books.publish_waiting(account_id)


@shared_task
def compile_token(token_hash: str) -> int:
    """Compile for a phone that waits: the device of this token."""
    from provisioning import files, publishing
    from provisioning.models import Token

    device_id = Token.objects.filter(hash=token_hash).values_list("device_id", flat=True).first()
    if device_id is None:
        return 0
    publishing.publish_devices([device_id])
    return 1 - len(files.publish_files([device_id]))


@shared_task
def run_job(job_id: int) -> None:
    """Work through a job on many phones, from where it stands, or replay what has failed."""
    from provisioning import bulk, phone_import, replaying, resync, unlock_all
    from provisioning.models import Job

    kind = Job.objects.values_list("kind", flat=True).get(pk=job_id)
    runs: dict[str, Callable[[int], None]] = {
        Job.Kind.RESYNC: resync.run,
        Job.Kind.UNLOCK_ALL: unlock_all.run,
        Job.Kind.IMPORT: phone_import.run,
        **{deed.kind: bulk.run for deed in bulk.DEEDS.values()},
        replaying.KIND: replaying.run,
    }
    runs[kind](job_id)


@shared_task
def send_resyncs() -> int:
    """Ask the phones whose turn it is to fetch again; waits for the answers, so it has a queue of its own."""
    from provisioning import resync_sending

    return resync_sending.send_due()


@shared_task
def tell(asked: int) -> int:
    """Send the e-mails about something that happened to a phone, or in an account."""
    from provisioning import telling

    return telling.tell_asked(asked, now=timezone.now())


@shared_task
def end_what_is_over() -> int:
    """Unlocks, windows and cards whose time is up become rows, audit and events (E6); so do incidents."""
    from provisioning import (
        approvals,
        coming_over,
        earned,
        jobs,
        keeper,
        locking,
        resync,
        storms,
        tokens,
        waves,
        windows,
    )

    now = timezone.now()
    ended = locking.sweep(now) + windows.sweep(now) + approvals.sweep(now) + tokens.bury(now)
    ended += storms.sweep(now) + waves.sweep(now)
    coming_over.sweep(now)
    ended += earned.sweep(now)
    jobs.pick_up(now)
    resync.pick_up(now)
    keeper.stamp("end-what-is-over", now)
    return ended


@shared_task
def refresh_lists() -> int:
    """Shared origins and ended bans reach the edges. Safe to run twice or late."""
    from provisioning import keeper, publishing

    now = timezone.now()
    lists = publishing.refresh_lists(now)
    keeper.stamp("refresh-lists", now)
    return len(lists.shared)


@shared_task
def listen() -> int:
    """Hear which places have gone quiet, and which speak again (section 7)."""
    from provisioning import quieting

    now = timezone.now()
    found = quieting.look(now)
    quieting.look_at_phones(now)
    return len(found.quiet)


@shared_task
def ask_canary(before: bool = False) -> bool:
    """Let the platform's test phone fetch its file; a try in vain is followed by another in a minute."""
    from provisioning import canary

    if not canary.is_on():
        return True
    came = canary.look(timezone.now(), before=before)
    if not came and not before:
        ask_canary.apply_async(kwargs={"before": True}, countdown=60)
    return came


@shared_task
def tell_waiting() -> int:
    """E-mails about what came up since the last ones, and the digests; safe to run twice or late."""
    from provisioning import digests, keeper

    now = timezone.now()
    told = digests.tell_waiting(now)
    keeper.stamp("tell-waiting", now)
    return told


@shared_task
def forget() -> int:
    """What was kept long enough goes (section 9); what the time was too short for goes at once after."""
    from provisioning import earned, keeper, keeping

    now = timezone.now()
    swept = keeping.sweep(now)
    earned.unprove_old(now)
    keeper.stamp("forget", now)
    if swept.ran_out:
        forget.apply_async(countdown=AGAIN)
    return swept.gone
