"""What the errors of the drivers become."""

from __future__ import annotations

import inspect

import pymongo.errors
import pytest
import redis.exceptions
from bson.errors import InvalidDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from shared.adapters.mongodb import client as database
from shared.adapters.mongodb.faults import ENDED, NOT_LET_IN, NOT_NOW, TRANSIENT, UNKNOWN_COMMIT, is_ended
from shared.adapters.redis import connection as cache
from shared.ports import UnavailableError

OURS = [2, 9, 11, 14, 20, 26, 40, 59, 66, 72, 121, 263, 10334, 11000]
"""Bad values, unknown commands, duplicate keys, documents that are too large ..."""


def meant(error: Exception, mapped: object = database.errors_mapped) -> type[Exception]:
    """What the error becomes."""
    with pytest.raises(Exception) as found, mapped():  # type: ignore[operator]
        raise error
    if type(found.value) is UnavailableError:
        assert found.value.__cause__ is error
    return found.type


@pytest.mark.parametrize("code", sorted(NOT_NOW | NOT_LET_IN))
def test_not_now(code: int) -> None:
    assert meant(OperationFailure("x", code)) is UnavailableError
    assert meant(BulkWriteError({"writeErrors": [{"code": code}], "writeConcernErrors": []})) is UnavailableError
    assert meant(BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": code}]})) is UnavailableError


@pytest.mark.parametrize("label", [TRANSIENT, UNKNOWN_COMMIT])
def test_what_the_driver_says_may_be_repeated_is_not_a_fault(label: str) -> None:
    assert meant(OperationFailure("x", 1, {"errorLabels": [label]})) is UnavailableError


@pytest.mark.parametrize("code", OURS)
def test_a_fault_of_ours_stays_one(code: int) -> None:
    assert meant(OperationFailure("x", code)) is OperationFailure
    assert not is_ended(OperationFailure("x", code))


def test_the_number_of_a_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    meant(OperationFailure("the message may show a document", 2))
    meant(DuplicateKeyError("it is asked for on purpose", 11000))
    assert [(record.message, vars(record)["fields"]) for record in caplog.records] == [
        ("database_refused", {"codes": [2]})
    ]


def test_a_transaction_that_the_database_ended_is_run_again() -> None:
    for code in ENDED:
        assert is_ended(OperationFailure("x", code))
    assert is_ended(OperationFailure("x", 1, {"errorLabels": [TRANSIENT]}))
    assert not is_ended(OperationFailure("x", 91)), "what became of it is not known"


def test_a_database_that_has_just_started_has_no_sessions_yet() -> None:
    text = "Sessions are not supported by this MongoDB deployment"
    assert meant(pymongo.errors.ConfigurationError(text)) is UnavailableError
    assert meant(pymongo.errors.InvalidURI("x")) is pymongo.errors.InvalidURI


def test_every_error_of_the_driver_is_thought_of() -> None:
    """A class that a new version brings is to be looked at."""
    of_the_connection = {
        "ConnectionFailure",
        "WaitQueueTimeoutError",
        "AutoReconnect",
        "NetworkTimeout",
        "NotPrimaryError",
        "ServerSelectionTimeoutError",
        "_OperationCancelled",
        "ExecutionTimeout",
        "WTimeoutError",
    }
    by_code = {"OperationFailure", "CursorNotFound", "WriteConcernError", "WriteError", "DuplicateKeyError"}
    by_code |= {"BulkWriteError", "ClientBulkWriteException"}
    ours = {"PyMongoError", "ProtocolError", "InvalidOperation", "InvalidName"}
    ours |= {"CollectionInvalid", "InvalidURI", "DocumentTooLarge", "EncryptionError", "EncryptedCollectionError"}
    found = {
        name
        for name, kind in vars(pymongo.errors).items()
        if inspect.isclass(kind) and issubclass(kind, PyMongoError | InvalidDocument)
    } - {"InvalidDocument"}
    not_yet = {"ConfigurationError"}
    assert found <= of_the_connection | not_yet | by_code | ours
    for name in (of_the_connection | not_yet) & found:
        assert meant(getattr(pymongo.errors, name)("x")) is UnavailableError, name


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.ConnectionError("x"),
        redis.exceptions.TimeoutError("x"),
        redis.exceptions.MaxConnectionsError("x"),
        redis.exceptions.AuthenticationError("x"),
        redis.exceptions.BusyLoadingError("x"),
        redis.exceptions.ReadOnlyError("x"),
        redis.exceptions.OutOfMemoryError("x"),
        redis.exceptions.NoPermissionError("x"),
        redis.exceptions.ClusterDownError("x"),
        redis.exceptions.MasterDownError("x"),
        redis.exceptions.TryAgainError("x"),
        redis.exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        redis.exceptions.ResponseError("BUSY Redis is busy running a script"),
        redis.exceptions.ResponseError("Error running script: @user_script:1: -OOM command not allowed"),
        redis.exceptions.ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_cache_that_cannot_is_not_a_fault(error: Exception) -> None:
    assert meant(error, cache.errors_mapped) is UnavailableError


@pytest.mark.parametrize("text", ["WRONGTYPE Operation against a key", "unknown command 'x'", "a BUSYGROUP or so"])
def test_a_wrong_command_stays_a_fault(text: str) -> None:
    assert meant(redis.exceptions.ResponseError(text), cache.errors_mapped) is redis.exceptions.ResponseError
