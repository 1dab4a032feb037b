"""`hypertask-server user|space|invite|quota|audit|setup` on a real server, and the administrator of the settings."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.access.administration import Administration
from api.access.first_administrator import make_first_administrator
from api.cli import main
from shared.adapters.argon2 import Argon2Hasher
from shared.adapters.memory.access_secrets import access_stores
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.settings import Settings
from tests.instance import Instance

Run = Callable[..., Any]


@pytest.fixture
def run(server: Instance) -> Run:
    """A command; what it prints as JSON, or its text."""

    def command(*arguments: str, fails: bool = False) -> Any:
        done = CliRunner().invoke(main, ["--data", str(server.data), *arguments])
        assert done.exit_code == int(fails), done.output
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.output

    return command


@pytest.fixture
def name() -> str:
    return f"user {uuid.uuid4().hex[:8]}"


def test_an_operator_manages_a_user(server: Instance, run: Run, name: str, tmp_path: Path) -> None:
    made = run("user", "add", name, "--json")
    with httpx.Client(base_url=server.url) as client:
        signed_in = client.post("/session", json={"name": name, "password": made["password"]})
        assert signed_in.status_code == 200
        client.headers["hypertask-csrf"] = signed_in.json()["csrf"]
        device = client.post("/devices", json={"name": "laptop"}).raise_for_status().json()
        opens = {"authorization": f"Bearer {device['token']}"}
        assert client.get("/admin").status_code == 404
        run("user", "administrator", name)
        assert client.get("/admin").status_code == 200
        run("user", "administrator", name, "--revoke")
        with client.stream("GET", "/events", headers=opens) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: ready"
            run("user", "disable", name)
            assert [line for line in lines if line.startswith("event")] == [], "it ends"
        assert httpx.get(f"{server.url}/hashes", headers=opens).status_code == 401
        run("user", "enable", name)
        again = run("user", "reset", name, "--devices", "--json")
        assert client.get("/me").status_code == 401
        assert httpx.get(f"{server.url}/hashes", headers=opens).status_code == 401
        assert client.post("/session", json={"name": name, "password": again["password"]}).status_code == 200
    [row] = run("user", "list", name, "--json")
    assert (row["user"], row["state"], row["used"]["spaces"]) == (made["user"], "active", 1)
    assert name in run("user", "list", name)
    limits = run("quota", "set", "--user", name, "space_documents=9", "requests_per_user=5000")
    assert (limits["space_documents"], limits["requests_per_user"]) == (9, 5000)
    assert run("quota", "set", "--user", name, "space_documents=")["space_documents"] == 5_000_000
    [space] = [one["space"] for one in run("user", "show", name)["spaces"]]
    file = tmp_path / "limits.json"
    file.write_text(json.dumps({"users": {name: {"space_bytes": 5}}, "spaces": {space: {"space_documents": 6}}}))
    for _ in range(2):
        run("quota", "apply", str(file))
    assert run("quota", "show", "--user", name)["overrides"] == {"space_bytes": 5}
    shown = run("space", "show", space)
    assert (shown["limits"]["space_bytes"], shown["limits"]["space_documents"]) == (5, 6)
    assert space in run("space", "list", space)
    acts = [entry["act"] for entry in run("audit", "--user", name, "--json")]
    assert {"user-added", "user-disabled", "user-enabled", "user-password-changed", "device-revoked"} <= set(acts)
    assert "by operator" in run("audit", "--space", space)


def test_an_invitation_of_an_operator_lets_somebody_in_though_sign_up_is_closed(
    server: Instance, run: Run, name: str
) -> None:
    made = run("invite", "create", "--json")
    assert made["url"] == f"{server.url}/join#{made['secret']}"
    body = {"name": name, "password": "a long password", "invitation": made["secret"]}
    assert httpx.post(f"{server.url}/users", json=body).status_code == 201
    other = run("invite", "create", "--json")["invitation"]
    assert other in {one["invitation"] for one in run("invite", "list")}
    run("invite", "revoke", other)
    assert "no such invitation" in run("invite", "revoke", other, fails=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("user", "show", "nobody at all"), "no such user"),
        (("space", "show", "s-none"), "no such space"),
        (("quota", "set", "--space", "s-none", "space_bytes=1"), "no such space"),
    ],
)
def test_what_is_not_there_is_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert run(*arguments, fails=True).lower().strip() == f"error: there is {said}."


def test_setup_makes_one_administrator(server: Instance, run: Run) -> None:
    """`ops/serve` has run it."""
    assert run("setup", "--no-token", "--json") == {"administrator": None}


async def test_an_administrator_is_made_by_settings_and_never_with_a_default_password(tmp_path: Path) -> None:
    stores = access_stores()
    file = tmp_path / "password"
    file.write_text("a long password\n")
    environment = {"HYPERTASK_ADMINISTRATOR": "root", "HYPERTASK_ADMINISTRATOR_PASSWORD_FILE": str(file)}

    async def tell(spaces: object) -> None:
        raise AssertionError

    def administration(settings: Settings) -> Administration:
        return Administration(stores, MemoryDocumentStore(), Argon2Hasher(threads=1), settings, tell)

    bare = Settings(administrator="root")
    with pytest.raises(ValueError, match="HYPERTASK_ADMINISTRATOR_PASSWORD must have 10"):
        await make_first_administrator(administration(bare), bare)
    settings = Settings.from_env(environment)
    assert "a long password" not in repr(settings)
    for _ in range(2):
        await make_first_administrator(administration(settings), settings)
    [root] = await stores.users.administrators()
    assert root.name == "root"
    known = await stores.users.password_hash(root.id)
    assert await Argon2Hasher(threads=1).verify(known, "a long password")
    await make_first_administrator(administration(bare), bare)
    with pytest.raises(ValueError, match="HYPERTASK_ADMINISTRATOR_FILE cannot be read"):
        Settings.from_env({"HYPERTASK_ADMINISTRATOR_FILE": str(tmp_path / "none")})
