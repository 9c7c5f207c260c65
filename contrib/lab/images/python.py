"""Python as it runs this very process, and on it the counter service and skep itself."""

import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from contrib.lab.errors import LabError
from contrib.lab.images.servers import busybox, nginx
from contrib.lab.images.tree import Tree

_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_LIBRARY = f"/usr/local/lib/python{_VERSION}"
_NOT_NEEDED = {
    "distutils", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages",
    "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip
_COUNTER = Path(__file__).parents[2] / "counter" / "counter.py"


def python(tree: Tree) -> tuple[str, ...]:
    """The interpreter and its standard library, without tests and tools."""
    busybox(tree)
    interpreter = f"/usr/local/bin/python{_VERSION}"
    tree.program(Path(sys.base_prefix) / "bin" / f"python{_VERSION}", interpreter)
    for name in ("python", "python3"):
        tree.link(f"/usr/local/bin/{name}", interpreter)
    tree.copy(Path(sysconfig.get_path("stdlib")), _LIBRARY, _keep)
    tree.directory(f"{_LIBRARY}/site-packages")
    # Debian's own interpreter looks for packages there.
    tree.link(f"{_LIBRARY}/dist-packages", "site-packages")
    return ("ENV PYTHONUNBUFFERED=1", "ENV PYTHONDONTWRITEBYTECODE=1", 'CMD ["python3"]')


def counter(tree: Tree) -> tuple[str, ...]:
    """The counter service of contrib/counter, listening on port 80."""
    settings = python(tree)
    install(tree, "aiohttp", "redis", "asyncpg")
    tree.file(_COUNTER, "/srv/counter.py")
    return (*settings[:-1], "EXPOSE 80", 'CMD ["python3", "/srv/counter.py"]')


def skep(tree: Tree) -> tuple[str, ...]:
    """The agent, as this process would import it; the container's arguments are skep's."""
    settings = python(tree)
    install(tree, "skep")
    return (*settings[:-1], 'ENTRYPOINT ["python3", "-m", "skep"]', 'CMD ["--help"]')


def nginx_proxy(tree: Tree) -> tuple[str, ...]:
    """nginx and an agent, set up by nginx-proxy's variables, as the image of contrib/docker is."""
    settings = skep(tree)
    install(tree, "acme", "cryptography", "josepy", "pyyaml")
    tree.text("/etc/nginx/conf.d/default.conf", "")  # nginx's own site would be a second one for unknown hosts.
    nginx(tree)
    tree.program(Path("/usr/bin/setpriv"), "/usr/local/bin/setpriv")  # busybox's own lacks what the agent asks of it.
    return (*settings[:-2], "EXPOSE 80 443", 'CMD ["python3", "-m", "skep", "nginx", "proxy"]')


def install(tree: Tree, *names: str) -> None:
    """Add installed distributions and what they require, with their metadata.

    Raises LabError, naming the remedy, when one is not installed beside this process.
    """
    site = f"{_LIBRARY}/site-packages"
    for one in _with_requirements(names):
        for file in one.files or ():
            source = Path(str(one.locate_file(file)))
            if file.parts[0] == ".." or not source.is_file():
                continue  # Scripts, and files that are recorded but were removed.
            if file.suffix == ".pth":  # An editable install: its sources lie in the folders that this names.
                for folder in source.read_text().splitlines():
                    if Path(folder).is_dir():
                        tree.copy(Path(folder), site, _keep)
            elif _keep(Path(*file.parts)):
                tree.module(source, f"{site}/{file}")


def _with_requirements(names: Iterable[str]) -> Iterator[Distribution]:
    """The distributions `names`, and what they need, each once. What is needed only by extras is left out."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            if name in names:
                raise LabError(f"the Python package {name} is not installed; pip install {name}") from None
            continue  # Needed on other systems, or by other versions, only.
        yield found
        needed = (requirement for requirement in found.requires or () if "extra ==" not in requirement)
        waiting.extend(re.split(r"[^\w.-]", requirement)[0] for requirement in needed)


def _keep(path: Path) -> bool:
    """Whether a file or folder below a library folder is wanted in an image: no tests, tools or others' bytecode."""
    if any(part in _NOT_NEEDED or part.startswith("config-") for part in path.parts):
        return False
    if path.suffix == ".pyc":
        return path.name.endswith(f".{sys.implementation.cache_tag}.pyc")
    if path.suffix == ".so":
        return not re.match(r"_tkinter|_.*test", path.name)
    return path.suffix not in {".a", ".c", ".h", ".pxd", ".pyx"}
