"""What happens to phones and concerns the app above; provisioning/receivers.py listens."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from accounts.scope import Actor


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """One line for the log of each phone concerned."""

    what: str
    by: Actor
    at: datetime
    details: dict[str, Any] = field(default_factory=dict)


#: What some phones' files say has changed. Keywords: device_ids, event (a PhoneEvent, or None where the
#: change is told in another phone's log). Sent inside the transaction that changed it; a receiver may refuse.
phones_changed = Signal()

#: An extension has another SIP secret. Keywords: extension, by, at; phones, how many show it. Sent likewise.
secret_changed = Signal()

#: A setting of an account, and so of all below it, has changed. Keywords: account; reached, which names the
#: phones for which another value holds now, whenever it is asked. Sent likewise.
settings_changed = Signal()

#: What the company directory of an account says has changed. Keyword: account. Sent likewise; no phone's own
#: file says any of it.
directory_changed = Signal()
