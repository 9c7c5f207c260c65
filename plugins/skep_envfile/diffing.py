"""What would change in a file, for `skep envfile diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skep import SkepError
from skep_envfile import disk, formats
from skep_envfile.keeper import content
from skep_envfile.settings import FileSettings
from skep_envfile.values import Gathered

__all__ = ["compare"]

_MASK = "********"


def compare(
    name: str, settings: FileSettings, found: Gathered | SkepError, *, show_values: bool, show_secrets: bool
) -> dict[str, Any]:
    """A file beside what it would be. Values as its format writes them, where they are asked for."""
    row: dict[str, Any] = {"name": name, "path": settings.path, "error": "", "exists": False, "differs": False}
    row |= {"variables": [], "notes": []}
    try:
        if isinstance(found, SkepError):
            raise found
        fitted, data = content(name, settings, found)
        there = disk.look(Path(settings.path))
        owner = disk.owner_ids(settings.owner)
    except SkepError as error:
        return row | {"error": str(error)}
    old = formats.chunks(there.data, settings.format) if there is not None else {}
    new = formats.chunks(data, settings.format)
    for variable in sorted(old.keys() | new.keys()):
        if old.get(variable) == new.get(variable):
            continue
        what = "added" if variable not in old else "removed" if variable not in new else "changed"
        entry: dict[str, Any] = {"variable": variable, "what": what}
        if show_values:
            # What is removed may have been secret: nobody knows any more.
            hidden = not show_secrets and (variable in fitted.secret or variable not in new)
            values = {"from": old.get(variable), "to": new.get(variable)}
            entry |= {key: _MASK if hidden and value is not None else value for key, value in values.items()}
        row["variables"].append(entry)
    if there is not None:
        if not there.is_kept(settings.mode_bits, owner):
            row["notes"].append("its owner or permissions are otherwise")
        if there.data != data and not row["variables"]:
            row["notes"].append("its comments or its order are otherwise")
    row |= {"exists": there is not None, "differs": there is None or bool(row["variables"] or row["notes"])}
    return row
