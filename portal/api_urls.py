"""The API's URL map."""

from django.urls import URLPattern, URLResolver, path, re_path
from rest_framework.routers import SimpleRouter

from accounts import api as accounts_api
from accounts import api_people
from devices import api as devices_api
from devices import api_catalogue, api_directory
from portal import api
from provisioning.api import (
    addresses,
    arranging,
    bulk,
    comparing,
    customers,
    devices,
    feed,
    imports,
    incidents,
    notices,
    overview,
    policies,
    previews,
    resyncs,
    settings,
    sites,
    strangers,
    what_if,
    windows,
)
from provisioning.api.closing import AccountHolidays
from provisioning.api.hardening import AccountHardening
from provisioning.api.silence import Silence
from provisioning.api.webhooks import DeliveryDoor, WebhookDoor, WebhookKinds

router = SimpleRouter()
router.register("allowed-networks", addresses.AllowedDoor, "allowed-network")
router.register("bans", addresses.BanDoor, "ban")
router.register("accounts", accounts_api.AccountDoor, "account")
router.register("api-keys", accounts_api.ApiKeyDoor, "api-key")
router.register("audit", accounts_api.AuditDoor, "audit")
router.register("customers", customers.CustomerDoor, "customer")
router.register("devices", devices.DeviceDoor, "device")
router.register("directory/contacts", api_directory.ContactDoor, "contact")
router.register("events", feed.EventDoor, "event")
router.register("extensions", devices_api.ExtensionDoor, "extension")
router.register("imports", imports.ImportDoor, "import")
router.register("incidents", incidents.IncidentDoor, "incident")
router.register("profiles", devices_api.ProfileDoor, "profile")
router.register("sites", sites.SiteDoor, "site")
router.register("webhooks", WebhookDoor, "webhook")
router.register("windows", windows.WindowDoor, "window")
router.register("jobs", windows.JobDoor, "job")

lists = {prefix: f"{basename}-list" for prefix, _, basename in router.registry} | {
    "approvals": "approval-list",
    "people": "person-list",
    "policies": "policy-list",
    "settings": "setting-list",
    "raw-keys": "raw-key-list",
}
urlpatterns: list[URLPattern | URLResolver] = [
    path("", api.Root.as_view(lists=lists), name="root"),
    path("me/", accounts_api.Me.as_view(), name="me"),
    path("me/notifications/", notices.MyNotices.as_view(), name="me-notifications"),
    *router.urls,
    path("approvals/", windows.ApprovalDoor.as_view({"get": "list"}), name="approval-list"),
    path(
        "approvals/<uuid:code>/",
        windows.ApprovalDoor.as_view({"get": "retrieve", "post": "answer"}),
        name="approval-detail",
    ),
    path(
        "catalogue/families/",
        api_catalogue.CatalogueFamilies.as_view({"get": "list"}),
        name="catalogue-families",
    ),
    path(
        "catalogue/families/<str:family>/",
        api_catalogue.CatalogueFamilies.as_view({"get": "retrieve"}),
        name="catalogue-family",
    ),
    path(
        "catalogue/models/", api_catalogue.CatalogueModels.as_view({"get": "list"}), name="catalogue-models"
    ),
    path(
        "catalogue/models/<str:family>/<str:model>/",
        api_catalogue.CatalogueModels.as_view({"get": "retrieve"}),
        name="catalogue-model",
    ),
    path("overview/", overview.Overview.as_view(), name="overview"),
    path("check-ins/", overview.CheckIns.as_view(), name="check-ins"),
    path("keeping/", overview.Keeping.as_view(), name="keeping"),
    path("unknown-phones/", strangers.UnknownPhones.as_view(), name="unknown-phones"),
    path("heard/", strangers.HeardPhones.as_view(), name="heard"),
    path("settings/nearer/", comparing.SettingsNearer.as_view(), name="settings-nearer"),
    path("settings/diff/", comparing.SettingsDiff.as_view(), name="settings-diff"),
    path("directory/", api_directory.CompanyDirectory.as_view(), name="directory"),
    path("accounts/<slug:slug>/move/", customers.CustomerMove.as_view(), name="account-move"),
    path("people/", api_people.PersonDoor.as_view({"get": "list", "post": "create"}), name="person-list"),
    path(
        "people/<slug:slug>/<uuid:code>/",
        api_people.PersonDoor.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="person-detail",
    ),
    path(
        "people/<slug:slug>/<uuid:code>/invite/",
        api_people.PersonDoor.as_view({"post": "invite_again"}),
        name="person-invite",
    ),
    path(
        "people/<slug:slug>/<uuid:code>/reset-second-factor/",
        api_people.PersonDoor.as_view({"post": "reset_second_factor"}),
        name="person-reset-second-factor",
    ),
    path("roles/", api_people.Roles.as_view(), name="roles"),
    path("policies/", policies.PolicyDoor.as_view({"get": "list"}), name="policy-list"),
    path(
        "policies/<str:name>/",
        policies.PolicyDoor.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="policy-detail",
    ),
    path("appearances/bulk/", arranging.AppearanceDoor.as_view({"post": "bulk"}), name="appearance-bulk"),
    path("settings/preview/", previews.SettingsPreview.as_view(), name="settings-preview"),
    path("settings/", settings.SettingDoor.as_view({"get": "list"}), name="setting-list"),
    path(
        "settings/<str:name>/",
        settings.SettingDoor.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="setting-detail",
    ),
    path("raw-keys/", settings.RawKeyDoor.as_view({"get": "list"}), name="raw-key-list"),
    path(
        "raw-keys/<str:key>/",
        settings.RawKeyDoor.as_view({"put": "update", "delete": "destroy"}),
        name="raw-key-detail",
    ),
    path("ip-check/", addresses.IpCheck.as_view(), name="ip-check"),
    path("unlock-all/", windows.UnlockAll.as_view(), name="unlock-all"),
    path("resync/", resyncs.ResyncAll.as_view(), name="resync"),
    path("bulk/", bulk.Bulk.as_view(), name="bulk"),
    path("bulk/preview/", bulk.BulkPreview.as_view(), name="bulk-preview"),
    path("explain/", windows.Explain.as_view(), name="explain"),
    path("hardening/", AccountHardening.as_view(), name="hardening"),
    path("holidays/", AccountHolidays.as_view(), name="holidays"),
    path("silence/", Silence.as_view(), name="silence"),
    path(
        "webhooks/<uuid:endpoint>/deliveries/",
        DeliveryDoor.as_view({"get": "list"}),
        name="webhook-deliveries",
    ),
    path(
        "webhook-deliveries/<uuid:code>/", DeliveryDoor.as_view({"get": "retrieve"}), name="delivery-detail"
    ),
    path(
        "webhook-deliveries/<uuid:code>/replay/",
        DeliveryDoor.as_view({"post": "replay"}),
        name="delivery-replay",
    ),
    path("webhook-kinds/", WebhookKinds.as_view(), name="webhook-kinds"),
    path("what-if/", what_if.WhatIf.as_view(), name="what-if"),
    path("what-if/<uuid:code>/", what_if.WhatIfResult.as_view(), name="what-if-detail"),
    path("schema/", api.Schema.as_view(), name="schema"),
    path("docs/", api.Docs.as_view(), name="docs"),
    re_path("", api.Nowhere.as_view(), name="nowhere"),
]
