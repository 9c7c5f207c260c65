"""What is known about a lab, on disk: enough for a later process to go on with it or to take it down."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from contrib.lab.errors import LabError
from contrib.lab.network import Plan, Subnet

_FILE = "lab.json"


@dataclass(slots=True)
class KnownHost:
    """A host: what it was made with."""

    number: int
    """From 1; addresses follow from it."""
    labels: dict[str, str]
    engine_dir: str = ""
    """Where another generation of dockerd was unpacked; empty: what this system has installed."""


@dataclass(slots=True)
class State:
    """A lab: where its data lies, its network, its hosts."""

    data: Path
    """Image tars and data roots, on a disk. The name is unique: control groups bear it, too."""
    subnet: Subnet | None = None
    """None until the network is made."""
    hosts: dict[str, KnownHost] = field(default_factory=dict)

    @classmethod
    def load(cls, directory: Path) -> "State":
        """Read what is known; raises LabError when there is no lab in `directory`."""
        try:
            known = json.loads((directory / _FILE).read_text())
        except FileNotFoundError:
            raise LabError(f"there is no lab in {directory}; `lab up` makes one") from None
        return cls(
            data=Path(known["data"]),
            subnet=Subnet(known["subnet"]) if known["subnet"] else None,
            hosts={name: KnownHost(**host) for name, host in known["hosts"].items()},
        )

    def save(self, directory: Path) -> None:
        """Write it all, atomically."""
        known = {
            "data": str(self.data),
            "subnet": str(self.subnet) if self.subnet else None,
            "hosts": {name: asdict(host) for name, host in self.hosts.items()},
        }
        new = directory / f"{_FILE}.new"
        with new.open("w") as file:
            json.dump(known, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        new.replace(directory / _FILE)

    def add(self, name: str, labels: Mapping[str, str], engine_dir: Path | None) -> None:
        """Note one more host; one that is known stays as it is. Raises LabError when it should change."""
        other = str(engine_dir.absolute()) if engine_dir else ""
        if known := self.hosts.get(checked_name(name)):
            if (labels and labels != known.labels) or (other and other != known.engine_dir):
                raise LabError(f"the host {name} was made with other labels, or another engine; they stay")
            return
        number = 1 + max((host.number for host in self.hosts.values()), default=0)
        if number > Plan.MOST:
            raise LabError(f"a lab has room for {Plan.MOST} hosts")
        self.hosts[name] = KnownHost(number, dict(labels), other)


def checked_name(name: str) -> str:
    """The name of a lab or host; raises LabError unless it would do as a host name."""
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,31}", name):
        raise LabError(f"{name!r} is no name for a lab or host: letters, digits and dashes, at most 32")
    return name


def default_root() -> Path:
    """Where labs keep their small files: $XDG_RUNTIME_DIR/skep-lab, else /run/skep-lab."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/run") / "skep-lab"


def data_root() -> Path:
    """Where labs keep their big files: $SKEP_LAB_DATA, else /var/tmp (on a disk where /tmp may not be)."""
    return Path(os.environ.get("SKEP_LAB_DATA") or "/var/tmp")
