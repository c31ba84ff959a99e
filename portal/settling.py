"""What a server process does once, when all it needs is loaded."""

import gc


def settle() -> None:
    """Take what the start has made out of the collector's sight: it lives as long as the process.

    Looking through all of it again and again would hold a phone or a page up for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
