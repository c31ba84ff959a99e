"""Celery's app and the schedule of periodic work, one readable table."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import beat_init, worker_ready, worker_shutting_down
from kombu.entity import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")


class InOneLanguage(Task):  # type: ignore[misc]
    """What is done in the background is kept or sent: no request's language is any of its business."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from accounts.speaking import to_everybody

        with to_everybody():
            return super().__call__(*args, **kwargs)


app = Celery("latchkey", task_cls=InOneLanguage)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()

# `demand` goes first: a phone waits for what is on it. `resync` has a worker of its own: it waits
# for phones.
app.conf.task_queues = [Queue("demand"), Queue("celery"), Queue("resync")]
app.conf.task_default_queue = "celery"
app.conf.task_routes = {"provisioning.tasks.send_resyncs": {"queue": "resync"}}

EVERY = {
    # what                                            seconds
    "provisioning.tasks.end_what_is_over": 20,
    "provisioning.tasks.refresh_lists": 60,
    "provisioning.tasks.listen": 300,
    "provisioning.tasks.ask_canary": 180,
    "provisioning.tasks.tell_waiting": 300,
    "provisioning.tasks.forget": 24 * 3600,
}
app.conf.beat_schedule = {
    name.rpartition(".")[2]: {"task": name, "schedule": float(seconds), "options": {"expires": seconds}}
    for name, seconds in EVERY.items()
}


@worker_ready.connect
def keep_the_store(**_: object) -> None:
    """The worker's own process watches and drains; its children compile."""
    from provisioning import keeper

    app.keeper_over = keeper.start()


@beat_init.connect
def watch_the_worker(**_: object) -> None:
    """Beat notices when the worker is dead; the worker's keeper notices when beat is."""
    from provisioning import stalled

    stalled.watch_the_worker()


@worker_shutting_down.connect
def let_go(**_: object) -> None:
    over = getattr(app, "keeper_over", None)
    if over is not None:
        over.set()
