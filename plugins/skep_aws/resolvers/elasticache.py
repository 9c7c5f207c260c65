"""`elasticache`: the endpoints of a cache: a replication group, a single cluster, or a serverless one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .calls import Calls, Values, together
from .errors import AMBIGUOUS, NOT_FOUND, NOT_READY, AwsError, Unresolved
from .properties import Properties
from .source import Source
from .texts import commas, endpoint, scalars, text

__all__ = ["ELASTICACHE"]

_KINDS = {
    # kind: operation, parameter, key of the answer, code of "there is none"
    "replication-group": ("DescribeReplicationGroups", "ReplicationGroupId", "ReplicationGroups", "ReplicationGroupNotFound"),
    "cluster": ("DescribeCacheClusters", "CacheClusterId", "CacheClusters", "CacheClusterNotFound"),
    "serverless": ("DescribeServerlessCaches", "ServerlessCacheName", "ServerlessCaches", "ServerlessCacheNotFound"),
}  # fmt: skip
_GONE = ("deleting", "deleted", "create-failed", "restore-failed")


async def _resolve(asked: Properties, call: Calls) -> Values:
    name = asked.text("CacheId")
    kind = asked.choice("Kind", ("any", *_KINDS), "any")
    kinds = list(_KINDS) if kind == "any" else [kind]
    answers = await together(*(_find(each, name, call, only=kind != "any") for each in kinds))
    found = [(each, cache) for each, cache in zip(kinds, answers, strict=True) if cache is not None]
    if not found:
        raise Unresolved(NOT_FOUND, f"there is no cache {name}")
    if len(found) > 1:
        candidates = [f"{name} ({each})" for each, _ in found]
        raise Unresolved(AMBIGUOUS, f"several caches are called {name}; say Kind: {', '.join(candidates)}", candidates)
    return _values(name, *found[0])


async def _find(kind: str, name: str, call: Calls, *, only: bool) -> Mapping[str, Any] | None:
    operation, parameter, key, none = _KINDS[kind]
    more = {"ShowCacheNodeInfo": True} if kind == "cluster" else {}
    try:
        answer = await call("elasticache", operation, **{parameter: name}, **more)
    except AwsError as error:
        # Regions without serverless caches do not know the question; a name may be none for this kind (too long).
        if error.code.startswith(none) or (not only and error.code in ("InvalidAction", "InvalidParameterValue")):
            return None
        raise
    return next(iter(answer.get(key) or ()), None)


def _values(name: str, kind: str, cache: Mapping[str, Any]) -> Values:
    status = cache.get("CacheClusterStatus") or cache.get("Status") or ""
    if status.lower() in _GONE:
        raise Unresolved(NOT_FOUND, f"cache {name} is of no use: its status is {status}")
    values = scalars(cache)
    main, reader, nodes = _endpoints(kind, cache)
    if not main["Endpoint"]:
        raise Unresolved(NOT_READY, f"cache {name} has no endpoint yet: its status is {status}")
    engine = cache.get("Engine") or "redis"
    tls = kind == "serverless" or bool(cache.get("TransitEncryptionEnabled"))
    values |= {
        "Kind": kind,
        "Id": name,
        "Arn": text(cache.get("ARN", "")),
        "Status": status,
        "Engine": engine,
        "ClusterEnabled": text(kind == "serverless" or bool(cache.get("ClusterEnabled"))),
        "Tls": text(tls),
    }
    values |= main
    values |= {f"Reader{key}": value for key, value in reader.items() if value}
    if version := cache.get("EngineVersion") or cache.get("FullEngineVersion"):
        values["EngineVersion"] = version
    if shared := endpoint(cache.get("ConfigurationEndpoint")):
        values["ConfigurationEndpoint"] = shared
    if engine != "memcached":
        scheme = values["Scheme"] = "rediss" if tls else "redis"
        values["Url"] = f"{scheme}://{main['Endpoint']}"
        if reader["Endpoint"]:
            values["ReaderUrl"] = f"{scheme}://{reader['Endpoint']}"
    return Values(values | _nodes(nodes))


def _endpoints(
    kind: str, cache: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, str], list[Mapping[str, Any] | None]]:
    """The main endpoint, that of readers, and those of the nodes, in the order of their ids."""
    reader, nodes = cache.get("ReaderEndpoint"), []
    main = cache.get("ConfigurationEndpoint") or cache.get("Endpoint")
    if kind == "cluster":
        nodes = [each.get("Endpoint") for each in sorted(cache.get("CacheNodes") or (), key=lambda n: n["CacheNodeId"])]
        main = main or (nodes[0] if nodes else None)
    elif kind == "replication-group":
        groups = sorted(cache.get("NodeGroups") or (), key=lambda group: group["NodeGroupId"])
        nodes = [each.get("ReadEndpoint") for group in groups for each in group.get("NodeGroupMembers") or ()]
        nodes = [each for each in nodes if each]  # with shards, nodes have none
        if main is None and len(groups) == 1:
            main, reader = groups[0].get("PrimaryEndpoint"), groups[0].get("ReaderEndpoint")
    if any(not endpoint(each) for each in nodes):
        main = None  # still being made
    return _parts(main), _parts(reader), nodes


def _parts(item: Mapping[str, Any] | None) -> dict[str, str]:
    whole = endpoint(item)
    address, _, port = whole.rpartition(":")
    return {"Endpoint": whole, "Address": address, "Port": port}


def _nodes(nodes: list[Mapping[str, Any] | None]) -> dict[str, str]:
    """Each node's endpoint: the first resource's own names, and shorter ones."""
    values = {}
    for number, node in enumerate(nodes):
        parts = _parts(node)
        values[f"CacheNodeEndpoint{number}"] = values[f"NodeEndpoint{number}"] = parts["Endpoint"]
        values[f"CacheNodeEndpointAddress{number}"] = parts["Address"]
        values[f"CacheNodeEndpointPort{number}"] = parts["Port"]
    if nodes:
        values["CacheNodeEndpoints"] = values["NodeEndpoints"] = commas(map(endpoint, nodes))
    return values


ELASTICACHE = Source(
    resolve=_resolve,
    help="The endpoints of an ElastiCache cache: replication group, single cluster or serverless.",
    properties={
        "CacheId": "The id of a cluster or replication group, or the name of a serverless cache.",
        "Kind": "replication-group, cluster or serverless, where several have the name.",
    },
    required=("CacheId",),
    attributes={
        "Kind": "replication-group, cluster or serverless.",
        "Id": "The id that was asked for.",
        "Arn": "Its ARN.",
        "Status": "available, modifying, …",
        "Engine": "redis, valkey or memcached.",
        "EngineVersion": "The version of that.",
        "ClusterEnabled": "Whether clients must speak the cluster protocol.",
        "Tls": "Whether clients must speak TLS.",
        "Scheme": "redis, or rediss with TLS.",
        "Endpoint": "Where to connect, host:port: configuration, primary, or only node.",
        "Address": "Its host.",
        "Port": "Its port.",
        "ReaderEndpoint": "Where to read from; ReaderAddress, ReaderPort and ReaderUrl too.",
        "ConfigurationEndpoint": "For discovery by the client, where there is one.",
        "NodeEndpoints": "All nodes, host:port with commas between; CacheNodeEndpoints too.",
        "NodeEndpoint*": "Each node from 0; CacheNodeEndpoint0, CacheNodeEndpointAddress0, CacheNodeEndpointPort0 too.",
        "Url": "redis://host:port, or rediss:// with TLS.",
        "*": "What AWS tells of it: CacheClusterId, CacheNodeType, ReplicationGroupId, …",
    },
    actions={f"elasticache:{operation}": "*" for operation, *_ in _KINDS.values()},
)
