"""The round over all places: silences are opened as incidents and end by themselves (section 7)."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from accounts import tenants
from accounts.models import Account
from accounts.said import Said
from devices.models import Site
from provisioning import (
    announcing_phones,
    draining,
    incidents,
    listening,
    quarters,
    quiet_causes,
    sentences,
    silence,
    silence_rounds,
    silence_words,
)
from provisioning.announcing import Happened
from provisioning.models import Incident, IncidentStep, Stamp, UnknownTime
from provisioning.quarters import PER_HOUR, PlaceKey
from provisioning.quiet_places import Days, Spot, Town, place
from provisioning.silence import Place, Quiet, Series, Test, bucket, moment
from provisioning.silence_rounds import Platform, Round
from provisioning.silence_words import Known

SUBJECT, ACCOUNT = "platform", "account"
FEW = 300  # places whose counts are asked for by name; beyond, all are read
TOLD_AGAIN = timedelta(days=1)  # a silence that a person closed is not told again before that
REMEMBERED = timedelta(days=28)

Unknown = Mapping[PlaceKey, frozenset[int]]


def look(now: datetime) -> Round:
    """Judge every place once; what is quiet becomes an incident, what is over ends."""
    read = listening.look(now)
    town = Town(now)
    looked = _Look(town, read)
    looked.end_what_is_over()
    found = looked.judge()
    looked.tell(found)
    return found


def look_at_phones(now: datetime) -> None:
    """Tell programs which single phones have gone quiet since the last round, and write down this one."""
    with transaction.atomic():
        draining.pause()  # whoever comes back meanwhile is told of after this
        looked = Stamp.objects.filter(name=listening.LOOKED).values_list("at", flat=True).first()
        read = max(listening.read_until(now), looked or now - listening.BACK)
        announcing_phones.announce_quiet(read)
        Stamp.objects.update_or_create(name=listening.LOOKED, defaults={"at": read})


class _Look:
    """One round: the places, what is known of the time, and the incidents that go on."""

    def __init__(self, town: Town, read: datetime) -> None:
        self.town, self.now, self.read = town, town.now, read
        self.open: dict[PlaceKey, Incident] = {}
        self.platform: Incident | None = None
        self.dismissed: set[PlaceKey] = set()
        self._read_incidents()
        self._days: Days | None = None
        self.unknown = self._unknown()
        self.platform_matters = self.platform is not None or self._is_short()
        self.asked = self._worth_a_look()
        self.hours = town.with_hours(spot for spot in self.asked.values() if self._is_overdue(spot))

    # --- what the rows say ---

    def _read_incidents(self) -> None:
        kinds = (Incident.Kind.SILENCE, Incident.Kind.PLATFORM)
        sites = {spot.code: spot.key for spot in self.town.spots.values() if spot.is_site}

        def key_of(row: Incident) -> PlaceKey:
            if row.subject == ACCOUNT:
                return (row.account_id, None)
            return sites.get(row.subject.removeprefix("site "), (None, row.pk))

        for row in Incident.objects.going_on().filter(kind__in=kinds).select_related("account", "site"):
            if row.kind == Incident.Kind.PLATFORM:
                self.platform = row
            else:
                self.open[key_of(row)] = row
        by_hand = IncidentStep.objects.filter(what=IncidentStep.What.ENDED).exclude(by="").values("incident")
        for row in Incident.objects.filter(
            kind=Incident.Kind.SILENCE, ended_at__gt=self.now - REMEMBERED, pk__in=by_hand
        ):
            key, ended = key_of(row), row.ended_at or self.now
            if self.now - ended < TOLD_AGAIN or self._has_not_spoken(key, ended):
                self.dismissed.add(key)

    def _has_not_spoken(self, key: PlaceKey, since: datetime) -> bool:
        spot = self.town.spots.get(key)
        return spot is not None and spot.newest is not None and spot.newest <= since

    def _unknown(self) -> Unknown:
        first = self.town.first_bucket
        return listening.unknown(first, bucket(self.now, PER_HOUR), self.now, read=self.read)

    def _is_overdue(self, spot: Spot) -> bool:
        return silence.all_overdue(spot.phones, self.now)

    def _untold(self, spot: Spot) -> Spot:
        """An account without the sites of which people are told already: they are no second silence."""
        told = {key for key in spot.parts if key != spot.key and key in self.open}
        if not told or spot.key in self.open:
            return spot
        gone = {pk for key in told for pk in self.town.spots[key].devices}
        kept = [pair for pair in zip(spot.devices, spot.phones, strict=True) if pair[0] not in gone]
        return replace(
            spot,
            parts=[key for key in spot.parts if key not in told],
            devices=[pk for pk, _ in kept],
            phones=[phone for _, phone in kept],
        )

    def _worth_a_look(self) -> dict[PlaceKey, Spot]:
        """The places that may be quiet by their phones' last check-ins, and those whose silence goes on."""
        return {
            key: spot
            for key, spot in ((spot.key, self._untold(spot)) for spot in self.town.spots.values())
            if key in self.open or self._is_overdue(spot) or silence.many_missing(spot.phones, self.now)
        }

    def days(self) -> Days:
        """The counts of the places that matter in this round, and of all together."""
        if self._days is None:
            accounts = {key[0] for key in self.asked if key[0] is not None}
            everybody = self.platform_matters or len(accounts) > FEW
            self._days = self.town.days(None if everybody else accounts)
        return self._days

    def _is_short(self) -> bool:
        """Whether all together are fewer than usual, so that a look at each account is worth its cost."""
        total = self.town.whole([self.town.days(()).get(quarters.ALL, {})], self.unknown)
        return bool(silence_rounds.short_windows(total, self.now))

    def _series(self, spot: Spot) -> Series:
        return self.town.series(spot, self.days(), self.unknown)

    def _whole(self) -> Series:
        """All check-ins but those of sites that know their days off: their holiday is no outage of ours."""
        days = self.days()
        parts = [key for spot in self.town.spots.values() if not spot.is_site for key in spot.parts]
        return self.town.whole([days[key] for key in parts if key in days], self.unknown)

    # --- the end ---

    def end_what_is_over(self) -> None:
        """End the silences that are over; their hours say nothing from then on."""
        for key, incident in list(self.open.items()):
            how = self._over(key, incident)
            if how is None:
                continue
            quiet = quiet_of(incident)
            with transaction.atomic():
                incidents.end(incident, how=how, now=self.now)
                if key in self.town.spots:
                    listening.keep_unknown(UnknownTime.Why.SILENCE, quiet.since, self.now, key)
            del self.open[key]
        if self.platform is not None and (how := self._platform_over(self.platform)):
            since = platform_of(self.platform).since
            with transaction.atomic():
                incidents.end(self.platform, how=how, now=self.now)
                until = moment(bucket(self.now, PER_HOUR) - 1, PER_HOUR)
                listening.keep_unknown(UnknownTime.Why.PLATFORM, since, until)
            self.platform = None
        self.unknown = self._unknown()

    def _over(self, key: PlaceKey, incident: Incident) -> str | None:
        spot = self.town.spots.get(key)
        if spot is None:
            return Said("The site was removed.")
        if not spot.phones:
            return Said("None of its phones is waited for any more.")
        quiet = quiet_of(incident)
        if not silence.is_over(place(spot, self._series(spot)), quiet, self.now):
            return None
        newest = spot.newest
        if newest is None or newest <= quiet.since:
            return Said("The phones that were waited for were taken away.")
        last = sentences.when(newest, spot.zone, now=self.now)
        return Said("Phones check in again, the last one {last}.", last=last)

    def _platform_over(self, incident: Incident) -> str | None:
        if not silence_rounds.platform_is_over(platform_of(incident), self._whole(), self.now):
            return None
        return Said("Check-ins come as usual again. The hours before count as unknown for every site.")

    # --- the judging ---

    def judge(self) -> Round:
        """What is quiet now, but for what is told already."""
        platform = self._judge_platform()
        found: list[tuple[Place, Quiet]] = []
        for key, spot in self.asked.items():
            if key in self.open or key in self.dismissed or spot.over in self.open or self._is_twin(spot):
                continue
            whole = place(spot, self._series(spot))
            quiet = None
            if key in self.hours:
                quiet = silence.judge(place(spot, whole.series, self.hours[key]), self.now)
            if quiet is None or quiet.test is not Test.PHONES:
                quiet = silence.judge(whole, self.now)
            if quiet is not None:
                found.append((whole, quiet))
        return silence_rounds.fold(found, platform)

    def _judge_platform(self) -> Platform | None:
        whole = self._whole()
        if whole.unknown(whole.end - 1, whole.end):
            return silence_rounds.judge_platform((), whole, self.now)
        if not self.platform_matters:
            return None
        accounts = [
            Place(str(spot.key), self._series(spot), ())
            for spot in self.town.spots.values()
            if not spot.is_site and spot.phones
        ]
        return silence_rounds.judge_platform(accounts, whole, self.now)

    def _is_twin(self, spot: Spot) -> bool:
        """An account all of whose phones are at one site is that site: it is named, not the account."""
        if spot.is_site:
            return False
        return any(
            len(self.town.spots[key].phones) == len(spot.phones) for key in spot.parts if key != spot.key
        )

    # --- the telling ---

    def tell(self, found: Round) -> None:
        """Open the incidents; while the platform itself is silent, nobody else is told of."""
        if found.platform is not None and self.platform is None:
            self.platform = self._open_platform(found.platform)
        if self.platform is not None:
            return
        spots = {str(key): spot for key, spot in self.asked.items()}
        for quiet in found.quiet:
            self._open(spots[quiet.place], quiet)

    def _open(self, spot: Spot, quiet: Quiet) -> None:
        if quiet.test is Test.PHONES and len(spot.phones) > quiet.expected:
            active = len([phone for phone in spot.phones if silence.is_quiet(phone, self.now)])
            quiet = replace(quiet, expected=active)
        known = quiet_causes.known(spot, since=quiet.since, now=self.now)
        site = Site.objects.filter(code=spot.code).first() if spot.is_site else None
        incidents.open_(
            Incident.Kind.SILENCE,
            account=Account.objects.get(pk=spot.account_id),
            subject=f"site {spot.code}" if spot.is_site else ACCOUNT,
            title=Said("{place} is quiet. {what}", place=spot.name, what=silence_words.what(quiet, known)),
            now=self.now,
            site=site,
            evidence={"facts": _facts(quiet, known), "state": _packed(quiet)},
            also=partial(_gone_quiet, spot, quiet),
        )

    def _open_platform(self, platform: Platform) -> Incident:
        top = tenants.platform()
        known = Known(now=self.now, zone=top.time_zone)
        return incidents.open_(
            Incident.Kind.PLATFORM,
            account=top,
            subject=SUBJECT,
            title=silence_words.what_platform(platform, known),
            now=self.now,
            evidence={"state": _packed(platform)},
        )


def _gone_quiet(spot: Spot, quiet: Quiet, incident: Incident) -> Happened:
    """What programs are told of it."""
    facts = {
        "incident": str(incident.code),
        "site": spot.code or None,
        "name": spot.name,
        "since": quiet.since,
        "title": incident.title,
        "expected": round(quiet.expected),
        "seen": quiet.seen,
    }
    kind, lane = ("site.quiet", f"site {spot.code}") if spot.is_site else ("account.quiet", "")
    return Happened(kind, incident.account, incident.opened_at, lane=lane, facts=facts)


def quiet_of(incident: Incident) -> Quiet:
    """The silence that an incident was opened for."""
    state = incident.evidence["state"]
    since, test = datetime.fromisoformat(state["since"]), Test(state["test"])
    return Quiet(**{**state, "since": since, "test": test})


def platform_of(incident: Incident) -> Platform:
    """The silence of the platform that an incident was opened for."""
    state = incident.evidence["state"]
    return Platform(**{**state, "since": datetime.fromisoformat(state["since"])})


def _packed(found: Quiet | Platform) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(found).items()
    }


def _facts(quiet: Quiet, known: Known) -> list[list[str]]:
    said = silence_words.cause(known)
    facts: list[list[str]] = [[Said("What is known"), sentence] for sentence in said]
    if quiet.chance is not None:
        hours = f"{1 / max(quiet.chance, 1e-99):.0e}"
        facts.append([Said("By chance"), Said("Once in {hours} such hours.", hours=hours)])
    return facts
