"""Where this machine keeps its data, its drawn secrets and its embedded store. Standard library only."""

import hashlib
import os
from pathlib import Path

SETTINGS_FILE = "latchkey.env"
# A unix socket's path may hold 107 bytes on Linux, 103 on others.
LONGEST_SOCKET_PATH = 100


def data_directory(root: Path) -> Path:
    """Return the data directory: LATCHKEY_DATA, or .data beside manage.py."""
    return Path(os.environ.get("LATCHKEY_DATA") or root / ".data").absolute()


def read_settings_file(data: Path) -> dict[str, str]:
    """Return the settings that were drawn once for this machine; none when there is no such file."""
    try:
        text = (data / SETTINGS_FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def store_socket(data: Path) -> Path:
    """Return where the embedded store of this data directory listens, whether it runs or not."""
    path = data / "store" / "store.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path("/tmp") / f"latchkey-{os.getuid()}-{name}" / "store.sock"  # noqa: S108  (made 0700, owner checked)


def store_url(data: Path) -> str:
    """Return the address of the embedded store."""
    return f"unix://{store_socket(data)}"
