"""What every API list has in common: closed until `visible_to` opens it, ordered, in pages."""

from functools import partial
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from rest_framework import views, viewsets
from rest_framework.request import Request

from accounts import once
from accounts.authentication import acting
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor


class Asked:
    """What every call of the API has in common, whichever kind of view answers it.

    `shows_a_key` says that a POST answers what is shown once: it is kept nowhere, and not told again.
    """

    shows_a_key = False
    post: Any

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if request.method == "POST" and once.HEADER in request.headers and hasattr(self, "post"):
            self.post = partial(once.answered, self, self.post)


class ApiView(Asked, views.APIView):
    """One address of the API that is no list."""


class ApiSet(Asked, viewsets.ViewSet):
    """Several calls of the API that are no list of rows."""


class Door(Asked, viewsets.GenericViewSet[Any]):
    """A list of rows that the caller can see; its `queryset` is `.none()` and stays so.

    `powers` names, for an action, the power without which the input is not even read. Which rows it
    reaches is the verb's question.
    """

    lookup_field = "code"
    powers: ClassVar[dict[str, Power]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        power = self.powers.get(self.action or "")
        if power is not None and not self.actor.may_anywhere(power):
            raise Forbidden

    @property
    def actor(self) -> Actor:
        return acting(self.request)

    def get_queryset(self) -> QuerySet[Any]:
        closed = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return closed
        visible: QuerySet[Any] = closed.model.objects.visible_to(self.actor)
        dressed: QuerySet[Any] = self.dress(visible)
        return dressed

    def dress(self, rows: Any) -> Any:
        """Add the joins and the order that this list needs."""
        return rows

    def filter_queryset(self, queryset: Any) -> Any:
        """What a list is asked narrows the list, and none of its rows when it is asked for by its name."""
        one = self.lookup_url_kwarg or self.lookup_field
        return queryset if one in self.kwargs else super().filter_queryset(queryset)

    def narrowed(self, rows: Any) -> Any:
        """The same for a list that stands below one row."""
        return super().filter_queryset(rows)

    def read(
        self, request: Request, shape: type[Any], *, partial: bool = False, many: bool = False, **context: Any
    ) -> Any:
        """Return the request's body as that shape holds it; a bad one is a 400 that names the field."""
        context |= self.get_serializer_context()
        serializer = shape(data=request.data, context=context, partial=partial, many=many)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def fresh(self, row: Model) -> Any:
        """Return a row as this list shows it, read again after a verb."""
        return self.get_serializer(self.get_queryset().get(pk=row.pk)).data
