"""`skep plugin new`: the template of a plugin, a working one called hello, copied under another name."""

from __future__ import annotations

import re
from pathlib import Path

from skep.errors import SettingsError

__all__ = ["new_plugin"]

_PACKAGED = Path(__file__).with_name("_template")
_CHECKOUT = Path(__file__).parents[3] / "contrib" / "plugin-template"
_FILES = ("pyproject.toml", "README.md", "skep_hello.py", "test_hello.py")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)


def new_plugin(name: str, folder: Path) -> list[Path]:
    """Write a new plugin called `name` into `folder`, which must be empty or not there, and return its files.

    Raises SettingsError for a name that is none, a folder that is in use, and what the file system refuses.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is not a plugin's name: expected letters a to z, digits and single underscores, such as env_file"
        )
    template = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    try:
        if folder.exists() and any(folder.iterdir()):
            raise SettingsError(f"{folder} is not empty: expected a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(template / file, folder / file.replace("hello", name), name) for file in _FILES]
    except OSError as error:
        raise SettingsError(f"cannot write {error.filename}: {error.strerror}") from None


def _write(source: Path, target: Path, name: str) -> Path:
    title = "".join(part.capitalize() for part in name.split("_"))
    text = source.read_text(encoding="utf-8").replace("skep-hello", f"skep-{name.replace('_', '-')}")
    text = re.sub(r"\bHello(?=Plugin|Settings)", title, text)
    text = re.sub(
        r"(?<=skep_)hello\b|(?<=plugins\.)hello\b|(?m:^)hello(?= = \"skep_)|(?<=loaded\(\")hello\b", name, text
    )
    target.write_text(text, encoding="utf-8")
    return target
