"""What a person is told of by e-mail, over the API: read and chosen by himself."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.models import User
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.scope import Actor
from accounts.shapes import Shape
from provisioning import letters, notice_words
from provisioning.noticing import KINDS, How, next_morning

WAYS = [(how.value, how.value) for how in How]


class NoticeShape(Shape):
    """One kind of e-mail: how it reaches the person, the usual way, and the ways there are."""

    kind = serializers.CharField()
    title = serializers.CharField()
    means = serializers.CharField()
    how = serializers.ChoiceField(WAYS)
    usual = serializers.ChoiceField(WAYS)
    ways = serializers.ListField(child=serializers.ChoiceField(WAYS))


class NoticesShape(Shape):
    choices = NoticeShape(many=True)
    next_daily = serializers.DateTimeField(help_text="When the next daily e-mail leaves.")


class NoticesChange(Shape):
    choices = serializers.DictField(
        child=serializers.ChoiceField(WAYS), help_text="How, by the names of kinds; the others stay."
    )


class MyNotices(ApiView):
    """Everybody's own: a key has no e-mail, and while one acts for a customer it is nobody's."""

    @extend_schema(responses={200: NoticesShape, 400: None})
    def get(self, request: Request) -> Response:
        by = acting(request)
        return Response(_shown(_person(by), by))

    @extend_schema(request=NoticesChange, responses=NoticesShape)
    def put(self, request: Request) -> Response:
        by = acting(request)
        if not by.may_anywhere(Power.UNLOCK_DEVICE):
            raise Forbidden
        person = _person(by)
        shape = NoticesChange(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        letters.choose(person, by=by, choices=shape.validated_data["choices"], now=timezone.now())
        return Response(_shown(person, by))


def _person(by: Actor) -> User:
    if by.on_behalf_of:
        raise Forbidden
    if by.user is None:
        raise Invalid("choices", gettext("An API key gets no e-mail."))
    return by.user


def _shown(person: User, by: Actor) -> Any:
    chosen, zone = letters.choices_of(person), letters.zone_of(person)
    rows = [
        {
            "kind": kind.value,
            "title": notice_words.KINDS[kind].title,
            "means": notice_words.KINDS[kind].means,
            "how": chosen[kind].value,
            "usual": KINDS[kind].usual.value,
            "ways": [how.value for how in KINDS[kind].ways],
        }
        for kind in letters.kinds_for(by)
    ]
    return NoticesShape({"choices": rows, "next_daily": next_morning(timezone.now(), zone)}).data
