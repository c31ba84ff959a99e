"""The API's description for people: no session counts here, and keys alone are taken."""

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import FileResponse, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from portal.api_description import COMMITTED

#: What the viewer needs: its own files and this host's answers. It sends no forms and is framed by nobody.
CSP: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "connect-src": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}


def described() -> FileResponse:
    """The description as it is committed."""
    return FileResponse(COMMITTED.open("rb"), content_type="application/json")


@require_safe
@csp_replace(CSP)
def page(request: HttpRequest) -> HttpResponse:
    """The viewer; rendered without the request, so that it is the same for everybody."""
    return HttpResponse(render_to_string("api_docs.html"))


@require_safe
def description(request: HttpRequest) -> FileResponse:
    return described()


@require_safe
def guide(request: HttpRequest) -> FileResponse:
    """The guide, as it stands beside the description."""
    return FileResponse(COMMITTED.with_name("README.md").open("rb"), content_type="text/plain; charset=utf-8")


@require_safe
def changes(request: HttpRequest) -> FileResponse:
    """What has changed."""
    return FileResponse(
        COMMITTED.with_name("CHANGELOG.md").open("rb"), content_type="text/plain; charset=utf-8"
    )


urlpatterns: list[URLPattern] = [
    path("", page, name="api-docs"),
    path("v1.json", description, name="api-description"),
    path("guide.md", guide, name="api-guide"),
    path("changelog.md", changes, name="api-changelog"),
]
