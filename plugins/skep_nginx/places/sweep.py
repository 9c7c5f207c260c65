"""What is in the way of a nginx that starts."""

from __future__ import annotations

import stat
from contextlib import suppress

from skep_nginx.settings import NginxSettings

__all__ = ["sweep"]


def sweep(settings: NginxSettings, *, odd: bool = False) -> None:
    """Remove what an nginx that was killed left: its socket, which would make the address a taken one, and its id, which may be another
    process's by now; `odd`: only what no nginx leaves, that would be in its way. Blocks. Raises OSError.
    """
    for path, is_usual in ((settings.status_socket, stat.S_ISSOCK), (settings.pid_file, stat.S_ISREG)):
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if odd and is_usual(mode):
                continue
            if stat.S_ISDIR(mode):
                path.rmdir()
            else:
                path.unlink()
