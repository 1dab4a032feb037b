from __future__ import annotations

import pytest

from client.config.addresses import AddressError, address, name_for, without_password
from client.upstreams.mongodb import with_password


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://tasks.example.org/", "https://tasks.example.org"),
        ("http://127.0.0.1:8480", "http://127.0.0.1:8480"),
        ("/media/stick/tasks", "folder:///media/stick/tasks"),
        ("/media/my stick", "folder:///media/my%20stick"),
        ("/srv/tasks.git", "git+file:///srv/tasks.git"),
        ("git@example.org:me/tasks.git", "git+ssh://git@example.org/me/tasks.git"),
        ("ssh://git@example.org/tasks.git", "git+ssh://git@example.org/tasks.git"),
        ("git+https://example.org/tasks.git", "git+https://example.org/tasks.git"),
    ],
)
def test_what_people_write_becomes_an_address(text: str, url: str) -> None:
    assert address(text) == url


@pytest.mark.parametrize(
    "text",
    ["ftp://example.org", "tasks.example.org", "https://", "http://user:pw@example.org", "https://a:b", "tasks"],
)
def test_what_is_none_is_said_to_be_none(text: str) -> None:
    with pytest.raises(AddressError):
        address(text)


def test_names_are_short_and_unique() -> None:
    assert name_for("https://tasks.example.org", ()) == "example"
    assert name_for("http://127.0.0.1:8480", ("local",)) == "local-2"
    assert name_for("folder:///media/my%20stick", ()) == "my-stick"
    assert name_for("git+file:///srv/tasks.git", ()) == "tasks"


def test_the_password_of_a_database_is_taken_out_of_its_address() -> None:
    url = "mongodb://me:p%40ss@db.example.org:27017,other.example.org/tasks?replicaSet=rs0"
    bare, password = without_password(url)
    assert (bare, password) == ("mongodb://me@db.example.org:27017,other.example.org/tasks?replicaSet=rs0", "p@ss")
    assert with_password(bare, password) == url
    assert without_password(bare) == (bare, None)
    assert without_password("https://a:b@example.org") == ("https://a:b@example.org", None)
