"""`/devices` over HTTP, and the operator's `hypertask-server token`."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from pymongo import MongoClient

from api.cli import main
from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS

Row = dict[str, Any]


def call(access: Access, method: str, path: str, **more: Any) -> httpx.Response:
    return httpx.request(method, f"{access.url}{path}", headers=access.headers, **more)


def create(access: Access, name: str = "another") -> Access:
    """A device made by a device."""
    answer = call(access, "POST", "/devices", json={"name": name})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made.keys() == {"device", "token"}
    return Access(access.url, access.space, made["token"], made["device"], access.user)


def listed(access: Access) -> dict[str, Row]:
    answer = call(access, "GET", "/devices")
    assert answer.status_code == 200, answer.text
    return {row["device"]: row for row in answer.json()["devices"]}


def opens(access: Access) -> bool:
    status = call(access, "GET", "/hashes").status_code
    assert status in (200, 401)
    return status == 200


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"u-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def first(server: Instance, user: str) -> Access:
    return server.access(user=user, name="first")


def test_a_device_is_made_shown_used_and_revoked(first: Access) -> None:
    before = time.time()
    second = create(first, "the second")
    rows = listed(first)
    assert list(rows) == [first.device, second.device]
    assert rows[first.device]["current"] is True
    row = rows[second.device]
    assert (row["name"], row["user"], row["space"], row["current"]) == ("the second", first.user, first.space, False)
    assert before - 1 <= row["created_at"] <= time.time() + 1
    assert row["last_seen"] is None

    document = {"id": "a", "by": "second"}
    assert call(second, "POST", "/task/a", json={"client_state": document}).json() == {"server_state": document}
    assert call(first, "POST", "/task/a", json={"client_state": None}).json() == {"server_state": document}
    assert listed(second)[second.device]["current"] is True

    answer = call(first, "DELETE", f"/devices/{second.device}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not opens(second)
    assert opens(first)
    assert list(listed(first)) == [first.device]
    assert call(first, "DELETE", f"/devices/{second.device}").status_code == 404
    assert call(first, "POST", "/task/a", json={"client_state": None}).json() == {"server_state": document}


def test_a_device_may_revoke_itself(first: Access) -> None:
    second = create(first)
    assert call(second, "DELETE", f"/devices/{second.device}").status_code == 204
    assert not opens(second)
    assert call(second, "DELETE", f"/devices/{first.device}").status_code == 401
    assert opens(first)


def test_when_a_device_was_last_heard_of(first: Access) -> None:
    """It is written beside the request, so soon after it."""
    second = create(first)
    before = time.time()
    assert opens(second)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := listed(first)[second.device]["last_seen"]) is None:
        assert time.monotonic() < deadline
    assert before - 1 <= seen <= time.time() + 1


def test_a_user_neither_sees_nor_revokes_devices_of_others(server: Instance, first: Access) -> None:
    mine = create(first)
    same_space = server.access(space=first.space, user=f"{first.user}-2")
    elsewhere = server.access(user=f"{first.user}.")
    for stranger in (same_space, elsewhere):
        assert list(listed(stranger)) == [stranger.device]
        for device in (first.device, mine.device):
            foreign = call(stranger, "DELETE", f"/devices/{device}")
            unknown = call(stranger, "DELETE", f"/devices/{device[:-1]}x")
            assert foreign.status_code == unknown.status_code == 404
            assert {**foreign.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert opens(first) and opens(mine)
    assert set(listed(first)) == {first.device, mine.device}


def test_a_device_neither_sees_nor_revokes_what_opens_another_space(server: Instance, first: Access) -> None:
    """Though it is the same user's: a token made for a space in which others are has nothing to do with the rest."""
    elsewhere = server.access(user=first.user, name="elsewhere")
    assert elsewhere.space != first.space
    for here, there in ((first, elsewhere), (elsewhere, first)):
        assert list(listed(here)) == [here.device]
        assert call(here, "DELETE", f"/devices/{there.device}").status_code == 404
        assert opens(there)


def test_a_token_made_without_a_user_has_nothing_to_do_with_other_spaces(server: Instance) -> None:
    mine, theirs = (f"s-{uuid.uuid4().hex[:12]}" for _ in range(2))
    made = [
        json.loads(cli("token", "create", "--name", "x", "--space", space, "--json", data=server.data).stdout)
        for space in (mine, theirs)
    ]
    owner, other = (Access(server.url, row["space"], row["token"], row["device"], row["user"]) for row in made)
    assert list(listed(other)) == [other.device]
    assert call(other, "DELETE", f"/devices/{owner.device}").status_code == 404
    assert opens(owner)


def test_what_one_space_holds_another_does_not_show(server: Instance, first: Access) -> None:
    other = server.access(user=first.user)
    for access in (first, other):
        assert call(
            access, "POST", "/task/same", json={"client_state": {"id": "same", "in": access.space}}
        ).is_success
    assert call(first, "POST", "/task/mine", json={"client_state": {"id": "mine"}}).is_success
    assert set(call(other, "GET", "/hashes").json()) == {"same"}
    assert call(other, "POST", "/task/mine", json={"client_state": None}).json() == {"server_state": None}
    answer = call(other, "POST", "/task/same", json={"client_state": None}).json()
    assert answer == {"server_state": {"id": "same", "in": other.space}}


@pytest.mark.parametrize(
    "name", ["x", "x" * 100, "$where", "\U0001f600 Küche", "\U0001f469\u200d\U0001f4bb", '"><script>']
)
def test_a_name_is_kept_as_it_is(first: Access, name: str) -> None:
    second = create(first, name)
    assert listed(first)[second.device]["name"] == name


@pytest.mark.parametrize(
    "body",
    [
        '{"name":""}',
        '{"name":"\\u001b[2J"}',
        '{"name":"a\\nb"}',
        '{"name":"\\u009b1m"}',
        '{"name":"\\u202e"}',
        "{}",
        '{"name":1}',
        '{"name":null}',
        '{"name":"a","space":"b"}',
        "[]",
        '"name"',
        "null",
    ],
)
def test_a_bad_request_makes_no_device(first: Access, body: str) -> None:
    answer = call(first, "POST", "/devices", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")
    assert list(listed(first)) == [first.device]


def test_a_token_is_kept_nowhere(server: Instance, first: Access) -> None:
    second = create(first)
    assert second.token not in call(first, "GET", "/devices").text
    with MongoClient[Row](server.settings.mongo_url) as mongo:
        rows = list(mongo[server.settings.mongo_database]["devices"].find({"user": first.user}))
    assert len(rows) == 2
    assert first.token not in str(rows) and second.token not in str(rows)
    for file in server.data.rglob("*.json"):
        assert second.token not in file.read_text()


# hypertask-server


def cli(*arguments: str, data: Path, status: int = 0) -> Result:
    """In this process: that the programs start as they are installed is tests/acceptance/test_wheel.py."""
    env = {"HYPERTASK_STORE_TIMEOUT_SECONDS": "2"}
    done = CliRunner().invoke(main, ["--data", str(data), *arguments], env=env)
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done


def test_the_operators_commands(server: Instance, user: str) -> None:
    space = f"s-{uuid.uuid4().hex[:12]}"
    made = json.loads(
        cli(
            "token", "create", "--name", "laptop", "--user", user, "--space", space, "--json", data=server.data
        ).stdout
    )
    assert {**made, "token": "", "device": ""} == {"device": "", "token": "", "space": space, "user": user}
    access = Access(server.url, space, made["token"], made["device"], user)
    assert opens(access)
    told = cli("token", "create", "--name", "phone", "--user", user, "--space", space, data=server.data).stdout
    [token] = [line.strip() for line in told.splitlines() if line.strip().startswith("ht_")]
    rows = listed(Access(server.url, space, token, "", user))
    assert [row["name"] for row in rows.values()] == ["laptop", "phone"]

    shown = json.loads(cli("token", "list", "--user", user, "--json", data=server.data).stdout)
    assert [row["device"] for row in shown] == list(rows)
    everybody = cli("token", "list", data=server.data).stdout
    assert all(device in everybody for device in rows)
    assert made["token"] not in everybody + str(shown)

    # Another user's name does not reach it.
    for foreign in (("--user", "owner"), ("--space", "default")):
        assert "no device" in cli("token", "revoke", made["device"], *foreign, data=server.data, status=1).stderr
    assert opens(access)
    assert made["device"] in cli("token", "revoke", made["device"], "--user", user, data=server.data).stdout
    assert not opens(access)
    shown = json.loads(cli("token", "list", "--user", user, "--json", data=server.data).stdout)
    assert [row["name"] for row in shown] == ["phone"]


def test_the_operators_commands_say_what_is_wrong(server: Instance, tmp_path: Path) -> None:
    assert "--space" in cli("token", "create", "--name", "x", "--space", "a/b", data=server.data, status=2).stderr
    assert "--name" in cli("token", "create", "--name", "a\x1b[2Jb", data=server.data, status=2).stderr
    assert "--user" in cli("token", "create", "--name", "x", "--user", "a\nb", data=server.data, status=2).stderr
    assert "--name" in cli("token", "create", data=server.data, status=2).stderr
    assert "No instance has run" in cli("token", "list", data=tmp_path, status=1).stderr
    connection = {**server.connection, "mongo_url": "mongodb://127.0.0.1:1/?replicaSet=rs0"}
    (tmp_path / "connection.json").write_text(json.dumps(connection))
    assert "does not answer" in cli("token", "list", data=tmp_path, status=1).stderr
