"""The URL map."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.page_urls")),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include(("portal.api_urls", "v1"))),
    path("staff/", admin.site.urls),
]
handler500 = "portal.pages.acting.fault"
