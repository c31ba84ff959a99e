"""The events that other programs are told: when each of them is, what it is of, and which facts it names."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event; every fact that it names is always there, and null where it says nothing."""

    title: Words
    when: Words
    about: str  #: device, extension, window, address, site, account, incident or job
    facts: Mapping[str, Words]


_RULE = _("The number of the rule that decided.")
_BY = _("Who did it: a person, an API key, or the product itself.")
_ORIGIN = _("From where: an IPv4 address or an IPv6 /64.")
_UNTIL = _("Until when.")
_INCIDENT = _("The code of the incident.")
_TITLE = _("What is the matter, in a sentence.")
_NETWORK = _("The address or network.")
_WINDOW = _("The code of the window.")
_PHONES = _("How many phones.")
_QUIET = {
    "incident": _INCIDENT,
    "site": _("The code of the site; null for an account."),
    "name": _("The name of the place."),
    "since": _("Since when nothing, or too little, comes."),
    "title": _TITLE,
    "expected": _("How many phones, or check-ins, were expected."),
    "seen": _("How many came."),
}

KINDS: Mapping[str, Kind] = {
    "device.first_provisioned": Kind(
        _("Phone set up for the first time"),
        _(
            "A phone was let in for the first time since it was entered, armed again, swapped or moved here."
            " From now on it is locked to where it asked."
        ),
        "device",
        {"rule": _RULE, "origin": _ORIGIN},
    ),
    "device.locked": Kind(
        _("Phone locked"),
        _(
            "A person locked a phone again (E5) or lifted its quarantine (E8), the time in which it could"
            " first be set up is over (R3), or its lock followed it to where it stays (O4). What locks a"
            " phone by another event of this list is told by that one alone."
        ),
        "device",
        {
            "rule": _RULE,
            "by": _BY,
            "bound": _("To which site or address it is locked, where that has changed (O4)."),
        },
    ),
    "device.unlocked": Kind(
        _("Phone unlocked"),
        _(
            "A phone may set itself up anew, once: a person unlocked it, by himself or by his unlock link"
            " (E1, E2), with others (E3), by an answer (E14) or with the end of a suspicion (E8)."
        ),
        "device",
        {
            "rule": _RULE,
            "by": _BY,
            "until": _("Until when; null: until the first fetch."),
            "origin": _("The only address from which it may; null: from any."),
        },
    ),
    "device.unlock_used": Kind(
        _("Unlock used"),
        _("A phone was let in by its unlock (R7), or by its factory certificate, which ends it too (R5c)."),
        "device",
        {"rule": _RULE, "origin": _ORIGIN, "unlocked_by": _("Who had unlocked it.")},
    ),
    "device.unlock_expired": Kind(
        _("Unlock expired"),
        _("The time of an unlock is over, and the phone is locked as before (R8)."),
        "device",
        {"rule": _RULE, "ended": _("When its time was over.")},
    ),
    "device.refused": Kind(
        _("Phone refused"),
        _(
            "A request for a phone of the account was refused; told at most once an hour for each phone,"
            " origin and rule. It may be the phone, or somebody who claims to be it."
        ),
        "device",
        {"rule": _RULE, "origin": _ORIGIN, "address": _("The address itself.")},
    ),
    "device.suspected": Kind(
        _("Phone under suspicion"),
        _(
            "Signs of a thief put a phone under suspicion, or ended its unlock while it was (E7). Its private"
            " URL goes on."
        ),
        "device",
        {
            "rule": _RULE,
            "why": _("Which sign it was: origins, hours or clone."),
            "until": _UNTIL,
            "unlocked_by": _("Whose unlock was ended by it."),
        },
    ),
    "device.quarantined": Kind(
        _("Phone quarantined"),
        _("A person, or the policy on suspected clones, shut a phone out of everything (E8q)."),
        "device",
        {"rule": _RULE, "by": _BY, "reason": _("The reason that was given.")},
    ),
    "device.taken_back": Kind(
        _("Phone taken back"),
        _("A person undid the claims of whoever was let in wrongly; what those were given is dead (E16)."),
        "device",
        {
            "rule": _RULE,
            "by": _BY,
            "since": _("When the first of the undone claims was."),
            "claims": _("How many were undone."),
            "origins": _("From where they came."),
            "bound": _("To which site or address the phone is locked again; null: to none."),
        },
    ),
    "device.moved": Kind(
        _("Phone moved"),
        _(
            "A phone left the account for another one, or came from there (E17): each of the two is told its"
            " own part, and neither the other's name."
        ),
        "device",
        {"rule": _RULE, "by": _BY, "direction": _("away or here.")},
    ),
    "device.retired": Kind(
        _("Phone retired"),
        _("A person took a phone out of use (E19)."),
        "device",
        {"rule": _RULE, "by": _BY, "until": _("Until when its private URLs give a last file.")},
    ),
    "device.origin_drift": Kind(
        _("Phone used from a new place"),
        _(
            "A phone checked in from elsewhere than where it is locked to, and where its private URL had not"
            " been used before; once for each such place (O4). An emergency address may be wrong now."
        ),
        "device",
        {
            "rule": _RULE,
            "origin": _ORIGIN,
            "warning": _("A sentence about emergency calls, in English."),
        },
    ),
    "device.quiet": Kind(
        _("Phone quiet"),
        _(
            "A phone did not check in for 1.25 times its interval and two hours. Told once, by the next"
            " round, but not while the whole platform is quiet; nobody waits for a phone that is disabled,"
            " retired or in quarantine."
        ),
        "device",
        {"since": _("Since when it is quiet."), "last": _("When it last checked in.")},
    ),
    "device.back": Kind(
        _("Phone back"),
        _("A phone that was quiet has checked in."),
        "device",
        {"last": _("When it had last checked in before."), "origin": _ORIGIN},
    ),
    "clone.suspected": Kind(
        _("Clone suspected"),
        _("Two parties hold private URLs of one phone (T3). Both are served until a person has answered."),
        "device",
        {"rule": _RULE, "origin": _("From where the former private URL was used.")},
    ),
    "appearance.changed": Kind(
        _("Lines changed"),
        _("A phone shows other lines, or shows them differently, than before."),
        "device",
        {
            "by": _BY,
            "lost": _("The lines that are gone: each with position, extension, label and ring."),
            "added": _("Those that are new, likewise."),
        },
    ),
    "extension.secret_changed": Kind(
        _("SIP secret changed"),
        _(
            "An extension has another SIP secret, which is not told here. The switch must learn it before the"
            " phones fetch their new files (E15)."
        ),
        "extension",
        {
            "rule": _RULE,
            "by": _BY,
            "extension": _("The code of the extension."),
            "username": _("Its user name."),
            "phones": _("How many phones show it."),
        },
    ),
    "approval.pending": Kind(
        _("Approval pending"),
        _("A phone was refused where a person may let it in, and its card is open now (E14)."),
        "device",
        {
            "rule": _RULE,
            "approval": _("The code of the approval."),
            "origin": _ORIGIN,
            "address": _("The address itself."),
            "until": _("Until when it can be answered."),
        },
    ),
    "window.opened": Kind(
        _("Window opened"),
        _("A person opened a provisioning window, from now on or from its start on (E4)."),
        "window",
        {
            "rule": _RULE,
            "by": _BY,
            "window": _WINDOW,
            "origin": _ORIGIN,
            "starts": _("From when on."),
            "until": _UNTIL,
            "phones": _("How many phones it may serve."),
        },
    ),
    "window.used": Kind(
        _("Window used"),
        _("A phone was let in by a window (R2, R5). Told to the account of the window."),
        "window",
        {"rule": _RULE, "window": _WINDOW, "origin": _ORIGIN},
    ),
    "window.closed": Kind(
        _("Window closed"),
        _("A window is over: a person closed it (E5), or its time has ended (E6)."),
        "window",
        {"rule": _RULE, "by": _BY, "window": _WINDOW, "origin": _ORIGIN},
    ),
    "address.banned": Kind(
        _("Address banned"),
        _(
            "An address where phones of the account live was banned or blocked; also when the first of them"
            " is seen there while the ban stands (B1, B7)."
        ),
        "address",
        {
            "rule": _RULE,
            "network": _NETWORK,
            "standing": _("banned or blocked."),
            "until": _UNTIL,
            "phones": _("How many phones of the account live there."),
            "incident": _INCIDENT,
        },
    ),
    "address.unbanned": Kind(
        _("Address no longer banned"),
        _(
            "The ban or block is over or was lifted. Not told where a person has closed the incident about it"
            " before."
        ),
        "address",
        {"network": _NETWORK, "how": _("How it ended, in a sentence."), "incident": _INCIDENT},
    ),
    "address.storm": Kind(
        _("Many phones at once"),
        _("Very many phones asked behind one address within a minute; no ban comes of that (B2)."),
        "address",
        {
            "rule": _RULE,
            "network": _NETWORK,
            "phones": _("How many of the account, as far as it is known at that moment."),
            "incident": _INCIDENT,
        },
    ),
    "site.quiet": Kind(
        _("Site quiet"),
        _("The phones of a site do not check in as they should."),
        "site",
        _QUIET,
    ),
    "account.quiet": Kind(
        _("Account quiet"),
        _("The phones of an account, at no site of which alone it is, do not check in as they should."),
        "account",
        _QUIET,
    ),
    "incident.opened": Kind(
        _("Incident opened"),
        _("An incident was opened in the account; those of the whole platform belong to the platform's."),
        "incident",
        {
            "incident": _INCIDENT,
            "kind": _("What kind of incident it is."),
            "title": _TITLE,
            "network": _("The address or network, where it is about one."),
        },
    ),
    "incident.closed": Kind(
        _("Incident closed"),
        _("An incident ended by itself, or a person closed it."),
        "incident",
        {
            "incident": _INCIDENT,
            "kind": _("What kind of incident it was."),
            "title": _TITLE,
            "how": _("How it ended, in a sentence."),
            "by": _("Who closed it; null: it ended by itself."),
        },
    ),
    "job.finished": Kind(
        _("Job finished"),
        _("Work on many phones is done: each of them has its result."),
        "job",
        {
            "job": _("The code of the job."),
            "kind": _("What kind of job it was."),
            "by": _("Who started it."),
            "total": _PHONES,
            "done": _("For how many it was done."),
            "skipped": _("How many were skipped."),
        },
    ),
}
