"""Two at once, in a set order: one stops where it holds a phone's row, the other comes up to it and waits."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

Work = Callable[[], Any]


class Other(threading.Thread):
    """Somebody else, with a connection of his own."""

    def __init__(self, work: Work) -> None:
        super().__init__(daemon=True)
        self.work, self.answer = work, None

    def run(self) -> None:
        try:
            while True:
                try:
                    self.answer = self.work()
                    return
                except OperationalError as error:
                    if "locked" not in str(error):
                        raise  # SQLite gave up waiting is all that is asked again
        except Exception as error:
            self.answer = error  # type: ignore[assignment]
        finally:
            connections.close_all()

    def come_up(self) -> None:
        """Start, and return once he waits for a row of ours (or is through, where rows are not held)."""
        self.start()
        while connection.vendor == "postgresql" and self.is_alive():
            with connection.cursor() as cursor:
                cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
                if cursor.fetchone()[0]:
                    return
            self.join(0.01)

    def came_to(self) -> Any:
        self.join(120)
        assert not self.is_alive()
        return self.answer


def meeting(patch: pytest.MonkeyPatch, place: Any, name: str, other: Other) -> None:
    """Let the other one come up when our own work gets to this function."""
    ours, original = threading.current_thread(), getattr(place, name)

    def stop_there(*args: Any, **more: Any) -> Any:
        if threading.current_thread() is ours:
            patch.undo()
            other.come_up()
        return original(*args, **more)

    patch.setattr(place, name, stop_there)
