"""What an error of the driver means: not now, run the transaction again, or a fault of ours. Pure.

The numbers are those of the server's own table (its `error_codes.yml`). What is not in these sets is an operation
that we should not have asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

# Labels of the driver: run the transaction again; ask for the commit's result again.
TRANSIENT: Final = "TransientTransactionError"
UNKNOWN_COMMIT: Final = "UnknownTransactionCommitResult"

_DUPLICATE_KEY: Final = 11000
_NO_SUCH_TRANSACTION: Final = 251
NOT_LET_IN: Final = {
    13,  # Unauthorized
    18,  # AuthenticationFailed
    391,  # ReauthenticationRequired
}
ENDED: Final = {
    24,  # LockTimeout
    43,  # CursorNotFound
    112,  # WriteConflict
    225,  # TransactionTooOld
    237,  # CursorKilled
    239,  # SnapshotTooOld
    246,  # SnapshotUnavailable
    251,  # NoSuchTransaction
    267,  # PreparedTransactionInProgress
    290,  # TransactionExceededLifetimeLimitSeconds: without a label if it meets a running operation
}
"""The database has ended the transaction and stored nothing of it."""
NOT_NOW: Final = ENDED | {
    6,  # HostUnreachable
    7,  # HostNotFound
    46,  # LockBusy
    50,  # MaxTimeMSExpired
    64,  # WriteConcernTimeout
    79,  # UnknownReplWriteConcern
    89,  # NetworkTimeout
    91,  # ShutdownInProgress
    94,  # NotYetInitialized
    100,  # UnsatisfiableWriteConcern
    107,  # LockFailed
    117,  # ConflictingOperationInProgress
    133,  # FailedToSatisfyReadPreference
    134,  # ReadConcernMajorityNotAvailableYet
    146,  # ExceededMemoryLimit
    189,  # PrimarySteppedDown
    202,  # NetworkInterfaceExceededTimeLimit
    211,  # KeyNotFound: it has just started, and does not have the keys of cluster times yet
    261,  # TooManyLogicalSessions
    262,  # ExceededTimeLimit
    279,  # ClientDisconnect
    317,  # ConnectionPoolExpired
    355,  # InterruptedDueToStorageChange
    365,  # TemporarilyUnavailable
    384,  # ConnectionError
    462,  # IngressRequestRateLimitExceeded
    9001,  # SocketException
    10058,  # not primary, as old servers say it
    10107,  # NotWritablePrimary
    11600,  # InterruptedAtShutdown
    11601,  # Interrupted
    11602,  # InterruptedDueToReplStateChange
    13435,  # NotPrimaryNoSecondaryOk
    13436,  # NotPrimaryOrSecondary
    14031,  # OutOfDiskSpace
    46841,  # ClientMarkedKilled
}


def is_ended(error: PyMongoError) -> bool:
    """Whether the transaction is over, nothing of it is stored, and it may be run again."""
    return error.has_error_label(TRANSIENT) or any(code in ENDED for code in _codes(error))


def may_be_duplicate(error: PyMongoError) -> bool:
    """Whether a bulk may have inserted what is there. That ends a transaction, so the driver, which goes on with the
    rest of the bulk, may say no more than that there is none."""
    return bool({_DUPLICATE_KEY, _NO_SUCH_TRANSACTION} & set(_codes(error)))


def not_now(error: PyMongoError) -> str | None:
    """Why it cannot be done now, in words; None for a fault of ours."""
    if isinstance(error, ConnectionFailure | ExecutionTimeout | WTimeoutError):
        return "the database does not answer"
    if type(error) is ConfigurationError:  # a member that has just started does not say yet that it has sessions
        return "the database is not what is needed, or not yet"
    codes = list(_codes(error))
    if any(code in NOT_LET_IN for code in codes):
        return "the database does not let us in"
    if error.has_error_label(TRANSIENT) or error.has_error_label(UNKNOWN_COMMIT) or set(codes) & NOT_NOW:
        return "the database cannot do it now"
    return None


def codes(error: PyMongoError) -> list[int]:
    """The numbers that the server gave: of the operation, and of its parts if it had several."""
    return list(_codes(error))


def _codes(error: PyMongoError) -> Iterator[int]:
    """Of the operation; of its parts if it had several."""
    if isinstance(error, OperationFailure):
        if error.code is not None:
            yield error.code
        if isinstance(error, BulkWriteError):
            for kind in ("writeErrors", "writeConcernErrors"):
                yield from (part["code"] for part in error.details.get(kind, ()) if "code" in part)
