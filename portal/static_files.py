"""The stylesheet and its like: collected, hashed and compressed, once for each change."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = "collected"


def collect(*, say: Callable[[str], None]) -> None:
    """Collect the files into STATIC_ROOT unless the same ones are there already."""
    root = Path(settings.STATIC_ROOT)
    state = _state()
    stamp = root / STAMP
    if stamp.exists() and stamp.read_text() == state:
        return
    say("Collecting the pages' static files ...")
    call_command("collectstatic", verbosity=0, interactive=False, clear=root.exists())
    stamp.write_text(state)


def _state() -> str:
    """A digest of every file's name, size and time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            about = Path(storage.path(name)).stat()
            digest.update(f"{name} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()
