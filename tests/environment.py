"""The settings that tests run under: walls as in production, secrets and data of this run alone."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from portal import places, starting

OURS = {
    "PORTAL_URL": "https://portal.example.org",
    "PHONES_URL": "https://phones.example.org",
    "TRUSTED_PROXIES": "",
    "LATCHKEY_TRIAL": "0",
    "LATCHKEY_DEMO": "0",
    "LOG_FORMAT": "json",
    "EMAIL_URL": "memorymail://",
    "API_RATE": "0",
    "API_WRITE_RATE": "0",
}
FOREIGN = (
    "ALLOWED_HOSTS",
    "DATABASE_WAIT",
    "DEBUG",
    "HSTS_SECONDS",
    "LOG_LEVEL",
    "STATIC_ROOT",
    "PHONES_URL_V4",
    "PHONES_URL_V6",
    "CANARY_URL",
    "SIP_EDGE",
    "SIP_T1",
    "WEBHOOK_NETWORKS",
    *(f"RESYNC_{what}" for what in ("RATE", "PLACE_GAP", "JITTER", "TRIES")),
)


def prepare() -> Path:
    """Set the environment of this process before Django reads it, and return its data directory."""
    if "portal.settings" in sys.modules:
        raise RuntimeError("Django has read its settings already: unset DJANGO_SETTINGS_MODULE")
    data = Path(tempfile.mkdtemp(prefix="latchkey-tests-"))
    (data / "static").mkdir()
    atexit.register(_remove, data, os.getpid())
    secrets = starting.drawn_secrets()
    for name in (*FOREIGN, *(f"{secret}_FILE" for secret in (*secrets, "REDIS_URL", "EMAIL_URL"))):
        os.environ.pop(name, None)
    os.environ.update(OURS, LATCHKEY_DATA=str(data), REDIS_URL=places.store_url(data), **secrets)
    if not os.environ.get("LATCHKEY_TEST_DATABASE_URL"):
        os.environ["DATABASE_URL"] = f"sqlite:///{data / 'rows.sqlite3'}"
    else:
        os.environ["DATABASE_URL"] = os.environ["LATCHKEY_TEST_DATABASE_URL"]
    return data


def _remove(data: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        shutil.rmtree(data, ignore_errors=True)
