"""Every key and record of the store, encoded and decoded here only. Pure.

Records begin with a revision of fifteen digits, so that the store itself can refuse an older one
(SET_NEWER, SET_FILE below). Numbers of addresses are written as hex ranges `first-last`.
"""

import functools
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from provisioning.gate import TokenFacts
from provisioning.packing import WireError as WireError
from provisioning.packing import head
from provisioning.packing import pack_network as pack_network
from provisioning.packing import unpack_network as unpack_network
from provisioning.pressed import address_key as address_key
from provisioning.pressed import failures_key as failures_key
from provisioning.pressed import pack_failure as pack_failure
from provisioning.pressed import pack_standing as pack_standing
from provisioning.pressed import unpack_failure as unpack_failure
from provisioning.pressed import unpack_standing as unpack_standing
from provisioning.records import DECOY as DECOY
from provisioning.records import NO_FILES as NO_FILES
from provisioning.records import Lists as Lists
from provisioning.records import LockRecord as LockRecord
from provisioning.records import SiteNetworks as SiteNetworks
from provisioning.records import StoredFile as StoredFile
from provisioning.records import TimedNetwork as TimedNetwork
from provisioning.records import TokenRecord as TokenRecord
from provisioning.records import file_about as file_about
from provisioning.records import pack_file as pack_file
from provisioning.records import pack_lists as pack_lists
from provisioning.records import pack_lock as pack_lock
from provisioning.records import pack_token as pack_token
from provisioning.records import tombstone as tombstone
from provisioning.records import unpack_file as unpack_file
from provisioning.records import unpack_lists as unpack_lists
from provisioning.records import unpack_lock as unpack_lock
from provisioning.records import unpack_token as unpack_token

COMPLETE = b"complete"
LISTS = b"lists"
LISTS_DATA = b"lists:data"
NOTES = b"notes"
NOTE = b"n"  # a stream entry's one field
NOTES_EPOCH = b"notes:epoch"
NOTES_KEPT = 2_000_000
LOST_NOTES = b"notes:lost"


# --- keys ---------------------------------------------------------------------------------------------


def mac_key(mac: str) -> bytes:
    return b"m:" + mac.encode()


def token_key(token_hash: str) -> bytes:
    return b"t:{" + token_hash.encode() + b"}"


def file_key(token_hash: str, name: str) -> bytes:
    return b"f:{" + token_hash.encode() + b"}:" + name.encode()


def book_key(account: str, family: str, name: str) -> bytes:
    """The phone book of an account, as the phones of a family ask for it."""
    return f"b:{{{account}}}:{family}:{name}".encode()


def book_of_key(key: bytes) -> tuple[str, str, str]:
    """The account's code, the family and the name that such a key was made of."""
    _, account, family, name = key.decode().split(":", 3)
    return account[1:-1], family, name


def book_about(family: str, name: str) -> str:
    """The name to which a sealed phone book is bound, beside its account's code."""
    return f"book:{family}:{name}"


def wanted_key(token_hash: str) -> bytes:
    """Set for a few seconds while a missing file is being compiled."""
    return b"w:{" + token_hash.encode() + b"}"


def token_hash(key: bytes, token: str) -> str:
    """What stands for a token everywhere but in the phone: 40 hex digits of its HMAC."""
    return hmac.digest(key, token.encode(), hashlib.sha256).hex()[:40]


def mac_hash(key: bytes, mac: str) -> str:
    """What stands for a MAC in the ledger."""
    return hmac.digest(key, b"mac:" + mac.encode(), hashlib.sha256).hex()[:40]


# --- scripts ------------------------------------------------------------------------------------------

# KEYS[1] record, ARGV: revision, record, seconds to live (0: for ever). 1 when it was taken.
SET_NEWER = """
local old = redis.call('GETRANGE', KEYS[1], 0, 14)
if old ~= '' and tonumber(old) > tonumber(ARGV[1]) then return 0 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""

# KEYS[1] token record, KEYS[2] file, ARGV: files revision, file. A file older than what its token's record
# asks for is not taken, however late its compile comes.
SET_FILE = """
local wanted = redis.call('GETRANGE', KEYS[1], 15, 29)
if wanted == '' or tonumber(wanted) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""


# --- notes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """What happened at the edge: a check-in, or refusals folded with a count."""

    at: float
    address: str  # hex of the number
    rule: str
    outcome: str
    mac: str = ""
    code: str = ""
    agent: str = ""
    file: str = ""
    count: int = 1
    token: str = ""  # the hash, never the token
    check_in: bool = False
    first_use: bool = False
    current: bool = False  # by the current token, or one that counts as it
    drift: bool = False
    clone: bool = False
    card: bool = False
    stale: bool = False
    unlock_expired: bool = False
    key: str = ""  # the kind of failure
    label: str = ""  # the MAC, or six characters of a token's hash
    product: str = ""


_NOTE_DEFAULTS: dict[str, Any] = {
    name: f.default
    for name, f in Note.__dataclass_fields__.items()
    if name not in ("at", "address", "rule", "outcome")
}


_quote = json.encoder.encode_basestring_ascii
_encode_note = json.JSONEncoder(separators=(",", ":")).encode  # made once: a note is written per check-in


def pack_note(note: Note) -> bytes:
    data: dict[str, Any] = {
        "at": note.at,
        "address": note.address,
        "rule": note.rule,
        "outcome": note.outcome,
    }
    for name, default in _NOTE_DEFAULTS.items():
        value = getattr(note, name)
        if value != default:
            data[name] = value
    return _encode_note(data).encode()


def pack_full_note(
    at: float, address: str, rule: str, facts: TokenFacts, agent: str, file: str, token: str, marks: str
) -> bytes:
    """As pack_note for a full file: every phone's daily note, written without its object."""
    return (
        f'{{"at":{at:.3f},"address":"{address}","rule":"{rule}","outcome":"full","mac":"{facts.mac}",'
        f'"code":"{facts.code}","agent":{_quote(agent)},"file":{_quote(file)},"token":"{token}"{marks}}}'
    ).encode()


@functools.cache
def full_note_marks(*, check_in: bool, first_use: bool, current: bool, drift: bool, clone: bool) -> str:
    """The flags of such a note."""
    flags = {
        "check_in": check_in,
        "first_use": first_use,
        "current": current,
        "drift": drift,
        "clone": clone,
    }
    return "".join(f',"{name}":true' for name, is_so in flags.items() if is_so)


def unpack_note(blob: bytes) -> Note:
    try:
        return Note(**json.loads(blob))
    except (ValueError, TypeError) as error:
        raise WireError("a note cannot be read") from error


# --- the lists' number --------------------------------------------------------------------------------


def pack_number(number: int) -> bytes:
    """The lists' number under LISTS."""
    return head(number)


def unpack_number(blob: bytes | None) -> int:
    """The number of the newest lists; 0 when none were published."""
    return int(blob) if blob else 0


# --- the marker ---------------------------------------------------------------------------------------


def pack_complete(rebuild: int, run_id: str) -> bytes:
    """The marker that makes a miss mean "unknown": the rebuild's number and the server's run id."""
    return f"{rebuild}:{run_id}".encode()


def is_complete(marker: bytes | None, run_id: str) -> bool:
    return marker is not None and marker.endswith(b":" + run_id.encode()) and bool(run_id)
