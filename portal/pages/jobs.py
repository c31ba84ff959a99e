"""Work on many phones, of whichever kind: how far it is, and what became of each phone."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.guards import PageRequest, needs
from accounts.roles import Power
from provisioning import phone_import
from provisioning.gate import State
from provisioning.models import Job, JobItem

A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says of a kind of job."""

    title: Any  #: with the number of phones, and the account
    done: str | Promise  #: what became of those for which it worked, as a tally says it
    name: str | Promise  #: where it was started, for the crumbs
    badge: tuple[str, str | Promise] = ("done", "")
    begun_at: str = "phones"  #: the page above it
    see: str | Promise = ""  #: what that link is called, when it narrows the list
    query: str = ""  #: how it narrows it

    def heading(self, job: Job) -> str:
        """What it does, to how many phones of whom."""
        return str(self.title % {"count": job.total, "account": job.account})


WORDS: dict[str, Words] = {
    Job.Kind.UNLOCK_ALL.value: Words(
        title=ngettext_lazy(
            "Unlocking %(count)d phone of %(account)s", "Unlocking %(count)d phones of %(account)s", "count"
        ),
        done=_("unlocked"),
        name=_("Unlock many phones"),
        badge=("unlocked", ""),
        begun_at="windows",
        see=_("See the unlocked phones"),
        query=f"state={State.UNLOCKED.value}",
    ),
    Job.Kind.RESYNC.value: Words(
        title=ngettext_lazy(
            "Resyncing %(count)d phone of %(account)s", "Resyncing %(count)d phones of %(account)s", "count"
        ),
        done=_("reached"),
        name=_("Resync many phones"),
        badge=("full", _("Reached")),
    ),
    Job.Kind.LOCK.value: Words(
        title=ngettext_lazy(
            "Locking %(count)d phone of %(account)s again",
            "Locking %(count)d phones of %(account)s again",
            "count",
        ),
        done=_("locked"),
        name=_("Lock many phones again"),
        badge=("locked", ""),
    ),
    Job.Kind.REARM.value: Words(
        title=ngettext_lazy(
            "Arming %(count)d phone of %(account)s again",
            "Arming %(count)d phones of %(account)s again",
            "count",
        ),
        done=_("armed"),
        name=_("Arm many phones again"),
        badge=("new", ""),
    ),
    Job.Kind.MOVE.value: Words(
        title=ngettext_lazy(
            "Moving %(count)d phone to another account",
            "Moving %(count)d phones to another account",
            "count",
        ),
        done=_("moved"),
        name=_("Move many phones"),
        badge=("done", _("Moved")),
    ),
    Job.Kind.PROFILE.value: Words(
        title=ngettext_lazy(
            "Changing the profile of %(count)d phone of %(account)s",
            "Changing the profile of %(count)d phones of %(account)s",
            "count",
        ),
        done=_("changed"),
        name=_("Change the profile of many phones"),
        badge=("done", _("Changed")),
    ),
    Job.Kind.IMPORT.value: Words(
        title=ngettext_lazy(
            "Adding %(count)d phone to %(account)s", "Adding %(count)d phones to %(account)s", "count"
        ),
        done=_("added"),
        name=_("Import"),
        badge=("done", _("Added")),
        begun_at="phones-import",
    ),
}


@needs(Power.SEE_ACCOUNT)
def job(request: PageRequest, code: UUID) -> HttpResponse:
    """Progress and results; refreshes itself until it is finished."""
    jobs = Job.objects.visible_to(request.actor).filter(kind__in=WORDS).select_related("account")
    shown: Job = get_object_or_404(jobs, code=code)
    words = WORDS[shown.kind]
    handled = shown.items.exclude(result=JobItem.Result.WAITING).select_related("device")
    # What was skipped needs somebody: it comes first.
    page = Paginator(handled.order_by("-result", "id"), A_PAGE).get_page(request.GET.get("page"))
    running = shown.finished_at is None
    context = {
        "section": "windows" if words.begun_at == "windows" else "phones",
        "job": shown,
        "words": words,
        "heading": words.heading(shown),
        "begun_at": reverse(words.begun_at),
        "see": "?".join(filter(None, (reverse("phones"), words.query))),
        "zone": shown.account.time_zone,
        "handled": shown.done + shown.skipped,
        "running": running,
        "refresh": 2 if running else 0,
        "page": page,
        "draft": phone_import.drafts(request.actor).filter(job=shown).first(),
    }
    return render(request, "provisioning/_job.html" if request.htmx else "provisioning/job.html", context)
