"""A file system written straight into a tar: programs of this machine with their libraries."""

import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from contrib.lab.errors import LabError, run

_LIBRARY = re.compile(r"\.so(\.[\d.]+)?$")


class Tree:
    """The tar of an image. Everything belongs to root unless `owner` (a uid) says otherwise."""

    def __init__(self, tar: Path) -> None:
        self._tar = tarfile.open(tar, "w")  # noqa: SIM115  closed by __exit__
        self._has: set[str] = set()
        self._programs: list[Path] = []

    def __enter__(self) -> "Tree":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for library in libraries(self._programs) if error is None else ():
                # Under the name by which it is looked for, where every linker looks.
                path = "" if library.name.startswith("ld-") else f"/usr/lib/{library.name}"
                self.file(library, path, _stripped)
        finally:
            self._tar.close()

    def directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """Add a directory and those above it."""
        path = path.strip("/")
        if not path or path in self._has:
            return
        self.directory(path.rpartition("/")[0])
        member = _member(path, tarfile.DIRTYPE, mode)
        member.uid = member.gid = owner
        self._add(member)

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        """Add a file with this content."""
        self._file(path, content.encode(), mode)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        path = path.strip("/")
        if path in self._has:
            return
        self.directory(path.rpartition("/")[0])
        member = _member(path, tarfile.SYMTYPE, 0o777)
        member.linkname = target
        self._add(member)

    def file(self, source: Path, path: str = "", read: Callable[[Path], bytes] = Path.read_bytes) -> None:
        """Add a file of this machine, at its own path or another; a link is followed."""
        try:
            found = source.stat()
            # The time matters: Python's bytecode names that of its source.
            self._file(path or str(source), read(source), found.st_mode & 0o755, int(found.st_mtime))
        except FileNotFoundError:
            raise LabError(f"{source} is missing; `lab missing` names the packages that the images need") from None

    def program(self, source: Path, path: str = "") -> None:
        """Add a program, or a library, with the libraries that the dynamic linker would load for it."""
        self.file(source, path, _stripped)
        self._programs.append(source)

    def copy(self, source: Path, path: str = "", keep: Callable[[Path], bool] = lambda _: True) -> None:
        """Add the files below a directory, with their libraries.

        `keep` is asked about the relative path of each file, and of each directory before it is entered.
        """
        for folder, directories, files in os.walk(source):
            here = Path(folder).relative_to(source)
            directories[:] = sorted(name for name in directories if keep(here / name))
            for name in sorted(files):
                item = Path(folder) / name
                if not keep(here / name) or not item.is_file():
                    continue
                target = f"{path or source}/{here / name}"
                if _LIBRARY.search(name):
                    self.program(item, target)
                else:
                    self.file(item, target)

    def module(self, source: Path, path: str = "") -> None:
        """Add a file of a Python package. Libraries were patched when packed, and stay as they are."""
        self.file(source, path)
        if _LIBRARY.search(source.name):
            self._programs.append(source)

    def _file(self, path: str, content: bytes, mode: int, time: int = 0) -> None:
        path = path.strip("/")
        if path not in self._has:
            self.directory(path.rpartition("/")[0])
            member = _member(path, tarfile.REGTYPE, mode)
            member.size, member.mtime = len(content), time
            self._add(member, content)

    def _add(self, member: tarfile.TarInfo, content: bytes = b"") -> None:
        self._has.add(member.name)
        self._tar.addfile(member, io.BytesIO(content) if content else None)


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.strip("/"))
    member.type, member.mode = kind, mode
    return member


def _stripped(program: Path) -> bytes:
    """A program without its debugging symbols, where strip(1) is installed."""
    if not shutil.which("strip"):
        return program.read_bytes()
    with tempfile.NamedTemporaryFile() as output:
        run("strip", "--strip-unneeded", "-o", output.name, str(program))
        return Path(output.name).read_bytes()


def libraries(programs: list[Path]) -> list[Path]:
    """The shared libraries that ldd(1) names for programs and libraries; raises LabError when one is lost."""
    if not programs:
        return []
    listing = run("ldd", *map(str, programs))
    if lost := sorted(set(re.findall(r"(\S+) => not found", listing))):
        raise LabError(f"this machine lacks {', '.join(lost)}, which one of {programs} needs")
    return sorted({Path(path) for path in re.findall(r"(/\S+) \(0x", listing)})
