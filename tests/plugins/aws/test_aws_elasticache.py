"""Caches of each kind, in the shapes of ElastiCache's own answers."""

from __future__ import annotations

from typing import Any

import pytest

from skep import Agent, AmbiguousError, NotFoundError, NotReadyError, PropertyError
from tests.plugins.aws.fake_aws import FakeAws, query, refused

HOST = "abc.0001.euw1.cache.amazonaws.com"


def endpoint(host: str, port: int = 6379) -> dict[str, Any]:
    return {"Address": f"{host}.{HOST}", "Port": port}


def cluster(nodes: int = 1, status: str = "available", **more: Any) -> dict[str, Any]:
    made = [
        {"CacheNodeId": f"{number:04}", "CacheNodeStatus": status, "CustomerAvailabilityZone": "eu-west-1a"}
        | ({"Endpoint": endpoint(f"n{number}")} if status != "creating" else {})
        for number in range(1, nodes + 1)
    ]
    return {
        "CacheClusterId": "prod",
        "CacheNodeType": "cache.t4g.small",
        "Engine": "redis",
        "EngineVersion": "7.1.0",
        "CacheClusterStatus": status,
        "NumCacheNodes": nodes,
        "CacheClusterCreateTime": "2015-07-02T10:00:00.123Z",
        "PendingModifiedValues": {},
        "SecurityGroups": ("member", [{"SecurityGroupId": "sg-1", "Status": "active"}]),
        "CacheNodes": ("CacheNode", made),
        "TransitEncryptionEnabled": False,
        "ARN": "arn:aws:elasticache:eu-west-1:1:cluster:prod",
    } | more


def group(shards: int = 1, **more: Any) -> dict[str, Any]:
    def shard(number: int) -> dict[str, Any]:
        members = [{"CacheClusterId": f"prod-{number:04}-{each:03}", "CacheNodeId": "0001"} for each in (1, 2)]
        if shards > 1:
            return {
                "NodeGroupId": f"{number:04}",
                "Status": "available",
                "NodeGroupMembers": ("NodeGroupMember", members),
            }
        read = [each | {"ReadEndpoint": endpoint(f"r{count}")} for count, each in enumerate(members)]
        return {
            "NodeGroupId": f"{number:04}",
            "PrimaryEndpoint": endpoint("primary"),
            "ReaderEndpoint": endpoint("reader"),
            "NodeGroupMembers": ("NodeGroupMember", read),
        }

    return {
        "ReplicationGroupId": "prod",
        "Status": "available",
        "Engine": "valkey",
        "ClusterEnabled": shards > 1,
        "TransitEncryptionEnabled": True,
        "ARN": "arn:aws:elasticache:eu-west-1:1:replicationgroup:prod",
        "NodeGroups": ("NodeGroup", [shard(number) for number in range(1, shards + 1)]),
    } | more


@pytest.fixture(autouse=True)
def none(fake: FakeAws) -> None:
    """No cache of any kind."""
    fake.on("DescribeCacheClusters", refused("CacheClusterNotFound", 404))
    fake.on("DescribeReplicationGroups", refused("ReplicationGroupNotFoundFault", 404))
    fake.on("DescribeServerlessCaches", refused("ServerlessCacheNotFoundFault", 404))


def has_cluster(fake: FakeAws, item: dict[str, Any]) -> None:
    fake.on("DescribeCacheClusters", query({"CacheClusters": ("CacheCluster", [item])}))


def has_group(fake: FakeAws, item: dict[str, Any]) -> None:
    fake.on("DescribeReplicationGroups", query({"ReplicationGroups": ("ReplicationGroup", [item])}))


async def test_a_single_redis_has_the_first_resources_attributes_and_more(faked: Agent, fake: FakeAws) -> None:
    has_cluster(fake, cluster())
    values = await faked.lookup("elasticache", {"CacheId": "prod"})
    whole = f"n1.{HOST}:6379"
    original = {
        "CacheClusterId": "prod",
        "CacheClusterStatus": "available",
        "CacheClusterCreateTime": "2015-07-02T10:00:00Z",
        "NumCacheNodes": "1",
        "CacheNodeEndpoint0": whole,
        "CacheNodeEndpointAddress0": f"n1.{HOST}",
        "CacheNodeEndpointPort0": "6379",
        "CacheNodeEndpoints": whole,
    }
    modern = {
        "Kind": "cluster",
        "Id": "prod",
        "Endpoint": whole,
        "Address": f"n1.{HOST}",
        "Port": "6379",
        "Tls": "false",
        "Url": f"redis://{whole}",
        "ClusterEnabled": "false",
        "NodeEndpoint0": whole,
    }
    assert {key: values[key] for key in original | modern} == original | modern
    assert not {"PendingModifiedValues", "SecurityGroups", "CacheNodes"} & set(values)
    assert fake.made("DescribeCacheClusters")[0].parameters["ShowCacheNodeInfo"] == "true"


async def test_memcached_has_all_nodes_and_no_url(faked: Agent, fake: FakeAws) -> None:
    has_cluster(fake, cluster(3, Engine="memcached", ConfigurationEndpoint=endpoint("cfg", 11211)))
    values = await faked.lookup("elasticache", {"CacheId": "prod"})
    assert values["Endpoint"] == values["ConfigurationEndpoint"] == f"cfg.{HOST}:11211"
    assert values["CacheNodeEndpoints"] == ",".join(f"n{number}.{HOST}:6379" for number in (1, 2, 3))
    assert "Url" not in values


async def test_a_replication_group(faked: Agent, fake: FakeAws) -> None:
    has_group(fake, group())
    values = await faked.lookup("elasticache", {"CacheId": "prod"})
    assert values["Kind"] == "replication-group"
    assert values["Url"] == f"rediss://primary.{HOST}:6379"
    assert values["ReaderUrl"] == f"rediss://reader.{HOST}:6379"
    assert values["NodeEndpoints"] == f"r0.{HOST}:6379,r1.{HOST}:6379"
    assert (values["Tls"], values["ClusterEnabled"]) == ("true", "false")


async def test_a_replication_group_with_shards(faked: Agent, fake: FakeAws) -> None:
    has_group(fake, group(3, ConfigurationEndpoint=endpoint("clustercfg")))
    values = await faked.lookup("elasticache", {"CacheId": "prod"})
    assert values["Endpoint"] == f"clustercfg.{HOST}:6379"
    assert values["ClusterEnabled"] == "true"
    assert "NodeEndpoints" not in values


async def test_a_serverless_cache(faked: Agent, fake: FakeAws) -> None:
    item = {
        "ServerlessCacheName": "prod",
        "Status": "available",
        "Engine": "valkey",
        "FullEngineVersion": "8.0",
        "Endpoint": endpoint("serverless"),
        "ReaderEndpoint": endpoint("serverless-ro", 6380),
        "ARN": "arn:aws:elasticache:eu-west-1:1:serverlesscache:prod",
    }
    fake.on("DescribeServerlessCaches", query({"ServerlessCaches": ("member", [item])}))
    values = await faked.lookup("elasticache", {"CacheId": "prod"})
    assert values["Url"] == f"rediss://serverless.{HOST}:6379"
    assert values["ReaderPort"] == "6380"
    assert (values["EngineVersion"], values["Tls"], values["Arn"]) == ("8.0", "true", item["ARN"])


async def test_two_kinds_of_one_name_are_refused_unless_the_kind_is_said(faked: Agent, fake: FakeAws) -> None:
    has_cluster(fake, cluster())
    has_group(fake, group())
    with pytest.raises(AmbiguousError, match="say Kind") as caught:
        await faked.lookup("elasticache", {"CacheId": "prod"})
    assert caught.value.candidates == ("prod (replication-group)", "prod (cluster)")
    assert (await faked.lookup("elasticache", {"CacheId": "prod", "Kind": "cluster"}))["Kind"] == "cluster"
    with pytest.raises(PropertyError, match="Kind: expected any, replication-group, cluster, serverless; got 'x'"):
        await faked.lookup("elasticache", {"CacheId": "prod", "Kind": "x"})


async def test_not_there_being_made_and_being_deleted_are_told_apart(faked: Agent, fake: FakeAws) -> None:
    with pytest.raises(NotFoundError, match="there is no cache prod"):
        await faked.lookup("elasticache", {"CacheId": "prod"})
    has_cluster(fake, cluster(2, "creating"))
    with pytest.raises(NotReadyError, match="cache prod has no endpoint yet: its status is creating"):
        await faked.lookup("elasticache", {"CacheId": "prod"})
    has_cluster(fake, cluster(1, "deleting"))
    with pytest.raises(NotFoundError, match="its status is deleting"):
        await faked.lookup("elasticache", {"CacheId": "prod"})


async def test_a_region_that_knows_no_serverless_caches(faked: Agent, fake: FakeAws) -> None:
    has_cluster(fake, cluster())
    fake.on("DescribeServerlessCaches", refused("InvalidAction"))
    assert (await faked.lookup("elasticache", {"CacheId": "prod"}))["Kind"] == "cluster"
