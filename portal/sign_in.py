"""How people sign in: nobody makes an account for himself."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth with the doors closed that a provider does not want open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Count attempts by the true caller; its own guess would believe any X-Forwarded-For."""
        address: Any = getattr(request, "caller_address", None) or request.META.get("REMOTE_ADDR")
        return str(address or "unknown")
