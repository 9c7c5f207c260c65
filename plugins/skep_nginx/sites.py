"""From containers to the model: pure and deterministic. Where containers of a site disagree, the oldest that says anything is followed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from skep_nginx.collect import Backend
from skep_nginx.debug import describe_site
from skep_nginx.model import Balance, Host, Listen, Location, Path, Proxy, Redirect, Server, Site, Tls, Upstream
from skep_nginx.overlap import is_broad
from skep_nginx.rules import Rules
from skep_nginx.secure import fallback, secure
from skep_nginx.wishes import Method, PathWish, SiteWish, TlsWish

__all__ = ["Builder", "Note", "Rules", "build"]

T = TypeVar("T")
_TLS = tuple(field.name for field in fields(TlsWish))


@dataclass(frozen=True, slots=True)
class Note:
    """A container that is not followed in something, because an older one of the same site says otherwise."""

    id: str
    name: str
    node: str
    reason: str


def build(backends: Iterable[Backend], rules: Rules) -> Proxy:
    """The sites of these containers; a host without servers stays known, and answers 503."""
    return Builder().build(backends, rules)


class Builder:
    """Builds again and again; a site whose containers did not change is the same object as before."""

    def __init__(self) -> None:
        self.notes: tuple[Note, ...] = ()
        """Of the last build."""
        self._rules: Rules | None = None
        self._known: dict[Host, tuple[list[Backend], Site, tuple[Note, ...]]] = {}

    def build(self, backends: Iterable[Backend], rules: Rules) -> Proxy:
        """The sites of these containers."""
        if rules != self._rules:
            self._rules, self._known = rules, {}
        groups: dict[Host, list[Backend]] = {}
        for backend in sorted(backends, key=_age):
            for host in backend.hosts:
                groups.setdefault(host, []).append(backend)
        # nginx takes the first regular expression that matches: those that name a domain go before those that match nearly all.
        order = sorted(groups, key=lambda host: (host.is_regex and is_broad(host), host))
        self._known = {host: self._site(host, groups[host], rules) for host in order}
        self.notes = tuple(dict.fromkeys(note for _, _, notes in self._known.values() for note in notes))
        return Proxy(tuple(site for _, site, _ in self._known.values()), fallback(rules), rules.files.version)

    @property
    def challenged(self) -> frozenset[Host]:
        """The sites, of the last build, that answer challenges of ACME plainly."""
        return frozenset(host for host, (_, site, _) in self._known.items() if site.acme)

    def _site(self, host: Host, backends: list[Backend], rules: Rules) -> tuple[list[Backend], Site, tuple[Note, ...]]:
        known = self._known.get(host)
        if known is not None and known[0] == backends:
            return known
        merger = _Merger(host, backends)
        return backends, merger.site(rules), tuple(merger.notes)


def _age(backend: Backend) -> tuple[float, str, str, str]:
    return backend.created, backend.node, backend.name, backend.id


class _Merger:
    """One site of its containers, the oldest first."""

    def __init__(self, host: Host, backends: Sequence[Backend]) -> None:
        self._host = host
        self._parts = [(backend, site) for backend in backends for site in backend.wish.sites if site.host == host]
        self.notes: list[Note] = []

    def site(self, rules: Rules) -> Site:
        """All of it."""
        wish = self._tls()
        method, tls = secure(self._host, wish, rules)
        http = _moved(rules.http, self._first("EXTERNAL_HTTP_PORT", lambda backend, site: site.http_port))
        https = _moved(rules.https, self._first("EXTERNAL_HTTPS_PORT", lambda backend, site: site.https_port))
        locations = tuple(self._locations(rules))
        site = Site(
            self._host,
            _listens(method, tls, http, https),
            locations,
            tls=tls,
            redirect=self._redirect(http, https, rules) if method == "redirect" else None,
            root=None if any(location.path.is_root for location in locations) else rules.default_root,
            acme=self._challenges(method, rules),
            default=self._host == rules.default_host,
            http2=rules.http2 if wish.http2 is None else wish.http2,
            server_tokens=self._first("SERVER_TOKENS", lambda backend, site: backend.wish.server_tokens),
            include=rules.files.for_site(self._host),
        )
        debug = self._first("debug-endpoint", lambda backend, site: backend.wish.debug)
        debug = rules.debug if debug is None else debug
        return replace(site, debug=describe_site(site, method, self._parts)) if debug else site

    def _first(
        self, name: str, value: Callable[[Backend, SiteWish], T | None], among: Sequence[tuple[Backend, SiteWish]] = ()
    ) -> T | None:
        """What the oldest container says that says anything; younger ones that say otherwise are noted."""
        parts = among or self._parts
        if len(parts) == 1:  # as most sites are
            return value(*parts[0])
        found: T | None = None
        who = ""
        for backend, site in parts:
            said = value(backend, site)
            if said is None or said == found:
                continue
            if found is None:
                found, who = said, backend.name
            else:
                reason = f"{name} for {self._host} is not what {who}, which is older, says: {who} is followed"
                self.notes.append(Note(backend.id, backend.name, backend.node, ascii(reason)[1:-1]))
        return found

    def _tls(self) -> TlsWish:
        first = self._parts[0][0].wish.tls
        if all(backend.wish.tls == first for backend, _ in self._parts):
            return first
        return TlsWish(**{name: self._of_tls(name) for name in _TLS})

    def _of_tls(self, name: str) -> Any:
        return self._first(name, lambda backend, _: getattr(backend.wish.tls, name))

    def _challenges(self, method: Method, rules: Rules) -> bool:
        """Whether plain requests are answered with ACME's challenges."""
        said = self._first("ACME_HTTP_CHALLENGE_LOCATION", lambda backend, _: backend.wish.tls.acme) or rules.acme
        return (method == "redirect" and said != "false") or (method == "noredirect" and said == "true")

    def _redirect(self, http: Sequence[Listen], https: Sequence[Listen], rules: Rules) -> Redirect:
        said = self._first("non-get-redirect", lambda backend, _: backend.wish.tls.non_get)
        return Redirect(tuple(http), https[0].port, said or rules.non_get)

    def _locations(self, rules: Rules) -> Iterable[Location]:
        paths: dict[Path, list[tuple[Backend, SiteWish, PathWish]]] = {}
        same: dict[tuple[str, str], Path] = {}  # nginx takes /x and ^~ /x for one location: the oldest says which
        for backend, site in self._parts:
            for wish in site.paths:
                kind = "" if wish.path.match == "^~" else wish.path.match
                path = same.setdefault((wish.path.text, kind), wish.path)
                paths.setdefault(path, []).append((backend, site, wish))
        return (self._location(path, paths[path], rules) for path in sorted(paths))

    def _location(self, path: Path, entries: list[tuple[Backend, SiteWish, PathWish]], rules: Rules) -> Location:
        parts = [(backend, site) for backend, site, _ in entries]
        said = {(backend.id, site.host): wish for backend, site, wish in entries}

        def of_path(name: str, value: Callable[[PathWish], T | None]) -> T | None:
            return self._first(name, lambda backend, site: value(said[backend.id, site.host]), parts)

        def of_container(name: str, value: Callable[[Backend], T | None]) -> T | None:
            return self._first(name, lambda backend, _: value(backend), parts)

        servers = _servers((backend, wish) for backend, _, wish in entries)
        keepalive = of_container("keepalive", lambda backend: backend.wish.keepalive)
        upstream = Upstream(
            _upstream_name(self._host, path, rules),
            servers,
            of_container("loadbalance", lambda backend: backend.wish.balance) or Balance(),
            2 * len(servers) if keepalive in (None, -1) else keepalive or 0,
        )
        return Location(
            path,
            upstream if servers else None,
            of_path("VIRTUAL_PROTO", lambda wish: wish.protocol) or "http",
            of_path("VIRTUAL_DEST", lambda wish: wish.dest) or "",
            of_container("VIRTUAL_ROOT", lambda backend: backend.wish.root) or "/var/www/public",
            of_container("NETWORK_ACCESS", lambda backend: backend.wish.internal) or False,
            rules.files.auth(self._host, path),
            rules.files.for_location(self._host, path),
            rules.files.override(self._host, path),
        )


def _servers(entries: Iterable[tuple[Backend, PathWish]]) -> tuple[Server, ...]:
    """Each address once."""
    found: dict[tuple[str, int], Server] = {}
    for backend, wish in entries:
        server = dict(backend.servers).get(wish.port)
        if server is not None:
            found.setdefault((server.ip, server.port), replace(server, weight=backend.wish.weight))
    return tuple(sorted(found.values()))


def _upstream_name(host: Host, path: Path, rules: Rules) -> str:
    """As nginx-proxy names it, since the operator's files may use it. `parse_host` refuses what would look like another's."""
    hashed = rules.hashed_names or host.is_regex or host.startswith("[")
    name = hashlib.sha1(host.encode(), usedforsecurity=False).hexdigest() if hashed else str(host)
    return name if path.is_root else f"{name}-{path.digest}"


def _moved(listens: Sequence[Listen], port: int | None) -> tuple[Listen, ...]:
    """The same addresses at another port."""
    return tuple(listens) if port is None else tuple(dict.fromkeys(replace(listen, port=port) for listen in listens))


def _listens(method: Method, tls: Tls | None, http: Sequence[Listen], https: Sequence[Listen]) -> tuple[Listen, ...]:
    plain = () if method in ("redirect", "nohttp") else http
    if tls is None:
        return tuple(plain)
    quic = tuple(replace(listen, quic=True) for listen in https) if tls.http3 else ()
    return (*plain, *https, *quic)
