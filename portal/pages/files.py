"""What a phone gets below its private URL, line by line, every secret masked."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render

from accounts.guards import PageRequest, needs
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from portal.pages.phone import find_phone, frame_of
from provisioning import previewing


@needs(Power.EDIT_SETTINGS)
def files(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    context = frame_of(request, device, "files")
    try:
        context["files"] = previewing.files(device, by=request.actor)
    except Forbidden:
        raise
    except Refusal as refusal:
        context["refusal"] = refusal.detail
    return render(request, "devices/phone_files.html", context)
