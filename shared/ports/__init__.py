"""What the core's surroundings promise. Adapters are judged by these docstrings (tests/contract).

Every call names the space: a call without one cannot be written down. (Of people, devices and who may open which
space: shared/ports/access.py.)
"""

from shared.ports.active_shares import ActiveShares
from shared.ports.cache import Announce, Announcement, Announcements, BuilderLock, HashMapCache, MapAcknowledgements
from shared.ports.errors import DecisionError, Fence, FencedError, OverloadedError, TooMuchError, UnavailableError
from shared.ports.queue import EncodedItem, Envelope, Inbox, Lease, Reply, SubmissionQueue
from shared.ports.rates import Counted, RateCounter
from shared.ports.stores import Changes, Current, DocumentStore, Transaction
from shared.ports.streams import StreamCounter

__all__ = [
    "ActiveShares",
    "Announce",
    "Announcement",
    "Announcements",
    "BuilderLock",
    "Changes",
    "Counted",
    "Current",
    "DecisionError",
    "DocumentStore",
    "EncodedItem",
    "Envelope",
    "Fence",
    "FencedError",
    "HashMapCache",
    "Inbox",
    "Lease",
    "MapAcknowledgements",
    "OverloadedError",
    "RateCounter",
    "Reply",
    "StreamCounter",
    "SubmissionQueue",
    "TooMuchError",
    "Transaction",
    "UnavailableError",
]
