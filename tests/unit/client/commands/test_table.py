"""Tables fit the terminal, and are whole where there is none."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.commands.table import LEFT_OUT, rendered
from client.screen import Painted, cut, width_of

HEADER = ["No", "ID", "State", "Due", "Project", "Tags", "Description", "Urg"]
ROW = ["1", "q7ab", "active", "2026-11-28", "work.reports.year", "+office +writing", "Write the report soon", "26.0"]
FAMILY = "\N{WOMAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
THUMB = "\N{THUMBS UP SIGN}\U0001f3fd"
signs = st.sampled_from(["a", "b ", "漢", "é", "e\u0301", "ש", FAMILY, "\N{SPAGHETTI}", THUMB])
texts = st.lists(signs, max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("漢字", 4), ("e\u0301", 1), (FAMILY, 2), ("\N{SPAGHETTI}", 2), ("שלום", 4), (THUMB, 2)],
)
def test_widths_are_those_of_the_terminal(text: str, columns: int) -> None:
    assert width_of(text) == columns


@given(texts, st.integers(1, 30))
def test_what_is_cut_fits_and_no_sign_is_taken_apart(text: str, width: int) -> None:
    shorter = cut(text, width)
    assert width_of(shorter) <= width
    assert shorter == text or (shorter.endswith("…") and text.startswith(shorter[:-1]))
    assert not shorter.removesuffix("…").endswith("\u200d")


@given(st.lists(st.lists(texts, min_size=8, max_size=8), min_size=1, max_size=4), st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    assert max(map(width_of, rendered(HEADER, rows, width))) <= width


@pytest.mark.parametrize("width", [50, 80, 160])
def test_the_description_keeps_room(width: int) -> None:
    header, row = rendered(HEADER, [ROW], width)
    assert "Description" in header and "Write the report" in row and "2026-11-28" in row
    assert ("Tags" in header) == (width > 50)


def test_piped_nothing_is_cut_or_left_out() -> None:
    _, row = rendered(HEADER, [ROW], None)
    assert all(cell in row for cell in ROW)


def test_empty_columns_are_left_out_and_rows_are_painted() -> None:
    lines = rendered(["No", "Tags", "Description"], [["1", "", "x"], ["2", "", "y"]], 80, ["red", None])
    assert [click.unstyle(line).split() for line in lines] == [["No", "Description"], ["1", "x"], ["2", "y"]]
    assert [isinstance(line, Painted) for line in lines] == [True, True, False]


def test_every_column_that_may_be_left_out_is_one() -> None:
    assert {*LEFT_OUT} <= {*HEADER, "Depends", "Modified", "Entry", "Age"}
