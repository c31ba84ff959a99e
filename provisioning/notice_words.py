"""The kinds of e-mails in people's words: what each is about, and how one begins."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from provisioning.noticing import About, How

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Words:
    """A kind's name, what it means, and an e-mail of this kind as an example."""

    title: Text
    means: Text
    example: Text


WAYS: dict[How, Text] = {
    How.AT_ONCE: _("At once"),
    How.HOURLY: _("Once an hour at most"),
    How.DAILY: _("Once a day, at 07:00"),
    How.NEVER: _("Not at all"),
}

KINDS: dict[About, Words] = {
    About.WAITING: Words(
        _("Phones that wait for you"),
        _("A phone asked from a new place and was refused, or somebody may hold a copy of its private URL."),
        _("Acme: 2 phones wait for your answer"),
    ),
    About.BANS: Words(
        _("Bans on addresses of yours"),
        _("An address where your phones live is kept out. What works goes on; new setups fail there."),
        _("203.0.113.7 is banned until Fri 27 Nov, 14:52 CET. 50 phones of yours live there."),
    ),
    About.INCIDENTS: Words(
        _("Incidents"),
        _("Many phones came at once, a site or an account has gone silent, or something else is wrong."),
        _("Head office is silent: 31 of 32 phones have not asked since 03:00."),
    ),
    About.OWN_UNLOCKS: Words(
        _("End users who free their own phones"),
        _("Somebody pressed the button on My phones, and his phone may set itself up again, once."),
        _("Ben Hart lets his phone set itself up again, once, from 198.51.100.20 only."),
    ),
    About.NEW_PLACES: Words(
        _("Phones at new addresses"),
        _("A working phone fetched its file from an address that is new for it. Policies switch this on."),
        _("Acme: a phone at a new address"),
    ),
    About.RESETS: Words(
        _("Factory resets at home"),
        _("A phone was set up anew at the place it is locked to. Nobody had to do anything for that."),
        _("3 phones were set up anew at the places they are locked to, as after a factory reset."),
    ),
    About.OPEN_ENDS: Words(
        _("Unlocks without an end"),
        _("On Mondays: phones that have been unlocked until their first fetch for more than 7 days."),
        _("Acme: 2 phones are still unlocked"),
    ),
    About.YIELDED: Words(
        _("Phones that were taken off your list"),
        _("A phone that was never set up within 30 days gave way to somebody else who entered its MAC."),
        _("Lobby (00:00:5E:00:53:C7) was removed"),
    ),
    About.JOBS: Words(
        _("Jobs of yours that have finished"),
        _("Work on many phones that you started: unlocking, moving, importing."),
        _("Acme: unlock all of 200 phones has finished. 198 are done, 2 were skipped."),
    ),
    About.REFUSED_MACS: Words(
        _("Accounts that ask for MACs of others"),
        _("More than five times a day an account tried to add phones that are in use elsewhere."),
        _("Acme tried to add 6 MACs that are in use elsewhere."),
    ),
}
