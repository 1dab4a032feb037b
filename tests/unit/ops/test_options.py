from pathlib import Path

import options
import pytest


def test_defaults() -> None:
    parsed = options.parse([])
    assert (parsed.host, parsed.port, parsed.api, parsed.workers, parsed.json) == (
        "127.0.0.1",
        8480,
        1,
        1,
        False,
    )
    assert parsed.data == Path(__file__).parents[3] / ".hypertask"


def test_the_data_folder_is_taken_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert options.parse(["--data", "here"]).data == tmp_path / "here"


@pytest.mark.parametrize(
    "wrong", [["--port", "65536"], ["--port", "-1"], ["--api", "0"], ["--workers", "x"], ["--nothing"]]
)
def test_what_does_not_fit_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
