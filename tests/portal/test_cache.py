"""The cache goes on in memory while the store is away."""

from django.core.cache import cache

from portal.embedded import Store


def test_limits_go_on_without_the_store(store_server: Store) -> None:
    cache.set("tries", 1)
    store_server.stop()

    assert cache.get("tries") is None
    cache.set("tries", 5)
    cache.incr("tries")
    assert cache.get("tries") == 6
    assert cache.add("tries", 1) is False
    store_server.start()
    assert cache.get("tries") is None
