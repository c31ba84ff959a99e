"""What every record of the store is built from: a revision at its head, networks as hex ranges. Pure."""

from security.networks import Network

DIGITS = 15


class WireError(ValueError):
    """A record in the store cannot be read; the edge holds rather than guesses."""


def head(revision: int) -> bytes:
    return b"%0*d" % (DIGITS, revision)


def split(blob: bytes) -> tuple[int, bytes]:
    try:
        return int(blob[:DIGITS]), blob[DIGITS:]
    except ValueError as error:
        raise WireError("a record has no revision") from error


def pack_network(network: Network) -> str:
    return f"{network.first:x}-{network.last:x}"


def unpack_network(text: str) -> Network:
    first, _, last = text.partition("-")
    return Network(int(first, 16), int(last, 16))
