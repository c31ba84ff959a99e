"""A page asks the database as often for a hundred thousand phones as for a hundred."""

from datetime import UTC, datetime

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.bench.pages import urls
from tests.bench.pages_rows import Campus, fill

pytestmark = [pytest.mark.large, pytest.mark.django_db(transaction=True)]
FEW, MANY = 100, 100_000
SELDOM = 10  # queries; a page has 25 rows, and one for each of them would be seen


def test_the_pages_cost_the_same_for_a_hundred_phones_and_for_a_hundred_thousand() -> None:
    few = asked(fill(FEW, 20, datetime.now(tz=UTC)), FEW)
    call_command("flush", interactive=False, verbosity=0)
    many = asked(fill(MANY, 20, datetime.now(tz=UTC)), MANY)

    # What a hundred phones have none of is not asked for: who is quiet, whom a search finds.
    assert {name: (few[name], many[name]) for name in few if many[name] > few[name] + SELDOM} == {}


def asked(campus: Campus, phones: int) -> dict[str, int]:
    """How many queries each page costs, when nothing of it is kept."""
    browser = Client()
    browser.force_login(campus.manager)
    found = {}
    for name, url in urls(campus, phones).items():
        browser.get(url)  # what is read once in a process does not count
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(url).status_code == 200, url
        found[name] = len(queries)
    return found
