"""What the benchmark says of its figures."""

from xml.etree import ElementTree

import pytest

from bench.work.aims import table
from bench.work.contention import edited, judged
from bench.work.plot import plot
from bench.work.report import (
    BEGIN,
    END,
    markdown,
    medians,
    number,
    ratio,
    scaling_table,
    section,
    size_tables,
    tables,
    with_section,
)
from bench.work.said import said


def test_a_median_is_over_the_repeats_that_have_the_figure() -> None:
    runs = [{"a": {"w2": 1.0}}, {"a": {"w2": 5.0, "w3_ms": 2.0}}, {"a": {"w2": 3.0}, "b": {}}]
    assert medians(runs) == {"a": {"w2": 3.0, "w3_ms": 2.0}, "b": {}}


@pytest.mark.parametrize(
    ("ours", "theirs", "more", "expected"),
    [(300, 100, True, 3.0), (100, 300, True, 1 / 3), (2, 8, False, 4.0), (8, 2, False, 0.25), (0, 8, False, None)],
)
def test_a_ratio_says_how_many_times_better_the_first_is(
    ours: float, theirs: float, more: bool, expected: float | None
) -> None:
    assert ratio(ours, theirs, more_is_better=more) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (12345.6, "12,346"), (0, "0"), (3.14159, "3.14"), (31.4159, "31.4"), (-0.091, "-0.09")],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_table_names_the_ratio_to_the_first_column() -> None:
    found = {"Hypertask": {"w2": 100.0}, "other": {"w2": 25.0}, "silent": {}}
    lines = list(tables(found, 50, "Hypertask"))
    assert "### W2: fresh pull of all of them" in lines
    assert "| other | 25 | 4 |" in lines
    assert not any("silent" in line for line in lines)


def test_growth_is_told_against_ten_thousand_documents() -> None:
    names = ("w3_ms", "w3_requests", "w3_bytes", "w4_ms", "w4_requests", "w4_bytes", "w1_batched")
    rows = {size: dict.fromkeys(names, float(size)) for size in (1_000, 10_000, 20_000)}
    last = list(size_tables({"Hypertask": rows}))[-1]
    assert "| 2.00, 2.00 |" in last


def test_an_edit_is_lost_if_the_server_does_not_show_its_round() -> None:
    mine, other = {"id": "d"}, {"id": "d"}
    for turn in range(3):
        edited(mine, "device0", turn)
    truth = {"d": {"id": "d", "device0": "0 2"}}
    found = judged("way", truth, {"device0": (3, {"d": mine}), "device1": (1, {"d": other})}, 2.0)
    assert mine["device0"] == "0 1 2"
    assert found == {"w5_lost way": 2, "w5_made way": 4, "w5_stale way": 2, "w5_rate way": 2.0}


def test_the_picture_is_well_formed_and_has_a_bar_for_each_system() -> None:
    found = {
        "Hypertask": {"w2": 100.0, "w5_lost way": 0.0, "w5_made way": 10.0},
        "other & more": {"w2": 25.0, "w5_lost way": 5.0, "w5_made way": 10.0},
    }
    root = ElementTree.fromstring(plot(found))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "other & more" in texts
    assert {"100", "25", "50", "0"} <= set(texts)


def test_an_aim_is_told_with_how_much_of_it_is_reached_and_nothing_of_what_was_not_measured() -> None:
    found = {
        "Hypertask": {"w1_batched": 600.0, "w6_worst": 500.0, "w6_p50": 8.8},
        "pouchdb-server": {"w1_batched": 300.0},
        "motor": {"w6_p50": 2.0},
    }
    lines = list(table(found))[5:]
    assert lines == [
        "| W1 batched, times pouchdb-server | 2.33 | 2 | 4 | 0.50 |",
        "| single write at 1 connection, p50, times a bare durable insert | 3.80 | 4.40 | 2.20 | 0.50 |",
        "| the slowest of those, ms |  | 500 | 1,000 | reached |",
    ]
    assert list(table({})) == []


def test_an_aim_of_none_is_reached_by_none_alone() -> None:
    lost = "| W5 edits lost | 0 |"
    assert f"{lost} 0 | 0 | reached |" in list(table({"Hypertask": {"w5_lost with base": 0.0}}))
    assert f"{lost} 2 | 0 | 0.00 |" in list(table({"Hypertask": {"w5_lost with base": 2.0}}))


def test_the_tables_go_where_a_page_has_a_place_for_them() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    written = with_section(page, "new\n")
    assert written == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert with_section(written, "new\n") == written and section(written) == "new\n"
    assert with_section("no place", "new\n") == "new\n"


def test_a_column_of_fewer_repeats_is_named() -> None:
    results = {
        "documents": 10,
        "cores": 2,
        "repeats": {"Hypertask": 3, "slow": 1},
        "medians": {"Hypertask": {"w2": 1.0}},
        "sizes": {},
        "means": {"slow": "waits"},
        "failures": {"slow, W5": "too slow"},
    }
    text = markdown(results)
    assert text.startswith("10 documents, 3 repeat(s) (slow 1), medians; 2 cores")
    assert "- **slow**: waits." in text and "- slow, W5: too slow" in text


def test_what_is_said_of_others_is_of_those_that_were_measured_and_nothing_of_what_ours_has_not() -> None:
    found = {
        "Hypertask": {"w1_batched": 600.0, "w4_requests": 3.0, "w4_bytes": 25_061.0, "w4_ms": 20.0},
        "Hypertask client": {"w4_bytes": 1.0},
        "pouchdb-server": {"w1_batched": 300.0, "w4_bytes": 80_295.0, "w4_ms": 50.0, "w6_rate": 5.0},
        "rxdb-server": {"w4_bytes": 157_757.0},
    }
    assert said(found).splitlines()[2:] == [
        "| first push, documents a second | 600 | 2 pouchdb-server |",
        "| 100 changes on each side | 3 requests, 25 kB, 20 ms | 2.50 pouchdb-server, they send 80 to 158 kB |",
    ]
    assert len(said({}).splitlines()) == 2


def test_what_others_lose_is_told_from_the_way_that_loses_least_to_the_one_that_loses_most() -> None:
    found = {
        "Hypertask": {"w5_lost with base": 0.0, "w5_made with base": 6800.0, "w5_rate with base": 326.0},
        "Hypertask, v1.0 client": {"w5_lost v1.0 token": 1.0, "w5_made v1.0 token": 1.0},
        "one": {"w5_lost a": 1.0, "w5_made a": 4.0, "w5_lost b": 0.0, "w5_made b": 0.0},
        "another": {"w5_lost a": 3.0, "w5_made a": 4.0},
    }
    assert (
        said(found).splitlines()[-1].endswith("| 0 lost, of 6,800, 326 a second | they lose 25 to 75 % of theirs |")
    )


def test_what_more_workers_do_is_told_with_the_cores_that_each_kind_of_process_took() -> None:
    rates, cores = {"1, 1": 2500.0}, {"1, 1": {"worker": 0.5, "load": 0.25}}
    assert list(scaling_table({"apart": {"rates": rates, "cores": cores}}))[3:] == [
        "| | workers, spaces | writes/s | cores: worker | load |",
        "|---|---|---|---|---|",
        "| apart | 1, 1 | 2,500 | 0.50 | 0.25 |",
    ]
    assert list(scaling_table({})) == []
