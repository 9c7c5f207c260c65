"""Reads botocore's descriptions of services: faster than it does itself, and without the texts for people.

botocore's own way holds the interpreter for a tenth of a second for EC2 alone, so that no thread runs, and keeps about twice the memory.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["ModelFiles"]

_DROPPED = ("documentation", "documentationUrl", "examples")


class ModelFiles:
    """What `botocore.loaders.Loader` reads files by (its argument `file_loader`). Paths come without their ending."""

    def exists(self, file_path: str) -> bool:
        """Whether there is such a file."""
        return any(Path(file_path + ending).is_file() for ending in (".json", ".json.gz"))

    def load_file(self, file_path: str) -> Any:
        """The file as data; None where there is none."""
        for ending, read in ((".json", Path.read_bytes), (".json.gz", _unpacked)):
            path = Path(file_path + ending)
            if path.is_file():
                return _plain(msgspec.json.decode(read(path)))
        return None


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def _plain(model: Any) -> Any:
    """A description without its texts, which are most of it. Members may be called as they are, so those stay."""
    if isinstance(model, dict):
        for group in ("operations", "shapes"):
            for each in (model.get(group) or {}).values():
                _strip(each)
    return model


def _strip(item: Any) -> None:
    for key in _DROPPED:
        item.pop(key, None)
    for member in (
        *(item.get("members") or {}).values(),
        *(item[key] for key in ("input", "output", "member") if key in item),
    ):
        for key in _DROPPED:
            member.pop(key, None)
