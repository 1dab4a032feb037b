"""Values that are made by the thousand: several for each document of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """A dataclass with slots, of which nothing is changed: the type checker sees to it. `frozen=True` would refuse it
    at run time as well, and such an object takes four times as long to make."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
