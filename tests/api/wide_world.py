"""The world of the tests with a sub-account of acme, and a second reseller's customer."""

from dataclasses import dataclass

from accounts import tenants
from accounts.roles import Role
from tests.api.matrix import Place
from tests.second_factors import equipped
from tests.world import Tenant, World, actor, make_tenant, make_world, person_in


@dataclass
class WideWorld(World):
    """acme and globex are harbour's, depot is acme's, initech is lakeside's."""

    depot: Tenant
    initech: Tenant

    @property
    def places(self) -> dict[Place, Tenant]:
        """Whose things there are, as acme sees them."""
        return {
            Place.OWN: self.acme,
            Place.BELOW: self.depot,
            Place.SIBLING: self.globex,
            Place.FOREIGN: self.initech,
        }


def wide_world() -> WideWorld:
    small = make_world()
    sam, rita, acme = small.sam, small.rita, small.acme.account
    lakeside = tenants.create_account(small.platform, by=actor(sam), slug="lakeside", name="Lakeside Lines")
    lou = equipped(person_in(lakeside, sam, "lou@lakeside.example", "Lou Reseller", Role.RESELLER))
    depot = make_tenant(acme, (sam, rita), "depot", "Anvil Depot", ("Dan", "Viv", "Bea"), "00005e0053c")
    initech = make_tenant(
        lakeside, (sam, lou), "initech", "Initech Inks", ("Ida", "Vim", "Bo"), "00005e0053d"
    )
    return WideWorld(**vars(small), depot=depot, initech=initech)
