"""Who a request comes from: a session or an API key becomes the Actor that every verb and every list asks.

Both doors set `request.actor` with the caller's true address, which the portal has worked out before.
"""

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import acting as masquerade
from accounts import presence
from accounts.models import ApiKey, User
from accounts.scope import NOBODY, Actor

KEYWORD = "Api-Key"
USED_AGAIN_AFTER = timedelta(minutes=1)
LABEL_LENGTH = 200


def actor_of(user: User, *, address: str | None = None, presence: tuple[str, ...] = ()) -> Actor:
    """A person as an actor, with the roles that he holds at this moment."""
    memberships = user.memberships.select_related("account").order_by("account__path")
    return Actor(
        label=(f"{user.name} ({user.email})" if user.name else user.email)[:LABEL_LENGTH],
        standings=tuple(m.standing() for m in memberships),
        user=user,
        address=address,
        presence=presence,
    )


def actor_of_key(key: ApiKey, *, address: str | None = None) -> Actor:
    """An API key as an actor, named so that its owner finds it again in the audit."""
    return Actor(
        label=f"API key {key.name} ({key.prefix})"[:LABEL_LENGTH],
        standings=(key.standing(),),
        api_key=key,
        address=address,
    )


def acting(request: Any) -> Actor:
    """The actor that the middleware or the key has put on the request."""
    actor: Actor = request.actor
    return actor


class ActorMiddleware:
    """Give each request its actor: the signed-in person, also where he acts for a customer, or nobody until
    a key says otherwise. `request.acting` says for whom."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        address = getattr(request, "caller_address", None)
        seen: Any = request
        seen.actor, seen.acting, seen.acting_over = NOBODY, None, ""
        if isinstance(user, User) and user.is_active:
            now = timezone.now()
            proved = presence.proved(request.session, now=now)
            person = actor_of(user, address=address, presence=proved)
            try:
                seen.actor, seen.acting = masquerade.taken_up(request.session, person, now=now)
            except masquerade.Over as over:
                seen.actor, seen.acting_over = person, str(over)
                messages.warning(request, str(over))
        return self.get_response(request)

    def process_view(
        self, request: Any, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """What was meant for a customer is not done as oneself, nor what is one's own while one acts."""
        place = request.resolver_match
        if request.acting_over and place.url_name != "account_logout":
            if place.namespace == "v1":
                return JsonResponse({"code": "acting-over", "detail": request.acting_over}, status=403)
            if request.headers.get("HX-Request") == "true":
                return HttpResponse(headers={"HX-Redirect": "/"})
            return redirect("/")
        if request.acting and masquerade.is_own_matter(place.namespace, place.url_name or ""):
            return render(request, "accounts/acting_own.html", {"section": ""}, status=403)
        return None


class Program:
    """What stands in DRF's `request.user` for a key: signed in, and no person."""

    is_authenticated = True
    is_active = True
    is_anonymous = False
    pk = None

    def __init__(self, key: ApiKey) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"API key {self.key.name}"


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`; unknown, revoked and over are one answer: trying teaches nothing."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != KEYWORD.lower():
            return None
        address = getattr(request, "caller_address", None)
        key = self._usable(text.strip())
        if key is None:
            raise AuthenticationFailed(gettext("This API key is not valid."), code="bad-key")
        if not is_within(key.networks, address):
            raise AuthenticationFailed(
                gettext("This API key cannot be used from this address."), code="bad-address"
            )
        _stamp(key)
        request._request.actor = actor_of_key(key, address=address)  # type: ignore[attr-defined]
        return Program(key), key

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD

    def _usable(self, text: str) -> ApiKey | None:
        prefix, dot, _ = text.partition(".")
        if not dot or "\0" in text:
            return None
        key: ApiKey | None = (
            ApiKey.objects.get_usable_keys().select_related("account").filter(prefix=prefix).first()
        )
        return key if key is not None and key.is_valid(text) and not key.has_expired else None


class IsSomebody(BasePermission):
    """A session or a key; what it reaches is each list's business."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


def is_within(networks: list[str], address: str | None) -> bool:
    """Whether a key bound to these networks may be used from the address; an unknown address is in none."""
    if not networks:
        return True
    if address is None:
        return False
    caller = ipaddress.ip_address(address)
    return any(caller in ipaddress.ip_network(network) for network in networks)


def _stamp(key: ApiKey) -> None:
    """Note the use, at most once a minute: two processes at once write one row once."""
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < USED_AGAIN_AFTER:
        return
    old = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_AGAIN_AFTER)
    ApiKey.objects.filter(old, pk=key.pk).update(last_used_at=now)
    key.last_used_at = now
