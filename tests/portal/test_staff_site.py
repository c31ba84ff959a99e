"""The staff site: support looks at everything but secrets, and changes nothing by hand."""

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import AuditEntry
from provisioning.models import DeviceEvent
from tests.url_map import staff_urls
from tests.world import World, signed_in


def test_only_platform_support_comes_in(world: World) -> None:
    answers = {
        name: signed_in(user).get("/staff/").status_code
        for name, user in (("sam", world.sam), ("rita", world.rita), ("ana", world.ana), ("ben", world.ben))
    }

    assert answers["sam"] == 200
    assert {answers["rita"], answers["ana"], answers["ben"]} <= {302, 403}


def test_it_is_entered_by_the_pages_own_door() -> None:
    assert signed_in(None).get("/staff/login/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("model", [AuditEntry, DeviceEvent])
@pytest.mark.parametrize("what", ["change", "delete"])
def test_the_record_can_be_neither_changed_nor_deleted(model: type, what: str, world: World) -> None:
    row = model.objects.first()  # type: ignore[attr-defined]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}"  # type: ignore[attr-defined]
    before = model.objects.count()  # type: ignore[attr-defined]

    answer = signed_in(world.sam).post(reverse(name, args=[row.pk]), {"post": "yes", "verb": "nothing"})

    row_after = model.objects.get(pk=row.pk)  # type: ignore[attr-defined]
    assert answer.status_code == 403
    assert model.objects.count() == before  # type: ignore[attr-defined]
    assert row_after.__dict__ | {"_state": 0} == row.__dict__ | {"_state": 0}


def test_nothing_can_be_added_changed_or_deleted_by_hand(world: World) -> None:
    sam = signed_in(world.sam)
    open_doors = [
        url
        for url in staff_urls()
        if url.endswith(("/add/", "/delete/")) and sam.post(url, {"post": "yes"}).status_code != 403
    ]

    assert [url for url in open_doors if sam.get(url).status_code == 200] == []


def test_no_secret_stands_on_it(world: World) -> None:
    sam = signed_in(world.sam)
    hidden = [world.acme.secret, world.globex.secret, *world.acme.tokens, world.acme.key, "pbkdf2", "md5$"]

    for url in staff_urls():
        shown = sam.get(url, follow=True).content.decode()
        assert [word for word in hidden if word in shown] == [], url


def test_second_factors_and_groups_are_not_on_it() -> None:
    names = {model.__name__ for model in admin.site._registry}

    assert names & {"Authenticator", "Group", "APIKey", "EmailAddress", "Upload"} == set()
