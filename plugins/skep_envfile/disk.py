"""Env files on the disk: what is there, and writing another one in its place. All of it blocks, and is called in a thread."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from skep import ConflictError, NotFoundError, TemporaryError

__all__ = ["OnDisk", "check_folders", "look", "owner_ids", "sweep", "told"]

_LARGEST = 16 * 2**20  # bytes
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_HINTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "the agent may not write in this folder",
    errno.EPERM: "the agent may not do this; only root gives files away",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "there are symbolic links in a circle",
}


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file as it was found. Times are in nanoseconds since the epoch."""

    data: bytes
    mtime_ns: int
    mode: int
    uid: int
    gid: int

    def is_kept(self, mode: int, owner: tuple[int, int]) -> bool:
        """Whether permissions and owner are as they should be; a group of -1 is any."""
        uid = os.geteuid() if owner[0] == -1 else owner[0]
        return self.mode == mode and self.uid == uid and owner[1] in (-1, self.gid)


def look(path: Path) -> OnDisk | None:
    """The file, None where there is none. Raises ConflictError where something else is in its place, TemporaryError where it cannot be read."""
    try:
        # What is there may be another thing an instant later, so what was opened is asked.
        _check_kind(path, path.lstat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            found = os.fstat(descriptor)
            _check_kind(path, found)
        except BaseException:
            os.close(descriptor)
            raise
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise told(path, "read", error) from None
    if len(data) > _LARGEST:
        raise ConflictError(f"{path} has more than {_LARGEST} bytes, and is left as it is; expected an env file")
    return OnDisk(data, found.st_mtime_ns, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _check_kind(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise ConflictError(f"{path} is {kind}, and left as it is; expected a file, or nothing")


def check_folders(path: Path) -> None:
    """Make the folder of `path` where it is missing. Raises ConflictError where a stranger could have the file written somewhere else."""
    try:
        _check_way(path)
        path.parent.mkdir(0o755, parents=True, exist_ok=True)
        _check_way(path)
    except OSError as error:
        raise told(path, "written", error) from None


def _check_way(path: Path) -> None:
    """Look at all folders on the way, from the root on, as far as there are some."""
    for folder in reversed(path.parents):
        try:
            found = folder.lstat()
            if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
                raise ConflictError(f"{path}: {folder} is a symbolic link that another user has made")
            found = folder.stat()
        except FileNotFoundError:
            return
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            raise ConflictError(
                f"{path}: everybody may replace files in {folder}; expected it not to be writable by others"
            )


def owner_ids(owner: str) -> tuple[int, int]:
    """User and group of `user:group`, by number; -1 for what it does not say. Raises NotFoundError."""
    user, _, group = owner.partition(":")
    try:
        uid = -1 if not user else int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise NotFoundError(f"owner: there is no user {user}") from None
    try:
        gid = -1 if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise NotFoundError(f"owner: there is no group {group}") from None
    return uid, gid


def sweep(path: Path) -> None:
    """Take away what an agent that was killed left beside the file while it wrote."""
    left = re.compile(rf"\.{re.escape(path.name)}\.skep-[a-z0-9_]{{8}}")
    try:
        for each in path.parent.iterdir():
            if left.fullmatch(each.name) and each.lstat().st_uid == os.geteuid():
                each.unlink()
    except OSError:
        return  # it is in nobody's way


def told(path: Path, what: str, error: OSError) -> TemporaryError:
    """An error of the system in an operator's words. It is tried again."""
    hint = _HINTS.get(error.errno or 0, "")
    reason = error.strerror or str(error)
    return TemporaryError(f"{path} cannot be {what}: {reason}{f' ({hint})' if hint else ''}")
