from pathlib import Path

import local_redis
import pytest
from data_directory import CannotStartError, claimed
from program import Program


async def test_one_that_never_answers_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_redis, "_MAY_TAKE_SECONDS", 0.2)
    silent = tmp_path / "redis-server"
    silent.write_text("#!/bin/sh\necho thinking\nexec sleep 60\n")
    silent.chmod(0o755)
    with claimed(tmp_path / "data", print) as data:
        service = local_redis.service(data, Program(silent, "7.0.0", from_wheel=False), data.port("redis"))
        await service.child.start()
        try:
            with pytest.raises(CannotStartError, match=r"redis was not ready after 0\.2 s"):
                await service.ready()
        finally:
            await service.child.stop(print)
