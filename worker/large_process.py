"""`python -m worker.large_process`: the process of `worker.large`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final

from shared.adapters import arq
from shared.settings import Settings
from worker.settings import settings_of

_NICE: Final = 10


def _until_the_end_of_input() -> None:
    """The parent holds the other end of the pipe: it ends when the parent does, however that comes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, arq.STOPPING)  # they are for the main thread, which may not be ready yet
    while os.read(sys.stdin.fileno(), 1):  # a buffer has a lock, which whoever ends the process would wait for
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent to say when
    os.nice(_NICE)
    threading.Thread(target=_until_the_end_of_input, daemon=True).start()
    arq.run(settings_of(Settings.from_env(), large=True))


if __name__ == "__main__":
    main()
