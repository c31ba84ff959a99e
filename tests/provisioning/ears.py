"""Endpoints around an account, and what each of them is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from provisioning.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tests.tree import Tree

Facts = dict[str, Any]


def listen(
    account: Account, *kinds: str, with_below: bool = False, name: str = "Ear", is_active: bool = True
) -> WebhookEndpoint:
    """An endpoint of the account; of all kinds where none is named."""
    return WebhookEndpoint.objects.create(
        account=account,
        name=f"{name} of {account.slug}",
        url="https://hooks.example.org/in",
        kinds=list(kinds),
        with_below=with_below,
        is_active=is_active,
    )


def told(endpoint: WebhookEndpoint) -> list[WebhookEvent]:
    """What this endpoint is told, in the order in which it is."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event__account").order_by("pk")
    return [row.event for row in rows]


def facts_of(event: WebhookEvent) -> Facts:
    """The facts of an event, without whom it is of."""
    return {name: fact for name, fact in event.data.items() if name not in ("account", "device")}


@dataclass
class Ears:
    """Who is told of acme (itself, and those above that want what is below), and who must not be."""

    tree: Tree
    hearing: list[WebhookEndpoint] = field(default_factory=list)
    deaf: list[WebhookEndpoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        tree = self.tree
        self.hearing = [
            listen(tree.acme),
            listen(tree.harbour, with_below=True),
            listen(tree.platform, with_below=True),
        ]
        self.deaf = [
            listen(tree.globex),
            listen(tree.globex, with_below=True, name="Wide"),
            listen(tree.harbour, name="Narrow"),
            listen(tree.platform, name="Narrow"),
            listen(tree.acme, name="Ended", is_active=False),
        ]

    def take(self) -> list[WebhookEvent]:
        """What acme's endpoint was told since the last time; the others the same, or nothing."""
        own, *above = (told(endpoint) for endpoint in self.hearing)
        assert above == [own, own]
        assert [told(endpoint) for endpoint in self.deaf] == [[]] * len(self.deaf)
        assert {event.account_id for event in own} <= {self.tree.acme.pk}
        WebhookEvent.objects.all().delete()
        return own

    def heard(self) -> list[tuple[str, Facts]]:
        """The kinds and facts of what was told since the last time."""
        return [(event.kind, facts_of(event)) for event in self.take()]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.take()]


def times_asked(deed: Callable[[], object]) -> int:
    """How many queries of this deed ask who listens."""
    with CaptureQueriesContext(connection) as queries:
        deed()
    return sum(f'FROM "{WebhookEndpoint._meta.db_table}"' in query["sql"] for query in queries)
