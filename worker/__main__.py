"""`python -m worker`: one worker process. All that it logs is JSON, from its first line on."""

from __future__ import annotations

import sys

from shared import observability
from shared.adapters import arq
from shared.settings import Settings
from worker.settings import settings_of


def main() -> str | None:
    try:
        settings = Settings.from_env()
    except ValueError as error:
        return str(error)
    observability.configure(settings.log_level)
    arq.run(settings_of(settings, large=False))
    return None


if __name__ == "__main__":
    sys.exit(main())
