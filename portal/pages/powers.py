"""What each role may do, read by everybody who is signed in."""

from dataclasses import dataclass
from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import render

from accounts.guards import PageRequest, signed_in
from accounts.models import Membership
from accounts.roles import MEANS, POWERS, RANK, Power, Role

#: The powers that a role adds to those of the one before it.
HEADINGS: dict[Role | None, str] = {
    Role.USER: "Everybody with a phone",
    Role.VIEWER: "From viewer upwards",
    Role.MANAGER: "From manager upwards",
    Role.RESELLER: "From reseller upwards",
    Role.SUPPORT: "Platform support alone",
    None: "Given to a person by name, never by a role",
}


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One power: what it lets somebody do, and for each role whether it has it."""

    means: str
    lowest: Role | None
    has: list[tuple[str, bool]]


def power_rows() -> list[PowerRow]:
    """The table, the powers of the lowest role first."""
    rows = [
        PowerRow(
            means=MEANS[power],
            lowest=next((role for role in RANK if power in POWERS[role]), None),
            has=[(role.value.capitalize(), power in POWERS[role]) for role in RANK],
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
        "roles": [role.value.capitalize() for role in RANK],
        "own": {standing.role.value.capitalize() for standing in request.actor.standings},
        "manages": manages,
        "shell": "base.html" if manages else "person.html",
    }
    return render(request, "accounts/powers.html", context)
