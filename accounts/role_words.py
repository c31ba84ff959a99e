"""What people read of roles and powers: their names, and what each lets somebody do."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from accounts.roles import Power, Role

#: The roles as pages call them.
NAMES: dict[Role, str | Promise] = {
    Role.USER: gettext_lazy("User"),
    Role.VIEWER: gettext_lazy("Viewer"),
    Role.MANAGER: gettext_lazy("Manager"),
    Role.RESELLER: gettext_lazy("Reseller"),
    Role.SUPPORT: gettext_lazy("Support"),
}

#: What each role is for, in a sentence.
MEANT_FOR: dict[Role, str | Promise] = {
    Role.USER: gettext_lazy("Sees the phones that are his own, and lets them set themselves up again."),
    Role.VIEWER: gettext_lazy("Sees everything of the account but secrets and files, and changes nothing."),
    Role.MANAGER: gettext_lazy("Runs the account: phones, lines, sites, approvals, people."),
    Role.RESELLER: gettext_lazy("Runs all customers of the reseller. Needs a second factor."),
    Role.SUPPORT: gettext_lazy(
        "Runs the platform: all accounts, bans, this site's staff pages. Needs a second factor."
    ),
}

#: What each power lets somebody do, in the words of the powers page.
MEANS: dict[Power, str | Promise] = {
    Power.OWN_PHONES: gettext_lazy("See the phones that are his own, and let them set themselves up again"),
    Power.SEE_ACCOUNT: gettext_lazy("See everything of the account but secrets, private URLs and files"),
    Power.UNLOCK_DEVICE: gettext_lazy("Unlock a phone, and lock it again"),
    Power.UNLOCK_ALL: gettext_lazy("Unlock many phones at once"),
    Power.OPEN_WINDOW: gettext_lazy("Open a window, and close it early"),
    Power.REARM_DEVICE: gettext_lazy("Make a phone new again, or have it ship on a date"),
    Power.ANSWER_APPROVAL: gettext_lazy("Answer for a phone that was refused"),
    Power.QUARANTINE_DEVICE: gettext_lazy("Quarantine a phone"),
    Power.EDIT_DEVICES: gettext_lazy("Add, change, swap and remove phones, their lines and keys"),
    Power.EDIT_EXTENSIONS: gettext_lazy(
        "Make and change extensions, give them new secrets without seeing one, and keep the company directory"
    ),
    Power.EDIT_SITES: gettext_lazy("Say which networks a site has"),
    Power.EDIT_SETTINGS: gettext_lazy("Change settings, and those policies that are the account's own"),
    Power.EDIT_PEOPLE: gettext_lazy("Add people and API keys up to his own role, and take them out"),
    Power.EDIT_WEBHOOKS: gettext_lazy(
        "Say which programs are told what happens, and look at what they were told"
    ),
    Power.TAKE_BACK: gettext_lazy(
        "Take a phone back from whoever has set it up, and answer a suspected clone"
    ),
    Power.RETIRE_DEVICE: gettext_lazy("Retire a phone"),
    Power.PROPOSE_ALLOWANCE: gettext_lazy("Propose that an address is allowed more failures"),
    Power.EDIT_RAW_KEYS: gettext_lazy("Add the vendors' own keys to the files of phones"),
    Power.EDIT_CUSTOMERS: gettext_lazy("Add, switch off and delete accounts below, and give them policies"),
    Power.GIVE_SECRETS: gettext_lazy("Let somebody else see secrets, or no more"),
    Power.RELEASE_DEVICE: gettext_lazy("Lift a quarantine or a suspicion, with a reason"),
    Power.MOVE_DEVICE: gettext_lazy("Move a phone to another account"),
    Power.GRANT_ALLOWANCE: gettext_lazy("Allow an address more failures"),
    Power.LIFT_BAN: gettext_lazy("Lift, set and list bans"),
    Power.BLOCK_ADDRESS: gettext_lazy("Block an address"),
    Power.MOVE_CUSTOMER: gettext_lazy("Move a customer below another reseller"),
    Power.USE_SWITCHES: gettext_lazy("Use the switches of the platform"),
    Power.EDIT_FEEDS: gettext_lazy("Change the feeds of the platform"),
    Power.WIDE_SITES: gettext_lazy("Give a site a network wider than a /24 or /48"),
    Power.STAFF_SITE: gettext_lazy("Look at every row on the staff pages"),
    Power.SEE_SECRETS: gettext_lazy(
        "See a secret or an unmasked file, each time with a second factor and in the audit"
    ),
}


def role_choices() -> list[tuple[str, str | Promise]]:
    """The roles with the names that pages show."""
    return [(role.value, NAMES[role]) for role in Role]
