"""The settings of `on_change`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal

from skep import PluginSettings, Seconds

__all__ = ["FILE_LABEL", "ActionSettings", "is_labelled"]

FILE_LABEL = "skep.envfile"
"""The label of containers that have their variables from env files: the files' names in the settings, with commas between."""

_SIGNAL = re.compile(r"(SIG)?[A-Z][A-Z0-9+-]{1,10}|[1-9][0-9]?", re.ASCII)


def is_labelled(labels: Mapping[str, str], file: str, label: str) -> bool:
    """Whether what has these labels is among those of an action of `file` with this `label`."""
    if not label:
        return file in (each.strip() for each in labels.get(FILE_LABEL, "").split(","))
    key, equals, value = label.partition("=")
    return key in labels and (not equals or labels[key] == value)


class ActionSettings(PluginSettings, frozen=True, kw_only=True):
    """One thing to do when a file has changed."""

    do: Literal["signal", "restart", "recreate", "command"]
    """"signal": send running containers a signal. "restart": restart those that run. "recreate": replace containers by new ones that have the
    file's variables. "command": run a program on the agent's host."""
    label: str = ""
    """Which containers: `env=prod`, or a key alone. "" are those whose label `skep.envfile` names the file."""
    signal: str = ""
    """What is sent: `HUP`, `USR1`, `10`."""
    command: tuple[str, ...] = ()
    """The program, by its absolute path, and its arguments; no shell reads them."""
    timeout: Seconds = 60.0
    """How long it may take, for each container."""

    def __post_init__(self) -> None:
        for key, wanted in (("signal", self.do == "signal"), ("command", self.do == "command")):
            if bool(getattr(self, key)) is not wanted:
                raise ValueError(f'{key}: expected {"one" if wanted else "none"} with do = "{self.do}"')
        if self.signal and not _SIGNAL.fullmatch(self.signal):
            raise ValueError(f'signal: expected a name or a number such as "HUP", not {self.signal!r}')
        if self.command and (self.label or not PurePosixPath(self.command[0]).is_absolute()):
            raise ValueError("command: expected an absolute path and arguments, and no label")
        if any("\0" in each for each in self.command):
            raise ValueError("command: expected arguments without NUL")
        if self.label.startswith("="):
            raise ValueError(f'label: expected a key, or key=value, not "{self.label}"')

    @property
    def title(self) -> str:
        """What it is, in a few words: `signal HUP to env=prod`."""
        if self.do == "command":
            return f"command {self.command[0]}"
        which = self.label or FILE_LABEL
        return f"signal {self.signal} to {which}" if self.do == "signal" else f"{self.do} {which}"
