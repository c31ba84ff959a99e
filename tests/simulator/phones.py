"""Three ways to a private URL: an include in a boot file, a poll within the minute, a master file."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from urllib.parse import urljoin

from tests.simulator.talking import Asked, Line, at_once

MOST_STEPS = 60  # a boot that asks more often than this goes round in circles
A_REQUEST = 1  # simulated seconds that a request takes
A_RESTART = 60


@dataclass
class Outcome:
    """What a phone holds after a boot: its settings, where it asks next, and everything it asked."""

    settings: dict[str, str] = field(default_factory=dict)
    server: str = ""  # the stored URL: where the next boot begins
    asked: list[Asked] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)  # user name -> SIP password
    seconds: int = 0  # simulated, since the phone got power
    full_after: int | None = None  # seconds until it had the file with its accounts

    @property
    def moved(self) -> bool:
        """Whether the phone's stored address is its private URL now."""
        return re.search(r"/d/[a-z0-9]{40}/?$", self.server) is not None

    @property
    def statuses(self) -> list[tuple[str, int]]:
        """Method, last part of the name, and status of each request, for messages."""
        return [(f"{one.method} {one.url.rsplit('/', 1)[-1]}", one.status) for one in self.asked]

    def secret_of(self, username: str) -> str | None:
        """The SIP password under which the phone would register this user."""
        return self.secrets.get(username)


class Handset:
    """What every phone does: remembers its stored URL and asks with its agent."""

    claiming: tuple[str, ...] = ()
    # What a phone that is patient does about a file that does not come: how often it asks in all, how many
    # seconds apart, and after which answers. Where no manual says anything it waits for its next poll.
    tries = 1
    pause = 0.0
    asks_again_after_404 = False
    # Whether it asks for the next file over the same connection. Not settled is the harder one.
    keeps_line = False

    def __init__(
        self,
        mac: str,
        agent: str,
        root_url: str,
        source_address: str = "127.0.0.1",
        *,
        connect_to: tuple[str, int] | None = None,
        headers: dict[str, str] | None = None,
        line: Line | None = None,
    ) -> None:
        self.mac = mac
        self.agent = agent
        self.root_url = _folder(root_url)
        self.server = self.root_url
        self.line = line or Line(source_address, connect_to=connect_to, headers=headers)
        self.patient = False
        self.settings: dict[str, str] = {}
        self.etags: dict[str, str] = {}

    def boot(self) -> Outcome:
        """Play one boot, with the polls that its first minutes bring, from the stored URL."""
        return at_once(self.boot_up())

    async def boot_up(self) -> Outcome:
        """As `boot`, for a phone among thousands."""
        raise NotImplementedError

    def lives_at(self, url: str) -> None:
        """It was set up before, and asks at this private URL."""
        self.server = _folder(url)

    def factory_reset(self) -> None:
        """Forget everything; DHCP gives the root URL again."""
        self.server, self.settings, self.etags = self.root_url, {}, {}

    async def get(
        self, outcome: Outcome, url: str, *, method: str = "GET", body: bytes | None = None
    ) -> Asked:
        """Ask, and remember that it was asked; a patient phone asks again for what did not come."""
        answer = await self._ask(outcome, url, method, body)
        for _ in range(self.tries - 1 if self.patient else 0):
            if not (answer.status in (0, 503) or (answer.status == 404 and self.asks_again_after_404)):
                break
            await self.wait(outcome, self.pause)
            answer = await self._ask(outcome, url, method, body)
        return answer

    async def _ask(self, outcome: Outcome, url: str, method: str, body: bytes | None) -> Asked:
        assert len(outcome.asked) < MOST_STEPS, outcome.statuses
        answer = await self.line.ask(url, self.agent, method=method, body=body)
        outcome.asked.append(answer)
        outcome.seconds += A_REQUEST
        return answer

    async def wait(self, outcome: Outcome, seconds: float) -> None:
        """Let time go by: what is only counted for one phone alone is waited for, fast, among thousands."""
        outcome.seconds += round(seconds)
        await self.line.wait(seconds)

    def loaded(self, outcome: Outcome) -> None:
        """Take down when the accounts came."""
        if outcome.full_after is None and self.accounts():
            outcome.full_after = outcome.seconds

    def _end(self, outcome: Outcome) -> Outcome:
        outcome.settings = dict(self.settings)
        outcome.server = self.server
        outcome.secrets = self.accounts()
        return outcome

    def accounts(self) -> dict[str, str]:
        """User name and password of every line that is switched on."""
        raise NotImplementedError


class Lines(Handset):
    """A phone whose files are lines of `key = value`."""

    common = "y000000000000.cfg"
    tries, pause, asks_again_after_404 = 3, 5.0, True

    def accounts(self) -> dict[str, str]:
        found = {}
        for key, value in self.settings.items():
            if (at := re.fullmatch(r"account\.(\d+)\.enable", key)) and value == "1":
                name = self.settings.get(f"account.{at[1]}.user_name", "")
                found[name] = self.settings.get(f"account.{at[1]}.password", "")
        return found

    def load(self, body: bytes) -> None:
        """Take over every setting of a file; what it does not name stays as it is."""
        text = body.decode("utf-8")
        assert text.startswith("#!version:1.0.0.1\n"), "the phone ignores a file without its version line"
        for line in text.splitlines():
            if line.startswith("#") or "=" not in line:
                continue
            key, _, value = line.partition("=")
            self.settings[key.strip()] = value.strip()
        for name in ("static.auto_provision.server.url", "auto_provision.server.url"):
            if self.settings.get(name):
                self.server = _folder(self.settings[name])
                return

    def value(self, name: str) -> str:
        """A provisioning key in the spelling of either generation."""
        return self.settings.get(f"static.{name}", self.settings.get(name, ""))

    def polls_soon(self) -> bool:
        """Whether the phone asks again within a few minutes."""
        minutes = self.value("auto_provision.repeat.minutes")
        return self.value("auto_provision.repeat.enable") == "1" and 0 < int(minutes or 0) <= 5


class Include(Lines):
    """Asks its boot file, and fetches what that includes, in the same run."""

    async def boot_up(self) -> Outcome:
        outcome = Outcome()
        for _ in range(3):  # the boot, and the polls of its first minutes
            began_at = self.server
            await self.run(outcome)
            if self.server == began_at and not self.polls_soon():
                break
            if self.polls_soon():
                await self.wait(outcome, 60 * int(self.value("auto_provision.repeat.minutes")))
        return self._end(outcome)

    async def run(self, outcome: Outcome) -> None:
        """One run of the updater."""
        boot = await self.get(outcome, urljoin(self.server, f"{self.mac}.boot"))
        if boot.status != 200:
            boot = await self.get(outcome, urljoin(self.server, "y000000000000.boot"))
        if boot.status == 200:
            text = boot.body.decode("utf-8")
            assert text.startswith("#!version:1.0.0.1\n")
            for name in re.findall(r'^include:config\s+["<]([^">]+)[">]', text, re.MULTILINE):
                assert name.endswith(".cfg"), "an include names a .cfg file"
                await self.fetch(outcome, urljoin(boot.url, name))
            return
        await self.fetch(outcome, urljoin(self.server, self.common))
        await self.fetch(outcome, urljoin(self.server, f"{self.mac}.cfg"))

    async def fetch(self, outcome: Outcome, url: str) -> None:
        answer = await self.get(outcome, url)
        if answer.status == 200:
            self.load(answer.body)
            self.loaded(outcome)


class Poll(Include):
    """Knows no boot files: stores the new address and asks there a minute later."""

    async def run(self, outcome: Outcome) -> None:
        began_at = self.server
        await self.fetch(outcome, urljoin(began_at, self.common))
        await self.fetch(outcome, urljoin(began_at, f"{self.mac}.cfg"))


class Master(Handset):
    """Asks a master file, fetches what it lists, and restarts when its server changed."""

    tries, pause = 3, 1.0  # redunAttemptLimit, redunInterAttemptDelay
    keeps_line = True

    async def boot_up(self) -> Outcome:
        outcome = Outcome()
        for _ in range(3):
            began_at = self.server
            await self.run(outcome)
            if self.server == began_at:
                break
            await self.wait(outcome, A_RESTART)
        return self._end(outcome)

    async def run(self, outcome: Outcome) -> None:
        """One boot: the updater and the application both ask for the master."""
        url = urljoin(self.server, f"{self.mac}.cfg")
        master = await self.get(outcome, url)
        application = await self.get(outcome, url)
        if application.status != 200:
            await self.get(outcome, urljoin(self.server, "000000000000.cfg"))
            return
        assert (master.status, master.body) == (200, application.body), "the same answer to both"
        root = ElementTree.fromstring(application.body)
        assert root.tag == "APPLICATION", "any other document under this name resets the phone"
        loaded: dict[str, str] = {}
        for name in filter(None, (part.strip() for part in root.get("CONFIG_FILES", "").split(","))):
            answer = await self.get(outcome, urljoin(url, name))
            if answer.status != 200:
                return  # what is stored stays
            for element in ElementTree.fromstring(answer.body).iter():
                for key, value in element.attrib.items():
                    loaded.setdefault(key, value)  # the left-most file wins
        self.settings = loaded  # ordinary settings are built anew by every good load
        self.loaded(outcome)
        for override in ("-phone.cfg", "-web.cfg"):
            folder = _folder(root.get("OVERRIDES_DIRECTORY") or self.server)
            await self.get(outcome, urljoin(folder, f"{self.mac}{override}"))
        self._move()
        folder = _folder(root.get("LOG_FILE_DIRECTORY") or self.server)
        await self.get(outcome, urljoin(folder, f"{self.mac}-app.log"), method="PUT", body=b"log")

    def _move(self) -> None:
        if self.settings.get("device.set") != "1" or self.settings.get("device.prov.serverName.set") != "1":
            return
        scheme = {"HTTP": "http", "2": "http", "HTTPS": "https", "3": "https"}[
            self.settings["device.prov.serverType"]
        ]
        name = self.settings["device.prov.serverName"]
        self.server = _folder(name if "://" in name else f"{scheme}://{name}")

    def accounts(self) -> dict[str, str]:
        found = {}
        for key, value in self.settings.items():
            if at := re.fullmatch(r"reg\.(\d+)\.address", key):
                found[value] = self.settings.get(f"reg.{at[1]}.auth.password", "")
        return found


def Phone(  # noqa: N802  (a phone is what it makes)
    mac: str,
    agent: str,
    root_url: str,
    source_address: str = "127.0.0.1",
    *,
    connect_to: tuple[str, int] | None = None,
    headers: dict[str, str] | None = None,
    line: Line | None = None,
) -> Handset:
    """Return the phone that sends this agent."""
    from tests.simulator.listing import Listing
    from tests.simulator.numbered import Numbered
    from tests.simulator.reloading import Reloading
    from tests.simulator.ruled import Ruled

    kind: type[Handset] = Include
    if "Polycom" in agent or "PolyEdge" in agent:
        kind = Master
    elif "snom" in agent.lower():
        kind = Listing
    elif agent.startswith("Fanvil"):
        kind = Numbered
    elif agent.startswith("Grandstream"):
        kind = Reloading
    elif agent.startswith(("Cisco", "Linksys")):
        kind = Ruled
    elif re.search(r" \d+\.(?:7\d|80)\.", agent):
        kind = Poll
    return kind(mac, agent, root_url, source_address, connect_to=connect_to, headers=headers, line=line)


def _folder(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"
