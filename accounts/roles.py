"""Role -> set of named powers (rules.md section 5). Pure."""

from enum import StrEnum


class Power(StrEnum):
    """One thing a person or an API key may do within the accounts it reaches."""

    OWN_PHONES = "own-phones"  # own phones seen, E2, E14 once from the own address, B6
    SEE_ACCOUNT = "see-account"
    UNLOCK_DEVICE = "unlock-device"  # E1, E2, E5
    UNLOCK_ALL = "unlock-all"  # E3
    OPEN_WINDOW = "open-window"  # E4, E5
    REARM_DEVICE = "rearm-device"  # E11
    ANSWER_APPROVAL = "answer-approval"  # E14
    QUARANTINE_DEVICE = "quarantine-device"  # E8q
    EDIT_DEVICES = "edit-devices"  # E12, lines and keys
    EDIT_EXTENSIONS = "edit-extensions"
    EDIT_SITES = "edit-sites"
    EDIT_SETTINGS = "edit-settings"
    EDIT_PEOPLE = "edit-people"
    EDIT_WEBHOOKS = "edit-webhooks"
    TAKE_BACK = "take-back"  # E16
    RETIRE_DEVICE = "retire-device"  # E19
    PROPOSE_ALLOWANCE = "propose-allowance"  # B8
    EDIT_RAW_KEYS = "edit-raw-keys"  # the vendor's own keys in a phone's file
    EDIT_CUSTOMERS = "edit-customers"
    GIVE_SECRETS = "give-secrets"  # gives and takes see-secrets, to others
    RELEASE_DEVICE = "release-device"  # E8
    MOVE_DEVICE = "move-device"  # E17
    GRANT_ALLOWANCE = "grant-allowance"  # B8
    LIFT_BAN = "lift-ban"  # B7
    BLOCK_ADDRESS = "block-address"
    MOVE_CUSTOMER = "move-customer"  # E18
    USE_SWITCHES = "use-switches"
    EDIT_FEEDS = "edit-feeds"
    WIDE_SITES = "wide-sites"  # an origin wider than a /24 or /48
    STAFF_SITE = "staff-site"
    SEE_SECRETS = "see-secrets"  # a power of its own, given to no role


class Role(StrEnum):
    """What a membership or an API key is in its account and the accounts below."""

    USER = "user"
    VIEWER = "viewer"
    MANAGER = "manager"
    RESELLER = "reseller"
    SUPPORT = "support"


_USER = frozenset({Power.OWN_PHONES})
_VIEWER = _USER | {Power.SEE_ACCOUNT}
_MANAGER = _VIEWER | {
    Power.UNLOCK_DEVICE,
    Power.UNLOCK_ALL,
    Power.OPEN_WINDOW,
    Power.REARM_DEVICE,
    Power.ANSWER_APPROVAL,
    Power.QUARANTINE_DEVICE,
    Power.EDIT_DEVICES,
    Power.EDIT_EXTENSIONS,
    Power.EDIT_SITES,
    Power.EDIT_SETTINGS,
    Power.EDIT_PEOPLE,
    Power.EDIT_WEBHOOKS,
    Power.TAKE_BACK,
    Power.RETIRE_DEVICE,
    Power.PROPOSE_ALLOWANCE,
}
_RESELLER = _MANAGER | {
    Power.EDIT_RAW_KEYS,
    Power.EDIT_CUSTOMERS,
    Power.GIVE_SECRETS,
    Power.RELEASE_DEVICE,
    Power.MOVE_DEVICE,
    Power.GRANT_ALLOWANCE,
}
_SUPPORT = frozenset(Power) - {Power.SEE_SECRETS}

POWERS: dict[Role, frozenset[Power]] = {
    Role.USER: _USER,
    Role.VIEWER: _VIEWER,
    Role.MANAGER: _MANAGER,
    Role.RESELLER: _RESELLER,
    Role.SUPPORT: _SUPPORT,
}

RANK: tuple[Role, ...] = (Role.USER, Role.VIEWER, Role.MANAGER, Role.RESELLER, Role.SUPPORT)


def may_give(giver: Role, role: Role) -> bool:
    """Whether somebody with this role may make people and keys with that one: his own rank and below."""
    return Power.EDIT_PEOPLE in POWERS[giver] and RANK.index(role) <= RANK.index(giver)
