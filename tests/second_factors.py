"""Second factors for the people of the tests: an authenticator app whose six digits a test can read."""

import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache

from accounts import second_factor
from accounts.authentication import actor_of
from accounts.models import User

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def equipped(user: User) -> User:
    """The same person, with a second factor if the role asks for one."""
    if second_factor.is_needed(user, actor_of(user)) and not second_factor.has_one(user):
        Authenticator.objects.create(
            user=user, type=Authenticator.Type.TOTP, data={"secret": second_factor.seal(SECRET)}
        )
    return user


def six_digits(user: User) -> str:
    """What the person's app shows; good again at once, though each code is taken once."""
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    secret = second_factor.open_sealed(row.data["secret"])
    code = digits_of(secret)
    cache.delete(row.wrap()._get_used_cache_key(code))
    return code


def digits_of(secret: str) -> str:
    """What an app shows that was given this secret."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
