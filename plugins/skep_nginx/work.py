"""The work itself: looks at the cluster's state whenever that may have changed, and makes nginx serve it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from skep import Cluster, ClusterState, Container, SkepError, TemporaryError
from skep_nginx.apply import Applier
from skep_nginx.certificates.keeper import Keeper
from skep_nginx.claims import Claims
from skep_nginx.closed import closed_ports, ports_at_home
from skep_nginx.collect import Backend, Collector, Picture
from skep_nginx.configure import rules_of, style_of
from skep_nginx.features import Features, read_features
from skep_nginx.files import read_files
from skep_nginx.flaps import Flaps
from skep_nginx.hosts import parse_host
from skep_nginx.leaving import Leaving
from skep_nginx.pace import Pace
from skep_nginx.places import ContainerPlace, ExternalPlace, Place, ProcessPlace
from skep_nginx.places.base import make_folder, read_file, write_file
from skep_nginx.reach import View
from skep_nginx.rules import Rules
from skep_nginx.settings import NginxSettings
from skep_nginx.settings.parse import parse_filter, parse_owner, parse_ports
from skep_nginx.signals import is_end
from skep_nginx.starts import Starts

__all__ = ["Work"]

_LOOK = 1.0  # seconds; the state's version says whether there is anything to do
_ANYWAY = 30.0  # seconds; nginx's side may have changed too


class Work:
    """One nginx, and the cluster that it serves. `cluster` is asked for when it is needed, as there is none before the agent is up;
    `urls` are where the agent itself listens.
    """

    def __init__(
        self,
        settings: NginxSettings,
        log: logging.Logger,
        cluster: Callable[[], Cluster],
        urls: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.error = ""
        """Why the last change is not live; "" when it is."""
        self.picture = Picture()
        self.place = _find_place(settings, log, cluster)
        self.applier = Applier(self.place, style_of(settings), log, verify_timeout=settings.verify_timeout)
        self._settings = settings
        self._log = log
        self._cluster = cluster
        self._collector = Collector(
            settings.health,
            settings.most_hosts,
            frozenset(map(parse_host, settings.reserved)),
            Flaps(settings.flap_wait, settings.flap_longest),
            Starts(settings.flap_wait, settings.flap_longest),
            settings.regex_hosts,
            settings.owner_label,
            tuple(map(parse_filter, settings.filters)),
        )
        self.certificates = Keeper(settings, log, self.mark)
        self._rules = rules_of(settings)
        self._closed = parse_ports(settings.closed_ports, "closed_ports")
        self._urls = urls
        self._style = self.applier.style
        self._features = Features()
        self._described: str | None = None  # the identity of the nginx that told its features
        self._claims = Claims(tuple(map(parse_owner, settings.owners)), settings.keep_claims)
        self._kept_claims: bytes | None = None  # None: not read yet
        self._leaving = Leaving(settings.stop_ignored)
        self._pace = Pace(settings.quiet, settings.longest)
        self._seen: tuple[object, ...] | None = None
        self._told: frozenset[object] = frozenset()
        self._done = asyncio.Condition()
        self._out: frozenset[str] = frozenset()  # those about to be stopped that nginx has let go

    async def run(self) -> None:
        """Keep nginx, and what it serves, as the cluster's state wants it."""
        self._seen = None
        async with asyncio.TaskGroup() as group:
            group.create_task(self.place.run(), name="nginx place")
            group.create_task(self._follow(), name="nginx follow")
            group.create_task(self._heed_signals(), name="nginx signals")
            group.create_task(self.certificates.run(), name="nginx certificates")

    def mark(self, *, urgent: bool = False) -> None:
        """Look again soon."""
        self._pace.mark(urgent=urgent)

    # -- from state to nginx

    async def _follow(self) -> None:
        failures, looked = 0, 0.0
        clock = asyncio.get_running_loop().time
        self._pace.mark()
        while True:
            held = self._held()
            pause = min(2.0 ** min(failures - 1, 20), self._settings.retry) if failures else min(_LOOK, held or _LOOK)
            await self._pace.wait(pause)
            if not failures and held is None and self._seen == self._now() and clock() - looked < _ANYWAY:
                continue
            self._seen, looked = self._now(), clock()
            reloads, before = self.applier.counts.reloads, set(self.applier.backends)
            try:
                await self._converge()
                failures = 0
            except SkepError as error:
                failures += 1
                self._fail(str(error))
            if self.applier.counts.reloads != reloads:
                self._pace.went(looked, _changes(before, set(self.applier.backends)))
            async with self._done:
                self._done.notify_all()

    def _now(self) -> tuple[object, ...]:
        return self._cluster().state.version, self.certificates.version, self._leaving.ids(), self.place.identity

    def _held(self) -> float | None:
        """After how many seconds to look at least, though nobody says that anything changed; None: nobody waits for that."""
        return min(self.picture.held or _LOOK, _LOOK) if self.applier.taken else self.picture.held

    async def _converge(self) -> None:
        state = self._cluster().state
        if not state.healthy_nodes():
            # Nobody can be asked: the agent is cut off, or just starting, rather than all containers gone.
            self.error = "no node answers: the last configuration stays"
            return
        view = await self.place.locate()
        await self._load_claims()
        self._leaving.prune(state)
        leaving = self._leaving.ids()
        self.applier.rules = rules = await self._look_at_files()
        picture = self._collector.collect(state, self._narrow(view, state), leaving)
        self.picture = self._claims.sift(picture, rules)
        self._tell()
        before = self.applier.live
        try:
            await self.applier.apply(self.picture.backends)
        finally:
            await self._keep_claims()
        self.certificates.want(self.applier.backends, state, self.applier.builder.challenged)
        if self.error or self.applier.live != before:
            self._log.info("nginx serves %d hosts", len({h for b in self.applier.backends for h in b.hosts}))
        self.error, self._out = "", leaving

    def _narrow(self, view: View, state: ClusterState) -> View:
        """With what the settings, the agent and the cluster say of it."""
        closed = closed_ports(self._closed, self._urls(), state)
        own = view.own if view.networks is not None else ports_at_home((*self._rules.http, *self._rules.https))
        return replace(view, prefer_ipv6=self._settings.prefer_ipv6, closed=closed, own=own)

    async def _look_at_files(self) -> Rules:
        own = self._settings
        laid = await self.certificates.lay(self.place)
        await self._describe_nginx()
        self.applier.style = replace(
            self._style, features=self._features, dhparam=laid.dhparam, thumbprint=laid.thumbprint
        )
        rules = replace(self._rules, certificates=laid.certificates, clients=laid.clients)
        # Of an nginx in a container these are files there, which nobody here sees.
        includes = (
            () if own.mode == "container" else tuple(filter(None, (own.include, own.include_top, own.include_proxy)))
        )
        if not own.vhost_files and not own.password_files and not includes:
            return rules
        try:
            files = await asyncio.to_thread(read_files, own.vhost_files, own.password_files, includes)
        except OSError as error:
            raise TemporaryError(f"cannot read {error.filename}: {error.strerror}") from None
        return replace(rules, files=files)

    async def _describe_nginx(self) -> None:
        """What it can do is asked of each nginx once, and again after failures: it may have been replaced by a newer one."""
        if self._described == self.place.identity and not self.error:
            return
        try:
            self._features = read_features(await self.place.describe())
        except (SkepError, ValueError) as error:
            self._log.warning("what nginx can do is not known, the least is taken: %s", error)
            self._features = Features()
        self._described = self.place.identity

    async def _load_claims(self) -> None:
        """Once; while they cannot be read nothing changes, or hosts would be anybody's."""
        if self._kept_claims is not None:
            return
        kept = await read_file(self._settings.claims_file) or b""
        if kept and (spoilt := self._claims.load(kept)):
            self._log.error("%s: %s", self._settings.claims_file, spoilt)
        self._kept_claims = kept

    async def _keep_claims(self) -> None:
        """So that whose a host was first is known after a restart, too."""
        claims = self._claims.dump()
        if claims != self._kept_claims:
            await make_folder(self._settings.home)
            await write_file(self._settings.claims_file, claims)
            self._kept_claims = claims

    def _fail(self, error: str) -> None:
        self.applier.counts.failures += 1
        if error != self.error:
            self._log.error("%s; the last good configuration stays, this is tried again", error)
        self.error = error

    def _tell(self) -> None:
        """Log each container that is left out, once."""
        for rejection in self.picture.rejections:
            if rejection not in self._told:
                self._log.warning(
                    "container %s on %s is left out: %s", rejection.name, rejection.node, rejection.reason
                )
        self._told = frozenset(self.picture.rejections)

    # -- those that are about to be stopped

    async def _heed_signals(self) -> None:
        """An engine that sends a container its stop signal, whoever asked for it, says so before the container dies."""
        while True:
            async with self._cluster().engine_events() as events:
                async for node, event in events:
                    container = self._container(node, event.id) if event.action == "kill" else None
                    if (
                        container
                        and is_end(event, container)
                        and self._asks(container)
                        and self._leaving.add(container)
                    ):
                        self._pace.mark(urgent=True)

    def _container(self, node: str, id_: str) -> Container | None:
        found = self._cluster().state.get_node(node)
        container = found.containers.get(id_) if found else None
        return container if container is not None and container.state.is_up else None

    @staticmethod
    def _asks(container: Container) -> bool:
        return any(entry.startswith("VIRTUAL_HOST") for entry in container.env)

    async def release(self, container: Container) -> None:
        """Return when nginx has let a container go, after `stop_timeout` at most, and its last requests had `drain` seconds."""
        if not container.state.is_up or not self._asks(container):
            return
        self._leaving.add(container)  # even if nginx does not know it yet
        if not any(backend.id == container.id and backend.server for backend in self.picture.backends):
            return
        self._pace.mark(urgent=True)
        try:
            async with asyncio.timeout(self._settings.stop_timeout), self._done:
                await self._done.wait_for(lambda: container.id in self._out)
        except TimeoutError:
            self._log.warning("%s stops although nginx still sends it requests: %s", container.name, self.error)
            return
        await asyncio.sleep(self._settings.drain)


def _changes(before: Set[Backend], after: Set[Backend]) -> int:
    """How many containers came, went or changed."""
    return len({backend.id for backend in before ^ after})


def _find_place(settings: NginxSettings, log: logging.Logger, cluster: Callable[[], Cluster]) -> Place:
    if settings.mode == "container":
        return ContainerPlace(settings, cluster)
    return ExternalPlace(settings) if settings.mode == "external" else ProcessPlace(settings, log, cluster)
