"""The walk: every route, method and parameter of the application, asked by those whose business it is not, on the
real server. Nothing of the victim's is read, written or counted; what exists and what does not look the same."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from api.app import ROUTES
from api.pages.routes import PAGES
from tests.instance import Instance
from tests.isolation.people import Attacker, Names, Scene, staged
from tests.isolation.rows import ADMIN, PARAMETERS, ROWS, Row
from tests.isolation.rows import Names as By
from tests.patience import TIMES
from tests.unit.api.test_openapi_parameters import DOCUMENT, resolved

OPERATIONS = sorted(
    {(route.path, method) for route in (*ROUTES, *PAGES) for method in (route.methods or set()) - {"HEAD"}}
)
Pair = tuple[dict[str, Any], dict[str, Any]]
"""A request with the victim's names, and the same one with nobody's."""
OF_THE_MOMENT = {"date", "x-request-id", "content-length", "set-cookie"}


def row_of(operation: tuple[str, str]) -> Row:
    return ADMIN if operation[0].startswith("/admin") else ROWS[operation]


def parameters_of(path: str, method: str) -> list[tuple[str, str]]:
    """Name and place, as the OpenAPI document has them."""
    item = DOCUMENT["paths"].get(path)
    if item is None:
        return []
    rows = map(resolved, [*item.get("parameters", []), *item[method.lower()].get("parameters", [])])
    return [(row["name"].lower(), row["in"]) for row in rows if row["in"] != "path"]


def filled(value: Any, names: Names) -> Any:
    """With the names in their places."""
    text = json.dumps(value)
    for name, its in asdict(names).items():
        text = text.replace("{" + name + "}", json.dumps(its)[1:-1])
    return json.loads(text)


def requests_of(path: str, method: str, names: Names, *, in_space: bool) -> Iterator[dict[str, Any]]:
    """What is sent: plainly, and with every value of every parameter. `in_space`: it names the space."""
    row = row_of((path, method))
    url = filled(path.replace("{id}", "{document}").replace("{name}", "pages.css"), names)
    headers = {"hypertask-space": names.space} if in_space else {}
    plain: dict[str, Any] = {"method": method, "url": url, "headers": headers, "params": {}}
    for form in row.form or (None,):
        if form is not None:
            yield {**plain, "data": filled(dict(form), names)}
        elif row.body is not None:
            yield {**plain, "json": filled(row.body, names)}
        else:
            yield plain
    body = {"json": filled(row.body, names)} if row.body is not None else {}
    for name, place in parameters_of(path, method):
        for value in PARAMETERS[name]:
            if not (name == "hypertask-space" and in_space):
                more = {name: filled(value, names)}
                yield {**plain, **body, "headers" if place == "header" else "params": {**headers, **more}
                       if place == "header" else more}  # fmt: skip


def asked(attacker: Attacker, row: Row, request: dict[str, Any]) -> httpx.Response:
    """The answer; of a stream its head and first event."""
    headers, data = dict(request["headers"]), request.get("data")
    if attacker.has_session and not row.without_csrf:
        headers["hypertask-csrf"] = attacker.csrf
        data = None if data is None else {**data, "csrf": attacker.csrf}
    sent = {**request, "headers": headers, **({} if data is None else {"data": data})}
    if request["method"] != "GET" and data is not None:
        headers["origin"] = str(attacker.client.base_url).rstrip("/")
    with attacker.client.stream(**sent) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer._content = next(answer.iter_raw(), b"")
        else:
            answer.read()
    return answer


def shown(answer: httpx.Response, names: Names) -> Any:
    """What the answer tells, without what it repeats of the request."""
    text = answer.text
    for name, its in asdict(names).items():
        text = text.replace(its, "{" + name + "}")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    if isinstance(body, dict):
        body.pop("request_id", None)
    return answer.status_code, sorted(answer.headers.keys() - OF_THE_MOMENT), answer.headers.get("etag"), body


@pytest.fixture(scope="module")
def scene(server: Instance) -> Iterator[Scene]:
    with staged(server) as found:
        yield found


def test_every_route_and_every_parameter_has_a_row() -> None:
    missing = [one for one in OPERATIONS if not one[0].startswith("/admin") and one not in ROWS]
    assert missing == [] and ROWS.keys() <= set(OPERATIONS)
    walked = [one for one in OPERATIONS if not one[0].startswith("/admin")]
    named = {name for path, method in walked for name, _ in parameters_of(path, method)}
    admin = {
        name for path, method in OPERATIONS if path.startswith("/admin") for name, _ in parameters_of(path, method)
    }
    assert named - admin <= PARAMETERS.keys()


@pytest.mark.parametrize(("path", "method"), [one for one in OPERATIONS if not one[0].startswith("/admin")])
def test_nobody_reads_writes_or_counts_what_is_not_his(
    scene: Scene, path: str, method: str, pytestconfig: pytest.Config
) -> None:
    row, victim = ROWS[path, method], scene.victim
    outsiders = [one for one in scene.attackers if one.kind == "outsider"]
    for attacker in (one for one in scene.attackers if one.kind != "reader"):
        # In his own space too: an id, a hash or a cursor of the victim's means nothing there.
        for in_space in (
            (True, False) if row.names is By.BY_HEADER and path != "/import" else (row.names is By.BY_HEADER,)
        ):
            nobody = Names.of_nobody()
            pairs = list(
                zip(
                    requests_of(path, method, victim.names, in_space=in_space),
                    requests_of(path, method, nobody, in_space=in_space),
                    strict=True,
                )
            )
            if attacker.kind == "unknown":
                pairs = pairs[:1]
            elif not pytestconfig.getoption("--soak"):
                pairs = [pairs[0], *in_turns(pairs[1:], outsiders.index(attacker))]
            for request, twin in pairs:
                names_it = in_space or row.names in (By.BY_PATH, By.BY_ID)
                answer = checked(scene, attacker, row, request, names_it=names_it)
                if answer.status_code >= 400:
                    assert shown(answer, victim.names) == shown(asked(attacker, row, twin), nobody), (request, twin)
            if method == "GET" and path != "/events" and attacker.kind == "outsider":
                heads = [asked(attacker, row, {**pairs[0][0], "method": one}) for one in ("GET", "HEAD")]
                assert (heads[1].status_code, heads[1].content) == (heads[0].status_code, b"")
    assert victim.state() == victim.known


def in_turns(pairs: list[Pair], outsider: int) -> list[Pair]:
    """What this one of the six sends: each is sent by one of the three of another user's and by one of the three of a
    removed member's, and those do not go together as they stand. With --soak each is sent by all six."""
    return [pair for number, pair in enumerate(pairs) if (number + outsider + outsider // 3) % 3 == 0]


def checked(scene: Scene, attacker: Attacker, row: Row, request: dict[str, Any], *, names_it: bool) -> httpx.Response:
    """The answer, in which nothing is that must not be told. `names_it`: the request names what is the victim's."""
    answer = asked(attacker, row, request)
    said = f"{attacker.name}: {request}: {answer.status_code} {answer.text[:500]}"
    told = answer.text + str(answer.headers)
    assert not [secret for secret in scene.victim.secrets if secret in told], said
    assert answer.status_code < 500, said
    if names_it and "/account" not in request["url"]:
        assert answer.status_code in (401, 403, 404), said
    return answer


@pytest.mark.parametrize(("path", "method"), [one for one in OPERATIONS if not one[0].startswith("/admin")])
def test_a_reader_reads_and_changes_nothing(scene: Scene, path: str, method: str) -> None:
    row, victim = ROWS[path, method], scene.victim
    token, session = [one for one in scene.attackers if one.kind == "reader"]
    of_others = victim.secrets - {victim.client.headers["authorization"]}
    for request in requests_of(path, method, victim.names, in_space=row.names is By.BY_HEADER):
        answers = [asked(one, row, request) for one in (token, session)]
        plain = not request["params"] and request["headers"].keys() <= {"hypertask-space"}
        if row.reader is not None and plain and row.names is not By.NOTHING:
            assert answers[0].status_code == row.reader, answers[0].text
        for answer in answers:
            assert answer.status_code < 500, answer.text
            keys = {secret for secret in of_others if secret.startswith(("ht_", "hi_"))}
            assert not [key for key in keys if key in answer.text + str(answer.headers)]
    assert victim.state() == victim.known
    if (path, method) == ("/tasks", "POST"):
        names = victim.names
        [request] = [one for one in requests_of(path, method, names, in_space=True) if len(one["headers"]) == 1][:1]
        assert asked(token, row, request).json()["tasks"][names.document]["error"]["code"] == "read-only"


@pytest.mark.parametrize(("path", "method"), [one for one in OPERATIONS if one[0].startswith("/admin")] or [("", "")])
def test_routes_of_administrators_are_not_there_for_others(scene: Scene, path: str, method: str) -> None:
    if not path:
        pytest.skip("there are no routes of administrators")
    values = {"user": scene.victim.names.user, "space": scene.victim.names.space, **asdict(scene.victim.names)}
    for attacker in scene.attackers:
        for form in ({}, {"json": {"disabled": True}}):
            url = path
            for name, value in values.items():
                url = url.replace("{" + name + "}", value)
            request = {"method": method, "url": url, "headers": {}, "params": {}, **form}
            answer = asked(attacker, ADMIN, request)
            assert answer.status_code in (401, 403, 404), f"{attacker.name}: {answer.text}"
            told = answer.text + str(answer.headers)
            assert not [secret for secret in scene.victim.secrets if secret in told]
    assert scene.victim.state() == scene.victim.known


def test_a_stream_of_ones_own_space_tells_nothing_of_others(scene: Scene) -> None:
    """What is told first of all that happens is what happened here."""
    [other] = [one for one in scene.attackers if one.name == "another user"]
    with other.client.stream("GET", "/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: ready"
        scene.victim.client.post("/task/noise", json={"client_state": {"id": "noise", "n": 1}}).raise_for_status()
        other.client.post("/task/mine", json={"client_state": {"id": "mine"}}).raise_for_status()
        told: list[str] = []
        for line in lines:
            told.append(line)
            if "mine" in line:
                break
    assert not [line for line in told if "noise" in line]
    scene.victim.client.delete("/task/noise").raise_for_status()
    scene.victim.known = scene.victim.state()


def test_a_space_of_others_takes_as_long_as_none(scene: Scene) -> None:
    """The same look-up: within a factor of two, of the medians of requests that take turns."""
    [other] = [one for one in scene.attackers if one.name == "another user"]
    took: dict[str, list[float]] = {scene.victim.names.space: [], Names.of_nobody().space: []}
    ratios = []
    for _ in range(TIMES):
        for _ in range(40):
            for space, seconds in took.items():
                began = time.perf_counter()
                assert other.client.get("/hashes", headers={"hypertask-space": space}).status_code == 403
                seconds.append(time.perf_counter() - began)
        one, two = (statistics.median(seconds) for seconds in took.values())
        ratios.append(one / two)
        if 0.5 < ratios[-1] < 2:
            return
    raise AssertionError(ratios)
