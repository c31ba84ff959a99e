"""A served edge over a store that is complete and knows one working phone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from portal import embedded
from tests.edge.serving import Doors, ServedEdge, config_for
from tests.edge.shelf import Shelf


@pytest.fixture
def shelf(store: "redis.Redis") -> Shelf:
    """The store, complete and empty."""
    shelf = Shelf(store)
    shelf.complete()
    return shelf


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def serve(store_server: embedded.Store, doors: Doors) -> Iterator[Callable[..., ServedEdge]]:
    """Start edges with other settings than the usual ones."""
    with ExitStack() as stack:

        def start(**changes: Any) -> ServedEdge:
            return stack.enter_context(ServedEdge(config_for(store_server.url, **changes), doors))

        yield start


@pytest.fixture
def edge(serve: Callable[..., ServedEdge], shelf: Shelf) -> ServedEdge:
    """An edge, connected to the store."""
    return serve()


@pytest.fixture(params=["the parser's way", "the short way"])
def either_way(serve: Callable[..., ServedEdge], shelf: Shelf, request: pytest.FixtureRequest) -> ServedEdge:
    """An edge that is asked over connections to be closed, and over ones that could be kept."""
    edge = serve()
    edge.kept = request.param == "the short way"
    return edge
