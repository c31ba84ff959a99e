"""The buttons that ask a phone to fetch its files again."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs
from accounts.roles import Power
from portal.pages.phone import find_phone
from provisioning import resync


@require_POST
@needs(Power.EDIT_DEVICES)
def ask(request: PageRequest, code: UUID) -> HttpResponse:
    """With `reboot` it restarts as well."""
    device = find_phone(request, code)
    row = resync.ask(device, by=request.actor, reboot=request.POST.get("reboot") == "yes")
    messages.success(
        request, f"{device} is asked to {resync.asked(row.reboot)}. Its log says what comes of it."
    )
    return redirect("phone", code=device.code)
