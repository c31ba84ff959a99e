"""Whether this session has shown a second factor lately: seeing a secret asks for one each time."""

import time

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest


def is_fresh(request: HttpRequest) -> bool:
    """Whether a passkey or a code was given in this session within the last minutes."""
    records = get_authentication_records(request, request.user)
    given = [record["at"] for record in records if record["method"] == "mfa"]
    return bool(given) and time.time() - max(given) < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
