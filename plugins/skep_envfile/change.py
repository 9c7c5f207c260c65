"""What is told of an env file that was written: to its actions, and to other plugins."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """The file `file` of the settings has another content at `path`. Names of variables, sorted; never a value."""

    file: str
    path: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
