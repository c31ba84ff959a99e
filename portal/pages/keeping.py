"""What is kept and for how long, and when the sweep last ran."""

from django.http import HttpResponse
from django.shortcuts import render

from accounts.guards import PageRequest, needs
from accounts.roles import Power
from provisioning import keeping


@needs(Power.EDIT_SETTINGS)
def table(request: PageRequest) -> HttpResponse:
    """The table of platform values; how much went is the platform's business, for it counts all tenants'."""
    lines = keeping.lines()
    swept = [line.swept for line in lines if line.swept]
    context = {
        "section": "keeping",
        "lines": lines,
        "last": max((row.at for row in swept), default=None),
        "gone": sum(row.gone for row in swept),
        "unfinished": [line.kept for line in lines if line.swept and not line.swept.is_whole],
        "counts": request.actor.may_anywhere(Power.STAFF_SITE),
    }
    return render(request, "portal/keeping.html", context)
