"""The documents of the measurements: tasks of about 250 bytes."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]


TEXT = """
about again answer before below book box bring buy call car check clean cook cut door draw early empty fence
find fix floor friend garden glass green ground heat house inside invite kitchen ladder lamp large late learn
letter light list long look make market measure meet money month morning move music name near new notice
number offer old open order paint paper part pay people phone photo place plan plant plate post print quick
read repair report rest return road roof room round sell send share shelf shop short sign small sort start
station stone story street table talk ticket time town train translate travel tree under visit wait wall wash
watch water week window winter wood word work write yard year
"""
WORDS = TEXT.split()
PROJECTS = ("house", "garden", "work", "work.hiring", "music", "travel.spain", "taxes")


def document(identity: str) -> Document:
    """A task of about 250 bytes as JSON, the same for the same id. Its words differ from task to task, so that
    compression finds what it would find in tasks of people."""
    choice = random.Random(identity)
    entry = 1_735_689_600 + int(choice.random() * 30_000_000)
    words = choice.choices(WORDS, k=12)
    return {
        "id": identity,
        "description": " ".join(words[:10]),
        "status": "pending",
        "tags": words[10:],
        "entry": _moment(entry),
        "modified": _moment(entry + int(choice.random() * 5_000_000)),
        "project": choice.choice(PROJECTS),
        "priority": choice.choice("HML"),
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def changed(body: Document, turn: int) -> Document:
    """The same task, edited."""
    return {**body, "status": f"done {turn}", "turn": turn}


def names(count: int) -> list[str]:
    """Ids that were not used before."""
    mark = os.urandom(4).hex()
    return [f"t{mark}{number:07}" for number in range(count)]
