"""The API's root, its schema, and the one shape in which it says no."""

from typing import Any, ClassVar

from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import IntegrityError, OperationalError
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_lazy
from drf_spectacular.utils import extend_schema
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import VALIDATION_ERROR, ErrorResponse
from rest_framework import exceptions, status
from rest_framework.fields import get_error_detail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.doors import ApiView
from accounts.refusals import Forbidden, Invalid, Refusal
from portal.api_docs import described

NOTHING = gettext_lazy("There is nothing here that you can see.")


class Refused(exceptions.APIException):
    """A verb's refusal on its way out: 409, or 403 when the caller's role is the reason."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail, refusal.code)
        forbidden = isinstance(refusal, Forbidden)
        self.refusal = refusal
        self.status_code = status.HTTP_403_FORBIDDEN if forbidden else status.HTTP_409_CONFLICT


class Taken(exceptions.APIException):
    """Two callers wrote the same thing at once; this one came second."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"
    default_detail = gettext_lazy("Somebody else has just changed this; look again.")


class TooLarge(exceptions.APIException):
    """More than the server reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too-large"
    default_detail = gettext_lazy("This body is larger than the API takes.")


class Away(exceptions.APIException):
    """The database does not answer."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "database-away"
    default_detail = gettext_lazy("The database is away; nothing was changed. Try again in a moment.")
    wait = 5


class Formatter(ExceptionFormatter):
    """{"code", "detail"}, with the rule of a refusal and one entry a field of a bad input."""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        if isinstance(self.exc, Refused):
            refusal = self.exc.refusal
            answer = {"code": refusal.code, "detail": refusal.detail, "rule": refusal.rule}
            return {**answer, "field": refusal.field} if refusal.field else answer
        errors = [
            {
                "code": _kebab(error.code),
                "detail": error.detail,
                "attr": None if error.attr is None else str(error.attr),
            }
            for error in error_response.errors
        ]
        if error_response.type != VALIDATION_ERROR:
            return {"code": errors[0]["code"], "detail": errors[0]["detail"]}
        first = errors[0]
        detail = f"{first['attr']}: {first['detail']}" if first["attr"] else first["detail"]
        return {"code": "invalid", "detail": detail, "errors": errors}


class Handler(ExceptionHandler):
    """What a verb or a model raises becomes an answer; anything else is a 500 that says nothing."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, Invalid):
            return exceptions.ValidationError({exc.field or "input": [exc.detail]}, code=exc.code)
        if isinstance(exc, Refusal):
            return Refused(exc)
        if isinstance(exc, ModelValidationError):
            return exceptions.ValidationError(get_error_detail(exc))
        if isinstance(exc, IntegrityError):
            return Taken()
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        if isinstance(exc, OperationalError):
            return Away()
        known: Exception = super().convert_known_exceptions(exc)
        return exceptions.NotFound(NOTHING) if isinstance(known, exceptions.NotFound) else known


class Root(ApiView):
    """The names of the lists, with their addresses."""

    lists: ClassVar[dict[str, str]] = {}

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({prefix: reverse(name, request=request) for prefix, name in self.lists.items()})


@extend_schema(exclude=True)
class Nowhere(ApiView):
    """Any other address below the API: said in JSON, after asking who is there."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        hint = "" if request.path.endswith("/") else gettext("Addresses of the API end with a slash.")
        raise exceptions.NotFound(f"{NOTHING} {hint}".strip())


@extend_schema(exclude=True)
class Schema(ApiView):
    """The OpenAPI description of all this, as it is committed."""

    def get(self, request: Request) -> FileResponse:
        return described()


@extend_schema(exclude=True)
class Docs(ApiView):
    """Where the page about the API was; it has an address outside, where no session counts."""

    def get(self, request: Request) -> HttpResponse:
        return redirect("api-docs")


def _kebab(code: str) -> str:
    return code.replace("_", "-")
