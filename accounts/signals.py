"""What happens to accounts and concerns the apps above; provisioning/receivers.py listens."""

from django.dispatch import Signal

#: An account was switched off or on. Keywords: account. Sent inside the transaction that switched it.
account_switched = Signal()
