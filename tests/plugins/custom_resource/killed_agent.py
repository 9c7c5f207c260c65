"""An agent in a process of its own that kills itself at one step: `python -m … SETTINGS.json STEP RECORD`; "" is no step."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skep import Agent, CustomResource, CustomResourceRequest, Plugin, parse_settings
from skep_custom_resource.journal import Journal
from skep_custom_resource.sending import Sender
from skep_custom_resource.sqs import Queue

__all__ = ["STEPS"]

_WATCHED = {"receive": Queue, "answered": Journal, "put": Sender, "finished": Journal, "delete": Queue}
STEPS = [f"{when} {name}" for name in _WATCHED for when in ("before", "after") if f"{when} {name}" != "before receive"]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(step: str) -> None:
    when, _, name = step.partition(" ")
    owner: Any = _WATCHED[name]
    wrapped = getattr(owner, name)

    @functools.wraps(wrapped)
    async def killing(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            _kill()
        answer = await wrapped(*arguments, **options)
        if name != "receive" or answer:
            _kill()
        return answer

    setattr(owner, name, killing)


class Counting(Plugin):
    """Makes something, and keeps count of that."""

    name = "counting"
    record: Path

    def custom_resources(self) -> Mapping[str, CustomResource]:
        return {"counted": self.counted}

    async def counted(self, request: CustomResourceRequest) -> object:
        with self.record.open("a") as file:
            file.write(f"{request.request_id}\n")
        return {"Made": str(os.getpid())}


async def _main(settings: str, step: str, record: str) -> None:
    if step:
        _arm(step)
    Counting.record = Path(record)
    async with Agent(parse_settings(json.loads(settings)), plugins=[Counting]) as agent:
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await agent.wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:4]))
