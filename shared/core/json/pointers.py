"""JSON pointers (RFC 6901), and places: pointers in the making."""

from __future__ import annotations


def escape(segment: str) -> str:
    """A key as a segment of a pointer."""
    if "~" in segment or "/" in segment:
        return segment.replace("~", "~0").replace("/", "~1")
    return segment


def split(pointer: str) -> list[str]:
    """The segments of a pointer, unescaped. Raises ValueError for what is none."""
    if not pointer:
        return []
    if pointer[0] != "/":
        raise ValueError("a pointer is empty or starts with /")
    segments = pointer[1:].split("/")
    for index, segment in enumerate(segments):
        if "~" in segment:
            if segment.count("~") != segment.count("~0") + segment.count("~1"):
                raise ValueError("~ in a pointer is followed by 0 or 1")
            segments[index] = segment.replace("~1", "/").replace("~0", "~")
    return segments


class Place:
    """A place that documents have in common; text only where something is said about it.

    `stable` calls a member of an array by `field=name`, or by `-` if it has no name: its index differs
    between documents, and what it is in the result is not known before the merge is over.
    """

    __slots__ = ("_stable", "above", "guessed", "in_array", "index", "of_array", "segment")

    def __init__(self, above: Place | None, segment: str, *, of_array: bool = False) -> None:
        self.above = above
        self.segment = segment
        self.of_array = of_array
        self.in_array: bool = of_array or (above is not None and above.in_array)
        self.index: int | None = None
        """Where this member of an array stands in the result, if it does."""
        self.guessed: bool = above is not None and above.guessed
        """Whether that the values here belong together is a guess."""
        self._stable: str | None = None

    def stable(self) -> str:
        """The place as a pointer without indices."""
        if self._stable is None:
            self._stable = f"{self.above.stable()}/{escape(self.segment)}" if self.above else ""
        return self._stable

    def in_result(self, known: dict[Place, str]) -> str:
        """The place as a pointer into the result; `-` is a member that is not in it. `known` is filled."""
        if not self.in_array:
            return self.stable()
        text = known.get(self)
        if text is None:
            segment = escape(self.segment)
            if self.of_array:
                segment = "-" if self.index is None else str(self.index)
            text = known[self] = f"{self.above.in_result(known)}/{segment}" if self.above else ""
        return text


ROOT = Place(None, "")
