"""Makes a mongod a replica set of one with two users: root, and the application's with its database alone.

Every step looks first whether it is done, so all of it can be repeated, and taken up after an interruption.
ops/serve uses it as a module; docker-compose.yml runs it as a program, see `main`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure

NAME: Final = "rs0"
DATABASE: Final = "hypertask"
_AUTHENTICATION_FAILED: Final = 18
_ALREADY_INITIALIZED: Final = 23
_NOT_YET_INITIALIZED: Final = 94
_USER_EXISTS: Final = 51003
_ASK_AGAIN_SECONDS: Final = 0.05

Client = AsyncMongoClient[dict[str, Any]]


class NotPreparedError(Exception):
    """The text says why."""


@dataclass(frozen=True, slots=True)
class Account:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    address: str
    """host:port of the mongod, as it is known to all who use it."""
    root: Account
    application: Account

    @property
    def url(self) -> str:
        """For the application."""
        account = self.application
        return f"mongodb://{account.user}:{account.password}@{self.address}/?replicaSet={NAME}&authSource=admin"

    async def prepare(self, *, seconds: float) -> None:
        """Returns when it takes writes from the application. A mongod that does not answer yet is waited
        for. Raises NotPreparedError, after so long at the latest."""
        why: object = "it does not answer"
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self._until_it_listens()
                        return await self._prepare()
                    except ConnectionFailure as error:  # also while its state changes
                        why = error
                        await asyncio.sleep(_ASK_AGAIN_SECONDS)
        except TimeoutError:
            raise NotPreparedError(f"The mongod at {self.address} was not ready after {seconds:g} s: {why}") from None
        except OperationFailure as error:
            raise NotPreparedError(f"The mongod at {self.address} refuses: {error}") from None

    async def _prepare(self) -> None:
        root_exists = await self._admits(self.root)
        # Without any user, mongod lets a client on its own machine do just what follows.
        async with self._client(self.root if root_exists else None) as client:
            await self._become_member(client)
            await _until_primary(client)
            if not root_exists:
                await _write_user("createUser", client, self.root, [{"role": "root", "db": "admin"}])
        async with self._client(self.root) as client:
            roles = [{"role": role, "db": DATABASE} for role in ("readWrite", "dbAdmin")]
            try:
                await _write_user("createUser", client, self.application, roles)
            except OperationFailure as error:
                if error.code != _USER_EXISTS:
                    raise
                await _write_user("updateUser", client, self.application, roles)

    async def _become_member(self, client: Client) -> None:
        """The only one, at our address; also if the set was made when it had another."""
        while (await client.admin.command("hello")).get("hosts") != [self.address]:
            try:
                await client.admin.command(
                    "replSetInitiate", {"_id": NAME, "members": [{"_id": 0, "host": self.address}]}
                )
            except OperationFailure as error:
                if error.code != _ALREADY_INITIALIZED:
                    raise
            else:
                return
            try:
                config = (await client.admin.command("replSetGetConfig"))["config"]
            except OperationFailure as error:
                if error.code != _NOT_YET_INITIALIZED:
                    raise
                # It has read the configuration and now calls all members to find out which one it is.
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
                continue
            config["members"][0]["host"] = self.address
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)  # nobody could agree to it

    async def _admits(self, account: Account) -> bool:
        async with self._client(account) as client:
            try:
                await client.admin.command("ping")
            except OperationFailure as error:
                if error.code == _AUTHENTICATION_FAILED:
                    return False
                raise
        return True

    async def _until_it_listens(self) -> None:
        host, _, port = self.address.rpartition(":")
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
            else:
                writer.close()
                return

    def _client(self, account: Account | None) -> Client:
        return AsyncMongoClient(
            f"mongodb://{self.address}",
            directConnection=True,
            username=account.user if account else None,
            password=account.password if account else None,
            serverSelectionTimeoutMS=2000,
            socketTimeoutMS=20_000,
        )


async def _until_primary(client: Client) -> None:
    while True:
        if (await client.admin.command("hello"))["isWritablePrimary"]:
            return
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


async def _write_user(command: str, client: Client, account: Account, roles: list[dict[str, str]]) -> None:
    await client.admin.command(command, account.user, pwd=account.password, roles=roles)


def _password(name: str) -> str:
    """Raises KeyError, OSError."""
    file = os.environ.get(f"{name}_FILE")
    return os.environ[name] if name in os.environ or file is None else Path(file).read_text().rstrip("\r\n")


def main() -> str | None:
    """Prepares the mongod at MONGO_ADDRESS, whose user `root` has MONGO_ROOT_PASSWORD, and gives the user
    `hypertask` MONGO_PASSWORD. Either may be in a file, whose name MONGO_..._FILE says."""
    try:
        replica_set = ReplicaSet(
            os.environ["MONGO_ADDRESS"],
            root=Account("root", _password("MONGO_ROOT_PASSWORD")),
            application=Account("hypertask", _password("MONGO_PASSWORD")),
        )
        asyncio.run(replica_set.prepare(seconds=120))
    except KeyError as error:
        return f"Set {error.args[0]}."
    except (NotPreparedError, ConfigurationError, ValueError, OSError) as error:
        return str(error)
    line = {"level": "info", "event": "replica_set_ready", "name": NAME, "address": replica_set.address}
    print(json.dumps(line))
    return None


if __name__ == "__main__":
    sys.exit(main())
