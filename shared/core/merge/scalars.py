"""What declared strategies say of two scalars."""

from __future__ import annotations

import math
from typing import Any

from shared.core.json.canonical import MAX_SAFE_INTEGER
from shared.core.json.values import ABSENT, Value, is_number
from shared.core.merge.conflicts import Side
from shared.core.merge.policies import Strategy
from shared.core.merge.version_strings import version_order


def preferred_side(strategy: Strategy | None, ours: Value, theirs: Value) -> Side | None:
    """Whose value the strategy prefers; None if it has no opinion or the values do not fit."""
    a: Any = None
    b: Any = None
    if strategy in (Strategy.MAX, Strategy.MIN) and is_number(ours) and is_number(theirs):
        a, b = (ours, theirs) if strategy is Strategy.MAX else (theirs, ours)
    elif strategy is Strategy.VERSION:
        a, b = version_order(ours), version_order(theirs)
    if a is None or b is None or a == b:
        return None
    return Side.OURS if a > b else Side.THEIRS


def counted(base: Any, ours: Any, theirs: Any) -> float | None:
    """ours + theirs - base; None where they are no numbers or the sum is none that JSON has exactly."""
    if base is ABSENT:
        base = 0
    if not (is_number(base) and is_number(ours) and is_number(theirs)):
        return None
    if all(abs(value) <= MAX_SAFE_INTEGER and value == int(value) for value in (base, ours, theirs)):
        summed = int(ours) + int(theirs) - int(base)
        return summed if abs(summed) <= MAX_SAFE_INTEGER else None
    total: float = float(ours) + theirs - base
    return total if math.isfinite(total) else None
