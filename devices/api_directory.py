"""The contacts of company directories over the API, with their way in and out as a table."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.filtering import OfAccount, Ordering
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from devices import directory, importing, phone_books
from devices.models import Contact, Device, Extension

CSV = "text/csv; charset=utf-8"


class ContactShape(Shape):
    """Somebody in an account's company directory who is none of its extensions."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    name = LineField(max_length=60)
    number = LineField(max_length=60, required=False, allow_blank=True, help_text="As people write it.")
    mobile = LineField(max_length=60, required=False, allow_blank=True)
    other = LineField(max_length=60, required=False, allow_blank=True)
    created_at = serializers.DateTimeField(read_only=True)


class ContactChange(ContactShape):
    account = None  # type: ignore[assignment]


class TableShape(Shape):
    """A table with a heading: Name, Number, Mobile, Other; semicolons, commas or tabs."""

    account = AccountField()
    table = serializers.CharField(max_length=importing.LARGEST, trim_whitespace=False, write_only=True)
    keep = serializers.BooleanField(
        default=False, help_text="False: only say what would become of each row. True: keep all or nothing."
    )


class RowShape(Shape):
    line = serializers.IntegerField()
    what = serializers.ChoiceField(["added", "changed", "same", "refused"])
    name = serializers.CharField()
    field = serializers.CharField(help_text="The field that is refused.")
    reason = serializers.CharField()


class PlanShape(Shape):
    """What becomes of each row."""

    kept = serializers.BooleanField()
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField()
    refused = serializers.IntegerField()
    ignored = serializers.ListField(child=serializers.CharField(), help_text="Columns that are not read.")
    rows = RowShape(many=True)


class WhoseShape(Shape):
    account = AccountField()


class MakeShape(Shape):
    """What the phones of one make do with the directory."""

    name = serializers.CharField(source="family")
    search = serializers.CharField(help_text="How people find somebody in it.")
    most = serializers.IntegerField(help_text="Entries that they take; 0: it has no phone book.")
    missing = serializers.IntegerField(help_text="Entries beyond that, which they do not show.")
    cannot = serializers.ListField(child=serializers.CharField(), help_text="Models without it, and why.")


class DirectoryShape(Shape):
    """Who stands in an account's directory, and what the makes with phones there do with it."""

    account = AccountField()
    contacts = serializers.IntegerField()
    extensions = serializers.IntegerField(help_text="Of the account, those that hide among them.")
    hidden = serializers.IntegerField(help_text="Extensions with `in_directory` false.")
    makes = MakeShape(many=True)


class CompanyDirectory(ApiView):
    """An account's directory as a whole; its contacts and extensions are lists of their own."""

    @extend_schema(parameters=[WhoseShape], responses=DirectoryShape)
    def get(self, request: Request) -> Response:
        query = WhoseShape(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        account = query.validated_data["account"]
        lines = Extension.objects.visible_to(acting(request)).filter(account=account)
        phones = Device.objects.visible_to(acting(request)).filter(account=account)
        models = phones.order_by("family", "model").values_list("family", "model").distinct()
        shown = {
            "account": account,
            "contacts": Contact.objects.visible_to(acting(request)).filter(account=account).count(),
            "extensions": lines.count(),
            "hidden": lines.filter(in_directory=False).count(),
            "makes": phone_books.notes(account, models),
        }
        return Response(DirectoryShape(shown).data)


class ContactFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    number = filters.CharFilter(field_name="number")
    search = filters.CharFilter(method="find")
    ordering = Ordering(name="name code", created_at="created_at code")

    def find(self, rows: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        numbers = Q(number__icontains=value) | Q(mobile__icontains=value) | Q(other__icontains=value)
        return rows.filter(Q(name__icontains=value) | numbers)


class ContactDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The contacts in the directories of the caller's accounts; extensions stand there by themselves."""

    queryset = Contact.objects.none()
    serializer_class = ContactShape
    filterset_class = ContactFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy", "bring_in"), Power.EDIT_EXTENSIONS
    )

    def dress(self, rows: Any) -> Any:
        return rows.select_related("account").order_by("name", "code")

    @extend_schema(responses={201: ContactShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, ContactShape)
        made = directory.add(wanted.pop("account"), by=self.actor, **wanted)
        return Response(self.fresh(made), status=status.HTTP_201_CREATED)

    @extend_schema(request=ContactChange, responses=ContactShape)
    def partial_update(self, request: Request, code: str) -> Response:
        row = self.get_object()
        directory.change(row, by=self.actor, **self.read(request, ContactChange, partial=True))
        return Response(self.fresh(row))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        directory.remove(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=TableShape, responses=PlanShape)
    @action(detail=False, methods=["post"], url_path="import", pagination_class=None, filterset_class=None)
    def bring_in(self, request: Request) -> Response:
        """Say what a table would change, or keep it: as a whole or not at all."""
        wanted = self.read(request, TableShape)
        account, data = wanted["account"], wanted["table"].encode()
        directory.needs(self.actor, account)
        if wanted["keep"]:
            plan = importing.run(account, by=self.actor, data=data)
        else:
            plan = importing.plan(account, data)
        said = {"kept": wanted["keep"], "ignored": plan.ignored, "rows": plan.rows}
        return Response(PlanShape({**plan.counts, **said}).data)

    @extend_schema(
        parameters=[OpenApiParameter("account", OpenApiTypes.STR, required=True, description="Its slug.")],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    @action(detail=False, methods=["get"], url_path="export", pagination_class=None, filterset_class=None)
    def take_out(self, request: Request) -> HttpResponse:
        """The contacts of one account as a table that the import reads again."""
        asked = WhoseShape(
            data={"account": request.query_params.get("account", "")}, context=self.get_serializer_context()
        )
        asked.is_valid(raise_exception=True)
        account = asked.validated_data["account"]
        named = {"Content-Disposition": f'attachment; filename="contacts-{account.slug}.csv"'}
        return HttpResponse(importing.export(account), content_type=CSV, headers=named)
