"""An engine that answers nonsense: the error names it, in JSON, and no traceback is logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest

PRUNES = ("/images/prune", "/volumes/prune", "/networks/prune", "/build/prune", "/containers/prune")
NONSENSE = b"""[];null;nope;{"Containers": [1], "Volumes": [{"Driver": "local"}]};
{"NetworksDeleted": 5, "VolumesDeleted": {"a": 1}, "ImagesDeleted": 5, "SpaceReclaimed": "x", "ContainersDeleted": [1]}""".split(
    b";"
)


@pytest.mark.parametrize("answer", NONSENSE)
async def test_unreadable_answers_are_the_nodes_error(
    api: Any, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (*PRUNES, "/system/df"):
        api.engines["n2"].faults.change(lambda _: answer, path)
    for method, path in (*(("POST", path) for path in PRUNES), ("GET", "/system/df")):
        status, told = await api.call(method, path)
        assert status == 200 or (status == 502 and "n2: unreadable answer" in told["message"]), path
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
