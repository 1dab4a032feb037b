"""What a run of the standard work writes stays until the run is over: removing it would be measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.work.__main__ import Log, at, scratch
from bench.work.columns import Column, Place, Scale


class _Place:
    name = "one that leaves a file"

    def start(self, folder: Path) -> None:
        (folder / "left").touch()

    def columns(self, scale: Scale) -> Sequence[Column]:
        return ()

    def stop(self) -> None: ...


def test_what_a_place_left_is_there_while_the_next_one_works_and_gone_afterwards() -> None:
    seen: list[int] = []
    with scratch() as folder:

        def work(place: Place) -> None:
            seen.append(len(list(folder.glob("*/left"))))

        for _ in range(3):
            at(_Place(), folder, Log(), work)
    assert seen == [1, 2, 3]
    assert not folder.exists()
