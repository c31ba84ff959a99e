"""A file that should be there and is not: compiled on demand once, and waited for by everybody together."""

import asyncio
import logging

from provisioning import wire
from provisioning.edge.asking import WantFile
from provisioning.edge.connection import StoreAway
from provisioning.edge.store import Store
from provisioning.wire import StoredFile

log = logging.getLogger(__name__)

ASKED_EVERY = 5  # seconds in which no other edge asks for the same phone's files
POLL = 0.05


class MissingFiles:
    """Waits for files that are being compiled."""

    def __init__(self, store: Store, want_file: WantFile, wait: float) -> None:
        self._store = store
        self._want_file = want_file
        self._wait = wait
        self._waits: dict[tuple[str, str], asyncio.Task[StoredFile | None]] = {}

    async def get(self, token_hash: str, name: str, instead_of: bytes = b"") -> StoredFile | None:
        """Return the file as its token's record asks for it, or None when it does not come in time.

        `instead_of` are sealed bytes that are no use: after a change of keys or of the dictionary.
        """
        key = (token_hash, name)
        task = self._waits.get(key)
        if task is None:
            task = self._waits[key] = asyncio.create_task(self._get(token_hash, name, instead_of))
            task.add_done_callback(lambda _: self._waits.pop(key, None))
        return await asyncio.shield(task)

    async def get_book(self, token_hash: str, key: bytes, instead_of: bytes | None = None) -> bytes | None:
        """Return the phone book under that key once this phone's files were compiled, or None.

        `instead_of` is what lies there and is no use.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait
        await self._ask(token_hash)
        while loop.time() < until:
            await asyncio.sleep(POLL)
            found = (await self._store.look(key)).values[0]
            if found is not None and found != instead_of:
                return found
        return None

    async def _get(self, token_hash: str, name: str, instead_of: bytes) -> StoredFile | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait
        await self._ask(token_hash)
        while loop.time() < until:
            await asyncio.sleep(POLL)
            found = await self._store.look(wire.token_key(token_hash), wire.file_key(token_hash, name))
            file = fresh_file(*found.values)
            if file is not None and file.sealed != instead_of:
                return file
        return None

    async def _ask(self, token_hash: str) -> None:
        try:
            if await self._store.set_once(wire.wanted_key(token_hash), ASKED_EVERY):
                await self._want_file(token_hash)
        except StoreAway:
            return
        except Exception:  # whoever else asked may still bring it; if nobody does, the phone is held
            log.exception("a missing file cannot be asked for")


def fresh_file(record: bytes | None, file: bytes | None) -> StoredFile | None:
    """The file if it is the one that its token's record asks for, compiled from the settings as they are."""
    if record is None or file is None:
        return None
    try:
        stored = wire.unpack_file(file)
        return stored if stored.files_revision == wire.unpack_token(record).files_revision else None
    except wire.WireError:
        return None
