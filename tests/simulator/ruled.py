"""Phones that follow up to four rules in order, each naming a file; a file may set the rules after it."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urljoin

from tests.simulator.phones import Handset, Outcome

RULES = ("Profile_Rule", "Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D")
_NEWER = re.compile(r"Cisco-CP-(?P<number>\d{4})-3PCC/")
_OLDER = re.compile(r"(?:Cisco/|Linksys/)(?P<model>(?:SPA|ATA)-?(?P<number>\w+?))(?:-MPP)?-")


class Ruled(Handset):
    """Keeps what a file does not name. A changed first rule waits for the next run."""

    # Some phones from the factory have a second rule; whether it is followed first is not settled.
    second_rule = True
    second_rule_first = False

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        if newer := _NEWER.match(self.agent):
            self.factory_rules = [f"/{newer['number']}-3PCC.xml"]
            self.factory_rules += [f"/Cisco/CP-{newer['number']}-3PCC/{self.mac}.cfg"] * self.second_rule
            self.trusts_all = True
            return
        older = _OLDER.match(self.agent)
        assert older is not None
        kind = older["model"][:3].lower()
        self.factory_rules = [f"/{kind}{older['number']}.cfg"]
        self.trusts_all = kind == "ata"  # the others trust certificates of their maker alone

    async def boot_up(self) -> Outcome:
        outcome = Outcome()
        await self.resync(outcome)
        for _ in range(2):
            if not 0 < (seconds := int(self.settings.get("Resync_Periodic", "0"))) <= 300:
                break
            await self.wait(outcome, seconds)
            await self.resync(outcome)
        self.server = re.sub(r"[^/]*$", "", self.settings.get(RULES[0], "")) or self.root_url
        return self._end(outcome)

    def lives_at(self, url: str) -> None:
        self.settings[RULES[0]] = f"{url}$MA.xml"

    async def resync(self, outcome: Outcome) -> None:
        """Follow the rules; each is read when its turn comes, so a file can set what follows."""
        if self.settings.get("Provision_Enable", "Yes") != "Yes":
            return
        first = [self.settings[RULES[0]]] if RULES[0] in self.settings else list(self.factory_rules)
        if self.second_rule_first:
            first.reverse()
        for rule in first:
            await self.follow(outcome, rule)
        for name in RULES[1:]:
            if rule := self.settings.get(name, ""):
                await self.follow(outcome, rule)

    async def follow(self, outcome: Outcome, rule: str) -> None:
        """Fetch one file; DHCP tells the server where the rule names none."""
        path = rule.replace("$MA", self.mac)
        assert "$" not in path, "a macro that this phone does not know"
        url = urljoin(self.root_url, path)
        if url.startswith("https://") and not self.trusts_all:
            return
        answer = await self.get(outcome, url)
        if answer.status != 200:
            return
        root = ElementTree.fromstring(answer.body)
        assert root.tag == "flat-profile", "any other document is not understood"
        for element in root.iter():
            if not len(element):
                self.settings[element.tag] = (element.text or "").strip()
        self.loaded(outcome)

    def accounts(self) -> dict[str, str]:
        return {
            self.settings[f"User_ID_{number}_"]: self.settings[f"Password_{number}_"]
            for number in range(1, 17)
            if self.settings.get(f"Line_Enable_{number}_") == "Yes"
        }
