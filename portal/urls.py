"""The URL map."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.page_urls")),
    # Nobody adds addresses of his own: he is known by the one that he was invited by.
    path("accounts/email/", RedirectView.as_view(pattern_name="mfa_index"), name="account_email"),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include(("portal.api_urls", "v1"))),
    path("api/docs/", include("portal.api_docs")),
    # Passwords are changed by one door, which tells their owner.
    path(
        "staff/password_change/",
        RedirectView.as_view(pattern_name="account_change_password"),
        name="account_staff_password",
    ),
    path("staff/", admin.site.urls),
]
handler500 = "portal.pages.acting.fault"
