"""Phones: small programs that do what the vendors' manuals say a phone does with what it is served.

They know nothing of our code. `Phone(mac, agent, root_url, source_address).boot()` plays one boot, follows
the private URL that it is handed, and tells what the phone ended up with. `Crowd` plays thousands of them.
"""

from tests.simulator.crowd import Crowd, Member, Tally
from tests.simulator.listing import Listing
from tests.simulator.numbered import Numbered
from tests.simulator.phones import Include, Master, Outcome, Phone, Poll
from tests.simulator.reloading import Reloading
from tests.simulator.ruled import Ruled
from tests.simulator.talking import Asked, Line

__all__ = [
    "Asked",
    "Crowd",
    "Include",
    "Line",
    "Listing",
    "Master",
    "Member",
    "Numbered",
    "Outcome",
    "Phone",
    "Poll",
    "Reloading",
    "Ruled",
    "Tally",
]
