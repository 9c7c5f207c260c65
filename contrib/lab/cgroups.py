"""Control groups: one group per lab, in which its engines make their containers' groups."""

import os
from functools import partial
from pathlib import Path

from contrib.lab.processes import wait_until

_ROOT = Path("/sys/fs/cgroup")


def remove(name: str) -> None:
    """Remove the group `name` and those below it, in every hierarchy (version 1) or the only one (version 2).

    Raises LabError when a process is still inside after some seconds.
    """
    for top in [_ROOT / name, *_ROOT.glob(f"*/{name}")]:
        wait_until(partial(_removed, top), 10, f"removing the control group {top}")


def _removed(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # A process that was killed is not buried yet.
            return False
    return True
