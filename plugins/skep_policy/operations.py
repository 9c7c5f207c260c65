"""What can be asked of the Docker API, each kind of request by a name, and the sets of them that rules allow.

Source: the Engine API reference, 1.24 to 1.52.
"""

from __future__ import annotations

import re

__all__ = ["OPERATIONS", "SETS", "UNKNOWN", "is_changing", "is_operation", "operation_of"]

UNKNOWN = "unknown"
"""What is in no table: allowed by `all` alone."""

_TABLE = """
system.ping          GET|HEAD  /_ping
system.version       GET       /version
system.info          GET       /info
system.events        GET       /events
system.df            GET       /system/df
system.auth          POST      /auth
container.list       GET       /containers/(json|ps)
container.create     POST      /containers/create
container.prune      POST      /containers/prune
container.inspect    GET       /containers/@/json
container.top        GET       /containers/@/top
container.stats      GET       /containers/@/stats
container.changes    GET       /containers/@/changes
container.logs       GET       /containers/@/logs
container.export     GET       /containers/@/export
container.read       GET|HEAD  /containers/@/archive
container.write      PUT       /containers/@/archive
container.attach     POST      /containers/@/attach
container.attach     GET       /containers/@/attach/ws
container.start      POST      /containers/@/start
container.stop       POST      /containers/@/stop
container.restart    POST      /containers/@/restart
container.kill       POST      /containers/@/kill
container.pause      POST      /containers/@/(un)?pause
container.wait       POST      /containers/@/wait
container.resize     POST      /containers/@/resize
container.rename     POST      /containers/@/rename
container.update     POST      /containers/@/update
container.remove     DELETE    /containers/@
exec.create          POST      /containers/@/exec
exec.start           POST      /exec/@/start
exec.inspect         GET       /exec/@/json
exec.resize          POST      /exec/@/resize
image.list           GET       /images/json
image.inspect        GET       /images/.+/json
image.history        GET       /images/.+/history
image.search         GET       /images/search
image.distribution   GET       /distribution/.+/json
image.save           GET       /images/(.+/)?get
image.load           POST      /images/load
image.pull           POST      /images/create
image.push           POST      /images/.+/push
image.tag            POST      /images/.+/tag
image.prune          POST      /images/prune
image.remove         DELETE    /images/.+
image.build          POST      /build(/cancel)?
image.build-prune    POST      /build/prune
image.buildkit       POST      /(session|grpc)
image.commit         POST      /commit
network.list         GET       /networks
network.create       POST      /networks/create
network.prune        POST      /networks/prune
network.inspect      GET       /networks/@
network.connect      POST      /networks/@/connect
network.disconnect   POST      /networks/@/disconnect
network.remove       DELETE    /networks/@
volume.list          GET       /volumes
volume.create        POST      /volumes/create
volume.prune         POST      /volumes/prune
volume.inspect       GET       /volumes/.+
volume.remove        DELETE    /volumes/.+
"""

_ROWS = [line.split() for line in _TABLE.strip().splitlines()]
_PATTERNS = [
    (name, frozenset(methods.split("|")), re.compile(path.replace("@", "[^/]+"), re.ASCII))
    for name, methods, path in _ROWS
]
OPERATIONS = tuple(dict.fromkeys(name for name, _, _ in _ROWS))

_ALWAYS = "system.ping system.version system.info"
_READ_ONLY = f"""{_ALWAYS} system.events container.list container.inspect container.stats container.wait exec.inspect image.list
image.inspect image.history network.list network.inspect volume.list volume.inspect"""
_OPERATE = f"""{_READ_ONLY} container.top container.logs container.start container.stop container.restart container.kill
container.pause container.resize"""
_RUN = f"""{_OPERATE} container.create container.remove container.rename container.update container.attach container.changes
container.export container.read container.write container.prune exec.create exec.start exec.resize image.pull network.create
network.connect network.disconnect network.remove network.prune volume.create volume.remove volume.prune"""
_BUILD = f"""{_ALWAYS} image.list image.inspect image.history image.build image.commit image.load image.save image.pull image.push
image.tag image.remove"""
SETS = {
    "read-only": frozenset(_READ_ONLY.split()),
    "operate": frozenset(_OPERATE.split()),
    "run": frozenset(_RUN.split()),
    "build": frozenset(_BUILD.split()),
    "all": frozenset((*OPERATIONS, UNKNOWN)),
}
"""Sets of operations by the name that a rule's `allow` has for them; what each holds more than the one before stands in the README."""


def is_operation(name: str) -> bool:
    """Whether a rule may allow it by name."""
    return name in SETS or name in OPERATIONS


def operation_of(method: str, path: str) -> str:
    """The operation that a request is; `path` has no version. A request that imports an image is `image.load`, see `judging`."""
    for name, methods, pattern in _PATTERNS:
        if method in methods and pattern.fullmatch(path):
            return name
    return UNKNOWN


def is_changing(operation: str, method: str) -> bool:
    """Whether it may change something, so that a log has to tell of it."""
    return method not in ("GET", "HEAD") or operation == "container.attach"
