"""shared/gc.py: what was there is left alone, what comes later is still collected."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from shared.gc import freeze_after_startup

class Node:
    def __init__(self):
        self.itself = self

old = Node()
freeze_after_startup()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
assert not any(one is old for one in gc.get_objects())
seen = weakref.ref(Node())
kept = []
while seen() is not None:
    kept.append([])
    assert len(kept) < 1_000_000
print("collected after", len(kept))
"""


def test_a_cycle_is_collected_and_what_was_there_before_is_not_looked_at() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("collected after ")
