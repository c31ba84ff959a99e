"""The private URL, the daily work of every phone: one look-up, one decision, one file opened, one note."""

import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from provisioning import wire
from provisioning.edge import answers
from provisioning.edge.answers import Answer
from provisioning.edge.asking import Away, FirstUse, KeepUpload
from provisioning.edge.commons import CommonFiles
from provisioning.edge.config import Config
from provisioning.edge.files import Files, Ready
from provisioning.edge.naming import Names, stored_name
from provisioning.edge.notes import Notes
from provisioning.edge.pressing import Pressing
from provisioning.edge.reading import Call, Where, hide_tokens
from provisioning.edge.root import RootPath
from provisioning.edge.store import Found, Store
from provisioning.gate import (
    Asked,
    Caller,
    KeyKind,
    Method,
    Outcome,
    PrivateFacts,
    Then,
    TokenKind,
    Verdict,
    decide_private,
)
from provisioning.wire import Note, TokenRecord

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
        pressing: Pressing,
        names: Names,
        commons: CommonFiles,
        root: RootPath,
        files: Files,
        first_use: FirstUse,
        keep_upload: KeepUpload,
    ) -> None:
        self._token_key = config.token_key
        self._store = store
        self._notes = notes
        self._pressing = pressing
        self._names = names
        self._commons = commons
        self._root = root
        self._files = files
        self._first_use = first_use
        self._keep_upload = keep_upload
        self._used: OrderedDict[str, float] = OrderedDict()

    async def answer(self, call: Call, token: str, segments: list[str], *, overloaded: bool) -> Answer:
        """Return the answer to a request below `/d/<token>/`; no segments is a name that no phone sends."""
        if call.where is None or overloaded or call.method is Method.OTHER:
            return self.unseen(call, overloaded=overloaded)
        inquiry = self.inquire(call, call.where, token, segments)
        answer = self.judge(inquiry, await self._store.look(*inquiry.keys))
        return answer if isinstance(answer, Answer) else await answer

    def inquire(self, call: Call, where: Where, token: str, segments: list[str]) -> "Inquiry":
        """Return what has to be looked up for this request."""
        return Inquiry(call, where, wire.token_hash(self._token_key, token), segments)

    def judge(self, inquiry: "Inquiry", found: Found) -> "Answer | Coroutine[Any, Any, Answer]":
        """Return the answer by what was found, at once, or to be awaited where something is not there yet."""
        call, where, segments = inquiry.call, inquiry.where, inquiry.segments
        inquiry.now = now = time.time()
        inquiry.standing, blob, file = found.values
        record, facts, asked = None, None, Asked.FOREIGN
        if blob is not None:
            try:
                record = wire.unpack_token(blob)
            except wire.WireError:
                log.exception("a token's record cannot be read; the caller is held")
                return answers.plain(Outcome.HELD, call.method, private=True)
            facts = record.resolved(found.tables.lists)
            if segments and facts.family:
                asked = self._names.below_private(facts.family, record.model, facts.mac, segments)
        blocked = found.tables.blocked.holds(where.address, now)
        caller = where.blocked_caller if blocked else where.caller
        if record is None and call.is_browser:
            caller = Caller(where.address, browser=True)
        verdict = decide_private(PrivateFacts(now, call.method, asked, caller, facts, found.known))
        if record is None:
            self._refuse(verdict, inquiry, None)
            return answers.plain(verdict.outcome, call.method, private=True)
        if verdict.outcome is Outcome.FULL:
            return self._full(inquiry, verdict, asked, record, file)
        if verdict.then is Then.AS_ROOT:
            return self._root.answer_dead(
                call, where, segments, inquiry.token_hash, record.facts.mac, clone=verdict.clone
            )
        if verdict.outcome is Outcome.ACCEPTED:
            return self._take_upload(call, asked, inquiry.token_hash, inquiry.name)
        if verdict.outcome is Outcome.COMMON:
            return self._commons.answer(self._names.at_root(segments), call, private=True)
        self._refuse(verdict, inquiry, record)
        return answers.plain(verdict.outcome, call.method, private=True)

    def unseen(self, call: Call, *, overloaded: bool) -> Answer:
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

    def _full(
        self, inquiry: "Inquiry", verdict: Verdict, asked: Asked, record: TokenRecord, blob: bytes | None
    ) -> "Answer | Coroutine[Any, Any, Answer]":
        ready = self._files.open_found(record, inquiry.name, blob)
        first_use = asked is Asked.FULL and not inquiry.call.is_head and not record.facts.used
        if ready is None or first_use:
            return self._full_after(inquiry, verdict, asked, record, ready, first_use=first_use)
        return self._serve(inquiry, verdict, asked, record, ready, first_use=False)

    async def _full_after(
        self,
        inquiry: "Inquiry",
        verdict: Verdict,
        asked: Asked,
        record: TokenRecord,
        ready: Ready | None,
        *,
        first_use: bool,
    ) -> Answer:
        """As `_full`, after a compile, a look at the current token's file, or the first use's row."""
        if ready is None:
            found = await self._files.find(record, asked, inquiry.token_hash, inquiry.name)
            if not isinstance(found, Ready):
                if found is Outcome.HELD:
                    self._refuse(Verdict(Outcome.HELD, "G6"), inquiry, record)
                return answers.plain(found, inquiry.call.method, private=True)
            ready = found
        if first_use and await self._write_first_use(inquiry):
            first_use = False  # it is a row already
        return self._serve(inquiry, verdict, asked, record, ready, first_use=first_use)

    def _serve(
        self,
        inquiry: "Inquiry",
        verdict: Verdict,
        asked: Asked,
        record: TokenRecord,
        ready: Ready,
        *,
        first_use: bool,
    ) -> Answer:
        call, facts = inquiry.call, record.facts
        current = _counts_as_current(record)
        check_in = verdict.then is Then.CHECK_IN
        if asked is Asked.FULL and not call.is_head and (check_in or facts.kind is TokenKind.ENTRY):
            note = wire.pack_full_note(
                inquiry.now,
                inquiry.where.hex,
                verdict.rule,
                facts,
                call.agent,
                inquiry.name,
                inquiry.token_hash,
                wire.full_note_marks(
                    check_in=check_in,
                    first_use=first_use,
                    current=current,
                    drift=verdict.drift,
                    clone=verdict.clone,
                ),
            )
            self._store.note(note)
            if check_in and current:
                self._pressing.proved(inquiry.where, facts.mac, inquiry.standing, inquiry.now)
        etag = answers.make_etag(ready.tag)
        if current and answers.has_it(call.headers.get(b"if-none-match"), etag):
            return answers.not_modified(etag, True)
        return answers.full(ready.body, ready.content_type, etag)

    async def _write_first_use(self, inquiry: "Inquiry") -> bool:
        """Have the first use written down before the body leaves; False leaves it to the note."""
        now, token_hash = time.monotonic(), inquiry.token_hash
        if now - self._used.get(token_hash, -_FIRST_USE_GOOD_FOR) < _FIRST_USE_GOOD_FOR:
            return True
        try:
            await self._first_use(token_hash, inquiry.where.address, inquiry.call.agent)
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

    async def _take_upload(self, call: Call, asked: Asked, token_hash: str, name: str) -> Answer:
        """Read it to its end; a directory or call list is kept, everything else dropped. Never an error."""
        body = await call.body(LONGEST_DRAIN)
        if body is None:
            return answers.ACCEPTED_UNREAD
        if asked is Asked.KEPT and 0 < len(body) <= LONGEST_KEPT:
            content_type = call.headers.get(b"content-type", b"").decode("latin-1")[:100]
            try:
                await self._keep_upload(token_hash, name, body, content_type)
            except Away:
                log.warning("the database is away; an upload is dropped")
            except Exception:
                log.exception("an upload cannot be kept")
        return answers.ACCEPTED

    # --- notes ----------------------------------------------------------------------------------------

    def _refuse(self, verdict: Verdict, inquiry: "Inquiry", record: TokenRecord | None) -> None:
        where = inquiry.where
        if record is None and verdict.outcome is Outcome.HELD:
            self._notes.count(verdict, where)
            return
        label = inquiry.token_hash[:LABEL] if verdict.key is not KeyKind.BROWSER else ""
        self._notes.fold(
            Note(
                at=round(inquiry.now, 3),
                address=where.hex,
                rule=verdict.rule,
                outcome=verdict.outcome.value,
                mac=record.facts.mac if record else "",
                code=record.facts.code if record else "",
                agent=inquiry.call.agent,
                file=hide_tokens(inquiry.name) if record else "",
                token=inquiry.token_hash,
                key=verdict.key.value if verdict.key else "",
                label=label,
            ),
            where,
        )
        if verdict.key is not None:
            self._pressing.failed(verdict.key, label, "", where, inquiry.now)


class Inquiry:
    """One request below a private URL while it waits for its look-up."""

    __slots__ = ("call", "keys", "name", "now", "segments", "standing", "token_hash", "where")

    def __init__(self, call: Call, where: Where, token_hash: str, segments: list[str]) -> None:
        self.call = call
        self.where = where
        self.token_hash = token_hash
        self.segments = segments
        self.name = stored_name(segments) if segments else ""
        self.keys = (where.key, wire.token_key(token_hash), wire.file_key(token_hash, self.name))
        self.now = 0.0
        self.standing: bytes | None = None


def _counts_as_current(record: TokenRecord) -> bool:
    """The current token, or a former one while no later token was used (T2)."""
    facts = record.facts
    return facts.kind is TokenKind.CURRENT or (facts.kind is TokenKind.FORMER and not facts.superseded)
