"""A worker, and its process for what is large, end when they are told to, however early that comes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.instance import ROOT, Instance
from tests.patience import PATIENCE_SECONDS

TOLD_BEFORE_ITS_LOOP_RUNS = """
import os, signal, sys
from {module} import main
from shared.adapters import arq

made = arq.PatientWorker.__init__

def tell(self, **settings):
    made(self, **settings)
    os.kill(os.getpid(), signal.SIGTERM)

arq.PatientWorker.__init__ = tell
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["worker.__main__", "worker.large_process"])
def test_a_worker_ends_that_is_told_to_before_its_loop_runs(server: Instance, module: str) -> None:
    environment = {
        **os.environ,
        "HYPERTASK_MONGO_URL": server.settings.mongo_url,
        "HYPERTASK_MONGO_DATABASE": server.settings.mongo_database,
        "HYPERTASK_REDIS_URL": server.settings.redis_url,
    }
    code = TOLD_BEFORE_ITS_LOOP_RUNS.format(module=module)
    with subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT, stdin=subprocess.PIPE) as process:
        try:
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()
