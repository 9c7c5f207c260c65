"""VIRTUAL_HOST_MULTIPORTS: hosts, paths and ports in YAML, of which JSON is a part.

Only YAML's events are looked at: nothing is made from tags, and there are no anchors, so that a small text stays small.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from skep_nginx.hosts import parse_host
from skep_nginx.model import ROOT
from skep_nginx.values import parse_port, short
from skep_nginx.wishes.paths import parse_dest, parse_path, parse_protocol
from skep_nginx.wishes.wish import PathWish, SiteWish

__all__ = ["NAME", "parse_multiports"]

NAME = "VIRTUAL_HOST_MULTIPORTS"
_LONGEST = 16384
_DEEPEST = 4
_NULLS = ("", "~", "null", "Null", "NULL")
_MOST_PATHS = 64

Value = str | None | dict[str, Any]


def parse_multiports(text: str, *, most: int, regexes: bool = True) -> tuple[SiteWish, ...]:
    """The sites, sorted. Raises ValueError, naming what is wrong and what would be right."""
    if len(text) > _LONGEST:
        raise _wrong(f"it has {len(text)} characters, at most {_LONGEST} are taken")
    found = _parse(text, most, regexes)
    if isinstance(found, str):
        raise ValueError(found)
    return found


@functools.lru_cache(maxsize=256)
def _parse(text: str, most: int, regexes: bool) -> tuple[SiteWish, ...] | str:
    """The sites, or what is wrong: a container that changes often still has the same text."""
    try:
        return _sites(text, most, regexes=regexes)
    except ValueError as error:
        return str(error)


def _sites(text: str, most: int, *, regexes: bool) -> tuple[SiteWish, ...]:
    hosts = _load(text)
    if not isinstance(hosts, dict):
        raise _wrong("expected hosts, each with paths, such as 'shop.example: {/: {port: 8080}}'")
    if len(hosts) > most:
        raise _wrong(f"it names {len(hosts)} hosts: at most {most} are taken from one container")
    sites = [_site(host, value, regexes=regexes) for host, value in hosts.items()]
    if len({site.host for site in sites}) < len(sites):
        raise _wrong("it names a host twice")
    return tuple(sorted(sites, key=lambda site: site.host))


def _site(name: str, value: Value, *, regexes: bool) -> SiteWish:
    try:
        host = parse_host(name.strip(), regexes=regexes)
    except ValueError as error:
        raise _wrong(str(error).replace("VIRTUAL_HOST has", "the host", 1)) from None
    entries = _mapping(value, f"host {host}")
    paths = {key: entry for key, entry in entries.items() if key.startswith("/")}
    unknown = entries.keys() - paths.keys() - {"external_http_port", "external_https_port"}
    if unknown:
        raise _wrong(f"host {host} has {short(min(unknown))}: expected paths, external_http_port, external_https_port")
    if len(paths) > _MOST_PATHS:
        raise _wrong(f"host {host} has {len(paths)} paths: at most {_MOST_PATHS} are taken")
    wishes = sorted((_path(path, entry) for path, entry in paths.items()), key=lambda each: each.path)
    if len({wish.path for wish in wishes}) < len(wishes):
        raise _wrong(f"host {host} names a path twice")
    return SiteWish(
        host,
        tuple(wishes) or (PathWish(),),
        parse_port(f"{NAME}: external_http_port", _scalar(entries.get("external_http_port"))),
        parse_port(f"{NAME}: external_https_port", _scalar(entries.get("external_https_port"))),
    )


def _path(key: str, value: Value) -> PathWish:
    path = parse_path(f"{NAME}: a path", key) or ROOT
    entries = _mapping(value, f"path {path}")
    if unknown := entries.keys() - {"port", "proto", "dest"}:
        raise _wrong(f"path {path} has {short(min(unknown))}: expected port, proto, dest")
    return PathWish(
        path,
        parse_port(f"{NAME}: port", _scalar(entries.get("port"))),
        parse_protocol(f"{NAME}: proto", _scalar(entries.get("proto"))),
        parse_dest(f"{NAME}: dest", _scalar(entries.get("dest")), path),
    )


def _mapping(value: Value, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(f"{what} has {short(value)}: expected 'key: value' pairs")
    return value


def _scalar(value: Value) -> str:
    if isinstance(value, dict):
        raise _wrong("expected a number or a word, not pairs")
    return value or ""


def _load(text: str) -> Value:
    try:
        import yaml
    except ImportError:
        raise _wrong("the agent lacks a reader of YAML: pip install 'skep[nginx]'") from None
    try:
        events = iter(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        next(events), next(events)  # the stream's and the document's beginning
        value = _value(next(events), events, 0)
        next(events)
        if not isinstance(next(events), yaml.StreamEndEvent):
            raise _wrong("expected one document")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise _wrong(f"it is no YAML: {short(str(getattr(error, 'problem', None) or error))}{where}") from None
    except UnicodeError:
        raise _wrong("it is no YAML: expected text in UTF-8") from None
    except StopIteration:
        return None
    return value


def _value(event: Any, events: Iterator[Any], depth: int) -> Value:
    import yaml

    if getattr(event, "anchor", None) or getattr(event, "tag", None):
        raise _wrong("expected no anchors, aliases and tags (&, *, !)")
    if isinstance(event, yaml.ScalarEvent):
        return None if event.implicit[0] and event.value in _NULLS else str(event.value)
    if not isinstance(event, yaml.MappingStartEvent):
        raise _wrong("expected 'key: value' pairs, not a list")
    if depth >= _DEEPEST:
        raise _wrong(f"expected pairs in pairs {_DEEPEST - 1} levels deep at most")
    found: dict[str, Any] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        name = _value(key, events, _DEEPEST)
        if not isinstance(name, str) or name in found:
            raise _wrong(f"{short(str(name))} is there twice, or is no name")
        found[name] = _value(next(events), events, depth + 1)
    return found


def _wrong(why: str) -> ValueError:
    return ValueError(f"{NAME}: {why}")
