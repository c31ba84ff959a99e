"""The portal's and the worker's way to the store; the edge has its own."""

from collections.abc import Iterable
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from provisioning import wire

Away = redis.RedisError


@cache
def _client(url: str) -> "redis.Redis":
    # One try and a second's wait: whoever publishes has the outbox behind him and a person in front.
    return redis.Redis.from_url(
        url,
        socket_timeout=5.0,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=15,
    )


def client() -> "redis.Redis":
    """The connection pool of this process."""
    return _client(settings.REDIS_URL)


def read(key: bytes) -> bytes | None:
    """The bytes under a key. Raises Away."""
    value = client().get(key)
    return value.encode() if isinstance(value, str) else value


def run_id() -> str:
    """The server's own id; it changes when the server is started anew."""
    return str(client().info("server")["run_id"])


class Batch:
    """Records to be written in one round trip, none of them over a newer one."""

    def __init__(self) -> None:
        self._client = client()
        self._newer = self._client.register_script(wire.SET_NEWER)
        self._file = self._client.register_script(wire.SET_FILE)
        self._pipe = self._client.pipeline(transaction=False)

    def newer(self, key: bytes, revision: int, record: bytes, *, seconds: int = 0) -> None:
        self._newer(keys=[key], args=[revision, record, seconds], client=self._pipe)

    def file(self, token_hash: str, name: str, file: wire.StoredFile) -> None:
        keys = [wire.token_key(token_hash), wire.file_key(token_hash, name)]
        self._file(keys=keys, args=[file.files_revision, wire.pack_file(file)], client=self._pipe)

    def remove(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self._pipe.unlink(key)

    def write(self) -> None:
        """Send all; raises Away when the store did not take them."""
        self._pipe.execute()
