"""What happens when an env file has changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from skep_envfile.actions.settings import ActionSettings

if TYPE_CHECKING:
    from skep import Agent
    from skep_envfile.change import Change
    from skep_envfile.settings import FileSettings

__all__ = ["ActionSettings", "Actions"]


class Actions:
    """Those of all files of one plugin."""

    def __init__(self, agent: Agent, log: logging.Logger, files: Mapping[str, FileSettings]) -> None:
        self._agent = agent
        self._log = log
        self._files = files

    async def changed(self, change: Change) -> None:
        """Do what the file's `on_change` says. Returns when all is done; raises nothing but what ends the agent."""
