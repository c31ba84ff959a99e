"""Sends what is due to other people's programs, side by side, and writes down what came of each try.

Whatever changes an endpoint's queue holds the endpoint's row, for as long as a few statements take; nothing
is held while an answer is awaited. What a worker has in hand is due again a minute later: when it was
killed, another one sends it. Of a lane the oldest goes; those behind it have no turn until it has gone.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.said import Said
from accounts.scope import Actor
from accounts.sealing import SealError
from accounts.speaking import told
from devices import secrets
from provisioning import outgoing, webhook_wire, webhooks
from provisioning.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

log = structlog.get_logger(__name__)

SECONDS = 10.0  # for one try, from looking up the name to the end of the answer
TICK = 0.2  # seconds between two looks at what is due, while something is under way
AT_ONCE, TO_ONE = 400, 8  # tries under way: of a worker, of an endpoint
LEASE = timedelta(minutes=1)
LOOKED_AT = 200  # deliveries in one transaction
KEPT_OF_ANSWER = 2000
SENDER = Actor.system("webhooks")

State = WebhookDelivery.State


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery in hand: what is sent where, and until when nobody else sends it."""

    pk: int
    endpoint: int
    until: datetime
    url: str
    content: bytes
    headers: dict[str, str]  #: empty: it cannot be signed
    is_test: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """What was taken of an endpoint's queue, and whether there is more to look at now."""

    taken: tuple[Taken, ...] = ()
    is_more: bool = False


def send_due(
    *, clock: Callable[[], datetime] = timezone.now, goes_on: Callable[[], bool] = lambda: True
) -> int:
    """Send until nothing is due, or until told to stop; returns how many tries were made."""
    return async_to_sync(_send_due)(clock, goes_on) if due(clock()) else 0


async def _send_due(clock: Callable[[], datetime], goes_on: Callable[[], bool]) -> int:
    """Rows are read and written in the caller's thread, one by one; answers are awaited all at once."""
    tries, guard = 0, webhooks.guard()
    under_way: dict[asyncio.Task[None], int] = {}
    try:
        while True:
            is_more = False
            for pk in await sync_to_async(due)(clock()) if await sync_to_async(goes_on)() else ():
                if most := _share(pk, under_way.values()):
                    turn = await sync_to_async(take)(pk, clock(), most=most)
                    is_more |= turn.is_more
                    tries += len(turn.taken)
                    for taken in turn.taken:
                        under_way[asyncio.create_task(_send_one(taken, guard, clock))] = pk
            if not under_way and not is_more:
                return tries
            if under_way:
                pause = 0 if is_more else TICK
                ended, _ = await asyncio.wait(under_way, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    del under_way[task]
                    task.result()
    finally:  # what was under way is sent again when its minute is over
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _share(endpoint: int, under_way: Iterable[int]) -> int:
    """How many more of an endpoint may be under way: few when there are many, so that all get a turn."""
    busy = Counter(under_way)
    most = TO_ONE if busy.total() < AT_ONCE // 2 else 1
    return max(0, min(most - busy[endpoint], AT_ONCE - busy.total()))


async def _send_one(taken: Taken, guard: outgoing.Guard, clock: Callable[[], datetime]) -> None:
    answer = outgoing.Answer(why=Said("The secret of this endpoint cannot be opened."))
    if taken.headers:
        try:
            answer = await outgoing.ask(
                "POST",
                taken.url,
                headers=taken.headers,
                content=taken.content,
                guard=guard,
                seconds=SECONDS,
            )
        except Exception:  # of one endpoint: the others go on
            log.exception("a webhook could not be sent", endpoint=taken.endpoint)
            answer = outgoing.Answer(why=Said("It could not be sent."))
    await sync_to_async(finish)(taken, answer, now=clock())
    given_up: int | None = 0 if webhook_wire.is_down(answer.status) else None
    while given_up is not None:  # a few at a time, so that others have their turns in between
        given_up = await sync_to_async(give_up_old)(taken.endpoint, given_up, now=clock())


# --- whose turn it is --------------------------------------------------------------------------------------


def due(now: datetime) -> list[int]:
    """The endpoints for which there is something to do, by one look into an index for each that is awake."""
    waiting = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), ended_at=None)
    is_awake = Q(is_active=True) & (Q(rests_until=None) | Q(rests_until__lte=now))
    rows = WebhookEndpoint.objects.filter(
        is_awake & Exists(waiting.filter(due_at__lte=now)) | Q(is_active=False) & Exists(waiting)
    )
    return list(rows.order_by().values_list("pk", flat=True))


def take(pk: int, now: datetime, *, most: int = TO_ONE) -> Turn:
    """Take as many deliveries of an endpoint as it may have at once; what is not for it is dropped."""
    with transaction.atomic():
        endpoint = _held(pk, skip=True)
        if endpoint is None:
            return Turn()
        if not endpoint.is_active:
            return Turn(is_more=_drop_some(endpoint, now) == LOOKED_AT)
        room = min(most, _room(endpoint, now))
        if room <= 0:
            return Turn()
        looked_at = _looked_at(endpoint, now)
        _rows([pk for pk, is_behind in looked_at if is_behind]).update(due_at=None)
        heads = [pk for pk, is_behind in looked_at if not is_behind][:room]
        rows = list(_rows(heads).select_related("event__account").order_by("pk"))
        gone = [row for row in rows if not webhooks.in_reach(endpoint, row.event.account)]
        fit = [row for row in rows if row not in gone]
        _end(endpoint, gone, State.DROPPED, now)
        until = now + LEASE
        _rows([row.pk for row in fit]).update(taken_until=until, due_at=until)
        keys = _keys(endpoint, now)
        taken = tuple(_prepared(endpoint, row, keys, until, now) for row in fit)
    return Turn(taken, is_more=bool(gone) or (not heads and len(looked_at) == LOOKED_AT))


def _held(pk: int, *, skip: bool = False) -> WebhookEndpoint | None:
    """The endpoint, its row held; with `skip` none where somebody else holds it already."""
    skip = skip and connection.features.has_select_for_update_skip_locked
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True, skip_locked=skip)
    row: WebhookEndpoint | None = rows.select_related("account").filter(pk=pk).first()
    return row


def _rows(pks: list[int]) -> "QuerySet[WebhookDelivery]":
    rows: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(pk__in=pks)
    return rows


def _waiting(endpoint: WebhookEndpoint) -> "QuerySet[WebhookDelivery]":
    rows: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(endpoint=endpoint, ended_at=None)
    return rows.order_by()


def _room(endpoint: WebhookEndpoint, now: datetime) -> int:
    """How many more it may have at once, all workers together; one that was down is tried with one."""
    most = TO_ONE if endpoint.failures < webhook_wire.FAILURES_TO_REST else 1
    in_hand = _waiting(endpoint).filter(due_at__gt=now, due_at__lte=now + LEASE, taken_until__gt=now)
    return most - in_hand.count()


def _looked_at(endpoint: WebhookEndpoint, now: datetime) -> list[tuple[int, bool]]:
    """Those that have been due the longest, each with whether others of its lane come first."""
    first = _waiting(endpoint).filter(lane=OuterRef("lane"), pk__lt=OuterRef("pk"), is_replay=False)
    rows = _waiting(endpoint).filter(due_at__lte=now).order_by("due_at")
    is_behind = Q(is_replay=False) & Exists(first)
    return list(rows.values_list("pk", is_behind)[:LOOKED_AT])


def _drop_some(endpoint: WebhookEndpoint, now: datetime) -> int:
    pks = list(_waiting(endpoint).values_list("pk", flat=True)[:LOOKED_AT])
    _close(pks, State.DROPPED, now)
    return len(pks)


def _keys(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign, the newest first; none when one cannot be opened."""
    sealed = [endpoint.secret]
    if endpoint.former_until is not None and endpoint.former_until > now:
        sealed.append(endpoint.former_secret)
    try:
        return [secrets.open_text(secrets.Kind.WEBHOOK_SECRET, endpoint.code, one) for one in sealed]
    except SealError as error:
        log.error("the secret of an endpoint cannot be opened", endpoint=endpoint.pk, error=str(error))
        return []


def _prepared(
    endpoint: WebhookEndpoint, row: WebhookDelivery, keys: list[str], until: datetime, now: datetime
) -> Taken:
    event = row.event
    content = webhook_wire.body(event.kind, event.at, event.data)
    headers = webhook_wire.headers(event.code, content, keys=keys, now=now) if keys else {}
    return Taken(row.pk, endpoint.pk, until, endpoint.url, content, headers, event.kind == webhooks.TEST)


# --- what came of it ---------------------------------------------------------------------------------------


def finish(taken: Taken, answer: outgoing.Answer, *, now: datetime) -> None:
    """Write down what came of one try, and whose turn is next. Safe to run twice."""
    with transaction.atomic():
        endpoint = _held(taken.endpoint)
        row = _rows([taken.pk]).filter(ended_at=None, taken_until=taken.until).first()
        if endpoint is None or row is None:
            return  # removed, or its minute was over and somebody else sends it again
        row.tries += 1
        row.save(update_fields=["tries"])
        _write(row, taken, answer, now)
        was_down = endpoint.failures >= webhook_wire.FAILURES_TO_REST
        asked = webhook_wire.asked_pause(answer.status, answer.headers.get("retry-after", ""), now)
        _note(endpoint, answer.status, asked, now)
        if answer.is_success:
            _end(endpoint, [row], State.DELIVERED, now)
            if was_down:  # nothing has to wait for what it had in vain
                _waiting(endpoint).filter(
                    Q(taken_until=None) | Q(taken_until__lte=now), due_at__gt=now
                ).update(due_at=now)
        elif answer.status == 410 or taken.is_test or webhook_wire.is_given_up(row.created_at, now):
            _end(endpoint, [row], State.DEAD, now)
        else:
            is_resting = endpoint.failures >= webhook_wire.FAILURES_TO_REST
            pause = webhook_wire.pause(row.tries, is_resting=is_resting, luck=random.random())
            row.due_at, row.taken_until = now + max(pause, asked), None
            row.save(update_fields=["due_at", "taken_until"])


def _write(row: WebhookDelivery, taken: Taken, answer: outgoing.Answer, now: datetime) -> None:
    text = answer.content.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    WebhookAttempt.objects.create(
        delivery=row,
        at=now,
        took=round(answer.took, 3),
        status=answer.status,
        why=told(answer.why)[:300],
        answer=text[:KEPT_OF_ANSWER],
        request_headers=webhook_wire.shown(taken.headers) if taken.headers else {},
    )


def _note(endpoint: WebhookEndpoint, status: int, asked: timedelta, now: datetime) -> None:
    """How the endpoint does: it rests after failures in a row, and is off once it says that it is gone."""
    if 200 <= status < 300:
        endpoint.failures, endpoint.failing_since, endpoint.rests_until = 0, None, None
        endpoint.last_success_at = now
    else:
        endpoint.failing_since = endpoint.failing_since or now
        is_resting = endpoint.rests_until is not None and endpoint.rests_until > now
        if not webhook_wire.is_down(status):
            endpoint.failures = 0
        elif not is_resting:  # what was under way when its rest began says nothing new
            endpoint.failures += 1
        rest = max(asked, timedelta() if is_resting else webhook_wire.rest(endpoint.failures))
        if rest:
            endpoint.rests_until = max(now + rest, endpoint.rests_until or now)
    if status == 410 and endpoint.is_active:
        endpoint.is_active = False
        off = [True, False]
        audit.record(SENDER, "webhook.changed", endpoint, now=now, is_active=off, why="410 Gone")
    endpoint.save(update_fields=["failures", "failing_since", "rests_until", "last_success_at", "is_active"])


def _end(endpoint: WebhookEndpoint, rows: list[WebhookDelivery], state: State, now: datetime) -> None:
    """The end of deliveries; in each lane the next one's turn has come."""
    _close([row.pk for row in rows], state, now)
    for lane in {row.lane for row in rows if not row.is_replay}:
        following = _waiting(endpoint).filter(lane=lane, is_replay=False).order_by("pk").first()
        if following is not None and following.due_at is None:
            _rows([following.pk]).update(due_at=now)


def _close(pks: list[int], state: State, now: datetime) -> None:
    _rows(pks).update(state=state, ended_at=now, due_at=None, taken_until=None)


def give_up_old(pk: int, last: int, *, now: datetime) -> int | None:
    """Give up what is old at an endpoint that was down all that time: none has to be tried by itself.

    Takes some of those after the last one, and returns how far it came; None when there are no more.
    """
    with transaction.atomic():
        endpoint = _held(pk)
        if endpoint is None or not endpoint.failing_since:
            return None
        if not webhook_wire.is_given_up(endpoint.failing_since, now):
            return None
        old = _waiting(endpoint).filter(created_at__lte=now - webhook_wire.GIVEN_UP_AFTER, pk__gt=last)
        rows = list(old.filter(Q(taken_until=None) | Q(taken_until__lte=now)).order_by("pk")[:LOOKED_AT])
        _end(endpoint, rows, State.DEAD, now)
    return rows[-1].pk if len(rows) == LOOKED_AT else None
