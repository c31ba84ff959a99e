"""`Idempotency-Key`: a POST that is sent once more is answered as the first time, and done once.

1. A row says that the call runs: committed before anything is done, so that a second one knows at once.
2. The handler and what it answered are one transaction, which holds that row; a runner that is killed leaves
   neither, and its row is free to be taken up after a minute.
"""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.models import KeptAnswer
from accounts.refusals import Invalid
from accounts.scope import Actor

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = timedelta(days=1)
FREE_AFTER = timedelta(minutes=1)  # a runner holds his row long before that, or is dead
_NAME = re.compile(r"[ -~]{1,255}")
_TOLD_AGAIN = ("Location", "Retry-After", "ETag")


class Reused(exceptions.APIException):
    """The key came with another call before."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency-key-reused"
    default_detail = gettext_lazy("This Idempotency-Key was sent with another call; draw one for each.")


class StillRunning(exceptions.APIException):
    """The first call with this key is not answered yet."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "still-running"
    default_detail = gettext_lazy("The call with this Idempotency-Key still runs. Ask again in a moment.")
    wait = 1


class AnsweredOnce(exceptions.APIException):
    """The call was answered, with something that is shown once and kept nowhere."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "answered-once"
    default_detail = gettext_lazy("This call was done, and what it answered is shown only once.")


def answered(view: Any, handler: Callable[..., Any], request: Request, *args: Any, **kwargs: Any) -> Any:
    """Run the handler; or answer again what it has answered under this key."""
    name = request.headers[HEADER]
    if not _NAME.fullmatch(name):
        raise Invalid(HEADER, gettext("1 to 255 printable characters of ASCII."))
    actor, now = acting(request), timezone.now()
    row = _begin(_caller(actor), name, _asked(request, actor), now)
    if row.status:
        return _again(row, view)
    try:
        response, is_done = _run(view, partial(handler, request, *args, **kwargs), row)
    except BaseException:
        _let_go(row)
        raise
    if not is_done:
        _let_go(row)
    return response


def settled(view: Any, handler: Callable[[], Any]) -> tuple[Any, bool]:
    """The handler's answer, and whether what it has done in the caller's transaction stands.

    What it raises becomes its answer in here: a refusal may have put something on record, which stays. Only
    what failed is to be undone.
    """
    try:
        response, failed = handler(), False
    except Exception as error:
        response, failed = view.handle_exception(error), isinstance(error, DatabaseError)
    return response, not (failed or transaction.get_rollback() or response.status_code >= 500)


def _run(view: Any, handler: Callable[[], Any], row: KeptAnswer) -> tuple[Any, bool]:
    """The answer, and whether what was done for it stands; then it is kept with it."""
    with transaction.atomic():
        if not _mine(row).select_for_update().exists():
            raise StillRunning
        response, stands = settled(view, handler)
        if not stands:
            transaction.set_rollback(True)
            return response, False
        if response.status_code < 300 or response.status_code == status.HTTP_409_CONFLICT:
            _mine(row).update(**_kept(response, view))
        else:
            _mine(row).delete()
    return response, True


def _begin(caller: str, name: str, asked: str, now: datetime) -> KeptAnswer:
    """The row of this call: new, taken up from a runner who is gone, or with the answer."""
    first = {"asked": asked, "created_at": now, "runs_until": now + FREE_AFTER}
    row, is_new = KeptAnswer.objects.get_or_create(caller=caller, name=name, defaults=first)
    if is_new:
        return row
    is_old = row.created_at <= now - KEPT  # and nobody has swept it yet
    if row.asked != asked and not is_old:
        raise Reused
    if row.status and not is_old:
        return row
    if row.runs_until > now:
        raise StillRunning
    with transaction.atomic():
        free = _mine(row).filter(status=row.status).select_for_update(skip_locked=True).first()
        if free is None:
            raise StillRunning  # who runs holds it; or somebody else has just taken it up
        fresh = {**first, "turn": row.turn + 1, "status": 0, "answer": "", "headers": {}}
        for column, value in fresh.items():
            setattr(free, column, value)
        free.save(update_fields=list(fresh))
    return free


def _mine(row: KeptAnswer) -> QuerySet[KeptAnswer]:
    """The row as long as nobody else has taken it up."""
    return KeptAnswer.objects.filter(pk=row.pk, turn=row.turn)


def _let_go(row: KeptAnswer) -> None:
    with suppress(DatabaseError):  # it comes free by itself
        _mine(row).filter(status=0).delete()


def _kept(response: Any, view: Any) -> dict[str, Any]:
    is_secret = view.shows_a_key and response.status_code < 300
    data = response.data if isinstance(response, Response) else None
    return {
        "status": response.status_code,
        "answer": "" if is_secret or data is None else JSONRenderer().render(data).decode(),
        "headers": {name: response[name] for name in _TOLD_AGAIN if name in response},
    }


def _again(row: KeptAnswer, view: Any) -> HttpResponse:
    if view.shows_a_key and row.status < 300:
        raise AnsweredOnce
    again = HttpResponse(row.answer, status=row.status, content_type="application/json")
    for name, value in {**row.headers, REPLAYED: "true"}.items():
        again[name] = value
    return again


def _caller(actor: Actor) -> str:
    if actor.api_key is not None:
        return f"key {actor.api_key.code}"
    assert actor.user is not None
    return f"user {actor.user.code}"


def _asked(request: Request, actor: Actor) -> str:
    """A hash of the whole call, and of for whom it is made; the same body may be spelled in another way."""
    whole = [request.get_full_path(), actor.on_behalf_of, request.data]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def describe(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the header to every POST of the description."""
    parts = result.setdefault("components", {})
    parts.setdefault("parameters", {})["IdempotencyKey"] = {
        "name": HEADER,
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        "description": "Sent again with the same key within a day, the call is answered as the first time and"
        f" done once; the answer then has `{REPLAYED}: true`. 409 `still-running` while the first one runs, "
        "409 `answered-once` where the answer showed a key. Kept are successes and 409.",
    }
    for operations in result["paths"].values():
        if "post" in operations:
            given = operations["post"].setdefault("parameters", [])
            given.append({"$ref": "#/components/parameters/IdempotencyKey"})
    return result
