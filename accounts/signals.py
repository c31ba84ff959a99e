"""What happens to accounts and concerns the apps above; provisioning/receivers.py listens."""

from django.dispatch import Signal

#: An account was switched off or on. Keywords: account. Sent inside the transaction that switched it.
account_switched = Signal()

#: A customer is about to be moved below another account (E18), and its row and those below it are held.
#: Keywords: account. Receivers hold what the move concerns, or refuse it.
account_moving = Signal()

#: It stands there now, with all below it. Keywords: account, old_path, by, now. Sent in the same transaction.
account_moved = Signal()
