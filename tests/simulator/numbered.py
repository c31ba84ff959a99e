"""Phones that take a file by its number, poll by the hour, and believe DHCP before what they stored."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urljoin

from tests.simulator.phones import Handset, Outcome

SCHEMES = {"4": "http", "5": "https"}
#: How the two kinds of document spell where the phone asks.
PLACES = {
    "host": ("FlashServerIP", "Download_Server_IP"),
    "file": ("FlashFileName", "Config_File_Name"),
    "scheme": ("FlashProtocol", "Download_Protocol"),
    "mode": ("FlashMode", "Download_Mode"),
    "hours": ("FlashInterval", "Download_Interval"),
    "dhcp": ("DHCPOption", "DHCP_Option"),
}
#: What an account is called in the two kinds of document.
ACCOUNTS = {
    "line": ("PhoneNumber", "RegisterPswd", "EnableReg"),
    "SIP_Line_List_Entry": ("Phone_Number", "Register_Pswd", "Enable_Reg"),
}


class Numbered(Handset):
    """Asks its model's file and its own; what a file does not name stays as it is."""

    common = "F0V0V6700000.cfg"
    has_dhcp = True
    by_digest = False  # takes any file that differs; otherwise only one with a higher number
    factory_number = 2.0002

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.number = self.factory_number
        self.lines: dict[str, str] = {}
        self.taken = b""

    def factory_reset(self) -> None:
        super().factory_reset()
        self.number, self.lines, self.taken = self.factory_number, {}, b""

    async def boot_up(self) -> Outcome:
        outcome = Outcome()
        folder, own = self.root_url, f"{self.mac}.cfg"
        if not self.has_dhcp or self.settings.get("dhcp") == "0":
            folder, own = self._stored()
        await self.run(outcome, folder, own)
        for _ in range(2):  # the polls of its first hours
            if (self.settings.get("mode"), self.settings.get("hours")) != ("2", "1"):
                break
            await self.wait(outcome, 3600)
            await self.run(outcome, *self._stored())
        self.server = urljoin(*self._stored()).rpartition("/")[0] + "/"
        return self._end(outcome)

    def lives_at(self, url: str) -> None:
        scheme, _, place = url.rstrip("/").partition("://")
        number = next(number for number, name in SCHEMES.items() if name == scheme)
        own = {"host": place, "scheme": number, "file": "$mac.cfg", "mode": "2", "hours": "24", "dhcp": "0"}
        self.settings.update(own)

    def _stored(self) -> tuple[str, str]:
        if not self.settings.get("host"):
            return self.root_url, f"{self.mac}.cfg"
        scheme = SCHEMES[self.settings["scheme"]]
        return f"{scheme}://{self.settings['host']}/", self.settings["file"].replace("$mac", self.mac)

    async def run(self, outcome: Outcome, folder: str, own: str) -> None:
        """One look for news; a common file that is there might end it, so none may be."""
        if self.settings.get("host") is None:
            assert (await self.get(outcome, urljoin(folder, self.common))).status == 404
        answer = await self.get(outcome, urljoin(folder, own))
        if answer.status == 200:
            self.take(answer.body)
            self.loaded(outcome)

    def take(self, body: bytes) -> None:
        root = ElementTree.fromstring(body)
        assert root.tag in ("sysConf", "VOIP_CONFIG_FILE"), "any other document is not understood"
        number = float(root.findtext("Version") or root.findtext("version") or "0")
        if body == self.taken or not (self.by_digest or number > self.number):
            return
        self.number, self.taken = number, body
        for element in root.iter():
            for name, spellings in PLACES.items():
                if element.tag in spellings:
                    self.settings[name] = element.text or ""
            if element.tag in ACCOUNTS:
                user, secret, switch = (element.findtext(part) or "" for part in ACCOUNTS[element.tag])
                at = element.get("index") or re.sub(r"\D", "", element.findtext("ID") or "")
                self.lines.pop(at, None)
                if switch == "1":
                    self.lines[at] = f"{user}\n{secret}"

    def accounts(self) -> dict[str, str]:
        return dict(line.split("\n") for line in self.lines.values())
