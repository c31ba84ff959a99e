"""Sites and their networks over the API."""

from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.filtering import OfAccount, Ordering
from accounts.paging import counted
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from devices.models import Site, SiteNetwork
from provisioning import sites
from provisioning.api.closing import ClosingVerbs
from security.networks import Network


class NetworksField(serializers.ListField):
    """The site's networks as people write them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=LineField(max_length=50), **kwargs)

    def to_representation(self, data: Any) -> list[str]:
        rows: list[SiteNetwork] = list(data.all())
        return [str(Network.from_hex(row.first, row.last)) for row in rows]


class SiteShape(Shape):
    """A place with its public networks."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    name = LineField(max_length=120)
    time_zone = LineField(max_length=60, required=False, allow_blank=True)
    networks = NetworksField(required=False)
    phones = serializers.IntegerField(read_only=True)
    bound = serializers.IntegerField(read_only=True, help_text="Phones that are locked to this place.")
    created_at = serializers.DateTimeField(read_only=True)


class SiteChange(SiteShape):
    account = None  # type: ignore[assignment]


class SiteFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    search = filters.CharFilter(field_name="name", lookup_expr="icontains")
    ordering = Ordering(name="name code", created_at="created_at code")


class SiteDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, ClosingVerbs):
    """The sites of the caller's accounts."""

    queryset = Site.objects.none()
    serializer_class = SiteShape
    filterset_class = SiteFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy"), Power.EDIT_SITES
    )

    def dress(self, rows: Any) -> Any:
        phones = counted(Site, "devices")
        joined = rows.select_related("account").prefetch_related("networks")
        bound = counted(Site, "bound_locks")
        return joined.annotate(phones=phones, bound=bound).order_by("name", "code")

    @extend_schema(responses={201: SiteShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, SiteShape)
        site = sites.create(wanted.pop("account"), by=self.actor, **wanted)
        return Response(self.fresh(site), status=status.HTTP_201_CREATED)

    @extend_schema(request=SiteChange, responses=SiteShape)
    def partial_update(self, request: Request, code: str) -> Response:
        site = self.get_object()
        sites.change(site, by=self.actor, **self.read(request, SiteChange, partial=True))
        return Response(self.fresh(site))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        sites.remove(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)
