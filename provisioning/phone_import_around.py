"""What the rows of an import are judged by, looked up for all of them at once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.models import Account, Membership, User
from accounts.refusals import Invalid
from accounts.scope import Actor
from devices import profiles
from devices.models import Appearance, Device, Extension, Profile, ProfileKey, Site
from provisioning import entering, ledger, policies
from provisioning.models import MacRecord
from provisioning.phone_import_table import PhoneRow

CHUNK = 500


@dataclass(slots=True)
class Around:
    """All that a row is judged by, looked up for many rows at once; it learns from each row it has judged."""

    account: Account
    by: Actor
    now: datetime
    make_extensions: bool
    policy: policies.Effective
    holders: dict[str, Device]  #: the phones that have one of the MACs, with their locks, whosesoever
    remembered: dict[str, MacRecord]
    sites: dict[str, Site]
    people: dict[str, User]
    lines: dict[str, list[Extension]]
    showing: Counter[str]  #: how many phones show the extension of that user name
    profiles: dict[str, Profile]
    profile_keys: dict[int, list[ProfileKey]]
    seen: dict[str, int] = field(default_factory=dict)  #: MACs of rows before, with their lines
    made: dict[str, int] = field(default_factory=dict)  #: extensions that rows before make
    fits: dict[tuple[str, str, int, bool], str] = field(default_factory=dict)


def look_around(
    account: Account, rows: Sequence[PhoneRow], *, by: Actor, make_extensions: bool, now: datetime
) -> Around:
    """Look up all that these rows name, in a number of queries that does not grow with them."""
    macs = {mac for row in rows if (mac := bare_mac(row.get("mac")))}
    people = Membership.objects.visible_to(by).filter(
        account__path__in=account.ancestor_paths(),
        user__email__in={email for row in rows if (email := row.get("owner").lower())},
    )
    lines: dict[str, list[Extension]] = {}
    showing: Counter[str] = Counter()
    for names in _chunks({name for row in rows if (name := row.get("extension"))}):
        own = Extension.objects.filter(account=account, username__in=names)
        for extension in own.select_related("account").order_by("pk"):
            lines.setdefault(extension.username, []).append(extension)
        shown = Appearance.objects.filter(extension__account=account, extension__username__in=names)
        for name, _device in shown.order_by().values_list("extension__username", "device_id").distinct():
            showing[name] += 1
    holders: dict[str, Device] = {}
    remembered: dict[str, MacRecord] = {}
    for chunk in _chunks(macs):
        found = Device.objects.filter(mac__in=chunk).select_related("lock", "account").order_by()
        holders |= {device.mac: device for device in found}
        remembered |= ledger.entries(chunk)
    wanted_profiles = {name for row in rows if (name := row.get("profile"))}
    usable = list(profiles.usable(account)) if wanted_profiles else []
    profile_keys: dict[int, list[ProfileKey]] = {}
    for key in ProfileKey.objects.filter(profile__in=usable) if usable else ():
        profile_keys.setdefault(key.profile_id, []).append(key)
    return Around(
        account=account,
        by=by,
        now=now,
        make_extensions=make_extensions,
        policy=policies.effective(account),
        holders=holders,
        remembered=remembered,
        sites={site.name.casefold(): site for site in Site.objects.filter(account=account)},
        people={member.user.email.lower(): member.user for member in people.select_related("user")},
        lines=lines,
        showing=showing,
        # An account's own goes before one of the same name above it.
        profiles={
            profile.name.casefold(): profile
            for profile in sorted(usable, key=lambda profile: len(profile.account.path))
        },
        profile_keys=profile_keys,
    )


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))


def bare_mac(text: str) -> str:
    """The MAC's twelve digits; nothing when it is none."""
    try:
        return entering.read_mac(text)
    except Invalid:
        return ""
