"""Acting for a customer begins and ends by a form; in between the bar stands above every page."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.template import loader
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts import acting
from accounts.guards import PageRequest, needs, signed_in
from accounts.models import Account
from accounts.roles import Power
from portal.refusals import back


@require_POST
@needs(Power.SEE_ACCOUNT)
def start(request: PageRequest, slug: str) -> HttpResponse:
    """Act for the customer, and go to the page of his that was asked for."""
    account = get_object_or_404(Account.objects.visible_to(request.actor), slug=slug)
    acting.start(request.session, account, by=request.actor, now=timezone.now())
    return redirect(back(request) if "next" in request.POST else "home")


@require_POST
@signed_in
def stop(request: PageRequest) -> HttpResponse:
    """Be oneself again: back to the list of customers."""
    acting.stop(request.session, by=request.actor, now=timezone.now())
    return redirect("customers")


def fault(request: HttpRequest) -> HttpResponse:
    """The page for a fault of ours; also there a person sees for whom he acts."""
    acting_for = getattr(request, "acting", None)
    seen = {"acting": acting_for, "csrf_token": get_token(request) if acting_for else ""}
    return HttpResponseServerError(loader.get_template("500.html").render(seen))
