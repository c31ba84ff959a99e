"""`ETag` and `If-Match`: of two who change the same thing at once, the second is told and changes nothing."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="The ETag of what was read: refused with 412 when it has changed since; `*` for any.",
)
#: For `extend_schema` of what reads, and of what changes.
READS = [
    OpenApiParameter(
        "ETag",
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="Names this version; send it back as If-Match.",
    )
]
CHANGES = [IF_MATCH, *READS]


class ChangedMeanwhile(exceptions.APIException):
    """It is no longer what the caller has seen."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "changed-meanwhile"
    default_detail = gettext_lazy("This was changed meanwhile. Look at it again.")


def tag(*facts: Any) -> str:
    """What tells a version from any other."""
    return f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"'


def tagged(response: Response, version: str) -> Response:
    response["ETag"] = version
    return response


@contextmanager
def unchanged(request: Request, hold: Callable[[], Collection[str]]) -> Iterator[None]:
    """Change something inside, if it is still what If-Match names; without that header in any case.

    `hold` takes the row's lock, as the verb is going to, and returns by which ETags it goes now.
    """
    wanted = request.headers.get("If-Match")
    if wanted is None:
        yield
        return
    with transaction.atomic():
        now, named = hold(), {each.removeprefix("W/") for each in parse_etags(wanted)}
        if "*" not in named and named.isdisjoint(now):
            raise ChangedMeanwhile
        yield
