"""A file system written straight into a tar: programs of this machine with their libraries."""

import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from contrib.lab.errors import LabError, run


class Tree:
    """The tar of an image. Everything belongs to root unless `owner` (a uid) says otherwise."""

    def __init__(self, tar: Path) -> None:
        self._tar = tarfile.open(tar, "w")  # noqa: SIM115  closed by __exit__
        self._has: set[str] = set()

    def __enter__(self) -> "Tree":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """Add a directory and those above it."""
        path = path.strip("/")
        if not path or path in self._has:
            return
        self.directory(path.rpartition("/")[0])
        self._add(path, tarfile.DIRTYPE, mode=mode, owner=owner)

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        """Add a file with this content."""
        self._file(path, content.encode(), mode)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self.directory(path.strip("/").rpartition("/")[0])
        self._add(path, tarfile.SYMTYPE, target=target)

    def file(self, source: Path, path: str = "") -> None:
        """Add a file of this machine, at its own path or another; a link is followed."""
        try:
            self._file(path or str(source), source.read_bytes(), source.stat().st_mode & 0o755)
        except FileNotFoundError:
            raise LabError(
                f"{source} is missing; `lab missing` names the packages that the images need"
            ) from None

    def program(self, source: Path, path: str = "") -> None:
        """Add a program, or a library, with the libraries that the dynamic linker would load for it."""
        self.file(source, path)
        for library in libraries(source):
            # Under the name by which it is looked for, where every linker looks.
            self.file(library, str(library) if library.name.startswith("ld-") else f"/usr/lib/{library.name}")

    def copy(self, source: Path, path: str = "", keep: Callable[[Path], bool] = lambda _: True) -> None:
        """Add the files below a directory, with their libraries; `keep` is asked about each relative path."""
        for item in sorted(source.rglob("*")):
            relative = item.relative_to(source)
            if not item.is_file() or not keep(relative):
                continue
            target = f"{path or source}/{relative}"
            if re.search(r"\.so(\.[\d.]+)?$", item.name):
                self.program(item, target)
            else:
                self.file(item, target)

    def _file(self, path: str, content: bytes, mode: int) -> None:
        path = path.strip("/")
        if path not in self._has:
            self.directory(path.rpartition("/")[0])
            self._add(path, tarfile.REGTYPE, content, mode)

    def _add(
        self,
        path: str,
        kind: bytes,
        content: bytes = b"",
        mode: int = 0o755,
        owner: int = 0,
        target: str = "",
    ) -> None:
        member = tarfile.TarInfo(path.strip("/"))
        member.type, member.size, member.mode, member.linkname = kind, len(content), mode, target
        member.uid = member.gid = owner
        self._has.add(member.name)
        self._tar.addfile(member, io.BytesIO(content) if content else None)


def libraries(program: Path) -> list[Path]:
    """The shared libraries that ldd(1) names for a program; none for a static one."""
    try:
        listing = run("ldd", str(program))
    except LabError as error:
        if "not a dynamic executable" in str(error) or "statically linked" in str(error):
            return []
        raise
    if lost := re.findall(r"(\S+) => not found", listing):
        raise LabError(f"{program} needs {', '.join(lost)}, which this machine lacks")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listing)]
