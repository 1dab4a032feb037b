"""A mongod of our own: on loopback, with authentication, as a replica set of one."""

from __future__ import annotations

import os
import signal
from typing import Final

from child import Child, Service
from data_directory import CannotStartError, DataDirectory
from program import Program
from replica_set import NAME, Account, NotPreparedError, ReplicaSet

_PORT_IS_TAKEN: Final = 48
_OTHER_VERSION: Final = 62
_STORAGE_ENGINE: Final = 100
_MAY_TAKE_SECONDS: Final = 120.0
"""To come up: after a crash it goes through its journal."""


def service(data: DataDirectory, program: Program, port: int) -> Service:
    address = f"127.0.0.1:{port}"
    replica_set = ReplicaSet(
        address,
        root=Account("root", data.secret("mongo-root")),
        application=Account("hypertask", data.secret("mongo-application")),
    )
    folder = data.folder("mongo")
    settings = {
        "dbpath": folder,
        "bind_ip": "127.0.0.1",
        "port": port,
        "replSet": NAME,
        "keyFile": data.secret_file("mongo-key"),  # turns authentication on
        "networkMessageCompressors": "disabled",
        "wiredTigerCacheSizeGB": 0.25,
        "oplogSize": 1024,
        "slowms": 2**31 - 1,  # its log would show slow statements whole, and they hold documents
    }
    parameters = {
        "shutdownTimeoutMillisForSignaledShutdown": 0,  # there is no other member to wait for
        "diagnosticDataCollectionEnabled": "false",
        # A transaction of a worker that was killed holds the space's counter until then; ours take milliseconds.
        "transactionLifetimeLimitSeconds": 2,
    }
    child = Child(
        "mongod",
        [
            program.path,
            *("--nounixsocket", "--quiet"),
            *(word for name, value in settings.items() for word in (f"--{name}", str(value))),
            *(word for name, value in parameters.items() for word in ("--setParameter", f"{name}={value}")),
        ],
        env=os.environ,
        cwd=data.root,
        log=data.log("mongod"),
        inherited=[data.children_lock],
        orphan_signal=signal.SIGTERM,  # which it always heeds; it leaves its data in order then
        telling='"s":"F"',
        meanings={
            _PORT_IS_TAKEN: f"Something else listens on {address}.",
            _OTHER_VERSION: f"The data in {folder} is of another version than mongod {program.version} "
            "reads: put that version on PATH, so that it is taken; or begin anew: --data DIR",
            _STORAGE_ENGINE: f"It could not open its data in {folder}: disk full, wrong owner, or damage.",
        },
    )

    async def ready() -> None:
        try:
            await replica_set.prepare(seconds=_MAY_TAKE_SECONDS)
        except NotPreparedError as error:
            raise CannotStartError(
                f"{error}\n    The whole log: {child.log}\nIf the passwords in {data.root / 'secrets'} are not those "
                f"that the data in {folder} was made with, bring them back, or begin anew: --data DIR"
            ) from error

    return Service(child, replica_set.url, ready, port_was_taken=lambda: child.status == _PORT_IS_TAKEN)
