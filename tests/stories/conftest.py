"""One installation for the stories: what the end-to-end tests do to theirs must not be part of a story."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import installation
from tests.e2e.household import Household


@pytest.fixture(scope="session")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """`manage.py up`, running; on the suite's second run it works on PostgreSQL."""
    yield from installation(tmp_path_factory, "story")
