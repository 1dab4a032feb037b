"""The document that the clients of a run edit: fields, an object, a set and a keyed array; and edits of it.

An edit has one effect: a place and what is there afterwards. Places:
    ("title",) ("notes",) ("done",) ("priority",) ("count",) ("status",)    a field
    ("meta",) ("meta", "owner"|"color"|"hours")                             an object and its fields
    ("tags", tag)                                                           a member of a set: True, or ABSENT
    ("steps", id) ("steps", id, "text"|"done")                              a member of a keyed array, its
    fields ()                                                                      the document: ABSENT if
    deleted
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT

Place = tuple[str, ...]
Effect = tuple[Place, Any]

WORDS = ("milk", "roof", "invoice", "garden", "ticket", "harbour", "copper", "letter", "winter", "engine")
TAGS = ("home", "work", "urgent", "later", "phone", "errand")
SMALL: dict[str, tuple[Any, ...]] = {
    "done": (True, False),
    "priority": ("low", "mid", "high"),
    "count": (0, 1, 2, 3),
    "color": ("red", "blue", "teal"),
    "hours": (1, 2, 4, 8),
    "status": ("open", "waiting", "closed"),
}
TEXTS = ("title", "notes", "owner", "text")
FIELDS: tuple[Place, ...] = (
    ("title",),
    ("notes",),
    ("done",),
    ("priority",),
    ("count",),
    ("status",),
    ("meta", "owner"),
    ("meta", "color"),
    ("meta", "hours"),
)


def shown(body: Body | None, place: Place) -> Any:
    """What the body has at the place; ABSENT for everything in a deleted document."""
    if body is None:
        return ABSENT
    value: Any = body
    for depth, key in enumerate(place):
        if isinstance(value, list):
            if depth == 1 and place[0] == "tags":
                return True if key in value else ABSENT
            value = next((m for m in value if isinstance(m, dict) and m.get("id") == key), ABSENT)
        elif isinstance(value, dict):
            value = value.get(key, ABSENT)
        if value is ABSENT:
            return ABSENT
    if place in {("meta",), ()} or (place[0] == "steps" and len(place) == 2):
        return True
    return value


def is_shown(body: Body | None, effect: Effect) -> bool:
    """Whether the body shows the effect; true is not 1."""
    found = shown(body, effect[0])
    return type(found) is type(effect[1]) and bool(found == effect[1])


def put(body: Body, place: Place, value: Any) -> Body:
    """A copy of the body with `value` at the place, or without the place for ABSENT."""
    body = copy.deepcopy(body)
    if place[0] == "tags":
        tags = [t for t in body.get("tags", []) if t != place[1]]
        body["tags"] = tags if value is ABSENT else [*tags, place[1]]
    elif place[0] == "steps":
        steps = body.setdefault("steps", [])
        member = next((m for m in steps if m["id"] == place[1]), None)
        if len(place) == 2:
            body["steps"] = [m for m in steps if m is not member]
            if value is not ABSENT:
                body["steps"].append({"id": place[1]} if member is None else member)
        elif member is not None:
            _assign(member, place[2], value)
    elif len(place) == 2:
        _assign(body.setdefault(place[0], {}), place[1], value)
    else:
        _assign(body, place[0], value)
    return body


def without_empty_lists(body: Body) -> Body:
    """The body without the fields that are empty lists."""
    return {key: value for key, value in body.items() if value != []}


def _assign(into: Body, key: str, value: Any) -> None:
    if value is ABSENT:
        into.pop(key, None)
    else:
        into[key] = value


def new_document(identifier: str, rng: random.Random) -> Body:
    """A fresh document with some of the fields."""
    return {
        "id": identifier,
        "title": f"{rng.choice(WORDS)} {rng.choice(WORDS)} first",
        "done": False,
        "priority": rng.choice(SMALL["priority"]),
        "tags": rng.sample(TAGS, 2),
        "meta": {"owner": f"{rng.choice(WORDS)} family", "color": "red"},
        "steps": [{"id": "s0", "text": f"{rng.choice(WORDS)} to begin", "done": False}],
    }


def whole(body: Body) -> list[Effect]:
    """Everything that a fresh document shows, as effects."""
    fields = [(place, shown(body, place)) for place in FIELDS]
    tags = [(("tags", tag), True) for tag in body["tags"]]
    steps = [(("steps", m["id"]), True) for m in body["steps"]]
    inside = [(("steps", m["id"], field), m[field]) for m in body["steps"] for field in ("text", "done")]
    return [effect for effect in (*fields, *tags, *steps, *inside) if effect[1] is not ABSENT]


def random_intent(rng: random.Random, serial: int) -> tuple[Any, ...]:
    """What a user means to do, as data that fits whatever document it meets later."""
    kind = rng.choices(
        ("text", "small", "remove", "undo", "tag", "untag", "step", "unstep", "unmeta", "delete", "recreate"),
        (22, 24, 8, 8, 9, 5, 9, 3, 2, 2, 1),
    )[0]
    return (kind, serial, rng.randrange(1 << 30))


def effects(intent: tuple[Any, ...], body: Body, undoable: Sequence[Effect]) -> list[Effect]:
    """The effects of an intent on the body that its user sees; none if there is nothing to do.

    `undoable`: what this user has replaced so far, the oldest first.
    """
    kind, serial, salt = intent
    rng = random.Random(salt)
    steps = [m["id"] for m in body.get("steps", []) if isinstance(m, dict) and "id" in m]
    places = [*FIELDS, *(("steps", s, f) for s in steps for f in ("text", "done"))]
    phrase = f"{rng.choice(WORDS)} {rng.choice(WORDS)} {serial}"
    wanted: list[Effect]
    if kind == "text":
        wanted = [(rng.choice([p for p in places if p[-1] in TEXTS]), phrase)]
    elif kind == "small":
        place = rng.choice([p for p in places if p[-1] in SMALL])
        now = shown(body, place)
        wanted = [(place, rng.choice([v for v in SMALL[place[-1]] if v is not now and v != now]))]
    elif kind == "remove":
        wanted = [(rng.choice([p for p in FIELDS if p != ("title",)]), ABSENT)]
    elif kind == "undo":
        wanted = [rng.choice(undoable[-3:])] if undoable else []
    elif kind == "tag":
        wanted = [(("tags", rng.choice([*TAGS, f"tag{serial}"])), True)]
    elif kind == "untag":
        wanted = [(("tags", rng.choice(body["tags"])), ABSENT)] if body.get("tags") else []
    elif kind == "step":
        at = ("steps", f"s{serial}")
        wanted = [(at, True), ((*at, "text"), phrase), ((*at, "done"), False)]
    elif kind == "unstep":
        wanted = [(("steps", rng.choice(steps)), ABSENT)] if steps else []
    else:
        wanted = [(("meta",), ABSENT)]
    return [e for e in wanted if not is_shown(body, e) and (kind == "step" or _reachable(body, e))]


def _reachable(body: Body, effect: Effect) -> bool:
    place = effect[0]
    if place[0] == "steps" and len(place) == 3:
        return shown(body, place[:2]) is not ABSENT
    return True
