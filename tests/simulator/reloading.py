"""Phones that ask a binary file, reload what it says, and go on to the XML of the server named there."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urljoin

from tests.simulator.phones import Handset, Outcome

#: Settings that have a name beside their number, with their values where those differ too.
NUMBERS: dict[str, tuple[str, dict[str, str]]] = {
    "provisioning.config.protocol": ("P212", {"HTTP": "1", "HTTPS": "2"}),
    "provisioning.config.serverPath": ("P237", {}),
    "provisioning.override.dhcp.allowCommonOptions": ("P145", {"No": "0", "Yes": "1"}),
    "provisioning.auto.mode": ("P194", {"No": "0", "YesUpgradeMin": "1", "YesUpgradeHourOfDay": "2"}),
    "provisioning.auto.minute": ("P193", {}),
    "account.1.enable": ("P271", {"No": "0", "Yes": "1"}),
    "account.1.sip.userid": ("P35", {}),
    "account.1.sip.subscriber.password": ("P34", {}),
}
_MODEL = re.compile(r"Model HW (?P<model>\w+)")
SHORTEST_POLL = 60  # minutes


class Reloading(Handset):
    """Keeps what a file does not name; believes DHCP before what it stored until it is told not to."""

    has_dhcp = True  # option 66 names the root URL, at every boot
    # What is not settled: whether the XML comes first on some, and ends the run; whether all read binaries.
    xml_first = False
    reads_binaries = True

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        found = _MODEL.search(self.agent)
        assert found is not None
        self.model = found["model"].lower()

    async def boot_up(self) -> Outcome:
        outcome = Outcome()
        if self.has_dhcp and self.settings.get("P145", "1") != "0":
            self.settings["P212"], self.settings["P237"] = _split(self.root_url)
        await self.run(outcome)
        for _ in range(2):
            if (minutes := self.polls_after()) is None:
                break
            await self.wait(outcome, minutes * 60)
            await self.run(outcome)
        self.server = self.stored
        return self._end(outcome)

    @property
    def stored(self) -> str:
        """The folder that it asks; the phone writes scheme and slash itself."""
        place = self.settings.get("P237", "")
        if not place:
            return self.root_url
        assert "://" not in place
        assert not place.endswith("/")
        scheme = {"1": "http", "2": "https"}[self.settings["P212"]]
        return f"{scheme}://{place}/"

    def lives_at(self, url: str) -> None:
        self.settings["P212"], self.settings["P237"] = _split(url)
        self.settings["P145"] = "0"

    def polls_after(self) -> int | None:
        """Minutes until it asks again, if it counts in minutes; that is another number on some models."""
        every = "3" if self.model.startswith(("ht", "gxv")) else "1"
        if "provisioning.auto.mode" in self.settings:  # the name means the same on all
            every = "1"
        if self.settings.get("P194") != every:
            return None
        return max(int(self.settings.get("P193", "10080")), SHORTEST_POLL)

    async def run(self, outcome: Outcome) -> None:
        """One look for news; a file that is not there leaves everything as it is."""
        own = (f"cfg{self.mac}", f"cfg{self.mac}.xml")
        found = False
        for name in reversed(own) if self.xml_first else own:
            answer = await self.get(outcome, urljoin(self.stored, name))
            if answer.status != 200:
                continue
            taken = self.take_xml(answer.body) if name.endswith(".xml") else self.take_binary(answer.body)
            found = found or taken
            if taken:
                self.loaded(outcome)
            if taken and self.xml_first:
                return
        if not found:
            for name in (f"cfg{self.model}.xml", "cfg.xml"):
                assert (await self.get(outcome, urljoin(self.stored, name))).status == 404

    def take_binary(self, body: bytes) -> bool:
        if not self.reads_binaries:
            return False
        words = [int.from_bytes(body[at : at + 2], "big") for at in range(0, len(body), 2)]
        assert sum(words) % 0x10000 == 0, "the phone drops a file whose words do not add up"
        assert int.from_bytes(body[:4], "big") == len(words)
        assert body[6:12].hex() == self.mac
        assert body[12:16] == b"\r\n\r\n"
        pairs = dict(pair.split("=") for pair in body[16:].rstrip(b"\0").decode("ascii").split("&"))
        assert pairs.pop("gnkey") == "0b82"
        self.settings.update(pairs)
        return True

    def take_xml(self, body: bytes) -> bool:
        root = ElementTree.fromstring(body)
        assert root.tag == "gs_provision", "any other document is not understood"
        config = root.find("config")
        assert config is not None
        for element in config:
            value = element.text or ""
            name = element.get("name", element.tag)
            if name in NUMBERS:
                number, values = NUMBERS[name]
                self.settings[number] = values.get(value, value)
            self.settings[name] = value
        return True

    def accounts(self) -> dict[str, str]:
        if self.settings.get("P271") != "1":
            return {}
        return {self.settings["P35"]: self.settings["P34"]}


def _split(folder: str) -> tuple[str, str]:
    """The scheme's number and host with path, as these phones store an address."""
    scheme, _, place = folder.partition("://")
    return {"http": "1", "https": "2"}[scheme], place.rstrip("/")
