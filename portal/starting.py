"""What `up` knows before Django reads its settings: options, addresses, secrets. Standard library only."""

import argparse
import base64
import errno
import ipaddress
import os
import secrets
import socket
from pathlib import Path

from portal import places
from portal.bootstrap import stop

# The other commands of this data directory must see the same installation as `up` does.
OF_THIS_RUN = ("LATCHKEY_TRIAL", "LATCHKEY_DEMO", "PORTAL_URL", "PHONES_URL")
_drawn: dict[str, str] = {}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `up`."""
    parser.add_argument("--data", metavar="DIR", help="data directory (default .data, or LATCHKEY_DATA)")
    parser.add_argument("--port", type=int, default=8000, help="the portal's port (default 8000)")
    parser.add_argument("--phones-port", type=int, default=8100, help="the phones' port (default 8100)")
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--empty", action="store_true", help="no demo data")


def read_options(arguments: list[str]) -> None:
    """Turn the options into settings, so that every process of this run reads the same."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Run everything on this machine.")
    add_options(parser)
    options, _ = parser.parse_known_args(arguments)
    if options.data:
        os.environ["LATCHKEY_DATA"] = str(Path(options.data).absolute())
    listen = _listening_address(options.listen)
    if options.port == options.phones_port:
        stop("--port and --phones-port must differ.")
    for name, port in (("--port", options.port), ("--phones-port", options.phones_port)):
        if not 0 < port < 65536:
            stop(f"{name} {port} is no port.")
        _refuse_busy(listen, port, name)
    host = _named_host(listen)
    os.environ.setdefault("PORTAL_URL", f"http://{host}:{options.port}")
    os.environ.setdefault("PHONES_URL", f"http://{host}:{options.phones_port}")
    os.environ.setdefault("LATCHKEY_TRIAL", "1")
    os.environ.setdefault("LOG_FORMAT", "console")
    os.environ.setdefault("LATCHKEY_DEMO", "1" if is_loopback(listen) and not options.empty else "0")


def prepare(root: str) -> None:
    """Draw the secrets that this machine lacks; they are written down once everything else is sure."""
    known = places.read_settings_file(places.data_directory(Path(root)))
    fresh = drawn_secrets()
    for name, value in fresh.items():
        if not (os.environ.get(name) or os.environ.get(f"{name}_FILE") or known.get(name)):
            os.environ[name] = _drawn[name] = value


def drawn_secrets() -> dict[str, str]:
    """Draw a fresh set of secrets."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "LATCHKEY_SECRET_KEYS": f"k1:{key}",
        "LATCHKEY_TOKEN_KEY": secrets.token_urlsafe(32),
    }


def has_drawn() -> bool:
    """Whether this run draws secrets that nothing has been sealed with yet."""
    return bool(_drawn)


def write_down(data: Path) -> None:
    """Keep the drawn secrets and this run's addresses beside the data, for this user's eyes only."""
    run = {name: os.environ[name] for name in OF_THIS_RUN if name in os.environ}
    values = {**places.read_settings_file(data), **run, **_drawn}
    temporary = data / f"{places.SETTINGS_FILE}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Kept by `manage.py up`. Without these keys the data beside it cannot be opened.\n")
        file.writelines(f"{name}={value}\n" for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(data / places.SETTINGS_FILE)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach what listens there."""
    return ipaddress.ip_address(address).is_loopback


def _listening_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text.strip("[]")))
    except ValueError:
        stop(f"--listen {text} is no IP address.")


def _named_host(listen: str) -> str:
    """The address that people and phones of this network would use, as it stands in a URL."""
    address = ipaddress.ip_address(listen)
    if address.is_unspecified:
        with socket.socket(
            socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM
        ) as probe:
            try:
                # Nothing is sent: connecting a datagram socket only asks the kernel for the way out.
                probe.connect(("2001:db8::1" if address.version == 6 else "192.0.2.1", 9))
                address = ipaddress.ip_address(probe.getsockname()[0])
            except OSError:
                address = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")
    return f"[{address}]" if address.version == 6 else str(address)


def _refuse_busy(listen: str, port: int, option: str) -> None:
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError as error:
            reasons = {errno.EADDRINUSE: "is in use", errno.EACCES: "is not ours to open"}
            reason = reasons.get(error.errno or 0, f"cannot be opened ({error.strerror})")
            stop(f"port {port} of {listen} {reason}; choose another with {option}.")
