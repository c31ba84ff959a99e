"""The private URL, the daily work of every phone: one look-up, one decision, one file opened, one note."""

import logging
import time
from collections import OrderedDict

from accounts.sealing import SealError
from provisioning import wire
from provisioning.edge import answers
from provisioning.edge.answers import Answer
from provisioning.edge.asking import Away, FirstUse, KeepUpload
from provisioning.edge.commons import CommonFiles
from provisioning.edge.config import Config
from provisioning.edge.missing import MissingFiles, fresh_file
from provisioning.edge.naming import Names, stored_name
from provisioning.edge.notes import Notes
from provisioning.edge.reading import Call, Where, hide_tokens
from provisioning.edge.root import RootPath
from provisioning.edge.sealed import open_with_digest
from provisioning.edge.store import Store
from provisioning.gate import (
    Asked,
    Caller,
    Method,
    Outcome,
    PrivateFacts,
    Then,
    TokenKind,
    Verdict,
    decide_private,
)
from provisioning.wire import Note, StoredFile, TokenRecord

log = logging.getLogger(__name__)

LONGEST_DRAIN = 1024 * 1024
LONGEST_KEPT = 512 * 1024
LABEL = 6  # characters of a token's hash that may stand for it
_FIRST_USES = 10_000
_FIRST_USE_GOOD_FOR = 60.0


class PrivatePath:
    """Answers below private URLs."""

    def __init__(
        self,
        config: Config,
        store: Store,
        notes: Notes,
        names: Names,
        commons: CommonFiles,
        root: RootPath,
        missing: MissingFiles,
        first_use: FirstUse,
        keep_upload: KeepUpload,
    ) -> None:
        self._keyring = config.keyring
        self._token_key = config.token_key
        self._store = store
        self._notes = notes
        self._names = names
        self._commons = commons
        self._root = root
        self._missing = missing
        self._first_use = first_use
        self._keep_upload = keep_upload
        self._used: OrderedDict[str, float] = OrderedDict()

    async def answer(self, call: Call, token: str, segments: list[str], *, overloaded: bool) -> Answer:
        """Return the answer to a request below `/d/<token>/`; no segments is a name that no phone sends."""
        where = call.where
        if where is None or overloaded or call.method is Method.OTHER:
            return self._unseen(call, overloaded=overloaded)
        token_hash = wire.token_hash(self._token_key, token)
        name = stored_name(segments) if segments else ""
        file_key = wire.file_key(token_hash, name)
        found = await self._store.look(where.key, wire.token_key(token_hash), file_key)
        now = time.time()
        _, blob, file = found.values
        try:
            record = wire.unpack_token(blob) if blob is not None else None
        except wire.WireError:
            log.exception("a token's record cannot be read; the caller is held")
            return answers.plain(Outcome.HELD, call.method, private=True)
        asked, facts = Asked.FOREIGN, None
        if record is not None:
            facts = record.resolved(found.tables.lists)
            if segments and facts.family:
                asked = self._names.below_private(facts.family, record.model, facts.mac, segments)
        blocked = found.tables.blocked.holds(where.address, now)
        verdict = decide_private(
            PrivateFacts(
                now, call.method, asked, Caller(where.address, blocked=blocked), facts, known=found.known
            )
        )
        if record is None:
            self._refuse(verdict, call, where, token_hash, None, name, now)
            return answers.plain(verdict.outcome, call.method, private=True)
        if verdict.then is Then.AS_ROOT:
            return await self._root.answer_dead(
                call, where, segments, token_hash, record.facts.mac, clone=verdict.clone
            )
        if verdict.outcome is Outcome.FULL:
            return await self._full(call, where, verdict, asked, record, token_hash, name, file)
        if verdict.outcome is Outcome.ACCEPTED:
            return await self._take_upload(call, asked, record, name)
        if verdict.outcome is Outcome.COMMON:
            return self._commons.answer(self._names.at_root(segments), call, private=True)
        self._refuse(verdict, call, where, token_hash, record, name, now)
        return answers.plain(verdict.outcome, call.method, private=True)

    def _unseen(self, call: Call, *, overloaded: bool) -> Answer:
        """The answer that needs no look-up."""
        address = call.where.address if call.where else None
        verdict = decide_private(
            PrivateFacts(
                time.time(), call.method, Asked.FOREIGN, Caller(address), None, overloaded=overloaded
            )
        )
        if call.where is not None:
            self._notes.count(verdict, call.where)
        return answers.plain(verdict.outcome, call.method, private=True)

    # --- FULL -----------------------------------------------------------------------------------------

    async def _full(
        self,
        call: Call,
        where: Where,
        verdict: Verdict,
        asked: Asked,
        record: TokenRecord,
        token_hash: str,
        name: str,
        blob: bytes | None,
    ) -> Answer:
        file = await self._find(record, asked, token_hash, name, blob)
        if file is Outcome.REFUSED:
            return answers.REFUSED_PRIVATE  # nothing was ever uploaded under this name
        opened = self._open(record, name, file) if isinstance(file, StoredFile) else None
        if opened is None or not isinstance(file, StoredFile):
            held = Verdict(Outcome.HELD, "G6")
            self._refuse(held, call, where, token_hash, record, name, time.time())
            return answers.held(True)
        body, digest = opened
        whole_get = asked is Asked.FULL and not call.is_head
        first_use = whole_get and not record.facts.used
        if first_use and await self._write_first_use(token_hash, call, where):
            first_use = False  # it is a row already
        if whole_get and (verdict.then is Then.CHECK_IN or record.facts.kind is TokenKind.ENTRY):
            self._note_full(verdict, call, where, token_hash, record, name, first_use=first_use)
        etag = answers.make_etag(digest)
        if _counts_as_current(record) and answers.has_it(call.headers.get(b"if-none-match"), etag):
            return answers.not_modified(etag, True)
        return answers.full(body, file.content_type, etag)

    async def _find(
        self, record: TokenRecord, asked: Asked, token_hash: str, name: str, blob: bytes | None
    ) -> StoredFile | Outcome:
        """The file that this token gets, if need be after its compile; HELD or REFUSED without."""
        owner = token_hash
        if record.file_of is None:
            file = _fresh(record, blob)
        else:  # an entry token's phone gets the files of the token that they name
            owner = record.file_of
            file = await self._look_again(owner, name)
        if file is None and asked is Asked.KEPT:
            return await self._find_kept(record, owner, name)
        return file or await self._missing.get(owner, name) or Outcome.HELD

    async def _find_kept(self, record: TokenRecord, owner: str, name: str) -> StoredFile | Outcome:
        """An upload that is missing beside the phone's compiled files was never made; else nobody knows."""
        facts = record.facts
        made = self._names.made_names(facts.family, record.model, facts.mac)
        keys = [wire.file_key(owner, other) for other in made]
        found = await self._store.look(wire.token_key(owner), *keys)
        there = any(fresh_file(found.values[0], blob) for blob in found.values[1:])
        if not there and (not made or await self._missing.get(owner, made[0]) is None):
            return Outcome.HELD
        return await self._look_again(owner, name) or Outcome.REFUSED

    async def _look_again(self, owner: str, name: str) -> StoredFile | None:
        found = await self._store.look(wire.token_key(owner), wire.file_key(owner, name))
        return fresh_file(found.values[0], found.values[1])

    def _open(self, record: TokenRecord, name: str, file: StoredFile) -> tuple[bytes, bytes] | None:
        try:
            return open_with_digest(self._keyring, record.facts.code, name, file.sealed)
        except SealError:
            log.exception("a file in the store cannot be opened; the phone is held")
            return None

    async def _write_first_use(self, token_hash: str, call: Call, where: Where) -> bool:
        """Have the first use written down before the body leaves; False leaves it to the note."""
        now = time.monotonic()
        if now - self._used.get(token_hash, -_FIRST_USE_GOOD_FOR) < _FIRST_USE_GOOD_FOR:
            return True
        try:
            await self._first_use(token_hash, where.address, call.agent)
        except Away:
            return False
        except Exception:  # the phone is served whatever happens to our bookkeeping
            log.exception("a first use cannot be written")
            return False
        self._used[token_hash] = now
        self._used.move_to_end(token_hash)
        if len(self._used) > _FIRST_USES:
            self._used.popitem(last=False)
        return True

    # --- uploads --------------------------------------------------------------------------------------

    async def _take_upload(self, call: Call, asked: Asked, record: TokenRecord, name: str) -> Answer:
        """Read it to its end; a directory or call list is kept, everything else dropped. Never an error."""
        body = await call.body(LONGEST_DRAIN)
        if body is None:
            return answers.ACCEPTED_UNREAD
        if asked is Asked.KEPT and 0 < len(body) <= LONGEST_KEPT:
            content_type = call.headers.get(b"content-type", b"").decode("latin-1")[:100]
            try:
                await self._keep_upload(record.facts.code, name, body, content_type)
            except Away:
                log.warning("the database is away; an upload is dropped")
            except Exception:
                log.exception("an upload cannot be kept")
        return answers.ACCEPTED

    # --- notes ----------------------------------------------------------------------------------------

    def _note_full(
        self,
        verdict: Verdict,
        call: Call,
        where: Where,
        token_hash: str,
        record: TokenRecord,
        name: str,
        *,
        first_use: bool,
    ) -> None:
        facts = record.facts
        self._notes.check_in(
            Note(
                at=round(time.time(), 3),
                address=where.hex,
                rule=verdict.rule,
                outcome="full",
                mac=facts.mac,
                code=facts.code,
                agent=call.agent,
                file=name,
                token=token_hash,
                check_in=verdict.then is Then.CHECK_IN,
                first_use=first_use,
                current=_counts_as_current(record),
                drift=verdict.drift,
                clone=verdict.clone,
            )
        )

    def _refuse(
        self,
        verdict: Verdict,
        call: Call,
        where: Where,
        token_hash: str,
        record: TokenRecord | None,
        name: str,
        now: float,
    ) -> None:
        if record is None and verdict.outcome is Outcome.HELD:
            self._notes.count(verdict, where)
            return
        label = token_hash[:LABEL]
        self._notes.fold(
            Note(
                at=round(now, 3),
                address=where.hex,
                rule=verdict.rule,
                outcome=verdict.outcome.value,
                mac=record.facts.mac if record else "",
                code=record.facts.code if record else "",
                agent=call.agent,
                file=hide_tokens(name) if record else "",
                token=token_hash,
                key=verdict.key.value if verdict.key else "",
                label=label,
            ),
            where,
        )
        if verdict.key is not None:
            self._notes.failed(verdict, label, where, now)


def _fresh(record: TokenRecord, blob: bytes | None) -> StoredFile | None:
    if blob is None:
        return None
    try:
        file = wire.unpack_file(blob)
    except wire.WireError:
        return None
    return file if file.files_revision == record.files_revision else None


def _counts_as_current(record: TokenRecord) -> bool:
    """The current token, or a former one while no later token was used (T2)."""
    facts = record.facts
    return facts.kind is TokenKind.CURRENT or (facts.kind is TokenKind.FORMER and not facts.superseded)
