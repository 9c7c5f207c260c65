"""Carrying out one file's actions, one after another, and each part of them once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skep import SkepError, TemporaryError
from skep_envfile.actions.command import run_command
from skep_envfile.actions.containers import chosen, is_labelled_by_image, restart, send_signal
from skep_envfile.actions.journal import Pending
from skep_envfile.actions.recreate import recreate, take_up

if TYPE_CHECKING:
    from skep import Agent, Container
    from skep_envfile.actions.settings import ActionSettings
    from skep_envfile.settings import FileSettings
    from skep_envfile.values import Gathered

__all__ = ["Job", "SupersededError", "carry_out"]

Done = Callable[[Pending, str], Awaitable[None]]
"""Notes that a part is done. Raises SupersededError."""


class SupersededError(Exception):
    """The file has changed again: all is to be done anew."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a file's actions need. `values` tells the variables that a file has. is_open: containers may ask for them by their labels."""

    agent: Agent
    log: logging.Logger
    file: str
    settings: FileSettings
    values: Callable[[str], Gathered | None]
    is_open: bool = False

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.settings.path)


async def carry_out(job: Job, pending: Pending, done: Done) -> None:
    """Do what is not done yet. Raises SkepError for the first failure, and SupersededError."""
    for action in job.settings.on_change:
        if action.title in pending.done:
            continue
        try:
            if action.do == "command":
                await run_command(job.log, job.file, job.path, action, job.values(job.file))
            else:
                await _to_containers(job, action, pending, done)
        except (SkepError, OSError) as error:
            raise SkepError(f"{action.title}: {error}") from error
        await done(pending, action.title)
        job.log.info("file %s: done: %s", job.file, action.title)


async def _to_containers(job: Job, action: ActionSettings, pending: Pending, done: Done) -> None:
    """One that fails does not keep others from their turn. Raises SkepError for the first failure, when all had one."""
    failures: list[SkepError] = []
    if action.do == "recreate":
        for container in chosen(job.agent, job.file, action.label):
            try:
                await take_up(job.agent, container)
            except SkepError as error:
                failures.append(error)
    for container in chosen(job.agent, job.file, action.label):
        if f"{action.title} {container.id}" in pending.done:
            continue
        try:
            id_ = await _one(job, action, container, pending)
        except SkepError as error:
            failures.append(error)
        else:
            await done(pending, f"{action.title} {id_}")
    if failures:
        more = f" (and {len(failures) - 1} more)" if failures[1:] else ""
        raise SkepError(f"{failures[0]}{more}") from failures[0]


async def _one(job: Job, action: ActionSettings, container: Container, pending: Pending) -> str:
    """Do it to one container; the id of that one, or of the one that is there instead."""
    if action.do == "signal":
        await send_signal(job.agent, container, action.signal, action.timeout)
        return container.id
    if action.do == "restart":
        await restart(job.agent, container, action.timeout)
        return container.id
    if not job.is_open and await is_labelled_by_image(job.agent, container, job.file, action.label):
        job.log.warning(
            "file %s: container %s has its label from its image, and is not given its values; ask does not allow that",
            *(job.file, container.name),
        )
        return container.id
    values = job.values(job.file)
    if values is None:
        raise TemporaryError("the file's variables are not known again yet")
    return await recreate(job.agent, container, values.values, pending.names, action.timeout)
