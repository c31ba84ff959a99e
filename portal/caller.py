"""The caller's true address for every page and API call, worked out once before anybody acts on it."""

from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django_structlog.signals import bind_extra_request_metadata

from security.client_ip import client_ip
from security.networks import parse_network, show_address


class CallerMiddleware:
    """Set `request.caller_address`: the address as text, or None when it cannot be known for certain."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.trusted = tuple(parse_network(text) for text in settings.TRUSTED_PROXIES)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        forwarded = request.headers.get("X-Forwarded-For")
        number = client_ip(request.META.get("REMOTE_ADDR"), [forwarded] if forwarded else [], self.trusted)
        request.caller_address = None if number is None else show_address(number)  # type: ignore[attr-defined]
        return self.get_response(request)


@receiver(bind_extra_request_metadata)
def bind_address(request: HttpRequest, **kwargs: Any) -> None:
    """Put the caller's address into every log line of the request."""
    structlog.contextvars.bind_contextvars(address=getattr(request, "caller_address", None))
