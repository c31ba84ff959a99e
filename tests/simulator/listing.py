"""Phones that are given a list of setting files, and go through sources until one of them answers."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urljoin

from tests.simulator.phones import Handset, Outcome

FACTORY_ORDER = "redirection:stop pnp:stop dhcp:stop tr69:stop"
_MODEL = re.compile(r"snom ?(?P<model>\w+)", re.IGNORECASE)


class Listing(Handset):
    """Keeps what it is told for good; a changed address or order starts provisioning again at once."""

    has_dhcp = True  # option 66 names the root URL, at every boot
    dhcp_first = False  # what base stations may do: not settled, so both are played

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        found = _MODEL.search(self.agent)
        assert found is not None
        self.model = found["model"]

    @property
    def stored(self) -> str:
        """The setting server; empty stands for the vendor's own, which knows nothing of this phone."""
        return self.settings.get("setting_server", "")

    async def boot_up(self) -> Outcome:
        outcome = Outcome()
        for _ in range(4):
            before = (self.stored, self.settings.get("provisioning_order"))
            await self.run(outcome)
            if (self.stored, self.settings.get("provisioning_order")) != before:
                continue
            if (seconds := self.polls_after()) is None:
                break
            await self.wait(outcome, seconds)
        self.server = re.sub(r"[^/]*$", "", self.stored) or self.root_url
        return self._end(outcome)

    def lives_at(self, url: str) -> None:
        self.settings["setting_server"] = f"{url}{{mac}}.xml"

    def polls_after(self) -> int | None:
        """Seconds until it asks again, if that is soon."""
        periods = [int(self.settings.get("settings_refresh_timer", "0"))]
        if self.settings.get("prov_polling_enabled") == "on":
            periods.append(int(self.settings["prov_polling_period"]))
        return next((seconds for seconds in periods if 0 < seconds <= 300), None)

    async def run(self, outcome: Outcome) -> None:
        """Go through the sources; the first that answers ends the run."""
        addresses = {"redirection": self.stored, "dhcp": self.root_url if self.has_dhcp else ""}
        order = [source.partition(":")[0] for source in self._order().split()]
        if self.dhcp_first:
            order.sort(key=lambda source: source != "dhcp")
        for source in order:
            if (address := addresses.get(source)) and await self.provision(outcome, address):
                return

    def _order(self) -> str:
        return self.settings.get("provisioning_order", FACTORY_ORDER)

    async def provision(self, outcome: Outcome, address: str) -> bool:
        """Ask one source; whether it had something for this phone."""
        mac = self.mac.upper()
        if "{mac}" in address:
            return await self.fetch(outcome, address.replace("{mac}", mac))
        model = await self.fetch(outcome, urljoin(address, f"snom{self.model}.htm"))
        return await self.fetch(outcome, urljoin(address, f"snom{self.model}-{mac}.htm")) or model

    async def fetch(self, outcome: Outcome, url: str) -> bool:
        answer = await self.get(outcome, url)
        if answer.status != 200:
            return False
        root = ElementTree.fromstring(answer.body)
        assert root.tag in ("settings", "setting-files"), "any other document is not understood"
        for file in root.findall("file"):
            await self.fetch(outcome, file.attrib["url"])
        for element in root.iterfind("phone-settings/*"):
            number = element.get("idx")
            self.settings[f"{element.tag} {number}" if number else element.tag] = element.text or ""
        for element in root.iterfind("functionKeys/fkey"):
            self.settings[f"fkey {element.attrib['idx']}"] = element.text or ""
        self.loaded(outcome)
        return True

    def accounts(self) -> dict[str, str]:
        return {
            self.settings[f"user_name {number}"]: self.settings[f"user_pass {number}"]
            for number in range(1, 31)
            if self.settings.get(f"user_active {number}") == "on"
        }
