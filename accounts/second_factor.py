"""The second factor: who must have one, whether he has shown it lately, and what becomes of a lost one.

Forced for whoever stands above customers: a stolen password alone must not open all of them.
"""

import base64
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _

from accounts import audit, tenants
from accounts.authentication import KEYWORD
from accounts.models import User
from accounts.refusals import Refusal
from accounts.roles import Role
from accounts.scope import Actor
from accounts.sealing import Keyring, SealError, join

#: Roles that reach other people's accounts.
ROLES = frozenset({Role.RESELLER, Role.SUPPORT})
#: What counts as a second factor; recovery codes only help out.
KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
#: What a person without one may open: setting one up, and going.
_OPEN = {"second-factor", "theme", "account_login", "account_logout", "account_reauthenticate"}
_SET_UP = "mfa_"
_PAGE = "second-factor"
_SEALED = ("secret", "seed")
_ABOUT, _MARK = join(("second-factor",)), "sealed:"


def is_fresh(request: HttpRequest) -> bool:
    """Whether a passkey or a code was given in this session within the last minutes."""
    return any(record["method"] == "mfa" for record in fresh_records(request))


def fresh_records(request: HttpRequest) -> list[dict[str, Any]]:
    """What this session has shown of its person within the last minutes."""
    records: list[dict[str, Any]] = get_authentication_records(request, request.user)
    since = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return [record for record in records if record["at"] > since]


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type__in=KINDS).exists())


def of_the(person: str) -> Exists:
    """For a query: whether the person in that column has one."""
    return Exists(Authenticator.objects.filter(user=OuterRef(person), type__in=KINDS))


def is_needed(user: User, by: Actor) -> bool:
    """Whether this person must have one; acting for a customer he is still who he is."""
    above = any(standing.role in ROLES for standing in by.standings) or bool(by.on_behalf_of)
    return user.is_staff or user.is_superuser or above


def is_spared(user: User) -> bool:
    """Whether the person's password is published with the demo: a second factor would guard nothing."""
    return bool(settings.DEMO and user.has_demo_password)


class SecondFactorMiddleware:
    """Lead whoever lacks the second factor that his role needs to the page that sets one up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        user: Any = request.user
        request.spared_second_factor = False
        if isinstance(user, User) and is_needed(user, request.actor) and not has_one(user):
            request.spared_second_factor = is_spared(user)
            if not request.spared_second_factor and not _is_open(request):
                return _refused(request)
        return self.get_response(request)


def _is_open(request: HttpRequest) -> bool:
    try:
        place = resolve(request.path_info)
    except Resolver404:
        return False
    if place.namespace == "v1":  # a program's key is no person; a session beside it counts for nothing there
        return request.headers.get("Authorization", "").lower().startswith(f"{KEYWORD.lower()} ")
    name = place.url_name or ""
    return not place.namespace and (name in _OPEN or name.startswith(_SET_UP))


def _refused(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith(reverse("v1:root")):
        said = _("Your role needs a second factor. Sign in on the pages and set one up.")
        return JsonResponse({"code": "second-factor", "detail": said}, status=403)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(headers={"HX-Redirect": reverse(_PAGE)})
    return redirect(_PAGE)


# --- lost ------------------------------------------------------------------------------------------------


def reset(user: User, *, by: Actor, now: datetime | None = None) -> None:
    """Take away a person's second factors, so that his password alone signs him in and he sets up new ones.

    For somebody above every role that he holds; all his sessions end, and he is told.
    """
    memberships = tenants.stand_above(user, by=by)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        if not has_one(user):
            raise Refusal("powers", _("This person has no second factor."), code="no-second-factor")
        Authenticator.objects.filter(user=user).delete()
        for membership in memberships:
            audit.record(by, "person.second-factor-reset", user, account=membership.account, now=now)
        end_sessions(user)
        transaction.on_commit(lambda: _tell_reset(user, by), robust=True)


def end_sessions(user: User, *, but: str | None = None) -> int:
    """Sign the person out everywhere, but for the session of that key; returns how many ended."""
    ended = 0
    for session in UserSession.objects.filter(user=user).exclude(session_key=but or ""):
        session.end()
        ended += 1
    return ended


def end_session(user: User, pk: int) -> bool:
    """Sign the person out in one of his browsers; False when it is none of his."""
    session = UserSession.objects.filter(user=user, pk=pk).first()
    if session is not None:
        session.end()
    return session is not None


def added(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kw: Any) -> None:
    """Whoever adds one has shown it; whoever signed in by the password alone before does so again."""
    if authenticator.type in KINDS:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)
        end_sessions(user, but=request.session.session_key)


def _tell_reset(user: User, by: Actor) -> None:
    body = _(
        "%(by)s has taken away the passkeys, the authenticator app and the recovery codes of your sign-in,"
        " and you were signed out everywhere.\n\nSign in with your password and set up a new passkey:\n"
        "%(page)s\n\nIf you did not ask for that, tell your provider at once, and change your password.\n"
    ) % {"by": by.label, "page": f"{settings.PORTAL_URL}{reverse('account_login')}"}
    EmailMessage(subject=_("Your second factor was reset"), body=body, to=[user.email]).send()


# --- kept ------------------------------------------------------------------------------------------------


def seal(text: str) -> str:
    """Seal what a second factor is made from, for its row."""
    sealed = _ring().seal(text.encode(), _ABOUT)
    return _MARK + base64.urlsafe_b64encode(sealed).decode()


def open_sealed(sealed: str) -> str:
    """Open it again. Raises sealing.SealError."""
    if not sealed.startswith(_MARK):
        return sealed  # of a time before it was sealed
    return _ring().open(base64.urlsafe_b64decode(sealed.removeprefix(_MARK)), _ABOUT).decode()


def reseal() -> tuple[int, int, list[str]]:
    """Seal everything again that is not sealed with the first key: how many were, are, and whose are lost."""
    resealed, current, lost = 0, 0, []
    for pk in Authenticator.objects.values_list("pk", flat=True).order_by("pk"):
        with transaction.atomic():
            row = Authenticator.objects.select_for_update(of=("self",)).select_related("user").get(pk=pk)
            kept = {name: row.data[name] for name in _SEALED if name in row.data}
            stale = {name: text for name, text in kept.items() if not is_sealed_now(text)}
            try:
                row.data |= {name: seal(open_sealed(text)) for name, text in stale.items()}
            except SealError:
                lost.append(f"{row.type} of {row.user.email}")
                continue
            if stale:
                row.save(update_fields=["data"])
        resealed, current = resealed + bool(stale), current + bool(kept and not stale)
    return resealed, current, lost


def is_sealed_now(sealed: str) -> bool:
    """Whether it is sealed with the key that seals now."""
    if not sealed.startswith(_MARK):
        return False
    return _ring().is_current(base64.urlsafe_b64decode(sealed.removeprefix(_MARK)))


def _ring() -> Keyring:
    return Keyring.parse(settings.SECRET_KEYRING)
