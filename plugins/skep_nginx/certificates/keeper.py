"""All certificates of one nginx: the operator's and the authority's, laid out where it opens them, as the model names them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skep import ClusterState, Metric, PluginError
from skep_nginx.acme.manager import Acme
from skep_nginx.acme.wishes import Ask, Plan, plan, read_ask
from skep_nginx.certificates.groups import named_group
from skep_nginx.certificates.pem import Pair, nobody
from skep_nginx.certificates.shelf import file_name
from skep_nginx.certificates.store import Store, Stored
from skep_nginx.collect import Backend
from skep_nginx.model import Certificate, ClientCertificates
from skep_nginx.places import Place
from skep_nginx.settings import NginxSettings

__all__ = ["Keeper", "Laid"]

_LOOK = 2.0  # seconds between looks at the folder


@dataclass(frozen=True, slots=True)
class Laid:
    """What sites can use: certificates by name, authorities of clients by host, a group for DHE; and the thumbprint for challenges."""

    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    clients: Mapping[str, ClientCertificates] = field(default_factory=dict)
    dhparam: str = ""
    thumbprint: str = ""


class Keeper:
    """`changed` is called when there is something new to lay out; `version` counts that."""

    def __init__(self, settings: NginxSettings, log: logging.Logger, changed: Callable[[], None]) -> None:
        own = settings.tls
        self.version = 0
        self.acme: Acme | None = None
        self._log = log
        self._changed = changed
        self._hosts = settings.acme.hosts
        self._is_on = bool(own.listen)
        self._is_ready = False
        self._bits = own.dhparam
        folder = Path(own.certificates) if own.certificates else settings.home / "certificates"
        self._store = Store(folder, settings.home / "certificates-kept")
        self._stored = Stored()
        self._group = self._nobody = b""
        self._told: Mapping[str, str] = {}
        self._error = ""
        if settings.acme.agree:
            self.acme = Acme(settings.acme, settings.home / "acme", log, self._mark)

    async def _prepare(self) -> None:
        """Read everything for the first time. Raises SkepError."""
        await asyncio.to_thread(_check_library)
        await self._look()
        if self._bits:
            self._group = await asyncio.to_thread(named_group, self._bits)
        if self.acme is not None:
            await self.acme.prepare()
        self._is_ready = True

    async def run(self) -> None:
        """Watch the folder, and keep certificates by ACME."""
        async with asyncio.TaskGroup() as group:
            if self.acme is not None:
                group.create_task(self.acme.run(), name="nginx acme")
            while True:
                await asyncio.sleep(_LOOK if self._is_on else 3600)
                if self._is_on:
                    await self._look()

    def _mark(self) -> None:
        self.version += 1
        self._changed()

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._store.look)
        except OSError as error:
            self._complain(f"the folder of certificates {error.filename} cannot be read: {error.strerror}; they stay")
            return
        self._complain("")
        for file, reason in found.problems.items():
            if self._told.get(file) != reason:
                self._log.error("certificate file %s: %s", file, reason)
        self._told = found.problems
        if found != self._stored:
            self._stored = found
            self._mark()

    def _complain(self, error: str) -> None:
        if error and error != self._error:
            self._log.error("%s", error)
        self._error = error

    # -- for sites

    async def lay(self, place: Place) -> Laid:
        """Have all of it where nginx opens it. Raises TemporaryError; PluginError where a library is missing."""
        if not self._is_on:
            return Laid()
        if not self._is_ready:
            await self._prepare()
        stored, pairs = self._stored, self._pairs()
        group = stored.groups.get("", self._group)
        if None in (*stored.authorities.values(), *stored.revoked.values()) and not self._nobody:
            self._nobody = await asyncio.to_thread(nobody)
        contents = [pair.pem for pair in pairs.values()]
        contents += [*stored.chains.values(), *stored.groups.values(), group, self._nobody]
        contents += [data for data in (*stored.authorities.values(), *stored.revoked.values()) if data]
        files = {file_name(data): data for data in contents if data}
        folder = await place.lay(files) if files else ""

        def path(data: bytes | None) -> str:
            return f"{folder}/{file_name(data)}" if data else ""

        certificates = {
            name: Certificate(
                name, path(pair.pem), path(pair.pem), path(stored.chains.get(name)), path(stored.groups.get(name))
            )
            for name, pair in pairs.items()
        }
        clients = {host: self._clients(host, path) for host in stored.authorities}
        return Laid(certificates, clients, path(group), self.acme.thumbprint if self.acme else "")

    def _pairs(self) -> dict[str, Pair]:
        """By name; the operator's before the authority's."""
        found = dict(self._stored.pairs)
        for pair in self.acme.pairs if self.acme else ():
            for name in pair.names:
                found.setdefault(name, pair)
        return found

    def _clients(self, host: str, path: Callable[[bytes | None], str]) -> ClientCertificates:
        """Where a file that keeps somebody out cannot be read, nobody comes in."""
        authorities = self._stored.authorities[host]
        revoked = self._stored.revoked.get(host, b"")
        if authorities is None or revoked is None:
            return ClientCertificates(path(self._nobody))
        return ClientCertificates(path(authorities), path(revoked))

    # -- by ACME

    def want(self, backends: Iterable[Backend], state: ClusterState, challenged: frozenset[str]) -> None:
        """These containers are live in nginx, and the `challenged` of their hosts answer an authority."""
        if self.acme is not None:
            self.acme.want(self._plan(backends, state, challenged))

    def _plan(self, backends: Iterable[Backend], state: ClusterState, challenged: frozenset[str]) -> Plan:
        asks: list[Ask] = []
        for backend in backends:
            node = state.get_node(backend.node)
            container = node.containers.get(backend.id) if node else None
            if container is None:
                continue
            owned = tuple(host for host in backend.hosts if host in challenged)
            ask = read_ask(backend.name, container.environment, owned)
            if ask is None and self._hosts == "all":
                ask = Ask(backend.name, None, "", tuple(host for host in owned if host not in self._stored.pairs))
            asks += [ask] if ask else []
        return plan(asks)

    # -- looking at it

    def status(self) -> dict[str, Any]:
        """As JSON shows it."""
        used = [
            {"name": name, "names": list(pair.names), "issuer": pair.issuer, "expires": pair.not_after}
            for name, pair in sorted(self._pairs().items())
        ]
        acme = self.acme
        return {
            "usable": used,
            "problems": dict(self._stored.problems),
            "acme": acme.status() if acme else [],
            "acme_refused": acme.refused if acme else {},
        }

    def metrics(self) -> Iterable[Metric]:
        """When certificates end, what is broken, and how orders went."""
        now = time.time()
        for name, pair in sorted(self._pairs().items()):
            yield Metric(
                "skep_nginx_certificate_seconds",
                pair.not_after - now,
                "Seconds until a certificate ends.",
                labels=(("name", name),),
            )
        if self._is_on:
            yield Metric(
                "skep_nginx_certificate_problems",
                len(self._stored.problems),
                "Files of certificates that are unusable.",
            )
        if self.acme is not None:
            yield from self.acme.metrics()


def _check_library() -> None:
    try:
        import cryptography.x509  # noqa: F401
    except ImportError:
        raise PluginError("TLS needs the library cryptography: pip install 'skep[acme]'") from None
