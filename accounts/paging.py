"""Pages of a list: `limit` and `offset`, and a clear word when they are no numbers."""

from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request


class Pages(LimitOffsetPagination):
    """100 rows a page unless `limit` says otherwise, 500 at most."""

    default_limit = 100
    max_limit = 500

    def get_limit(self, request: Request) -> int:
        return self._number(request, "limit", least=1, most=self.max_limit, default=self.default_limit)

    def get_offset(self, request: Request) -> int:
        return self._number(request, "offset", least=0, most=2**31, default=0)

    def _number(self, request: Request, name: str, *, least: int, most: int, default: int) -> int:
        text = request.query_params.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
            raise ValidationError(
                {
                    name: gettext("A whole number from {least} to {most} is needed here.").format(
                        least=least, most=most
                    )
                }
            )
        return int(text)
