"""What settings are refused, and in which words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from api.commands.operating import settings_of
from shared.addresses import addresses_of
from shared.settings import Settings

SENTINELS = "HYPERTASK_REDIS_SENTINELS"


def test_addresses_have_hosts_and_ports() -> None:
    assert addresses_of("") == []
    assert addresses_of("a:1,b.example.org:26379 [::1]:2") == [("a", 1), ("b.example.org", 26379), ("::1", 2)]


@pytest.mark.parametrize(
    "text", ["a", "a:", ":1", "a:0", "a:70000", "a:one", "redis://a:1", "u@a:1", "a:1/0", "[::1"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^HYPERTASK_REDIS_SENTINELS must be addresses such as redis-1:26379"):
        Settings.from_env({SENTINELS: f"a:1,{text}"})


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1", "http://:secret@a", "redis://:secret@a:one", "redis://:secret@a:70000", "//:secret@a"]
)
def test_the_url_of_redis_is_refused_without_saying_it(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"^HYPERTASK_REDIS_URL must be .* redis:// or rediss:// or unix://$"
    ) as error:
        Settings.from_env({"HYPERTASK_REDIS_URL": url})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["redis://a", "rediss://:p@a:1/3", "unix:///run/redis?db=1", "redis://[::1]:6379/0"])
def test_addresses_of_redis_are_taken(url: str) -> None:
    assert Settings.from_env({"HYPERTASK_REDIS_URL": url}).redis_url == url


def test_sentinels_need_a_name_for_the_master_and_no_socket_of_this_machine() -> None:
    with pytest.raises(ValueError, match="HYPERTASK_REDIS_MASTER"):
        Settings.from_env({SENTINELS: "a:1", "HYPERTASK_REDIS_MASTER": ""})
    with pytest.raises(ValueError, match=re.escape("redis:// or rediss:// with HYPERTASK_REDIS_SENTINELS")):
        Settings.from_env({SENTINELS: "a:1", "HYPERTASK_REDIS_URL": "unix:///run/redis"})


def test_both_passwords_may_be_in_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:one@a/0\n")
    (tmp_path / "password").write_text("two\n")
    found = Settings.from_env(
        {
            "HYPERTASK_REDIS_URL_FILE": str(tmp_path / "url"),
            "HYPERTASK_REDIS_SENTINEL_PASSWORD_FILE": str(tmp_path / "password"),
        }
    )
    assert (found.redis_url, found.redis_sentinel_password) == ("redis://:one@a/0", "two")
    assert "one" not in repr(found)
    assert "two" not in repr(found)


def test_commands_about_an_instance_of_this_machine_ask_no_sentinels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"mongo_url": "mongodb://a", "mongo_database": "d", "redis_url": "redis://a"}
    (tmp_path / "connection.json").write_text(json.dumps(connection))
    monkeypatch.setenv(SENTINELS, "elsewhere:26379")
    assert settings_of(None).redis_sentinels == "elsewhere:26379"
    assert settings_of(tmp_path).redis_sentinels == ""
