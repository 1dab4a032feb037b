"""What the protocol adds to v1.0, over HTTP: base, dry run, deletes, the history of a document, going back,
policies, the deletion guard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.cli import main
from shared.core.json.canonical import content_hash
from shared.core.resolution.deletion_guard import ALWAYS_ALLOWED
from tests.instance import Access, Instance

Answer = dict[str, Any]


class Client:
    """A token and the requests of it."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.http = httpx.Client(base_url=access.url, headers=access.headers)

    def post(self, body: dict[str, Any], **members: Any) -> Answer:
        members, query = {k: v for k, v in members.items() if k != "dry_run"}, members.get("dry_run")
        answer = self.http.post(
            f"/task/{body['id']}",
            json={"client_state": body, **members},
            params={"dry_run": "1"} if query else {},
        )
        assert answer.status_code == 200, answer.text
        found: Answer = answer.json()
        return found

    def revisions(self, document: str) -> list[Answer]:
        found: list[Answer] = self.http.get(f"/task/{document}/revisions").raise_for_status().json()["revisions"]
        return found


@pytest.fixture
def client(access: Access) -> Iterator[Client]:
    found = Client(access)
    yield found
    found.http.close()


@pytest.fixture
def other(server: Instance, access: Access) -> Iterator[Client]:
    """Another device of the same space."""
    found = Client(server.access(space=access.space, name="other"))
    yield found
    found.http.close()


def test_a_request_with_a_base_is_answered_with_what_was_decided(client: Client, other: Client) -> None:
    made = client.post({"id": "t", "title": "Buy some milk", "n": 1}, base="0")
    assert made["outcome"] == "applied" and made["conflicts"] == [] and made["rev"]
    assert made["hash"] == content_hash({"id": "t", "title": "Buy some milk", "n": 1})
    theirs = other.post({"id": "t", "title": "Buy some milk", "n": 2}, base=made["rev"])
    assert theirs["outcome"] == "fast_forward"
    mine = client.post({"id": "t", "title": "Buy oat milk now", "n": 3}, base=made["rev"])
    assert mine["outcome"] in ("merged", "applied")
    assert mine["server_state"] == {"id": "t", "title": "Buy oat milk now", "n": 3}
    (conflict,) = mine["conflicts"]
    assert (conflict["path"], conflict["kept"], conflict["dropped"]) == ("/n", 3, 2)


def test_an_answer_to_v1_holds_server_state_alone(client: Client) -> None:
    assert client.post({"id": "t"}).keys() == {"server_state"}


def test_a_repeat_on_an_old_base_is_known(client: Client, other: Client) -> None:
    made = client.post({"id": "t", "n": 1}, base="0")
    first = client.post({"id": "t", "n": 2}, base=made["rev"])
    other.post({"id": "t", "n": 1}, base=first["rev"])
    again = client.post({"id": "t", "n": 2}, base=made["rev"])
    assert again["outcome"] == "unchanged" and again["server_state"]["n"] == 1
    assert len(client.revisions("t")) == 3


def test_an_unknown_base_is_asked_for(client: Client) -> None:
    client.post({"id": "another"})
    client.post({"id": "t", "a": 1})
    # As if a revision before the head had been pruned. One behind it would be of a history that the store has lost.
    base = f"1-{content_hash({'id': 't', 'a': 0})}"
    request = {"client_state": {"id": "t", "a": 0, "b": 5}, "base": base}
    refused = client.http.post("/task/t", json=request)
    assert (refused.status_code, refused.json()["code"]) == (409, "base-unknown")
    assert len(client.revisions("t")) == 1
    taken = client.http.post("/task/t", json={**request, "base_state": {"id": "t", "a": 0}})
    assert taken.json()["server_state"] == {"id": "t", "a": 1, "b": 5}


def test_a_dry_run_decides_and_stores_nothing(client: Client) -> None:
    made = client.post({"id": "t", "n": 1}, base="0")
    before = client.http.get("/hashes").text
    tried = client.post({"id": "t", "n": 2}, base=made["rev"], dry_run=True)
    assert tried["outcome"] == "fast_forward" and tried["rev"] is None
    assert client.http.get("/hashes").text == before and len(client.revisions("t")) == 1


def test_delete_answers_null_and_can_be_undone(client: Client) -> None:
    body = {"id": "t", "title": "Buy some milk"}
    client.post(body)
    gone = client.http.delete("/task/t").json()
    assert gone["server_state"] is None and gone["outcome"] == "deleted"
    assert client.http.get("/task/t").status_code == 404 and client.http.get("/hashes").json() == {}
    restored = client.http.post("/task/t/restore", json={"hash": content_hash(body)}).json()
    assert restored["server_state"] == body and restored["outcome"] == "resurrected"
    assert client.http.get("/task/t").json() == body


def test_a_delete_of_what_was_not_seen_loses_to_the_edit_unless_it_names_it(client: Client, other: Client) -> None:
    client.post({"id": "t", "title": "Buy some milk"})
    other.post({"id": "t", "title": "Buy a lot of milk"})
    held = client.http.delete("/task/t").json()
    assert held["server_state"]["title"] == "Buy a lot of milk"
    rev = client.http.get("/task/t").headers["hypertask-rev"]
    assert client.http.delete("/task/t", headers={"If-Match": f'"{rev}"'}).json()["server_state"] is None


def test_a_merge_can_be_undone(client: Client, other: Client) -> None:
    mine = {"id": "t", "title": "Buy some milk", "n": 1}
    client.post(mine)
    other.post({"id": "t", "title": "Buy some milk", "n": 2})
    restored = client.http.post("/task/t/restore", json={"hash": content_hash(mine)}).json()
    assert restored["server_state"] == mine and client.http.get("/task/t").json() == mine


def test_get_has_an_etag(client: Client) -> None:
    client.post({"id": "t"})
    tag = client.http.get("/task/t").headers["etag"]
    assert tag == f'"{content_hash({"id": "t"})}"'
    assert client.http.get("/task/t", headers={"If-None-Match": tag}).status_code == 304


def test_every_loser_is_in_the_revisions(client: Client, other: Client) -> None:
    made = client.post({"id": "t", "title": "the first title"}, base="0")
    lost = {"id": "t", "title": "the second title", "updated_at": "2026-01-01T00:00:00Z"}
    other.post({"id": "t", "title": "the third title", "updated_at": "2026-02-01T00:00:00Z"}, base=made["rev"])
    answer = client.post(lost, base=made["rev"])
    assert answer["server_state"]["title"] == "the third title"
    assert answer["conflicts"][0]["dropped"] == "the second title"
    found = client.http.get(f"/task/t/revisions/{content_hash(lost)}")
    assert found.json() == lost


def test_policies_say_how_fields_merge(client: Client, other: Client) -> None:
    assert client.http.get("/policies").json() == {}
    declared = {"/stock": "counter", "/a.b/$c": "max", "/pin": ["lww", "secret"]}
    assert client.http.put("/policies", json=declared).json() == declared
    assert other.http.get("/policies").json() == declared
    made = client.post({"id": "t", "stock": 1}, base="0")
    client.post({"id": "t", "stock": 0}, base=made["rev"])
    assert other.post({"id": "t", "stock": 0}, base=made["rev"])["server_state"]["stock"] == -1


def test_policies_that_are_none_are_refused_with_the_place(client: Client) -> None:
    answer = client.http.put("/policies", json={"/n": "countr"})
    assert (answer.status_code, answer.json()["code"], answer.json()["pointer"]) == (
        422,
        "invalid-policies",
        "/~1n",
    )
    assert client.http.get("/policies").json() == {}


def test_secret_values_are_in_no_conflict(server: Instance, client: Client, other: Client) -> None:
    client.http.put("/policies", json={"/pin": ["lww", "secret"]})
    made = client.post({"id": "t", "pin": "first pin 1"}, base="0")
    other.post({"id": "t", "pin": "second pin 2"}, base=made["rev"])
    answer = client.post({"id": "t", "pin": "third pin 3"}, base=made["rev"])
    assert answer["conflicts"] == [{"path": "/pin", "rule": "arriving", "redacted": True}]
    assert "pin 2" not in client.http.get("/task/t/revisions").text
    assert "pin 2" not in _explain(server, client.access, "t")


@pytest.mark.parametrize("declared_first", [True, False])
def test_what_is_secret_inside_of_what_fell_is_shown_nowhere(
    server: Instance, client: Client, other: Client, declared_first: bool
) -> None:
    def declare() -> None:
        client.http.put(
            "/policies", json={"/accounts/*/password": "secret", "/vault/**": "secret"}
        ).raise_for_status()

    def accounts(password: str, note: str) -> Answer:
        return {"id": "t", "accounts": [{"password": password, "n": note}], "vault": {"deep": [password]}}

    if declared_first:
        declare()
    made = client.post(accounts("HIDDEN-1", "one"), base="0")
    other.post(accounts("HIDDEN-2", "two"), base=made["rev"])
    # Removed on one side, edited on the other: each conflict holds all that was there.
    answer = client.post({"id": "t"}, base=made["rev"])
    if not declared_first:
        declare()
    else:
        by_path = {conflict["path"]: conflict for conflict in answer["conflicts"]}
        assert by_path["/accounts"]["kept"] == [{"n": "two"}] and by_path["/accounts"]["redacted"]
        assert by_path["/vault"].keys() == {"path", "rule", "redacted"}
        batch = {"t": {"client_state": {"id": "t", "accounts": "none"}, "base": made["rev"]}}
        found = client.http.post("/tasks", json={"tasks": batch}).raise_for_status().json()["tasks"]["t"]
        assert "HIDDEN" not in str(found["conflicts"]) and found["conflicts"]
    rows = client.http.get("/task/t/revisions").text
    assert "edit-beats-removal" in rows and "HIDDEN" not in rows
    assert "HIDDEN" not in _explain(server, client.access, "t")


def test_what_is_recorded_while_the_head_stays_is_read_with_it(
    server: Instance, client: Client, other: Client
) -> None:
    made = client.post({"id": "t", "title": "Buy some milk", "done": False}, base="0")
    client.post({"id": "t", "title": "Buy some milk", "done": True}, base=made["rev"])
    client.post({"id": "t", "title": "Buy some milk", "done": True, "n": 1}, base=made["rev"])
    row = {"path": "/n", "kept": 1, "rule": "perhaps-set-back"}
    for _ in range(2):
        again = client.post({"id": "t", "title": "Buy some milk", "done": True}, base=made["rev"])
        assert (again["outcome"], again["conflicts"]) == ("unchanged", [row])
    deleted = other.post({"id": "t", "_deleted": True}, base=made["rev"])
    assert (deleted["outcome"], len(client.revisions("t"))) == ("unchanged", 3)
    head = client.revisions("t")[0]
    assert head["conflicts"] == [
        {**row, "rule": "perhaps-unseen"},  # the third request, which may be older than the second
        row,
        {"path": "", "kept": again["server_state"], "rule": "edit-beats-removal"},
    ]
    text = _explain(server, client.access, "t")
    assert "conflict at /n (perhaps-set-back): kept 1, dropped nothing" in text
    assert "conflict at the document (edit-beats-removal): kept {" in text


def test_explain_tells_the_story(server: Instance, client: Client, other: Client) -> None:
    made = client.post({"id": "t", "title": "Buy some milk"}, base="0")
    other.post({"id": "t", "title": "Buy some bread"}, base=made["rev"])
    client.post({"id": "t", "title": "Buy some butter"}, base=made["rev"])
    text = _explain(server, client.access, "t")
    for part in ("t: live", made["rev"], "other (", 'dropped "Buy some bread"', "bring it back", "/restore"):
        assert part in text, text


def test_a_terminal_does_not_obey_what_a_story_tells(server: Instance, client: Client, other: Client) -> None:
    made = client.post({"id": "t", "title": "Buy some milk"}, base="0")
    other.post({"id": "t", "title": "Buy \x9b2J bread"}, base=made["rev"])
    client.post({"id": "t", "title": "Buy some butter"}, base=made["rev"])
    for arguments in ((), ("--json",)):
        text = _explain(server, client.access, "t", *arguments)
        assert "bread" in text and "\x9b" not in text
    [head, *_] = json.loads(text)["revisions"]
    assert head["conflicts"][0]["dropped"] == "Buy \x9b2J bread"


def _explain(server: Instance, access: Access, document: str, *arguments: str) -> str:
    command = ["--data", str(server.data), "explain", access.space, document, *arguments]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_mass_deletion_is_held_back_until_it_is_confirmed(client: Client, other: Client) -> None:
    documents = [f"t{n}" for n in range(ALWAYS_ALLOWED + 5)]
    for document in documents:
        client.post({"id": document})
    answers = [client.http.delete(f"/task/{document}") for document in documents]
    assert [answer.status_code for answer in answers] == [200] * ALWAYS_ALLOWED + [409] * 5
    problem = answers[-1].json()
    assert problem["code"] == "deletions-held" and "Hypertask-Confirm: deletions" in problem["detail"]
    assert len(client.http.get("/hashes").json()) == 5
    # Another device is not concerned.
    other.http.post(f"/task/{documents[-1]}", json={"client_state": None})
    assert other.http.delete(f"/task/{documents[-1]}").status_code == 200
    for document in documents[ALWAYS_ALLOWED:-1]:
        confirmed = client.http.delete(f"/task/{document}", headers={"Hypertask-Confirm": "deletions"})
        assert confirmed.json()["server_state"] is None
    assert client.http.get("/hashes").json() == {}


def test_changed_policies_hold_for_the_next_request_though_it_writes_nothing(client: Client, other: Client) -> None:
    made = client.post({"id": "t", "stock": 1}, base="0")
    same = client.post({"id": "t", "stock": 0}, base=made["rev"])
    client.http.put("/policies", json={"/stock": "counter"})
    # Equal to the head, and yet another decrement of another device.
    again = other.post({"id": "t", "stock": 0}, base=made["rev"], dry_run=True)
    assert again["server_state"]["stock"] == -1 and same["server_state"]["stock"] == 0
