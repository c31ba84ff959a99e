"""Measures what architecture.md promises, always side by side: `python -m tests.bench private`."""

import argparse
import sys

from tests.bench import attacks, pages, phone_import, private_url, refusals, silence, storm, what_if

TRIALS = {
    "attacks": attacks,
    "import": phone_import,
    "pages": pages,
    "private": private_url,
    "refusals": refusals,
    "silence": silence,
    "storm": storm,
    "what-if": what_if,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    trials = parser.add_subparsers(dest="trial", required=True)
    for name, trial in TRIALS.items():
        trial.add_options(trials.add_parser(name, help=(trial.__doc__ or "").splitlines()[0]))
    options = parser.parse_args()
    return int(TRIALS[options.trial].run(options))


if __name__ == "__main__":
    sys.exit(main())
