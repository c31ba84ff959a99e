"""The staff site is entered by the same door as the pages; what other packages put on it goes."""

# Each of these registers its models, so that they can go below; nothing of the modules is used.
import allauth.account.admin
import allauth.mfa.admin
import allauth.usersessions.admin  # noqa: F401
import django.contrib.auth.admin  # noqa: F401
import rest_framework_api_key.admin  # noqa: F401
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from rest_framework_api_key.models import APIKey

from accounts.admin import UserSessionAdmin

admin.site.site_header = "Latchkey, platform support"
admin.site.site_title = "Latchkey"
admin.site.index_title = "Look here, change by the portal's own pages and the API"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# Second factors are secrets, keys of another model are not ours, addresses are sign-in's business, and roles
# come from memberships.
for model in (Authenticator, APIKey, EmailAddress, Group, UserSession):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
admin.site.register(UserSession, UserSessionAdmin)  # theirs shows the key of a session
