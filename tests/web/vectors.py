"""What the rules of the server and of the command line's client say, as data for implementations in other languages.

    python -m tests.web.vectors FOLDER [--count 2000] [--seed 1]

writes one file for each kind, a JSON object a line: `canonical`, `merge`, `policies`, `answers`, `plans`, `pending`,
`positions`, `folded`. An absent member of an object means that there is no value. The SDK's tests run them
(web/sdk/test/vectors.test.ts).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from client.sync.engine.answer import is_forgotten, may_be_lost, on_answer, on_fetched
from client.sync.engine.plan import Action, Adopt, Delete, Fetch, Resend, Send, pending_for, plan
from client.sync.engine.records import Outline, Pending, Record, Refused, UpstreamAnswer
from shared.core.documents import Body, ContentHash, DocumentId, Epoch, Position, SequenceNumber
from shared.core.index.cursors import cursor_of
from shared.core.json import canonical as exact
from shared.core.json import strict
from shared.core.json.strict import FaultError
from shared.core.merge.array_run import MAX_COMPARED
from shared.core.merge.conflicts import Conflict
from shared.core.merge.objects import ABSENT, Value, merge
from shared.core.merge.policies import NO_POLICIES, InvalidPolicies, Policies, parse
from shared.core.protocol import Limits
from shared.core.resolution.revs import make_rev
from shared.core.resolution.states import DELETED_KEY
from tests.web import random_json

Vector = dict[str, Any]
Make = Callable[[random.Random], Vector]
ROOT = Path(__file__).resolve().parent.parent.parent


def canonical_vector(rng: random.Random) -> Vector:
    """A text, and its canonical form and hash, or what is wrong with it."""
    text = random_json.text_of(rng, random_json.any_value(rng))
    for _ in range(rng.choice((0, 0, 1, 2))):
        text = random_json.spoiled(rng, text)
    return canonical_of(text)


def canonical_of(text: str) -> Vector:
    """The vector of one text."""
    try:
        value = strict.parse(text.encode("utf-8"), max_depth=Limits().max_depth)
    except FaultError as error:
        fault = error.fault
        return {"text": text, "reason": fault.reason, "pointer": fault.pointer, "json": _is_json(text)}
    return {"text": text, "canonical": exact.canonical(value).decode(), "hash": exact.content_hash(value)}


def _is_json(text: str) -> bool:
    """False: of a text that is nested too deeply as well either may be said."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _conflicts(found: tuple[Conflict, ...]) -> list[Vector]:
    return [_without_absent({"path": c.path, "kept": c.kept, "dropped": c.dropped, "rule": c.rule}) for c in found]


def _without_absent(members: dict[str, Value]) -> Vector:
    return {name: value for name, value in members.items() if value is not ABSENT}


def _policies(rng: random.Random) -> tuple[dict[str, Any], Policies]:
    declared = random_json.policies(rng) if rng.random() < 0.4 else {}
    try:
        return declared, parse(declared)
    except InvalidPolicies:
        return {}, NO_POLICIES


def merge_vector(rng: random.Random) -> Vector:
    """An ancestor, two sides, and what is made of them."""
    base: Value = random_json.document(rng) if rng.random() < 0.7 else random_json.value(rng, 4)
    ours, theirs = random_json.edited(rng, base), random_json.edited(rng, base)
    if rng.random() < 0.1:
        base = ABSENT
    declared, policies = _policies(rng)
    explicit = rng.random() < 0.5
    merged = merge([base], ours, theirs, policies=policies, explicit_base=explicit)
    given = _without_absent({"base": base, "ours": ours, "theirs": theirs})
    wanted = _without_absent({"result": merged.value})
    return {**given, "policies": declared, "explicit": explicit, **wanted, "conflicts": _conflicts(merged.conflicts)}


def crowded_vector(rng: random.Random, arrays: int) -> Vector:
    """So many small arrays that both sides changed, and a few fields."""
    base, ours, theirs = (
        {str(at): [0, 0, side, *rng.choices(range(3), k=4)] for at in range(arrays)} for side in (1, 2, 3)
    )
    given = {"base": base, "ours": {**ours, "a": "ours"}, "theirs": {**theirs, "a": "theirs", "b": 1}}
    merged = merge([base], given["ours"], given["theirs"])
    wanted = {"result": merged.value, "conflicts": _conflicts(merged.conflicts)}
    return {**given, "policies": {}, "explicit": False, **wanted}


def policies_vector(rng: random.Random) -> Vector:
    """A declaration, and where its fault is."""
    declared = random_json.policies(rng)
    try:
        parse(declared)
    except InvalidPolicies as error:
        return {"declared": declared, "pointer": error.pointer}
    return {"declared": declared}


def _hash(body: Body | None) -> ContentHash | None:
    return None if body is None else exact.content_hash(body)


def _rev(rng: random.Random, state: Body | None) -> str:
    history = rng.choice((None, Epoch("one"), Epoch("two")))
    content = _hash(state) or ContentHash("")
    return make_rev(SequenceNumber(rng.randrange(20)), content, deleted=state is None, history=history)


def _state(rng: random.Random, base: Body) -> Body | None:
    return None if rng.random() < 0.2 else random_json.edited(rng, base, 2)


def _answer(rng: random.Random, base: Body) -> UpstreamAnswer:
    state = _state(rng, base)
    return UpstreamAnswer(state, _hash(state), _rev(rng, state))


def _record(record: Record) -> Vector:
    outline = _outline_vector(record.outline)
    del outline["refused"], outline["pending"]
    return {**outline, "shadowBody": record.shadow}


def answer_vector(rng: random.Random) -> Vector:
    """What was sent, what is here now, what was answered; what is here then."""
    base = random_json.document(rng)
    answer = _answer(rng, base)
    now = _state(rng, base)
    declared, policies = _policies(rng)
    said = {"state": answer.state, "hash": answer.hash, "rev": answer.rev}
    if rng.random() < 0.2:
        shadow = _state(rng, base)
        record = Record(Outline(base="1-x", shadow_hash=_hash(shadow)), shadow)
        fetched = on_fetched(record, now, answer)
        wanted = {"doc": fetched.doc, **_record(fetched.record)} if fetched is not None else None
        return {"fetched": True, "shadow": shadow, "now": now, "answer": said, "wanted": wanted}
    body = _state(rng, base)
    shadow = rng.choice((None, base))
    if body is None:
        body = {**base, DELETED_KEY: True}
    elif rng.random() < 0.4:
        now = body
    pending = Pending(body, exact.content_hash(body), "1-x", shadow)
    unedited = rng.random() < 0.2
    found = on_answer(pending, now, answer, policies, unedited=unedited)
    return {
        "pending": {"body": body, "base": "1-x", "shadow": shadow},
        "now": now,
        "answer": said,
        "policies": declared,
        "unedited": unedited,
        "wanted": {"doc": found.doc, **_record(found.record)},
        "conflicts": _conflicts(found.conflicts),
    }


def _outline_vector(outline: Outline) -> dict[str, Any]:
    """With the names that the SDK keeps in the browser's database."""
    names = {"shadow_hash": "shadow", "remote_hash": "remote", "is_pending": "pending"}
    refused = None if outline.refused is None else outline.refused._asdict()
    return {names.get(name, name): value for name, value in {**outline._asdict(), "refused": refused}.items()}


def _outline(rng: random.Random) -> Outline:
    shadow = rng.choice((None, "a", "b"))
    refused = None
    if rng.random() < 0.2:
        content = rng.choice((None, ContentHash("a"), ContentHash("c")))
        refused = Refused("invalid", "", content, rng.choice((None, ContentHash("b"))))
    base = rng.choice((None, "1-x", "1-x"))
    return Outline(
        base=base,
        gone=shadow is None and base is not None,
        shadow_hash=shadow if base else None,  # type: ignore[arg-type]
        remote_hash=rng.choice((None, "a", "b", "c")),  # type: ignore[arg-type]
        is_pending=rng.random() < 0.1,
        refused=refused,
        unverified=rng.random() < 0.2,
    )


def _action(action: Action) -> Vector:
    match action:
        case Send():
            return {"kind": "send", "id": action.id, "created": action.created}
        case Fetch():
            return {"kind": "fetch", "id": action.id, "removes": action.removes}
        case Delete():
            return {"kind": "delete", "id": action.id}
        case Adopt():
            return {"kind": "adopt", "id": action.id}
        case Resend():
            return {"kind": "resend", "id": action.id}


def plan_vector(rng: random.Random) -> Vector:
    """What is here and what is remembered; what is to be done."""
    many = rng.random() < 0.1
    names = [DocumentId(f"d{number}") for number in range(rng.randrange(60) if many else rng.randrange(5))]
    outlines = {name: _outline(rng) for name in names}
    if many:  # nothing but deletions, or removals
        gone = rng.random() < 0.5
        held = Outline(base="1-x", shadow_hash=ContentHash("a"), remote_hash=ContentHash("a") if gone else None)
        outlines = dict.fromkeys(names, held)
    local = {name: ContentHash(rng.choice("abc")) for name in names if rng.random() < 0.7}
    if many:
        local = {name: ContentHash("a") for name in names if not gone or rng.random() < 0.2}
    confirmed, settled = rng.random() < 0.3, rng.choice((0, 0, 50, 500))
    found = plan(local, set(), outlines, confirmed=confirmed, settled=settled)
    return {
        "local": local,
        "outlines": {name: _outline_vector(outline) for name, outline in outlines.items()},
        "confirmed": confirmed,
        "settled": settled,
        "actions": [_action(action) for action in found.actions],
        "refused": found.refused,
        "heldHere": found.held_here,
        "heldThere": found.held_there,
    }


def pending_vector(rng: random.Random) -> Vector:
    """An action and what is remembered; the state to send."""
    base = random_json.document(rng)
    body, shadow = _state(rng, base), _state(rng, base)
    rev = rng.choice((None, _rev(rng, shadow)))
    if rev is None:
        shadow = None
    gone = rev is not None and (shadow is None or rng.random() < 0.2)
    outline = Outline(
        base=rev,
        gone=gone,
        shadow_hash=_hash(shadow),
        remote_hash=rng.choice((None, ContentHash("x"))),
        unverified=rng.random() < 0.2,
    )
    identity = DocumentId("the-document")
    action = Delete(identity) if body is None else Send(identity, created=False)
    whole = rng.random() < 0.5
    found = pending_for(action, Record(outline, shadow), body, agreed_once=whole)
    wanted = None
    if found is not None:
        wanted = {
            "body": found.body,
            "hash": found.hash,
            "base": found.base,
            "shadow": found.shadow,
            "attach": found.attach,
        }
    return {"record": _record(Record(outline, shadow)), "body": body, "whole": whole, "wanted": wanted}


def position_vector(rng: random.Random) -> Vector:
    """Revs and cursors, and whether they tell that an upstream was put back."""

    def rev() -> str:
        return rng.choice(
            (_rev(rng, {"id": "a"}), _rev(rng, None), "0", "no rev", exact.content_hash(rng.randrange(9)))
        )

    def cursor() -> str | None:
        history = Epoch(rng.choice(("one", "two")))
        return rng.choice((None, "no cursor", *[cursor_of(Position(history, SequenceNumber(rng.randrange(20))))] * 4))

    base, answered = rng.choice((None, rev())), rng.choice((None, rev()))
    bases, listened, now = [rev() for _ in range(rng.randrange(4))], cursor(), cursor()
    return {
        "base": base,
        "rev": answered,
        "forgotten": is_forgotten(base, UpstreamAnswer(None, None, answered)),
        "bases": bases,
        "listened": listened,
        "now": now,
        "lost": may_be_lost(bases, listened, now),
    }


KINDS: dict[str, Make] = {
    "canonical": canonical_vector,
    "merge": merge_vector,
    "policies": policies_vector,
    "answers": answer_vector,
    "plans": plan_vector,
    "pending": pending_vector,
    "positions": position_vector,
}


def folded_vectors() -> Iterator[Vector]:
    """Of each character whose case folding is not itself: that."""
    for point in range(0x110000):
        character = chr(point)
        if not 0xD800 <= point < 0xE000 and character.casefold() != character:
            yield {"text": character, "folded": character.casefold()}


def write(folder: Path, *, count: int, seed: int) -> dict[str, int]:
    """Writes the files, and says how many vectors each has."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, int] = {}
    known = json.loads((ROOT / "tests" / "vectors" / "content_hash.json").read_text())
    by_hand = [canonical_of(vector["json"]) for vector in (*known["accept"], *known["reject"])]
    for name, make in KINDS.items():
        rng = random.Random(f"{name} {seed}")
        vectors = [make(rng) for _ in range(count)]
        if name == "canonical":
            vectors += by_hand
        if name == "merge":
            vectors += [crowded_vector(rng, MAX_COMPARED + more) for more in (0, 1)]
        written[name] = _write(folder / f"{name}.jsonl", vectors)
    written["folded"] = _write(folder / "folded.jsonl", list(folded_vectors()))
    return written


def _write(path: Path, vectors: list[Vector]) -> int:
    path.write_text("".join(f"{json.dumps(vector, ensure_ascii=True)}\n" for vector in vectors))
    return len(vectors)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    for name, count in write(options.folder, count=options.count, seed=options.seed).items():
        print(f"{name}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
