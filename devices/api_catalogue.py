"""The catalogue over the API: makes and models of phones, what each can and cannot, how it is connected."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import ApiSet
from accounts.shapes import LineField, Shape
from accounts.speaking import told
from devices import connecting, phone_books, restarting
from devices.catalog import Family, Model, catalog
from devices.definitions import SETTINGS
from devices.family import HANDOVERS, POWERS, squeeze
from devices.phone import HARDENING, SHARING, KeyKind
from devices.trails import reasons

FULL, NEVER = "full", "never"
MOVES = [(way, way) for way in (*HANDOVERS, FULL, NEVER)]
POWER_SOURCES = [(power, power) for power in POWERS]
SPELLING = OpenApiParameter("model", str, OpenApiParameter.PATH, description="In any spelling.")
KEY_KINDS = [(kind.value, kind.value) for kind in KeyKind]


# --- makes ----------------------------------------------------------------------------------------------


class FamilyShape(Shape):
    """One make of phones."""

    family = serializers.CharField(help_text="Its name in all other calls.")
    name = serializers.CharField()
    models = serializers.IntegerField()


class AddressShape(Shape):
    """The root URL as the make wants it written."""

    url = serializers.CharField(help_text="In a DHCP option and in the maker's service.")
    by_hand = serializers.CharField(help_text="On the phone's own web page.")
    is_plain = serializers.BooleanField(help_text="HTTP, for the models that cannot do better.")


class ConnectShape(Shape):
    """How a new phone is told of the root URL."""

    order = serializers.CharField(help_text="Whom it asks first when it starts.")
    options = serializers.ListField(child=serializers.CharField(), help_text="DHCP options, the best first.")
    addresses = AddressShape(many=True)
    where = serializers.CharField(help_text="Into which field by hand.")
    service = serializers.CharField(help_text="The maker's redirection service.")
    steps = serializers.ListField(child=serializers.CharField(), help_text="What to do there.")
    needs = serializers.ListField(child=serializers.CharField())
    doubts = serializers.ListField(child=serializers.CharField())


class GenerationShape(Shape):
    """Firmware that is written to in its own way."""

    generation = serializers.CharField()
    title = serializers.CharField()
    slow = serializers.BooleanField(help_text="Over plain HTTP it can take an hour to come over.")
    notes = serializers.ListField(child=serializers.CharField())
    doubts = serializers.ListField(child=serializers.CharField())


class BookShape(Shape):
    """What its phones make of the company's phone book."""

    most = serializers.IntegerField(help_text="Entries that they take; the rest is left out.")
    search = serializers.CharField(help_text="How people find somebody in it.")


class FamilyWithMore(FamilyShape):
    """The same with how it is connected, and its generations of firmware."""

    power = serializers.ChoiceField(POWER_SOURCES, help_text="Of those models that say nothing else.")
    connect = ConnectShape(allow_null=True)
    generations = GenerationShape(many=True)
    phone_book = BookShape(allow_null=True)
    raw_key_example = serializers.CharField(help_text="One of the vendor's own keys; empty: it takes none.")
    doubts = serializers.ListField(child=serializers.CharField(), help_text="What no public source settles.")


class CatalogueFamilies(ApiSet):
    """The makes that are served here."""

    @extend_schema(responses=FamilyShape(many=True))
    def list(self, request: Request) -> Response:
        shown = [_family(family) for family in catalog().families.values()]
        return Response(FamilyShape(shown, many=True).data)

    @extend_schema(responses=FamilyWithMore)
    def retrieve(self, request: Request, family: str) -> Response:
        found = catalog().families.get(family)
        if found is None:
            raise exceptions.NotFound
        return Response(FamilyWithMore({**_family(found), **_more(found)}).data)


def _family(family: Family) -> dict[str, Any]:
    return {"family": family.code, "name": family.name, "models": len(family.models)}


def _more(family: Family) -> dict[str, Any]:
    connect, book = family.connect, family.book
    return {
        "power": family.power,
        "connect": connect
        and {
            "order": told(connect.order),
            "options": connect.options,
            "addresses": connecting.addresses(family, str(settings.PHONES_URL)),
            "where": told(connect.where),
            "service": connect.service,
            **{name: list(map(told, getattr(connect, name))) for name in ("steps", "needs", "doubts")},
        },
        "generations": [
            {
                "generation": code,
                "title": told(one.title),
                "slow": one.slow,
                "notes": map(told, one.notes),
                "doubts": map(told, one.doubts),
            }
            for code, one in family.generations.items()
        ],
        "phone_book": book and {"most": book.most, "search": told(book.search)},
        "raw_key_example": family.raw.example if family.raw else "",
        "doubts": map(told, family.doubts),
    }


# --- models ---------------------------------------------------------------------------------------------


class ModelShape(Shape):
    """One model of phone: what it has room for, and how it is served."""

    family = serializers.CharField()
    model = serializers.CharField()
    title = serializers.CharField()
    lines = serializers.IntegerField(help_text="SIP identities that it registers.")
    keys = serializers.IntegerField(help_text="Beside the display, all pages.")
    memory_keys = serializers.IntegerField(help_text="A second block on the phone itself.")
    modules = serializers.IntegerField(help_text="Expansion modules that can be plugged in.")
    keys_per_module = serializers.IntegerField()
    lines_on_keys = serializers.BooleanField(help_text="A line takes the key at its position.")
    single_step = serializers.BooleanField(help_text="Cannot be moved to a private URL.")
    full_and_move = serializers.BooleanField(
        help_text="Over HTTPS its first answer is the whole file, which moves it."
    )
    no_tls = serializers.BooleanField(help_text="Gets http addresses: its files travel readable.")
    moves_by = serializers.ChoiceField(MOVES, help_text="How it is led from the root to its private URL.")


class LackShape(Shape):
    """What it cannot, and why."""

    name = serializers.CharField()
    reason = serializers.CharField()


class ModelWithMore(ModelShape):
    """The same with what each setting, protection and key can be, for one generation of its firmware."""

    aliases = serializers.ListField(child=serializers.CharField(), help_text="Other spellings.")
    generation = serializers.CharField()
    firmware = serializers.CharField(help_text="The generation in words.")
    slow = serializers.BooleanField(help_text="Over plain HTTP it can take an hour to come over.")
    key_kinds = serializers.ListField(child=serializers.ChoiceField(KEY_KINDS))
    settings = serializers.ListField(
        child=serializers.CharField(), help_text="The neutral settings that its files express."
    )
    settings_not = LackShape(many=True, help_text="Those that they cannot.")
    protections = serializers.ListField(child=serializers.ChoiceField([(name, name) for name in HARDENING]))
    protections_not = LackShape(many=True)
    sharing = serializers.ListField(
        child=serializers.ChoiceField([(name, name) for name in SHARING]), help_text="Of shared lines."
    )
    sharing_not = LackShape(many=True)
    phone_book = serializers.BooleanField()
    phone_book_not = serializers.CharField(help_text="Why it has none, where that is known.")
    power = serializers.ChoiceField(POWER_SOURCES)
    restart = serializers.CharField(help_text="What to do so that it starts anew.")
    resync = serializers.CharField(help_text="The SIP event that makes it ask again.")
    resync_with_restart = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())
    doubts = serializers.ListField(child=serializers.CharField(), help_text="What no public source settles.")


class ModelsQuery(Shape):
    family = LineField(max_length=40, required=False)
    search = LineField(max_length=60, required=False, help_text="In its name, as anybody spells it.")

    def validate_family(self, value: str) -> str:
        if value not in catalog().families:
            raise serializers.ValidationError("There is no family of this name.", code="unknown")
        return value


class ModelQuery(Shape):
    firmware = LineField(max_length=60, required=False, help_text="As the phone says it.")


class CatalogueModels(ApiSet):
    """The models that are served here."""

    @extend_schema(parameters=[ModelsQuery], responses=ModelShape(many=True))
    def list(self, request: Request) -> Response:
        query = ModelsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        wanted, word = query.validated_data.get("family"), squeeze(query.validated_data.get("search", ""))
        shown = [
            _model(family, model)
            for family in catalog().families.values()
            if wanted in (None, family.code)
            for model in family.models.values()
            if any(word in squeeze(text) for text in (model.title, model.name, *model.aliases))
        ]
        return Response(ModelShape(shown, many=True).data)

    @extend_schema(parameters=[ModelQuery, SPELLING], responses=ModelWithMore)
    def retrieve(self, request: Request, family: str, model: str) -> Response:
        """What it can with the firmware that is named, otherwise with its usual one."""
        query = ModelQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        known = catalog().find_model(family, model)
        if known is None:
            raise exceptions.NotFound
        make = catalog().families[family]
        generation = make.generation_of(known.name, query.validated_data.get("firmware"))
        shown = {**_model(make, known, generation), **_abilities(make, known, generation)}
        return Response(ModelWithMore(shown).data)


def _model(family: Family, model: Model, generation: str | None = None) -> dict[str, Any]:
    code = generation or model.generation
    whole = any(file.full_and_move and code not in file.absent_in for file in family.files)
    moves_by = FULL if whole else family.generations[code].handover
    return {
        "family": family.code,
        "model": model.name,
        **{name: getattr(model, name) for name in ("title", "lines", "keys", "memory_keys", "lines_on_keys")},
        "modules": model.expansion.modules,
        "keys_per_module": model.expansion.keys,
        "single_step": model.single_step,
        "full_and_move": whole and not model.single_step,
        "no_tls": model.no_tls,
        "moves_by": NEVER if model.single_step else moves_by,
    }


def _abilities(family: Family, model: Model, code: str) -> dict[str, Any]:
    generation, power = family.generations[code], family.power_of(model.name)
    return {
        "aliases": model.aliases,
        "generation": code,
        "firmware": told(generation.title),
        "slow": generation.slow,
        "key_kinds": sorted(family.key_kinds(model.name, code)),
        **_split("settings", tuple(SETTINGS), reasons(family, code)),
        **_split("protections", HARDENING, family.lacks(code)),
        **_split("sharing", SHARING, family.lacks_sharing(code)),
        "phone_book": family.phone_book(code) is not None and not model.single_step,
        "phone_book_not": phone_books.why_none(family, model, code),
        "power": power,
        "restart": restarting.sentence(power),
        "resync": family.resync.event,
        "resync_with_restart": family.resync.reboot_event,
        "notes": map(told, (*model.notes, *generation.notes)),
        "doubts": map(told, (*model.doubts, *generation.doubts, *family.doubts)),
    }


def _split(name: str, every: tuple[str, ...], lacking: Mapping[str, str]) -> dict[str, Any]:
    """What of these it can, and what it cannot with the reason."""
    return {
        name: [one for one in every if one not in lacking],
        f"{name}_not": [{"name": one, "reason": told(lacking[one])} for one in every if one in lacking],
    }
