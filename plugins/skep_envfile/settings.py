"""The plugin's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from msgspec import Meta

from skep import PluginSettings, Seconds
from skep_envfile.actions.settings import ActionSettings

__all__ = [
    "EnvFileSettings",
    "FileSettings",
    "Format",
    "OnCollision",
    "OnMultiline",
    "SelectSettings",
    "SourceSettings",
]

Format = Literal["docker", "compose", "systemd", "shell", "json"]
OnMultiline = Literal["refuse", "skip", "escape", "base64"]
OnCollision = Literal["refuse", "first", "last"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_MODE = re.compile(r"0?[0-7]{3}", re.ASCII)
_OWNER = re.compile(r"[A-Za-z0-9_.-]*(:[A-Za-z0-9_.-]+)?", re.ASCII)

Property = str | int | float | bool | list[str]


class SelectSettings(PluginSettings, frozen=True, kw_only=True):
    """Which values are taken, and how their variables are called."""

    include: tuple[str, ...] = ()
    """Only these, by globs such as `Db*`; empty is all."""
    exclude: tuple[str, ...] = ()
    """Not these, by globs."""
    rename: Mapping[str, str] = {}
    """Other names: `{ DbUrl = "DATABASE_URL" }`."""
    prefix: str = ""
    """Put before every name that `rename` does not name."""

    def __post_init__(self) -> None:
        for old, new in self.rename.items():
            if not _NAME.fullmatch(new):
                raise ValueError(f"rename: {old}: expected a name of letters, digits and _, not {new!r}")
        if self.prefix and not _NAME.fullmatch(self.prefix):
            raise ValueError(f"prefix: expected letters, digits and _, such as APP_, not {self.prefix!r}")


class SourceSettings(SelectSettings, frozen=True, kw_only=True):
    """One question to a lookup, and what is taken of its answer, by the lookup's own names."""

    lookup: str
    """The lookup's name: `stack`, `elasticache`, `ssm`; `skep lookup` lists them."""
    properties: Mapping[str, Property] = {}
    """What to ask it: `{ StackName = "prod" }`; `skep lookup NAME` lists them."""
    region: str = ""
    """The property `Region`."""
    role: str = ""
    """The property `RoleArn`."""
    case: Literal["keep", "upper_snake"] = "keep"
    """"upper_snake": `DbUrl` is `DB_URL`."""
    optional: bool = False
    """Whether the file is written without it where there is no such thing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lookup:
            raise ValueError('lookup: expected the name of a lookup, such as "stack"')
        for own, name in (("region", "Region"), ("role", "RoleArn")):
            if getattr(self, own) and name in self.properties:
                raise ValueError(f"{own} and properties.{name} exclude each other")

    @property
    def asked(self) -> dict[str, Property]:
        """All properties."""
        own = {"Region": self.region, "RoleArn": self.role}
        return {**self.properties, **{name: value for name, value in own.items() if value}}


class FileSettings(SelectSettings, frozen=True, kw_only=True):
    """One env file. `include`, `exclude`, `rename` and `prefix` are for the variables of all sources together."""

    path: str
    """Where it is; an absolute path."""
    sources: Annotated[tuple[SourceSettings, ...], Meta(min_length=1)]
    """Whose values it holds, in order."""
    format: Format = "docker"
    """Who reads it: "docker" (`docker run --env-file`), "compose" (Docker Compose 2), "systemd" (`EnvironmentFile=`), "shell" (`. file`),
    "json"."""
    owner: str = ""
    """`user`, `user:group` or `:group`, by name or number; "" is who the agent runs as."""
    mode: str = "0600"
    """Its permissions, in octal."""
    on_multiline: OnMultiline = "refuse"
    """What becomes of a value of several lines. "refuse": the file is not written. "skip": it is left out. "escape": it is written so that
    the reader has it as it was; "docker" cannot. "base64": it is written in base64, as `NAME_B64`."""
    on_collision: OnCollision = "refuse"
    """What becomes of two sources' variables of one name. "refuse": the file is not written. "first", "last": that source has it."""
    allow_empty: bool = False
    """Whether a file without a single variable is written."""
    interval: Seconds = 300.0
    """How often the sources are asked, up to a tenth earlier."""
    on_change: tuple[ActionSettings, ...] = ()
    """What happens when its content has changed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        path = PurePosixPath(self.path)
        if not path.is_absolute() or ".." in path.parts or "\0" in self.path or not path.name:
            raise ValueError(f"path: expected an absolute path such as /etc/skep/env/prod.env, not {self.path!r}")
        if not _MODE.fullmatch(self.mode):
            raise ValueError(f'mode: expected three octal digits such as "0600", not {self.mode!r}')
        if not _OWNER.fullmatch(self.owner):
            raise ValueError(f"owner: expected user, user:group or :group, not {self.owner!r}")
        if self.on_multiline == "escape" and self.format == "docker":
            raise ValueError('on_multiline: the format "docker" has no escapes; expected "refuse", "skip" or "base64"')

    @property
    def mode_bits(self) -> int:
        """Its permissions as a number."""
        return int(self.mode, 8)


class EnvFileSettings(PluginSettings, frozen=True, kw_only=True):
    """The env files, and what containers may ask for."""

    files: Mapping[str, FileSettings] = {}
    """The env files, by name."""
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 8
    """How many lookups are asked, and how many files are written, at one time."""
    state: str = ""
    """The file that keeps when each file was last known to be true; "" is /var/lib/skep/envfile.json, or for others than root that name
    in $XDG_STATE_HOME/skep."""
    ask: tuple[str, ...] = ()
    """Which lookups containers may ask at create, with `from:LOOKUP==VALUE` in their environment: `stack`, or `ssm==/prod/*`; and
    which files' values they may claim by the labels of `recreate`: `envfile==prod`."""

    def __post_init__(self) -> None:
        paths: dict[str, str] = {}
        for name, file in self.files.items():
            if not _FILE.fullmatch(name):
                raise ValueError(f"files: expected names of letters, digits, _, . and -, not {name!r}")
            path = "/" + str(PurePosixPath(file.path)).lstrip("/")  # with two slashes it is the same place
            if path in paths:
                raise ValueError(f"files: {paths[path]} and {name} have one path, {path}")
            paths[path] = name
        if self.state and not PurePosixPath(self.state).is_absolute():
            raise ValueError(f"state: expected an absolute path, not {self.state!r}")
