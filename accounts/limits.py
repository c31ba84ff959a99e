"""How often one key or one person may call in a minute: counted in the store, said with every answer."""

import time
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.utils.translation import ngettext
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.authentication import acting
from accounts.scope import Actor

WINDOW = 60
CALLS, WRITES = "calls", "writes"


class Throttled(APIException):
    """Too many calls in this minute."""

    status_code = 429
    default_code = "throttled"

    def __init__(self, wait: int) -> None:
        said = ngettext(
            "Too many requests; go on in {seconds} second.",
            "Too many requests; go on in {seconds} seconds.",
            wait,
        )
        super().__init__(said.format(seconds=wait))
        self.wait = wait


class MinuteLimit(BaseThrottle):
    """`API_RATE` calls a minute, of them `API_WRITE_RATE` that change something; 0: no limit.

    Without the store nothing is counted and everybody is let in: it is no lock, and the phones' people must
    get in while a server of ours is away.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        quotas = {CALLS: settings.API_RATE, WRITES: settings.API_WRITE_RATE}
        quotas = {name: quota for name, quota in quotas.items() if quota}
        counted = [name for name in quotas if name == CALLS or request.method not in SAFE_METHODS]
        who = caller(acting(request))
        if not counted or not who:
            return True
        minute, passed = divmod(int(time.time()), WINDOW)
        counts = _counts(who, counted, minute)
        policies = [f'"{name}";q={quota};w={WINDOW}' for name, quota in quotas.items()]
        view.headers["RateLimit-Policy"] = ", ".join(policies)
        left = {name: quotas[name] - counts[name] for name in counts}
        items = [f'"{name}";r={max(0, n)};t={WINDOW - passed}' for name, n in left.items()]
        if items:
            view.headers["RateLimit"] = ", ".join(items)
        if any(n < 0 for n in left.values()):
            raise Throttled(WINDOW - passed)
        return True


def caller(actor: Actor) -> str:
    """Who is counted: a key by itself, a person wherever he is signed in; nothing for nobody."""
    who = actor.api_key or actor.user
    return f"{'key' if actor.api_key else 'user'} {who.code}" if who else ""


def _counts(who: str, names: list[str], minute: int) -> dict[str, int]:
    """The calls of this minute with this one; nothing while the store is away."""
    pipe = _client(settings.REDIS_URL).pipeline(transaction=False)
    for name in names:
        key = f"limit:{name}:{who}:{minute}"
        pipe.incr(key)
        pipe.expire(key, 2 * WINDOW)
    try:
        return dict(zip(names, pipe.execute()[::2], strict=True))
    except redis.RedisError:
        return {}


@cache
def _client(url: str) -> "redis.Redis":
    # One try and a quarter of a second: a call is not kept waiting for its number.
    return redis.Redis.from_url(
        url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(NoBackoff(), 0)
    )
