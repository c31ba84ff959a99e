"""What each role may do, read by everybody who is signed in."""

from dataclasses import dataclass
from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from accounts.guards import PageRequest, signed_in
from accounts.models import Membership
from accounts.role_words import MEANS, NAMES
from accounts.roles import POWERS, RANK, Power, Role

#: The powers that a role adds to those of the one before it.
HEADINGS: dict[Role | None, str | Promise] = {
    Role.USER: gettext_lazy("Everybody with a phone"),
    Role.VIEWER: gettext_lazy("From viewer upwards"),
    Role.MANAGER: gettext_lazy("From manager upwards"),
    Role.RESELLER: gettext_lazy("From reseller upwards"),
    Role.SUPPORT: gettext_lazy("Platform support alone"),
    None: gettext_lazy("Given to a person by name, never by a role"),
}


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One power: what it lets somebody do, and for each role whether it has it."""

    means: str | Promise
    lowest: Role | None
    has: list[tuple[str, bool]]


def power_rows() -> list[PowerRow]:
    """The table, the powers of the lowest role first."""
    rows = [
        PowerRow(
            means=MEANS[power],
            lowest=next((role for role in RANK if power in POWERS[role]), None),
            has=[(str(NAMES[role]), power in POWERS[role]) for role in RANK],
        )
        for power in Power
    ]
    return sorted(rows, key=lambda row: RANK.index(row.lowest) if row.lowest else len(RANK))


@signed_in
def powers(request: PageRequest) -> HttpResponse:
    groups = [
        {"heading": HEADINGS[lowest], "rows": list(rows)}
        for lowest, rows in groupby(power_rows(), key=lambda row: row.lowest)
    ]
    manages = request.actor.may_anywhere(Power.SEE_ACCOUNT)
    seers = Membership.objects.reachable_by(request.actor, Power.EDIT_PEOPLE).filter(sees_secrets=True)
    context = {
        "section": "powers",
        "seers": seers.select_related("user", "account").order_by("account__path", "user__email"),
        "groups": groups,
        "roles": [str(NAMES[role]) for role in RANK],
        "own": {str(NAMES[standing.role]) for standing in request.actor.standings},
        "manages": manages,
        "shell": "base.html" if manages else "person.html",
    }
    return render(request, "accounts/powers.html", context)
