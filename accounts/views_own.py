"""What concerns nobody but whoever is signed in: his second factor, and where else he is signed in."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import second_factor
from accounts.guards import PageRequest


@login_required
def set_up(request: PageRequest) -> HttpResponse:
    """Why this person needs a second factor, and the two ways to one."""
    if request.actor.user is None or second_factor.has_one(request.actor.user):
        return redirect("mfa_index")
    return render(request, "accounts/second_factor.html")


@require_POST
@login_required
def end_session(request: PageRequest, pk: int) -> HttpResponse:
    if request.actor.user is None or not second_factor.end_session(request.actor.user, pk):
        raise Http404
    messages.success(request, _("That browser is signed out."))
    return redirect("usersessions_list")
