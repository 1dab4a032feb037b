"""Modules that libraries load and that short commands hardly ever use: loaded when somebody uses them.

A stand-in takes the place of such a module, and gives what is in it from the real one, which is loaded for the first
thing that is asked for. What can be answered without it is given to the stand-in beforehand. It is not for a
package of which parts are imported, nor for what is imported with a star. Threads may ask at the same time: the
import system lets one of them load.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import Any

_replacing = Lock()


class StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # asked of whatever something is imported from; a package has it
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


def _real(name: str) -> ModuleType:
    with _replacing:
        if isinstance(sys.modules.get(name), StandIn):
            del sys.modules[name]
    return import_module(name)


def postpone(module: str, **answers: Callable[..., Any]) -> None:
    """`answers`: functions of the module that are given in place of its own. Nothing happens if it is loaded."""
    if module not in sys.modules:
        stand_in = StandIn(module)
        vars(stand_in).update(answers)
        sys.modules[module] = stand_in


def postpone_for_click() -> None:
    """What click and the standard library load for the sake of a few of their functions, which few commands need."""
    postpone("inspect", cleandoc=_cleandoc)
    for module in ("ipaddress", "locale"):
        postpone(module)
    # All that the program says is English, so what click says is too: no file of translations is looked for.
    postpone("gettext", gettext=_untranslated, ngettext=_singular_or_plural)
    if sys.platform == "linux":
        postpone("platform", system=_system)


def _cleandoc(text: str) -> str:
    """As `inspect` has it. From most texts nothing is to be taken."""
    if "\n" not in text and "\t" not in text and text == text.strip():
        return text
    cleaned: str = _real("inspect").cleandoc(text)
    return cleaned


def _untranslated(text: str) -> str:
    return text


def _singular_or_plural(singular: str, plural: str, count: int) -> str:
    return singular if count == 1 else plural


def _system() -> str:
    return os.uname().sysname
