"""The staff site's view of phones, lines and sites. Secrets are no fields here: they stay sealed."""

from django.contrib import admin

from accounts.admin import ListOnly, LookOnly
from devices.models import (
    Appearance,
    Contact,
    Device,
    Directory,
    Extension,
    Holiday,
    Key,
    Profile,
    ProfileKey,
    RawValue,
    SettingValue,
    Site,
    SiteNetwork,
)


@admin.register(Site)
class SiteAdmin(LookOnly):
    list_display = ("name", "account", "time_zone", "created_at")
    list_select_related = ("account",)
    search_fields = ("name", "account__slug")


@admin.register(Holiday)
class HolidayAdmin(LookOnly):
    list_display = ("day", "name", "account", "site")
    list_select_related = ("account", "site")
    search_fields = ("name", "account__slug")


@admin.register(SiteNetwork)
class SiteNetworkAdmin(LookOnly):
    list_display = ("site", "account", "first", "last")
    list_select_related = ("site", "account")


@admin.register(Device)
class DeviceAdmin(LookOnly):
    list_display = ("name", "mac", "account", "family", "model", "owner", "site", "is_enabled")
    list_filter = ("family", "is_enabled")
    list_select_related = ("account", "owner", "site")
    search_fields = ("name", "mac", "account__slug", "owner__email")


@admin.register(Extension)
class ExtensionAdmin(LookOnly):
    list_display = ("username", "display_name", "realm", "account")
    list_select_related = ("account",)
    search_fields = ("username", "display_name", "account__slug")


@admin.register(Contact)
class ContactAdmin(LookOnly):
    list_display = ("name", "number", "mobile", "other", "account")
    list_select_related = ("account",)
    search_fields = ("name", "account__slug")


@admin.register(Directory)
class DirectoryAdmin(LookOnly):
    list_display = ("account", "revision")
    list_select_related = ("account",)


@admin.register(Appearance)
class AppearanceAdmin(LookOnly):
    list_display = ("device", "position", "extension", "label")
    list_select_related = ("device", "extension")
    search_fields = ("device__mac", "extension__username")


@admin.register(Key)
class KeyAdmin(LookOnly):
    list_display = ("device", "position", "kind", "value", "label")
    list_select_related = ("device",)
    search_fields = ("device__mac",)


@admin.register(Profile)
class ProfileAdmin(LookOnly):
    list_display = ("name", "account", "family", "model", "created_at")
    list_select_related = ("account",)
    search_fields = ("name", "account__slug")


@admin.register(ProfileKey)
class ProfileKeyAdmin(LookOnly):
    list_display = ("profile", "position", "kind", "value", "label")
    list_select_related = ("profile",)
    search_fields = ("profile__name",)


@admin.register(SettingValue)
class SettingValueAdmin(ListOnly):
    """The values may be secrets, and a row is named by its value."""

    list_display = ("name", "account", "family", "model", "device")
    list_select_related = ("account", "device")
    search_fields = ("name", "account__slug")


@admin.register(RawValue)
class RawValueAdmin(ListOnly):
    """The values may be secrets, and a row is named by its value."""

    list_display = ("key", "account", "family", "model", "device")
    list_select_related = ("account", "device")
    search_fields = ("key", "account__slug")
