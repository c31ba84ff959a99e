"""A verb's "no" becomes a message on the page it was asked from, or the 403 page; here alone."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.refusals import Forbidden, Refusal


class RefusalMiddleware:
    """Answer refusals that the pages' views let through; the API has its own handler."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, refusal: Exception) -> HttpResponse | None:
        if isinstance(refusal, Forbidden):
            return render(request, "403.html", {"exception": refusal.detail}, status=403)
        if not isinstance(refusal, Refusal):
            return None
        if request.method != "POST":  # nowhere to go back to
            return render(request, "refused.html", {"refusal": refusal}, status=409)
        messages.error(request, refusal.detail, extra_tags=refusal.rule)
        return redirect(back(request))


def back(request: HttpRequest) -> str:
    """The page that the form stood on; only ever one of ours."""
    wanted = request.POST.get("next") or request.headers.get("Referer", "")
    parts = urlsplit(wanted)
    local = parts._replace(scheme="", netloc="", fragment="").geturl()
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()})
    return local if ours and local.startswith("/") and not local.startswith("//") else "/"
