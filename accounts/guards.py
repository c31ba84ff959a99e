"""What a page asks before its view runs: somebody signed in, who holds a power somewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url

from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor

Args = ParamSpec("Args")


class PageRequest(HttpRequest):
    """A request with its actor, as the middleware leaves it."""

    actor: Actor
    htmx: Any


View = Callable[Concatenate[PageRequest, Args], HttpResponseBase]


def needs(power: Power) -> Callable[[View[Args]], View[Args]]:
    """Let in whoever holds the power in any account: 403 for others, sign-in for nobody.

    Which rows he reaches is `visible_to`'s business, and whether he may change one is the verb's.
    """

    def guard(view: View[Args]) -> View[Args]:
        @wraps(view)
        def guarded(request: PageRequest, *args: Args.args, **kwargs: Args.kwargs) -> HttpResponseBase:
            if not request.actor.may_anywhere(power):
                raise Forbidden
            return view(request, *args, **kwargs)

        for_the_signed_in = login_required(guarded)

        @wraps(view)
        def in_a_whole_page(
            request: PageRequest, *args: Args.args, **kwargs: Args.kwargs
        ) -> HttpResponseBase:
            if request.headers.get("HX-Request") == "true" and not request.user.is_authenticated:
                return HttpResponse(headers={"HX-Redirect": _sign_in(request)})
            return for_the_signed_in(request, *args, **kwargs)

        return in_a_whole_page  # type: ignore[return-value]

    return guard


signed_in = needs(Power.OWN_PHONES)


def _sign_in(request: HttpRequest) -> str:
    """Where a page goes whose session has ended: the door, and from there back to where the reader was."""
    here = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = f"{here.path}?{here.query}" if here.query else here.path
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({REDIRECT_FIELD_NAME: back or '/'})}"


@contextmanager
def refused_into(form: BaseForm) -> Iterator[None]:
    """Put a refusal where the person can correct it: at the field it names, else at the top of the form."""
    try:
        yield
    except Forbidden:
        raise
    except Refusal as refusal:
        field = refusal.field if refusal.field in form.fields else None
        form.add_error(field, ValidationError(refusal.detail, code=refusal.rule))
