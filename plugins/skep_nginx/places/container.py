"""An nginx in a container of its own, on any node: configured through its engine."""

from __future__ import annotations

import asyncio
import io
import posixpath
import tarfile
from collections.abc import Callable, Mapping

import msgspec

from skep import Cluster, Container, ContainerState, Engine, EngineError, TemporaryError
from skep_nginx.model import Listen
from skep_nginx.places.base import Refused, ask_generation, said, until_answering
from skep_nginx.places.external import wrap
from skep_nginx.places.making import Maker, until_running
from skep_nginx.places.own import view_from
from skep_nginx.reach import View, find_server
from skep_nginx.render import Rendered
from skep_nginx.settings import NginxSettings

__all__ = ["ContainerPlace"]

_FOLDER = "/etc/nginx/skep"
_SECRETS = f"{_FOLDER}/tls"
_EXEC_TIMEOUT = 30.0
_READY = 3.0  # seconds that an nginx may take to start, at most


class _Id(msgspec.Struct, rename="pascal"):
    id: str


class _Ended(msgspec.Struct, rename="pascal"):
    exit_code: int | None = None


class ContainerPlace:
    """Files go into the container as an archive, `nginx -t` runs in it, and SIGHUP makes nginx take them."""

    is_here = False

    def __init__(self, settings: NginxSettings, cluster: Callable[[], Cluster]) -> None:
        self._settings = settings
        self._own = settings.container
        self._cluster = cluster
        self._container: Container | None = None
        self._maker = Maker(settings.container)
        self._ready = ""  # the identity of the one that was signalled already
        self._laid: tuple[str, frozenset[str]] = "", frozenset()

    async def run(self) -> None:
        """Its engine does that."""
        await asyncio.Event().wait()

    @property
    def identity(self) -> str:
        """The container, and its start."""
        return f"{self._container.id} {self._container.started_at}" if self._container else ""

    async def locate(self) -> View:
        """Find the container, running, by name or label, on a healthy node; or make it, where the settings have an image for it."""
        self._container = self._find(running=True)
        if self._container is None and self._own.image:
            await self._maker.make(self._cluster(), self._find(running=False))
            self._container = await until_running(lambda: self._find(running=True))
        if self._container is None:
            what = f"named {self._own.name}" if self._own.name else f"with the label {self._own.label}"
            raise TemporaryError(f"there is no running container {what} on {self._own.node or 'any healthy node'}")
        return view_from(self._container, self._settings.host_address)

    def _find(self, *, running: bool) -> Container | None:
        for node in self._cluster().state.nodes:
            if not node.node.is_healthy or self._own.node not in ("", node.name):
                continue
            for container in sorted(node.containers.values(), key=lambda each: each.name):
                named = container.name == self._own.name if self._own.name else self._own.label in container.labels
                if named and container.id and (container.state is ContainerState.RUNNING) is running:
                    return container
        return None

    def _engine(self) -> tuple[Engine, str]:
        if self._container is None:
            raise TemporaryError("the container of nginx is gone")
        return self._cluster().engine(self._container.node), self._container.id

    async def describe(self) -> str:
        """The program in the container says it."""
        return (await self._exec(self._own.nginx, "-V")).decode("utf-8", "replace")

    async def lay(self, files: Mapping[str, bytes]) -> str:
        """For root in the container, whom nginx's master process runs as; a new container gets them anew."""
        identity, names = self._laid
        known = names if identity == self.identity else frozenset()
        if missing := {f"{_SECRETS}/{name}": data for name, data in files.items() if name not in known}:
            await self._put(missing, mode=0o600)
            self._laid = self.identity, known | files.keys()
        return _SECRETS

    async def installed(self) -> bytes | None:
        """Not read back: its generation tells."""
        return None

    async def test(self, rendered: Rendered) -> None:
        """`nginx -t` by exec, on a configuration that has nothing but ours."""
        files = {
            f"{_FOLDER}/candidate.conf": rendered.text,
            f"{_FOLDER}/test.conf": wrap(f"{_FOLDER}/candidate.conf", _FOLDER),
        }
        await self._put(files)
        await self._exec(self._own.nginx, "-t", "-q", "-c", f"{_FOLDER}/test.conf")

    async def install(self, rendered: Rendered) -> None:
        """Replace our file."""
        await self._put({self._own.conf: rendered.text})

    async def reload(self) -> None:
        """Test everything together, then SIGHUP."""
        await self._exec(self._own.nginx, "-t", "-q")
        if self._ready != self.identity:  # it may not listen yet where it will, so there is an end to waiting
            await until_answering(self.generation, _READY)
            self._ready = self.identity
        engine, id_ = self._engine()
        try:
            await engine.call("POST", f"/containers/{id_}/kill", query={"signal": "HUP"})
        except EngineError as error:
            raise TemporaryError(f"cannot signal nginx: {error}") from None

    async def generation(self) -> str:
        """At the first address that it listens on: its own from here, or where its host publishes it."""
        if self._container is None:
            raise TemporaryError("the container of nginx is gone")
        node = self._cluster().state.get_node(self._container.node)
        if node is None:
            raise TemporaryError(f"node {self._container.node} is gone")
        here = View(direct=self._settings.direct)
        drivers = {network.id: network.driver for network in node.networks}
        try:
            port = Listen.parse(self._settings.listen[0]).port
            server = find_server(here, self._container, node.node, port, drivers)
        except ValueError as error:
            raise TemporaryError(f"nginx cannot be asked for its generation: {error}") from None
        return await ask_generation(None, server.ip, server.port, proxied=self._settings.proxy_protocol)

    def complaint(self) -> str:
        """It tells its engine's log."""
        return ""

    async def _put(self, files: Mapping[str, bytes], mode: int = 0o644) -> None:
        engine, id_ = self._engine()
        try:
            await engine.call(
                "PUT",
                f"/containers/{id_}/archive",
                query={"path": "/"},
                body=_archive(files, mode),
                headers={"Content-Type": "application/x-tar"},
            )
        except EngineError as error:
            raise TemporaryError(f"cannot write to the container of nginx: {error}") from None

    async def _exec(self, *argv: str) -> bytes:
        engine, id_ = self._engine()
        create = {"Cmd": argv, "AttachStdout": True, "AttachStderr": True, "Tty": True}
        try:
            body = await engine.call("POST", f"/containers/{id_}/exec", json=create)
            exec_id = msgspec.json.decode(body, type=_Id).id
            async with asyncio.timeout(_EXEC_TIMEOUT):
                start = b'{"Detach":false,"Tty":true}'
                async with await engine.hijack("POST", f"/exec/{exec_id}/start", body=start) as taken:
                    output = await taken.reader.read(65536)
                    while more := await taken.reader.read(65536):
                        output = (output + more)[-65536:]
            ended = await engine.get(f"/exec/{exec_id}/json", _Ended)
        except TimeoutError:
            raise TemporaryError(f"{' '.join(argv)} did not end within {_EXEC_TIMEOUT:.0f} s") from None
        except EngineError as error:
            raise TemporaryError(f"cannot run {argv[0]} in the container of nginx: {error}") from None
        if ended.exit_code:
            raise Refused(said(output) or f"{argv[0]} ended with {ended.exit_code}")
        return output


def _archive(files: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folders = {posixpath.dirname(path) for path in files}
        for folder, allowed in ((_FOLDER, 0o755), (_SECRETS, 0o700)):
            if any(each == folder or each.startswith(f"{folder}/") for each in folders):
                entry = tarfile.TarInfo(folder.lstrip("/"))
                entry.type, entry.mode = tarfile.DIRTYPE, allowed
                tar.addfile(entry)
        for path, text in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(text), mode
            tar.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()
