"""The file that a token gets: from the look-up when it is there, otherwise after its compile."""

import logging

from accounts.sealing import Keyring, SealError
from provisioning import wire
from provisioning.edge.missing import MissingFiles, fresh_file
from provisioning.edge.naming import Names
from provisioning.edge.sealed import open_with_tag
from provisioning.edge.store import Store
from provisioning.gate import Asked, Outcome
from provisioning.wire import StoredFile, TokenRecord

log = logging.getLogger(__name__)


class Ready:
    """A file that was opened."""

    __slots__ = ("body", "content_type", "tag")

    def __init__(self, body: bytes, content_type: str, tag: bytes) -> None:
        self.body = body
        self.content_type = content_type
        self.tag = tag


class Files:
    """Finds and opens files; only a file of the revision that its token's record asks for is one."""

    def __init__(self, keyring: Keyring, store: Store, names: Names, missing: MissingFiles) -> None:
        self._keyring = keyring
        self._store = store
        self._names = names
        self._missing = missing

    def open_found(self, record: TokenRecord, name: str, blob: bytes | None) -> Ready | None:
        """Open what the look-up has found, if that is the file."""
        if blob is None or record.file_of is not None:
            return None
        try:
            file = wire.unpack_file(blob)
        except wire.WireError:
            return None
        return self._open(record, name, file) if file.files_revision == record.files_revision else None

    async def find(self, record: TokenRecord, asked: Asked, token_hash: str, name: str) -> Ready | Outcome:
        """Find it elsewhere or wait for its compile; HELD when it does not come, REFUSED when it is none."""
        if asked is Asked.BOOK:
            return await self._book(record, token_hash, name)
        owner = record.file_of or token_hash  # an entry token's phone gets the files of the token they name
        file = await self._look(owner, name)
        ready = self._open(record, name, file)
        if ready is not None:
            return ready
        if file is None and asked is Asked.KEPT:
            if not await self._has_files(record, owner):
                return Outcome.HELD
            file = await self._look(owner, name)
            return self._open(record, name, file) or Outcome.REFUSED  # nothing was ever uploaded under it
        file = await self._missing.get(owner, name, instead_of=file.sealed if file else b"")
        return self._open(record, name, file) or Outcome.HELD

    async def _book(self, record: TokenRecord, token_hash: str, name: str) -> Ready | Outcome:
        """Its account's phone book: one for all phones of the family, and none for a retired phone."""
        if record.book_of is None:
            return Outcome.REFUSED
        family = record.facts.family
        key = wire.book_key(record.book_of, family, name)
        about = (record.book_of, wire.book_about(family, name))
        blob = (await self._store.look(key)).values[0]
        ready = self._opened(*about, _file(blob))
        if ready is None:
            blob = await self._missing.get_book(token_hash, key, instead_of=blob)
            ready = self._opened(*about, _file(blob))
        return ready or Outcome.HELD

    async def _has_files(self, record: TokenRecord, owner: str) -> bool:
        """Whether the phone's compiled files are there: an upload missing beside them was never made."""
        facts = record.facts
        made = self._names.made_names(facts.family, record.model, facts.mac)
        if not made:
            return False
        keys = [wire.file_key(owner, other) for other in made]
        found = await self._store.look(wire.token_key(owner), *keys)
        there = any(fresh_file(found.values[0], blob) for blob in found.values[1:])
        return there or await self._missing.get(owner, made[0]) is not None

    async def _look(self, owner: str, name: str) -> StoredFile | None:
        found = await self._store.look(wire.token_key(owner), wire.file_key(owner, name))
        return fresh_file(found.values[0], found.values[1])

    def _open(self, record: TokenRecord, name: str, file: StoredFile | None) -> Ready | None:
        return self._opened(record.facts.code, name, file)

    def _opened(self, code: str, about: str, file: StoredFile | None) -> Ready | None:
        if file is None:
            return None
        try:
            body, tag = open_with_tag(self._keyring, code, about, file.sealed)
        except SealError as error:
            log.error("a file in the store cannot be opened, a new one is asked for: %s", error)
            return None
        return Ready(body, file.content_type, tag)


def _file(blob: bytes | None) -> StoredFile | None:
    try:
        return wire.unpack_file(blob) if blob is not None else None
    except wire.WireError:
        return None
