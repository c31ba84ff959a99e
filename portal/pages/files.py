"""What a phone gets below its private URL, line by line: masked, against another phone's, and in clear."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import second_factor
from accounts.guards import PageRequest, needs
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from devices.models import Device
from portal.pages.log import FILE_CHANGES, events_of, log_lines
from portal.pages.phone_frame import find_phone, frame_of
from provisioning import previewing, unmasking

MOST_OTHERS = 200
CHANGES_SHOWN = 8


@needs(Power.EDIT_SETTINGS)
def files(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    context = frame_of(request, device, "files")
    seen = context["row"].seen
    context |= {
        "may_uncover": unmasking.may_uncover(request.actor, device),
        "is_fresh": second_factor.is_fresh(request),
        "others": others_of(request, device),
        "changes": changes_since(request, device, seen.at) if seen else [],
    }
    try:
        context["files"] = previewing.files(device, by=request.actor)
        context |= compared(request, device)
    except Forbidden:
        raise
    except Refusal as refusal:
        context["refusal"] = refusal.detail
    return render(request, "devices/phone_files.html", context)


def others_of(request: PageRequest, device: Device) -> list[Device]:
    """Phones of the same make in the same account, those of the same model first."""
    same = Device.objects.visible_to(request.actor).filter(account=device.account_id, family=device.family)
    found = same.exclude(pk=device.pk).order_by("name", "mac")[:MOST_OTHERS]
    return sorted(found, key=lambda other: other.model != device.model)


def changes_since(request: PageRequest, device: Device, at: Any) -> Any:
    """What people have changed on the phone itself since its last fetch, the newest first."""
    rows = events_of(request, device).filter(what__in=(*FILE_CHANGES, "swapped"), at__gt=at)
    return log_lines(rows[:CHANGES_SHOWN])


def compared(request: PageRequest, device: Device) -> dict[str, Any]:
    """The lines that differ from those of the phone that the address of the page names."""
    asked = request.GET.get("with", "")
    if not asked:
        return {}
    try:
        wanted = UUID(asked)
    except ValueError:
        return {}
    other = get_object_or_404(
        Device.objects.visible_to(request.actor).select_related("account"), code=wanted, family=device.family
    )
    return {"other": other, "diff": previewing.between(device, other, by=request.actor)}


@never_cache
@require_POST
@needs(Power.EDIT_SETTINGS)
def uncover(request: PageRequest, code: UUID) -> HttpResponse:
    """One file with its secrets, on the answer to this form and nowhere else."""
    device = find_phone(request, code)
    if not unmasking.may_uncover(request.actor, device):
        raise Forbidden
    back = reverse("phone-files", args=[device.code])
    if not second_factor.is_fresh(request):
        return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': back})}")
    file = unmasking.uncovered(device, request.POST.get("name", "")[:120], by=request.actor)
    context = {**frame_of(request, device, "files"), "file": file}
    return render(request, "devices/phone_file_uncovered.html", context)
