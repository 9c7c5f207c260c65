"""Attacks by what an engine reads before what was judged, by what images bring, and by errors that tell of others' things."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from skep import Client
from skep_policy.learning import Learner
from skep_port import PortPlugin

ALICE, BOB, ADMIN = "127.0.0.1", "127.0.0.2", "127.0.0.3"


async def network_of(served: Any, name: str, by: str) -> str:
    status, made = await served.call("POST", "/networks/create", by, json={"Name": f"n1/{name}"})
    assert status == 201, made
    async with asyncio.timeout(5):
        while not any(each["Id"] == made["Id"] for each in (await served.call("GET", "/networks", by))[1]):
            await asyncio.sleep(0.01)
    return str(made["Id"])


async def test_a_network_is_the_one_that_was_named(tenants: Any) -> None:
    """Engines join the network of the endpoint's NetworkID, whatever the endpoint's name."""
    await network_of(tenants, "mine", ALICE)
    other = await network_of(tenants, "bobs", BOB)
    status, made = await tenants.create(NetworkingConfig={"EndpointsConfig": {"mine": {"networkid": other}}})
    assert status == 201, made
    await tenants.known(1)
    body = {"Container": made["Id"], "EndpointConfig": {"NetworkID": other, "Aliases": ["x"]}}
    await tenants.call("POST", "/networks/mine/connect", json=body)
    changes = [*tenants.changes("/containers/create"), *tenants.changes("/connect")]
    assert len(changes) == 2
    assert other not in json.dumps(changes)
    assert changes[1]["EndpointConfig"] == {"Aliases": ["x"]}


async def test_the_hosts_network_has_an_id_too(baseline: Any) -> None:
    (node,) = baseline.agent.cluster.state.nodes
    (id_,) = [network.id for network in node.networks if network.driver == "host"]
    for reference in (id_, id_[:12], f"n1/{id_}"):
        assert (await baseline.create({"NetworkMode": reference}))[0] == 403
        assert (await baseline.create(NetworkingConfig={"EndpointsConfig": {reference: {}}}))[0] == 403
    assert not baseline.changes()


@pytest.mark.parametrize("ipam", [{"Subnet": "169.254.169.0/24"}, {"iprange": "10.0.0.0/24"}, {"Gateway": "1.1.1.1"}])
async def test_no_network_is_laid_over_others_addresses(baseline: Any, ipam: dict[str, str]) -> None:
    call = ("POST", "/networks/create")
    status, told = await baseline.call(*call, json={"Name": "x", "IPAM": {"Config": [ipam]}})
    assert (status, "subnets" in told["message"]) == (403, True)
    plain = {"Name": "x", "IPAM": {"Driver": "default", "Config": [{"Subnet": ""}], "Options": {}}}
    assert (await baseline.call(*call, json=plain))[0] == 201


@pytest.mark.parametrize("image", ["LOCALHOST/x", "Metadata/x:1", "127.0.0.1:5000/x", "localhost/x", "10.0.0.1/x"])
async def test_no_registry_is_an_address_inside(serving: Any, image: str) -> None:
    """An image that a create names is pulled where it is not there."""
    async with serving("n1", rules={"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"]}}) as served:
        status, told = await served.create(Image=image)
        assert (status, "registry" in told["message"]) == (403, True)
        assert (await served.call("POST", f"/images/create?fromImage={quote(image)}"))[0] == 403
        assert not served.changes()


async def test_a_capital_letter_makes_a_registry(serving: Any) -> None:
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"], "images": ["docker.io/*"]}}
    async with serving("n1", rules=rules) as served:
        assert (await served.create(Image="Evil/busybox"))[0] == 403
        assert (await served.create(Image="evil/busybox"))[0] == 201


@pytest.mark.parametrize(
    "address", ["localhost://good.example", "//127.0.0.1/", "https://127.0.0.1/v1/", "HTTP://127.0.0.1", "ſ.example"]
)
async def test_a_login_asks_no_address_inside(serving: Any, address: str) -> None:
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run", "system.auth"]}}
    async with serving("n1", rules=rules) as served:
        assert (await served.call("POST", "/auth", json={"serveraddress": address}))[0] == 403
        assert not served.changes()


@pytest.mark.parametrize("option", ["syslog-address", "gelf-address", "awslogs-endpoint", "path"])
async def test_the_default_log_driver_is_not_sent_elsewhere(baseline: Any, option: str) -> None:
    status, told = await baseline.create({"LogConfig": {"Type": "", "Config": {option: "udp://10.0.0.1:1"}}})
    assert (status, option in told["message"]) == (403, True)
    assert (await baseline.create({"LogConfig": {"Type": "", "Config": {"max-size": "10m"}}}))[0] == 201


async def test_an_image_says_nothing_of_whose_it_is(serving: Any) -> None:
    """A label of a create request stands before the image's."""
    rules = {
        "alice": {"clients": [f"ip:{ALICE}"], "allow": ["run"], "profile": "baseline", "owner": "tenant=alice"},
        "ci": {"clients": [f"ip:{BOB}"], "allow": ["run"], "profile": "baseline", "owner": "team=ci"},
        "plain": {"clients": [f"ip:{ADMIN}"], "allow": ["run"], "profile": "baseline"},
    }
    async with serving("n1", rules=rules) as served:
        for by in (ALICE, BOB, ADMIN):
            assert (await served.create(by=by, Labels={"a": "b"}))[0] == 201
        sent = [body["Labels"] for body in served.changes("/containers/create")]
        assert [(each["tenant"], each["team"], each["a"]) for each in sent] == [
            ("alice", "", "b"),
            ("", "ci", "b"),
            ("", "", "b"),
        ]


async def test_filters_find_nobody_elses_containers(tenants: Any) -> None:
    for name in ("secret-a", "secret-b"):
        tenants.engines["n1"].run(name, labels={"tenant": "bob"})
        tenants.engines["n2"].run(name, labels={"tenant": "bob"})
    await tenants.known(4)
    for name in ("since", "before"):
        for reference in ("secret-a", "n1/secret-a", "nothing"):
            for query in (f"{name}={quote(reference)}", "filters=" + quote(json.dumps({name: [reference]}))):
                status, told = await tenants.call("GET", f"/containers/json?{query}")
                assert (status, told["message"]) == (404, f"No such container: {reference}")
    assert (await tenants.call("GET", "/containers/json?since=n1/secret-a", BOB))[0] == 200


async def test_a_taken_name_does_not_tell_whose_it_is(tenants: Any) -> None:
    tenants.engines["n2"].run("secret", labels={"tenant": "bob"})
    await tenants.call("POST", "/containers/create?name=mine", json={"Image": "busybox"})
    await tenants.known(2)
    (victim,) = tenants.agent.cluster.state.named("secret")
    create = ("POST", "/containers/create?name=secret")
    for answer in (
        await tenants.call("POST", "/containers/mine/rename?name=secret"),
        await tenants.call(*create, json={"Image": "busybox"}),
    ):
        assert (answer[0], "is already" in answer[1]["message"]) == (409, True), answer
        assert victim.id not in answer[1]["message"]
        assert "n2" not in answer[1]["message"]
    _, told = await tenants.call("POST", "/containers/mine/rename?name=secret", ADMIN)
    assert victim.id in told["message"]
    await network_of(tenants, "bobs", BOB)
    status, told = await tenants.call("POST", "/networks/create", json={"Name": "bobs"})
    assert (status, "n1" in told["message"]) == (409, False)


@pytest.mark.parametrize("given", [{"until": {"1h": True}}, {"until": ["1h"]}, {"label": {"a": True}}, {}])
async def test_a_prunes_filters_have_one_form(tenants: Any, given: dict[str, Any]) -> None:
    """Engines refuse lists and objects together."""
    status, told = await tenants.call("POST", "/networks/prune?filters=" + quote(json.dumps(given)))
    assert status == 200, told
    ((_, path, _), *_) = [each for each in tenants.sent if "prune" in each[1]]
    sent = json.loads(URL(path).query["filters"])
    assert sent["label"]["tenant=alice"] is True
    assert all(isinstance(values, dict) for values in sent.values())
    assert set(given) <= set(sent)


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ("from:stack==ci-web", 201),
        ("from:stack==prod", 403),
        ("from:secret==prod/db", 403),
        ("from:stack==ci-web?region=eu-west-1", 403),
        ("from:stack==ci-x?role=ci", 201),
        ("from:", 403),
        ("FROM=x", 201),
    ],
)
async def test_values_are_looked_up_only_where_the_rule_says(serving: Any, entry: str, status: int) -> None:
    given = ["stack==ci-*", "stack==ci-x?role=ci"]
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run", "build"], "lookups": given}}
    async with serving("n1", rules=rules) as served:
        answer = await served.create(Env=[entry])
        assert answer[0] == status, answer
        key, _, value = entry.partition("=")
        query = "buildargs=" + quote(json.dumps({key: value}))
        assert ((await served.call("POST", f"/build?{query}"))[0] == 403) is (status == 403)


async def test_who_has_a_port_is_not_told(serving: Any) -> None:
    bindings = {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}
    rules = {
        name: {"clients": [f"ip:{address}"], "allow": ["run"], "profile": "baseline", "owner": f"tenant={name}"}
        for name, address in (("alice", ALICE), ("bob", BOB))
    }
    for each in rules.values():
        each["ports"] = ["8080"]
    async with serving("n1", rules=rules, plugins=[PortPlugin()]) as served:
        body = {"Image": "busybox", "HostConfig": bindings}
        assert (await served.call("POST", "/containers/create?name=secret-shop", BOB, json=body))[0] == 201
        await served.known(1)
        (victim,) = served.agent.cluster.state.containers()
        told = [(await served.call("POST", "/containers/create?name=mine", by, json=body))[1] for by in (ALICE, BOB)]
        assert "secret-shop" not in told[0]["message"]
        assert victim.short_id not in told[0]["message"]
        assert "taken by *** (***)" in told[0]["message"]
        assert f"taken by secret-shop ({victim.short_id})" in told[1]["message"]


async def test_a_search_asks_no_address_inside(serving: Any) -> None:
    async with serving("n1", rules={"a": {"clients": ["ip:127.0.0.1"], "allow": ["image.search"]}}) as served:
        for term in ("127.0.0.1:5000/x", "localhost/x", "LOCALHOST/x", "metadata.internal&term=10.0.0.1/x"):
            assert (await served.call("GET", f"/images/search?term={term}"))[0] == 403, term
        assert (await served.call("GET", "/images/search?term=redis"))[0] != 403


async def test_a_prune_spares_forbidden_nodes(serving: Any) -> None:
    """Prunes are of all nodes."""
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"], "nodes": ["n1"]}}
    async with serving("n1", "n2", rules=rules) as served:
        for kind in ("containers", "networks", "volumes"):
            assert (await served.call("POST", f"/{kind}/prune"))[0] == 403
        assert not served.changes()


async def test_a_mount_for_reading_is_so_all_through(serving: Any) -> None:
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"], "binds": ["/srv:ro"]}}
    async with serving("n1", rules=rules) as served:
        mount = {"Type": "bind", "Source": "/srv", "Target": "/x", "ReadOnly": True}
        assert (await served.create({"Mounts": [mount]}))[0] == 201
        assert (await served.create({"Mounts": [{**mount, "BindOptions": {"ReadOnlyNonRecursive": True}}]}))[0] == 403


@pytest.mark.parametrize("name", ["ip:0.0.0.0/0", "uid:0", "gid:0", "spiffe://prod/*", "x\n://"])
def test_nobody_is_learned_as_somebody_else(name: str) -> None:
    learner = Learner()
    for client in (Client(name=name, address="10.0.0.1"), Client(name=name, uris=("spiffe://a/b",))):
        learner.of(client)
    assert list(learner.clients) == ["ip:10.0.0.1", "spiffe://a/b"]
    learner.of(Client(name="ci-*"))
    assert "ci-[*]" in learner.clients


async def test_what_a_build_asks_emptily_is_not_asked(serving: Any) -> None:
    """The docker command sends all its options."""
    async with serving("n1", rules={"a": {"clients": ["ip:127.0.0.1"], "allow": ["build"]}}) as served:
        assert (await served.call("POST", "/build?t=x&cgroupparent=&remote=&cgroupparent=/"))[0] == 403
        assert (await served.call("POST", "/build?t=x&cgroupparent=&remote="))[0] != 403
        (sent,) = [path for method, path, _ in served.sent if "/build" in path]
        assert "cgroupparent" not in sent
        assert "remote" not in sent


@pytest.mark.parametrize(
    "host",
    [
        *(
            {field: [None]}
            for field in ("Binds", "Mounts", "Links", "VolumesFrom", "CapAdd", "SecurityOpt", "GroupAdd")
        ),
        {"Mounts": [{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"Options": [[None]]}}]},
        {"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Options": {"o": None}}}}]},
        {"Devices": [None], "PortBindings": {"80/tcp": None}, "Tmpfs": {"/proc": None}},
    ],
    ids=str,
)
async def test_null_is_no_way_to_make_a_rule_fail(baseline: Any, host: dict[str, Any]) -> None:
    assert (await baseline.create(host))[0] in (400, 403)
    assert (await baseline.create(Env=[None]))[0] == 400
    assert not baseline.changes()


@pytest.mark.parametrize(
    ("allow", "options", "status"),
    [
        ("operate", "axe", 403),
        ("operate", "-o environ", 403),
        ("operate", "eww", 403),
        ("operate", "-ef", 200),
        ("operate", "aux", 200),
        ("run", "axe", 200),
    ],
)
@pytest.mark.parametrize("profile", ["restricted", "privileged"])
async def test_a_list_of_processes_shows_no_environment(
    serving: Any, profile: str, allow: str, options: str, status: int
) -> None:
    rule = {"clients": ["ip:127.0.0.1"], "allow": [allow], "profile": profile}
    async with serving("n1", rules={"a": rule}) as served:
        served.engines["n1"].run("box")
        await served.known(1)
        assert (await served.call("GET", f"/containers/box/top?ps_args={quote(options)}"))[0] == status
        assert (await served.call("GET", "/containers/box/top"))[0] == 200


async def test_an_image_that_is_mounted_is_the_one_that_was_named(serving: Any) -> None:
    """Engines take the beginning of an id for a name."""
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"], "images": ["docker.io/library/*"]}}
    async with serving("n1", rules=rules) as served:
        mount = {"Type": "image", "Source": "abcdef123456", "Target": "/x"}
        assert (await served.create({"Mounts": [mount]}))[0] == 201
        (sent,) = served.changes("/containers/create")
        assert sent["HostConfig"]["Mounts"][0]["Source"] == "abcdef123456:latest"


@pytest.mark.parametrize("label", ["x", "[1]", '{"a": 1}', "[" * 3000])
async def test_no_images_label_makes_placement_fail(tenants: Any, label: str) -> None:
    """A container that is moved has its image's labels among its own; who fails often is left alone, and then all is refused."""
    request = tenants.agent.request(json.dumps({"Image": "busybox", "Labels": {"skep.policy.nodes": label}}).encode())
    for _ in range(20):
        assert tenants.agent.place(request).node is not None
    assert (await tenants.call("GET", "/containers/json"))[0] == 200


async def test_no_body_gets_the_rules_left_alone(tenants: Any) -> None:
    for field in ("Binds", "Links", "VolumesFrom"):
        for _ in range(20):
            assert (await tenants.create({field: [None]}))[0] == 400
    assert (await tenants.call("GET", "/containers/json", BOB))[0] == 200
