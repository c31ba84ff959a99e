#!/usr/bin/env python3
"""Django's command line; on a bare machine it first makes .venv from the locks and goes on in it."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run one command in the project's own environment."""
    root = Path(__file__).resolve().parent
    sys.path.insert(0, str(root))
    from portal import bootstrap

    bootstrap.enter(str(root), sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        bootstrap.stop(str(error))


if __name__ == "__main__":
    main()
