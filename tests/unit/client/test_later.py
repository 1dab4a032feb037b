from __future__ import annotations

import gettext
import inspect
import platform
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import later
from client.later import StandIn, postpone
from tests.instance import ROOT

NAME = "postponed_by_a_test"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """It says how often it was loaded, and takes a while for that."""
    text = "import sys, time\nsys.loads += 1\ntime.sleep(0.05)\ndef one(): return 1\ndef two(): return 2\n"
    (tmp_path / f"{NAME}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "loads", 0, raising=False)
    yield NAME
    sys.modules.pop(NAME, None)


def loads() -> int:
    count: int = vars(sys)["loads"]
    return count


def test_it_is_loaded_when_it_is_used(module: str) -> None:
    postpone(module)
    stand_in: Any = __import__(module)
    assert (loads(), isinstance(stand_in, StandIn)) == (0, True)
    assert (stand_in.one(), stand_in.two(), loads()) == (1, 2, 1)
    real = __import__(module)
    assert not isinstance(real, StandIn) and stand_in.one is real.one


def test_what_is_imported_from_it_loads_it(module: str) -> None:
    postpone(module)
    scope: dict[str, Any] = {}
    exec(f"from {module} import two", scope)
    assert (scope["two"](), loads()) == (2, 1)


def test_what_it_has_not_is_missing(module: str) -> None:
    postpone(module)
    with pytest.raises(ImportError, match="three"):
        exec(f"from {module} import three")


def test_what_is_answered_loads_nothing(module: str) -> None:
    def eleven() -> int:
        return 11

    postpone(module, one=eleven)
    stand_in: Any = __import__(module)
    assert (stand_in.one(), loads()) == (11, 0)
    assert (stand_in.two(), stand_in.one(), loads()) == (2, 11, 1)


def test_what_is_loaded_stays(module: str) -> None:
    real = __import__(module)
    postpone(module)
    assert sys.modules[module] is real


def test_threads_that_ask_at_the_same_time_load_it_once(module: str) -> None:
    postpone(module)
    stand_in: Any = __import__(module)
    count = 8
    together = Barrier(count)

    def ask(number: int) -> int:
        together.wait()
        answer: int = stand_in.one() if number % 2 else stand_in.two()
        return answer

    with ThreadPoolExecutor(count) as pool:
        assert [*pool.map(ask, range(count))] == [2, 1] * (count // 2)
    assert loads() == 1


def test_a_module_that_fails_says_so_each_time(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.py").write_text("raise ValueError('broken')\n")
    postpone(module)
    stand_in = __import__(module)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            stand_in.anything  # noqa: B018


texts = st.text(st.sampled_from(" \t\nab\xa0")) | st.text()


@given(texts)
def test_texts_are_cleaned_as_by_inspect(text: str) -> None:
    assert later._cleandoc(text) == inspect.cleandoc(text)


@given(st.text(), st.text(), st.integers())
def test_texts_are_those_without_a_translation(one: str, many: str, count: int) -> None:
    plain = gettext.NullTranslations()
    assert later._untranslated(one) == plain.gettext(one)
    assert later._singular_or_plural(one, many, count) == plain.ngettext(one, many, count)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is not asked for")
def test_the_system_is_the_one_that_platform_names() -> None:
    assert later._system() == platform.system()


def test_what_is_postponed_can_be_used() -> None:
    """Here most of it is loaded already."""
    program = (
        "import client.cli, client.upstreams, sys\n"
        "from client.later import StandIn\n"
        "for name in [name for name, module in sys.modules.items() if isinstance(module, StandIn)]:\n"
        "    module = __import__(name)\n"
        "    print(name, bool(module.__file__), isinstance(sys.modules[name], StandIn))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {"inspect", "gettext", "idna", "certifi"} <= {name for name, *_ in lines}
    assert {(found, again) for _, found, again in lines} == {("True", "False")}, done.stdout + done.stderr


def test_a_stand_in_is_a_module() -> None:
    assert isinstance(StandIn("anything"), ModuleType)
