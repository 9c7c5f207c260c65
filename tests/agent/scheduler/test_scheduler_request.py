"""Reading create requests: nothing is lost, nothing is hidden, nothing hostile gets through."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contrib.fuzz.body import check
from skep import PlacementRequest, RequestError

KINDS = {"constraint": "com.docker.swarm.constraints", "affinity": "com.docker.swarm.affinities"}


def read(body: bytes | dict[str, Any], name: str = "") -> PlacementRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return PlacementRequest.from_create(data, name, kinds=KINDS)


def texts(request: PlacementRequest) -> list[str]:
    return [each.text for each in request.expressions.get("constraint", ())]


def test_compose_writes_entries_as_maps() -> None:
    assert texts(read({"Env": ["constraint:node==node-1"]})) == ["node==node-1"]  # from `constraint:node: "=node-1"`


@pytest.mark.parametrize("body", [b"{}", b'{"Env":null,"Labels":null,"HostConfig":null,"ExposedPorts":null}'])
def test_an_empty_body_is_a_request(body: bytes) -> None:
    request = read(body)
    assert (request.body["Env"], request.body["Labels"], request.expressions) == ([], {}, {})


def test_what_is_unknown_is_handed_on_as_it_is() -> None:
    body = {
        "Image": "x",
        "Future": {"deep": [1, 2.5, None, True, {"Any": "Thing"}], "any": 1},
        "HostConfig": {"Novel": [[], {}], "MemorySwappiness": None},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**18},
        "Big": 2**70,
        "Text": "é\u2028\0\U0001f41d<&>",
    }
    sent = msgspec.json.decode(msgspec.json.encode(read(body).body))
    assert sent == {**body, "Env": [], "Labels": {}}
    assert "MemorySwappiness" not in read({"HostConfig": {}}).body["HostConfig"]


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        ({"env": ["constraint:node==n1"]}, ("Env",), []),
        ({"ENV": ["constraint:node==n1"]}, ("Env",), []),
        ({"lAbElS": {"a": "b", "A": "c"}}, ("Labels",), {"a": "b", "A": "c"}),
        ({"hostconfig": {"privileged": True}}, ("HostConfig", "Privileged"), True),
        ({"HOSTCONFIG": {"NETWORKMODE": "host"}}, ("HostConfig", "NetworkMode"), "host"),
        ({"Ho\u017ftConfig": {"Privileged": True}}, ("HostConfig", "Privileged"), True),
        (
            {"Networ\u212aingConfig": {"endpointsconfig": {"Net": {"networkid": "x"}}}},
            ("NetworkingConfig", "EndpointsConfig", "Net", "NetworkID"),
            "x",
        ),
        (
            {"HostConfig": {"portbindings": {"80/tcp": [{"hostport": "1"}]}}},
            ("HostConfig", "PortBindings", "80/tcp", 0, "HostPort"),
            "1",
        ),
    ],
)
def test_keys_in_another_case_are_what_an_engine_takes_them_for(body: dict[str, Any], path: Any, value: object) -> None:
    found: Any = read(body).body
    for step in path:
        found = found[step]
    assert found == value


def test_entries_are_found_whatever_the_case_of_the_key() -> None:
    request = read({"eNV": ["constraint:node==n1"], "hostconfig": {"MEMORY": 7, "cpushares": 2, "links": ["a:b"]}})
    assert texts(request) == ["node==n1"]
    assert (request.container.memory, request.container.cpu_shares, request.container.links) == (7, 2, ("a:b",))
    assert texts(read(rb'{"\u0045nv":["constraint:node==n1"]}')) == ["node==n1"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "truncated"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'"x"', "Expected `object`"),
        (b"{", "truncated"),
        (b"{}{}", "trailing characters (byte 3)"),
        (b"{} x", "trailing characters (byte 4)"),
        (b"{'Image':1}", "(byte 1)"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{}", "(byte 0)"),
        (b'{"Image":"\xff"}', "byte 0xff"),
        (b'{"Image":"\\ud800"}', "invalid container configuration"),
        (b'{"Image":NaN}', "(byte 9)"),
        (b'{"x":Infinity}', "(byte 5)"),
        (b'{"x":1e400}', "the number 1e400 is too large"),
        (b'{"x":-1e999}', "the number -1e999 is too large"),
        (b'{"x":' + b"9" * 5000 + b"}", "invalid container configuration"),
        (b'{"x":' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"x":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "nested too deeply"),
        (b'{"Env":[],"Env":["constraint:node==n1"]}', "the key 'Env' comes twice"),
        (b'{"Env":[],"env":["constraint:node==n1"]}', "'Env' and 'env' are one key"),
        (b'{"x":{"a":1,"a":2}}', "the key 'a' comes twice"),
        (
            b'{"HostConfig":{"Privileged":false,"privileged":true}}',
            "$.HostConfig: 'Privileged' and 'privileged' are one key",
        ),
        (b'{"HostConfig":{},"hostConfig":{"Privileged":true}}', "$: 'HostConfig' and 'hostConfig' are one key"),
        (b'{"Image":7}', "$.Image"),
        (b'{"Env":"A=1"}', "$.Env"),
        (b'{"Env":["A=1",7]}', "$.Env[1]"),
        (b'{"Labels":{"a":1}}', "$.Labels"),
        (b'{"HostConfig":[]}', "$.HostConfig"),
        (b'{"HostConfig":{"Memory":"1g"}}', "$.HostConfig.Memory"),
        (b'{"HostConfig":{"CpuShares":1.5}}', "$.HostConfig.CpuShares"),
        (b'{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"80;"}]}}}', "invalid port '80;'"),
        (b'{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}', "HostPort"),
        (b'{"ExposedPorts":{"1-99999999/tcp":{}}}', "invalid port"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_what_is_not_a_create_request_is_refused_with_the_place(body: bytes, told: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(body)
    assert caught.value.status == 400
    assert str(caught.value).startswith("invalid container configuration: ")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        pytest.param({}, None, id="2.1 no HostConfig"),
        pytest.param({"HostConfig": {}}, {}, id="2.1 MemorySwappiness is left to the engine"),
        pytest.param({"HostConfig": {"MemorySwappiness": 60}}, {"MemorySwappiness": 60}, id="2.1 MemorySwappiness"),
        pytest.param({"Memory": 7}, {"Memory": 7}, id="2.1 Memory at the top"),
        pytest.param({"MemorySwap": -1}, {"MemorySwap": -1}, id="2.1 MemorySwap at the top"),
        pytest.param({"CpuShares": 2, "HostConfig": None}, {"CpuShares": 2}, id="2.1 CpuShares at the top"),
        pytest.param({"Cpuset": "0,1"}, {"CpusetCpus": "0,1"}, id="2.1 Cpuset at the top"),
        pytest.param(
            {"memory": 7, "HostConfig": {"Memory": 8, "Init": True}}, {"Memory": 7, "Init": True}, id="2.1 wins"
        ),
        pytest.param({"Memory": 0, "HostConfig": {"Memory": 8}}, {"Memory": 8}, id="2.1 zero does not"),
        pytest.param({"Cpuset": "", "HostConfig": {"CpusetCpus": "1"}}, {"CpusetCpus": "1"}, id="2.1 nor nothing"),
        pytest.param({"Memory": None, "HostConfig": {"Memory": 8}}, {"Memory": 8}, id="2.1 nor null"),
    ],
)
def test_what_old_clients_have_at_the_top_is_put_where_it_is_read(body: dict[str, Any], sent: object) -> None:
    request = read(body)
    assert request.body.get("HostConfig") == sent
    assert request.body.keys() <= {"Env", "Labels", "HostConfig"}
    host = sent if isinstance(sent, dict) else {}
    assert (request.container.memory, request.container.cpu_shares) == (host.get("Memory", 0), host.get("CpuShares", 0))


@pytest.mark.parametrize(
    "body",
    [{"Memory": "1g"}, {"Memory": []}, {"CpuShares": 1.5}, {"Memory": 7, "HostConfig": []}, {"Memory": {"a": 1}}],
)
def test_what_old_clients_have_at_the_top_is_checked(body: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="invalid container configuration") as caught:
        read(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("name", "kept"),
    [("web", "web"), ("/web", "web"), ("", ""), ("a.b-c_9", "a.b-c_9")],
    ids=lambda value: f"2.7 {value!r}",
)
def test_names_are_compared_without_a_slash(name: str, kept: str) -> None:
    assert read({}, name).container.name == kept


@pytest.mark.parametrize(
    "name", ["a", "-ab", "a b", "//web", "web/x", "wéb", "web\n", "/", ".ab", "n1/web", "x" * 300 + "!"]
)
def test_a_name_that_docker_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=r"Invalid container name \(") as caught:
        read({}, name)
    assert caught.value.status == 400


def test_the_number_of_expressions_is_bounded() -> None:
    assert len(texts(read({"Env": ["constraint:aa==x"] * 100}))) == 100
    with pytest.raises(RequestError, match="expected at most 100"):
        read({"Env": ["constraint:aa==x"] * 101})
    with pytest.raises(RequestError, match="expected at most 100"):
        read({"Env": ["constraint:aa==x"] * 60 + ["affinity:aa==x"] * 60})
    with pytest.raises(RequestError, match="51 regular expressions: expected at most 50"):
        read({"Env": ["constraint:aa==/x/"] * 51})


def test_a_label_can_be_added() -> None:
    request = read({"Labels": {"a": "b"}}).with_label("c", "d")
    assert request.body["Labels"] == dict(request.container.labels) == {"a": "b", "c": "d"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "Image",
        "Env",
        "env",
        "Labels",
        "HostConfig",
        "hostConfig",
        "NetworkingConfig",
        "ExposedPorts",
        "CpuShares",
        "Any",
    ]
)


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_any_object_reaches_the_engine_as_it_is_or_is_refused(body: dict[str, Any]) -> None:
    check(json.dumps(body).encode())


@given(st.binary(max_size=60))
def test_any_bytes_reach_the_engine_as_they_are_or_are_refused(body: bytes) -> None:
    check(b"{" + body)


@pytest.mark.parametrize(
    "body",
    [
        {"HostConfig": {"Links": ["a:b"] * 1001}},
        {"HostConfig": {"VolumesFrom": ["a"] * 1001}},
        {"NetworkingConfig": {"EndpointsConfig": {f"n{number}": {} for number in range(1001)}}},
    ],
)
def test_a_flood_of_dependencies_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(RequestError, match=r"^1001 links, volumes from and networks: expected at most 1000$"):
        PlacementRequest.from_create(json.dumps({"Image": "x", **body}).encode(), kinds={})
