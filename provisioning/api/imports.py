"""Lists of phones over the API: what would become of each row, and then a job that adds them."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.filtering import OfAccount, Ordering, YesNo
from accounts.roles import Power
from accounts.shapes import AccountField, CodeField, Shape
from devices import tables
from devices.models import Device
from provisioning import phone_import
from provisioning.api.shapes import JobStarted
from provisioning.models import ImportDraft
from provisioning.phone_import_rows import What
from provisioning.phone_import_table import NAMES, read, read_dicts, sample

ROW_HELP = f"Each row names its columns: {', '.join(NAMES)}. Needed are mac and model."


class NewImport(Shape):
    """A list of phones: as rows, or as the text of a table with a heading."""

    account = AccountField()
    rows = serializers.ListField(
        child=serializers.DictField(
            child=serializers.CharField(
                allow_blank=True, trim_whitespace=False, max_length=tables.LONGEST_CELL
            )
        ),
        required=False,
        max_length=tables.MOST_ROWS,
        help_text=ROW_HELP,
    )
    table = serializers.CharField(
        required=False,
        max_length=tables.LARGEST,
        trim_whitespace=False,
        help_text="CSV: semicolons, commas or tabs.",
    )
    make_extensions = serializers.BooleanField(
        default=False, help_text="Make extensions that do not exist, with a drawn secret where none is given."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("rows" in attrs) == ("table" in attrs):
            raise serializers.ValidationError("Give either rows or a table.", code="rows-or-table")
        return attrs


class ImportRowShape(Shape):
    """What becomes of one row, and how the phone's lock will be."""

    line = serializers.IntegerField()
    what = serializers.ChoiceField([str(what) for what in What])
    mac = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField(
        source="make", help_text="Maker and model; as it was written where unknown."
    )
    device = CodeField(Device, allow_null=True, help_text="The phone that is here already.")
    field = serializers.CharField(help_text="The column at fault.")
    sentence = serializers.CharField(help_text="Why it is not added.")
    rule = serializers.CharField()
    code = serializers.CharField()
    state = serializers.CharField(help_text="Of its lock, once it is added.")
    forecast = serializers.CharField(help_text="The same in words.")
    forecast_rule = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField(), help_text="What else will happen.")


class ImportListed(Shape):
    """A list of phones that was looked at; it is kept for a day."""

    code = serializers.UUIDField()
    account = AccountField()
    by = serializers.CharField()
    file_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    job = serializers.UUIDField(source="job.code", default=None, allow_null=True)


class ImportShape(ImportListed):
    """The same with what becomes of each row."""

    ignored = serializers.ListField(child=serializers.CharField(), help_text="Columns that are not read.")
    add = serializers.IntegerField()
    here = serializers.IntegerField()
    refused = serializers.IntegerField()
    rows = ImportRowShape(many=True, help_text="What cannot be added comes first.")


class ImportFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    run = YesNo(field_name="job", lookup_expr="isnull", exclude=True, label="True: its job was started.")
    ordering = Ordering(created_at="created_at code", file_name="file_name code")


def _table(table: bytes, name: str) -> HttpResponse:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(table, content_type="text/csv; charset=utf-8", headers=named)


class ImportDoor(mixins.ListModelMixin, Door):
    """The lists of phones that somebody has sent and that wait for their Yes."""

    queryset = ImportDraft.objects.none()
    serializer_class = ImportListed
    filterset_class = ImportFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(("create", "run"), Power.EDIT_DEVICES)

    def get_queryset(self) -> QuerySet[ImportDraft]:
        if getattr(self, "swagger_fake_view", False):
            return ImportDraft.objects.none()
        return phone_import.drafts(self.actor).order_by("-created_at", "-code")

    @extend_schema(request=NewImport, responses={201: ImportShape})
    def create(self, request: Request) -> Response:
        """Say what would become of each row; nothing is added yet."""
        wanted = self.read(request, NewImport)
        table = read_dicts(wanted["rows"]) if "rows" in wanted else read(wanted["table"].encode())
        draft = phone_import.look(
            wanted["account"], table, by=self.actor, make_extensions=wanted["make_extensions"]
        )
        return Response(self.told(draft), status=status.HTTP_201_CREATED)

    @extend_schema(responses=ImportShape)
    def retrieve(self, request: Request, code: str) -> Response:
        """What would become of each row now; of a list that was run, what was not added."""
        return Response(self.told(self.get_object()))

    @extend_schema(request=None, responses={202: JobStarted})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, code: str) -> Response:
        """Add what can be added, in the background; asked again it is the same job."""
        job = phone_import.start(self.get_object(), by=self.actor)
        return Response(JobStarted({"job": job.code}).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR}, filters=False)
    @action(detail=False, methods=["get"], pagination_class=None, filterset_class=None)
    def sample(self, request: Request) -> HttpResponse:
        """A table with the headings and two rows to write over."""
        return _table(sample(), "phones.csv")

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR}, filters=False)
    @action(detail=True, methods=["get"], url_path="not-added", pagination_class=None, filterset_class=None)
    def not_added(self, request: Request, code: str) -> HttpResponse:
        """The rows that are not added, each with why, as a table to correct; without their secrets."""
        return _table(phone_import.bad_rows(self.get_object(), by=self.actor), "phones-not-added.csv")

    def told(self, draft: ImportDraft) -> Any:
        """The draft with the verdict on each row."""
        found = phone_import.preview(draft, by=self.actor)
        said = {what.value: found.counts[what] for what in What}
        rows = {"rows": found.verdicts, "ignored": draft.params["ignored"]}
        names = ("code", "account", "by", "file_name", "created_at", "job")
        head = {name: getattr(draft, name) for name in names}
        return ImportShape({**head, **said, **rows}, context=self.get_serializer_context()).data
