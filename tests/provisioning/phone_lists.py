"""Lists of phones as programs send them: what is said of their rows, and what comes of them."""

from typing import Any

from accounts.models import Account
from accounts.scope import Actor
from provisioning.models import ImportDraft, Job
from provisioning.phone_import import Preview, look, preview, run, start
from provisioning.phone_import_rows import Verdict
from provisioning.phone_import_table import read_dicts
from tests.factories import make_mac


def seen(account: Account, by: Actor, *rows: dict[str, str], **options: Any) -> Preview:
    draft = look(account, read_dicts(rows), by=by, **options)
    return preview(ImportDraft.objects.get(pk=draft.pk), by=by)


def one(account: Account, by: Actor, **cells: str) -> Verdict:
    """What is said of a single row, which is a good one but for these cells."""
    options = {"make_extensions": cells.pop("make", "") == "yes"}
    [verdict] = seen(account, by, {"mac": make_mac(), "model": "T46U", **cells}, **options).verdicts
    return verdict


def brought_in(account: Account, by: Actor, *rows: dict[str, str], **options: Any) -> Job:
    job = start(look(account, read_dicts(rows), by=by, **options), by=by)
    run(job.pk)
    return Job.objects.get(pk=job.pk)
