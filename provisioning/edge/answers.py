"""The bytes that leave: one refusal for every reason, so that it tells nobody which."""

import functools
import random

from provisioning.gate import Method, Outcome

Header = tuple[bytes, bytes]

HELD_SECONDS = (30, 300)  # jittered: phones that were held together must not come back together
# Nothing may be kept by a proxy, named to another server, or found by a search engine (T7).
PRIVATE: list[Header] = [
    (b"cache-control", b"private, no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"none"),
]
_EMPTY: Header = (b"content-length", b"0")
_COMMON: list[Header] = [(b"cache-control", b"public, max-age=3600")]


class Answer:
    """A response: status, headers, body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[Header], body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body


REFUSED = Answer(404, [_EMPTY])
REFUSED_PRIVATE = Answer(404, [_EMPTY, *PRIVATE])
ACCEPTED = Answer(204, PRIVATE)
# The rest of a body that is too big is not worth reading; the answer must be heard all the same.
ACCEPTED_UNREAD = Answer(204, [*PRIVATE, (b"connection", b"close")])


def refused(private: bool) -> Answer:
    return REFUSED_PRIVATE if private else REFUSED


def held(private: bool) -> Answer:
    seconds = (b"retry-after", b"%d" % random.randint(*HELD_SECONDS))
    return Answer(503, [_EMPTY, seconds, *PRIVATE] if private else [_EMPTY, seconds])


def plain(outcome: Outcome, method: Method, *, private: bool) -> Answer:
    """The answer without a file: HELD or REFUSED. Phones repeat an upload on 5xx, so no upload gets one."""
    if outcome is Outcome.ACCEPTED:
        return ACCEPTED
    if outcome is not Outcome.HELD:
        return refused(private)
    if method is Method.UPLOAD:
        return ACCEPTED if private else REFUSED
    return held(private)


def bootstrap(body: bytes, content_type: str, private: bool) -> Answer:
    """A claim's answer: always whole, never to be kept."""
    kept = PRIVATE if private else [(b"cache-control", b"no-store")]
    return Answer(200, [_length(body), _type(content_type), *kept], body)


def full(body: bytes, content_type: str, etag: bytes) -> Answer:
    """A file of the phone's own."""
    return Answer(200, [_length(body), (b"etag", etag), *_full_tail(content_type)], body)


@functools.cache
def _full_tail(content_type: str) -> list[Header]:
    return [_type(content_type), *PRIVATE]


def common(body: bytes, content_type: str, etag: bytes, private: bool) -> Answer:
    """A file that knows no device."""
    kept = PRIVATE if private else _COMMON
    return Answer(200, [_length(body), _type(content_type), (b"etag", etag), *kept], body)


def not_modified(etag: bytes, private: bool) -> Answer:
    return Answer(304, [(b"etag", etag), *(PRIVATE if private else _COMMON)])


def see_other(url: str) -> Answer:
    """Only for a person's browser that proves its address (P); a phone never gets a redirect."""
    return Answer(303, [_EMPTY, (b"location", url.encode("ascii")), (b"cache-control", b"no-store")])


def make_etag(tag: bytes) -> bytes:
    """A strong validator from a tag of the content."""
    return b'"%b"' % tag


def has_it(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether the caller says that it holds this content."""
    if if_none_match is None:
        return False
    if if_none_match == etag:
        return True
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return etag in tags or tags == [b"*"]


def _type(content_type: str) -> Header:
    return b"content-type", content_type.encode()


def _length(body: bytes) -> Header:
    return b"content-length", b"%d" % len(body)
