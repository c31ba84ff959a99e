"""Every URL of the portal with the object it names, so that tests can walk all of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from tests.world import Tenant

Args = Callable[[Tenant], dict[str, Any]]


def _none(tenant: Tenant) -> dict[str, Any]:
    return {}


def _code(name: str) -> Args:
    return lambda tenant: {"code": str(getattr(tenant, name).code)}


phone, site, window, job = _code("phone"), _code("site"), _code("window"), _code("job")
approval, extension = _code("approval"), _code("extension")
profile, contact = _code("profile"), _code("contact")


def policy(tenant: Tenant) -> dict[str, Any]:
    return {"name": "user_unlock_ttl"}


def setting(tenant: Tenant) -> dict[str, Any]:
    return {"name": "poll_hours"}


def raw_key(tenant: Tenant) -> dict[str, Any]:
    return {"key": "phone_setting.contrast"}


def family(tenant: Tenant) -> dict[str, Any]:
    return {"family": "yealink"}


def model(tenant: Tenant) -> dict[str, Any]:
    return {"family": "yealink", "model": "T46S"}


def no_secret(tenant: Tenant) -> dict[str, Any]:
    """What an unlock link might be; those that are good are walked in tests/portal/test_unlock_link.py."""
    return {"secret": "0" * 50}


#: Names that are the product's or a vendor's, and no tenant's.
EVERYBODYS: tuple[Args, ...] = (policy, setting, raw_key, no_secret, family, model)


def key(tenant: Tenant) -> dict[str, Any]:
    return {"code": tenant.key_code}


def account(tenant: Tenant) -> dict[str, Any]:
    return {"slug": tenant.account.slug}


def unlock_link(tenant: Tenant) -> dict[str, Any]:
    return {"code": str(tenant.phone.code), "link": str(tenant.unlock_link.code)}


def endpoint(tenant: Tenant) -> dict[str, Any]:
    return {"endpoint": str(tenant.endpoint.code)}


def person(tenant: Tenant) -> dict[str, Any]:
    return {"slug": tenant.account.slug, "code": str(tenant.viewer.code)}


def session(tenant: Tenant) -> dict[str, Any]:
    return {"pk": 0}  # nobody's


#: The API by the names of its URLs.
API: dict[str, Args] = {
    **dict.fromkeys(("root", "me", "schema", "docs", "nowhere", "unlock-all", "resync", "explain"), _none),
    "bulk": _none,
    **dict.fromkeys(("device-bulk", "extension-bulk", "appearance-bulk"), _none),
    **dict.fromkeys(("account-list", "api-key-list", "audit-list", "device-list", "extension-list"), _none),
    **dict.fromkeys(("site-list", "window-list", "job-list", "approval-list", "policy-list"), _none),
    **{f"device-{name}": phone for name in ("detail", "appearances", "events", "lock", "rearm", "unlock")},
    **{f"device-{name}": phone for name in ("quarantine", "release", "claims", "take-back", "clone")},
    **{f"device-{name}": phone for name in ("retire", "swap", "move", "resync")},
    **{f"extension-{name}": extension for name in ("new-secret", "expose")},
    "me-notifications": _none,
    "device-unlock-links": phone,
    "device-unlock-link": unlock_link,
    "device-keys": phone,
    "device-files": phone,
    "device-hardening": phone,
    "hardening": _none,
    "holidays": _none,
    "silence": _none,
    "site-closing-times": site,
    "settings-preview": _none,
    "profile-list": _none,
    **{f"profile-{name}": profile for name in ("detail", "apply", "take-off")},
    **dict.fromkeys(("contact-list", "contact-bring-in", "contact-take-out"), _none),
    "contact-detail": contact,
    **dict.fromkeys(("ip-check", "ban-list", "ban-lift-mine", "allowed-network-list"), _none),
    "incident-list": _none,
    **{f"incident-{name}": _code("incident") for name in ("detail", "notes", "close")},
    "ban-detail": _code("ban"),
    **dict.fromkeys(("webhook-list", "webhook-kinds"), _none),
    **{f"webhook-{name}": _code("endpoint") for name in ("detail", "rotate", "test", "replay")},
    "webhook-deliveries": endpoint,
    **dict.fromkeys(("delivery-detail", "delivery-replay"), _code("delivery")),
    "what-if": _none,
    "what-if-detail": job,  # a tenant's job is none
    **dict.fromkeys(("allowed-network-detail", "allowed-network-grant"), _code("allowed")),
    **dict.fromkeys(("person-list", "roles", "event-list", "directory"), _none),
    **dict.fromkeys(("catalogue-families", "catalogue-models"), _none),
    **dict.fromkeys(("overview", "check-ins", "keeping", "unknown-phones", "heard", "settings-diff"), _none),
    "settings-nearer": _none,
    **{f"device-{name}": phone for name in ("files-diff", "allow")},
    **dict.fromkeys(("device-take-out", "device-firmwares", "import-sample", "bulk-preview"), _none),
    **dict.fromkeys(("import-not-added",), _code("draft")),
    "customer-list": _none,
    "customer-detail": account,
    "job-items": job,
    "catalogue-family": family,
    "catalogue-model": model,
    **{f"person-{name}": person for name in ("detail", "invite", "reset-second-factor")},
    "policy-detail": policy,
    **dict.fromkeys(("setting-list", "raw-key-list"), _none),
    "setting-detail": setting,
    "raw-key-detail": raw_key,
    **{f"account-{name}": account for name in ("detail", "delete", "restore", "move")},
    **dict.fromkeys(("api-key-detail", "api-key-rotate"), key),
    "approval-detail": approval,
    "extension-detail": extension,
    "job-detail": job,
    "import-list": _none,
    **dict.fromkeys(("import-detail", "import-run"), _code("draft")),
    "site-detail": site,
    "window-detail": window,
}

#: Those that say in a query whose they are.
ASKS_FOR_ACCOUNT = {"policy-list", "policy-detail", "hardening"}
ASKS_FOR_ACCOUNT |= {"contact-take-out", "holidays", "silence", "directory", "overview"}
ASKS_FOR_ACCOUNT |= {"settings-diff", "settings-nearer"}
ASKS_FOR_ACCOUNT |= {"setting-list", "setting-detail", "raw-key-list", "raw-key-detail"}

#: The pages likewise.
PAGES: dict[str, Args] = {
    **dict.fromkeys(("home", "theme", "my-phones", "phones", "phone-add", "approvals", "windows"), _none),
    **dict.fromkeys(("phones-resync", "phones-bulk", "phones-export", "phones-firmwares"), _none),
    **dict.fromkeys(("unknown-phones", "connect"), _none),
    **dict.fromkeys(("window-open", "unlock-all", "explain", "addresses", "sites", "site-add"), _none),
    **dict.fromkeys(("people", "person-add", "keys", "key-add", "address-proof", "keeping"), _none),
    **dict.fromkeys(("customers", "policies", "powers", "extensions", "hardening"), _none),
    **dict.fromkeys(("address-unblock", "bans", "ban-add", "allowances", "allowance-add"), _none),
    **dict.fromkeys(("incidents", "audit", "second-factor"), _none),
    "session-end": session,
    **dict.fromkeys(("incident", "incident-note", "incident-close"), _code("incident")),
    "ban-lift": _code("ban"),
    "what-if": _none,
    "what-if-result": job,
    **dict.fromkeys(("allowance-grant", "allowance-end"), _code("allowed")),
    "policy": policy,
    **dict.fromkeys(("customer-delete", "customer-restore", "customer-move", "customer-act"), account),
    **dict.fromkeys(("customer", "customer-switch"), account),
    **dict.fromkeys(("acting-stop", "notifications", "customer-add"), _none),
    **dict.fromkeys(("phone", "phone-lines", "phone-log", "phone-advanced", "phone-allow"), phone),
    **dict.fromkeys(
        ("phone-release", "phone-take-back", "phone-clone", "phone-retire", "phone-swap", "phone-move"), phone
    ),
    **dict.fromkeys(("extension-secret", "extension-mark", "extension", "extension-remove"), extension),
    **dict.fromkeys(("extension-add", "profiles", "profile-add"), _none),
    **dict.fromkeys(("profile", "profile-phones", "profile-remove"), profile),
    "phone-profile": phone,
    **dict.fromkeys(("directory", "directory-add", "directory-import", "directory-export"), _none),
    **dict.fromkeys(("contact", "contact-remove"), contact),
    "directory-extension": extension,
    **dict.fromkeys(("phone-unlock", "phone-lock", "phone-rearm", "phone-quarantine", "phone-resync"), phone),
    **dict.fromkeys(("phone-edit", "phone-remove", "my-phone-allow"), phone),
    "phone-link": phone,
    "phone-link-end": unlock_link,
    "unlock-link": no_secret,
    "phone-files": phone,
    "phone-file-uncovered": phone,
    "phone-settings": phone,
    "settings": _none,
    "approval": approval,
    **dict.fromkeys(("window", "window-close"), window),
    "job": job,
    **dict.fromkeys(("phones-import", "phones-import-sample"), _none),
    **dict.fromkeys(("phone-import", "phone-import-bad"), _code("draft")),
    **dict.fromkeys(("site", "site-remove", "site-closing"), site),
    "account-holidays": account,
    **dict.fromkeys(("webhooks", "webhook-add"), _none),
    **{f"webhook-{name}": _code("endpoint") for name in ("edit", "rotate", "test", "replay", "remove")},
    "webhook": _code("endpoint"),
    **dict.fromkeys(("delivery", "delivery-replay", "webhook-result"), _code("delivery")),
    **dict.fromkeys(("key-rotate", "key-revoke"), key),
    **dict.fromkeys(("person", "person-remove", "person-role", "person-secrets", "person-again"), person),
    **dict.fromkeys(("person-second-factor", "person-switch"), person),
}

#: Signing in, and what concerns only whoever signs in: allauth's own, by their prefixes.
OWN_MATTERS = ("account_", "mfa_", "usersessions_")
#: The API's description and its guide: the same for everybody, tests/portal/test_api_docs.py.
EVERYBODY_READS = {"api-docs", "api-description", "api-guide", "api-changelog"}
#: Django's admin, for platform support.
STAFF = "admin"


@dataclass(frozen=True)
class Leaf:
    """One entry of the URL map."""

    space: str
    name: str
    route: str

    @property
    def known(self) -> bool:
        if self.space == STAFF:
            return True  # each of them is walked, whatever models it shows
        if self.space == "" and self.name in EVERYBODY_READS:
            return True
        table = {"v1": API, "": PAGES}.get(self.space, {})
        return self.name in table or (self.space == "" and self.name.startswith(OWN_MATTERS))


def leaves(patterns: Any = None, space: str = "", before: str = "") -> Iterator[Leaf]:
    """Every leaf of the URL map."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from leaves(entry.url_patterns, entry.namespace or space, route)
        elif isinstance(entry, URLPattern):
            yield Leaf(space, entry.name or "", route)


def api_urls(tenant: Tenant) -> dict[str, str]:
    """The API's addresses with this tenant's objects in them."""
    found = {
        name: reverse(f"v1:{name}", kwargs=args(tenant)) + _query(name, tenant)
        for name, args in API.items()
        if name != "nowhere"
    }
    return {**found, "nowhere": "/api/v1/no-such-thing/"}


def _query(name: str, tenant: Tenant) -> str:
    asked = {
        "settings-diff": f"?account={tenant.account.slug}&other_account={tenant.account.slug}",
        "device-files-diff": f"?other={tenant.phone.code}",
        "account-move": "?below=platform",
        "explain": f"?mac={tenant.phone.mac}&address=203.0.113.7",
        "raw-key-detail": f"?account={tenant.account.slug}&family=yealink",
    }
    return asked.get(name, f"?account={tenant.account.slug}" if name in ASKS_FOR_ACCOUNT else "")


def names_a_row(args: Args, tenant: Tenant) -> bool:
    """Whether the address itself names something of the tenant's; some names are everybody's."""
    return bool(args(tenant)) and args not in EVERYBODYS


def page_urls(tenant: Tenant) -> dict[str, str]:
    return {name: reverse(name, kwargs=args(tenant)) for name, args in PAGES.items()}


def own_urls() -> dict[str, str]:
    """The pages of signing in that can be asked for without naming anything."""
    own = [leaf for leaf in leaves() if leaf.space == "" and leaf.name.startswith(OWN_MATTERS)]
    return {leaf.name: reverse(leaf.name) for leaf in own if "<" not in leaf.route}


def staff_urls() -> list[str]:
    """The admin's addresses, with the first row there is wherever a row is named."""
    found = []
    for leaf in leaves():
        if leaf.space != STAFF or leaf.name in ("", "app_list", "view_on_site"):
            continue
        model = next((m for m in admin.site._registry if leaf.name.startswith(_admin_name(m))), None)
        row = model._default_manager.order_by("pk").first() if model is not None else None
        ids = {"object_id": str(row.pk) if row else "1"} if "object_id" in leaf.route else {}
        found.append(reverse(f"{STAFF}:{leaf.name}", kwargs=ids))
    return found


def _admin_name(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_"


def writes(tenant: Tenant) -> dict[str, list[tuple[str, Any]]]:
    """For each of the API's addresses that change something: the methods with a body that would do it."""
    slug, code = tenant.account.slug, str(tenant.phone.code)
    entered = {"account": slug, "mac": "00005e0053fe", "family": "yealink", "model": "T46S"}
    line = {"account": slug, "username": "999", "secret": "s3cret-of-999"}
    days_off = [{"day": f"{timezone.now() + timedelta(days=30):%Y-%m-%d}", "name": "Off"}]
    return {
        "me-notifications": [("put", {"choices": {"own-unlocks": "daily"}})],
        "account-list": [("post", {"parent": slug, "slug": "below", "name": "Below"})],
        "account-detail": [("patch", {"name": "Renamed"})],
        "account-delete": [("post", {"slug": slug})],
        "account-restore": [("post", {})],
        "account-move": [("post", {"below": "platform"})],
        "api-key-list": [("post", {"account": slug, "name": "Mine", "role": "viewer"})],
        "api-key-detail": [("delete", None)],
        "api-key-rotate": [("post", {"overlap_hours": 1})],
        "device-list": [("post", entered)],
        "import-list": [("post", {"account": slug, "rows": [{"mac": "00005e0053fc", "model": "T46S"}]})],
        "import-run": [("post", {})],
        "device-detail": [("patch", {"name": "Renamed"}), ("delete", None)],
        "device-appearances": [("put", [])],
        "device-keys": [("put", [{"position": 4, "kind": "blf", "value": "208"}])],
        "profile-list": [("post", {"account": slug, "name": "Desks", "family": "yealink"})],
        "profile-detail": [("patch", {"name": "Renamed"}), ("delete", None)],
        "profile-apply": [("post", {"devices": [code]})],
        "profile-take-off": [("post", {"devices": [code]})],
        "device-unlock": [("post", {"for": "24h"})],
        "device-allow": [("post", {})],
        "bulk-preview": [("post", {"account": slug, "do": "lock"})],
        "device-unlock-links": [("post", {"given_to": "Fitter"})],
        "device-unlock-link": [("delete", None)],
        "device-lock": [("post", {})],
        "device-rearm": [("post", {})],
        "device-quarantine": [("post", {"reason": "Stolen"})],
        "device-release": [("post", {"reason": "Found again"})],
        "device-take-back": [("post", {})],
        "device-retire": [("post", {})],
        "device-swap": [("post", {"mac": "00005e0053fd"})],
        "device-move": [("post", {"account": "harbour"})],
        "device-clone": [("post", {"decision": "moved"})],
        "extension-new-secret": [("post", {})],
        "extension-expose": [("post", {})],
        "person-list": [
            ("post", {"account": slug, "email": "new@example.net", "name": "New", "role": "user"})
        ],
        "person-detail": [("patch", {"role": "user"}), ("delete", None)],
        "person-invite": [("post", {})],
        "person-reset-second-factor": [("post", {})],
        "policy-detail": [("put", {"account": slug, "value": 2}), ("delete", None)],
        "setting-detail": [("put", {"account": slug, "value": 2}), ("delete", None)],
        "raw-key-detail": [
            ("put", {"account": slug, "family": "yealink", "value": "5"}),
            ("delete", None),
        ],
        "extension-list": [("post", line)],
        "contact-list": [("post", {"account": slug, "name": "Taxi", "number": "33"})],
        "contact-detail": [("patch", {"name": "Renamed"}), ("delete", None)],
        "contact-bring-in": [("post", {"account": slug, "table": "Name;Number\nTaxi;33", "keep": True})],
        "extension-detail": [("patch", {"display_name": "Renamed"}), ("delete", None)],
        "site-list": [("post", {"account": slug, "name": "New", "networks": []})],
        "site-detail": [("patch", {"name": "Renamed"}), ("delete", None)],
        "site-closing-times": [("put", {"opening": None, "holidays": days_off})],
        "holidays": [("put", {"account": slug, "holidays": days_off})],
        "window-list": [("post", {"account": slug, "address": "192.0.2.99", "hours": 1, "devices": [code]})],
        "window-detail": [("delete", None)],
        "approval-detail": [("post", {"decision": "deny"})],
        "unlock-all": [("post", {"account": slug, "for": "24h"})],
        "incident-notes": [("post", {"note": "Called the site"})],
        "incident-close": [("post", {"reason": "A fire drill"})],
        "ban-list": [("post", {"network": "192.0.2.99", "hours": 1, "reason": "Scans"})],
        "ban-detail": [("delete", None)],
        "what-if": [("post", {"base": 5})],
        "webhook-list": [("post", {"account": slug, "name": "Ours", "url": "https://ours.example/"})],
        "webhook-detail": [("patch", {"name": "Renamed"}), ("delete", None)],
        "webhook-rotate": [("post", {"overlap_hours": 1})],
        "webhook-test": [("post", None)],
        "webhook-replay": [("post", {"since": "2026-01-01T00:00:00Z"})],
        "delivery-replay": [("post", None)],
        "ban-lift-mine": [("post", {})],
        "allowed-network-list": [
            (
                "post",
                {
                    "account": slug,
                    "network": "192.0.2.99",
                    "reason": "Ours",
                    "ends_at": f"{timezone.now() + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
                },
            )
        ],
        "allowed-network-detail": [("delete", None)],
        "allowed-network-grant": [("post", None)],
        "settings-preview": [("post", [{"account": slug, "name": "language", "value": "de"}])],
        "device-resync": [("post", {"reboot": True})],
        "resync": [("post", {"account": slug})],
        "bulk": [("post", {"account": slug, "do": "lock"})],
        "device-bulk": [("post", {"items": [{"op": "update", "code": code, "name": "Renamed"}]})],
        "extension-bulk": [("post", {"items": [{"op": "create", **line}]})],
        "appearance-bulk": [("post", {"items": [{"op": "update", "device": code, "rows": []}]})],
    }
