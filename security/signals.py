"""What happens to addresses and concerns the apps above; provisioning/receivers.py listens."""

from django.dispatch import Signal

#: A ban or block was set or lifted. No keywords. Sent inside the transaction that did it.
addresses_changed = Signal()

#: A network was banned or blocked. Keyword: ban. Sent inside the transaction that did it, after the above.
network_banned = Signal()

#: A ban or block was ended before its time. Keyword: ban. Sent inside the transaction that did it.
ban_ended = Signal()
