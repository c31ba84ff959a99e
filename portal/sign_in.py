"""How people sign in: nobody makes an account for himself, and a second factor is kept sealed."""

from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts import second_factor
from accounts.models import User

log = structlog.get_logger(__name__)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth with the doors closed that a provider does not want open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Count attempts by the true caller; its own guess would believe any X-Forwarded-For."""
        address: Any = getattr(request, "caller_address", None) or request.META.get("REMOTE_ADDR")
        return str(address or "unknown")

    def set_password(self, user: User, password: str) -> None:
        user.has_demo_password = False  # this one is published nowhere
        super().set_password(user, password)

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Tell the person what was changed; a mail server that is away takes back no change."""
        try:
            super().send_notification_mail(*args, **kwargs)
        except OSError:  # smtplib's errors are OSErrors
            log.exception("a change of signing in could not be told")

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Ask again only when nothing was shown lately; who has a second factor shows that one."""
        if not super().is_reauthentication_required(app=app, **more):
            return False
        request = context.request
        if second_factor.has_one(request.user):
            return not second_factor.is_fresh(request)
        return not second_factor.fresh_records(request)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Whoever has a second factor shows that one: his password alone takes it away for nobody."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        by_factor = [method for method in methods if method["id"] != "reauthenticate"]
        return by_factor if user.is_authenticated and second_factor.has_one(user) else methods


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Passkeys, authenticator apps and recovery codes in our words, their secrets sealed at rest."""

    def encrypt(self, text: str) -> str:
        return second_factor.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return second_factor.open_sealed(encrypted_text)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("Passkey") if number == 1 else _("Passkey %(number)s") % {"number": number}

    def _get_site_name(self) -> str:
        return "Latchkey"
