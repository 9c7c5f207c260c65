"""Reading create requests: nothing is lost, nothing is hidden, nothing hostile gets through."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ExpressionError, PlacementRequest, RequestError

KINDS = {"constraint": "com.docker.swarm.constraints", "affinity": "com.docker.swarm.affinities"}
CONSTRAINTS, AFFINITIES = KINDS["constraint"], KINDS["affinity"]


def read(body: bytes | dict[str, Any], name: str = "") -> PlacementRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return PlacementRequest.from_create(data, name, kinds=KINDS)


def texts(request: PlacementRequest, kind: str = "constraint") -> list[str]:
    return [each.text for each in request.expressions.get(kind, ())]


def test_entries_leave_the_environment_and_are_kept_in_labels() -> None:
    request = read(
        {"Env": ["A=1", "constraint:node==n1", "B", "affinity:image==~redis", "constraint:disk!=hdd", "C=x:y"]}
    )
    assert request.body["Env"] == ["A=1", "B", "C=x:y"]
    assert request.body["Labels"] == {CONSTRAINTS: '["node==n1","disk!=hdd"]', AFFINITIES: '["image==~redis"]'}
    assert (texts(request), texts(request, "affinity")) == (["node==n1", "disk!=hdd"], ["image==~redis"])
    assert request.container.env == ("A=1", "B", "C=x:y")
    assert dict(request.container.labels) == request.body["Labels"]
    assert [each.text for each in request.wishes] == ["image==~redis"]


def test_entries_of_labels_come_first_and_are_not_sorted_out() -> None:
    request = read({"Labels": {CONSTRAINTS: '["b2==1", "a1==1"]', "x": "y"}, "Env": ["constraint:b2==1"]})
    assert texts(request) == ["b2==1", "a1==1", "b2==1"]
    assert request.body["Labels"] == {CONSTRAINTS: '["b2==1","a1==1","b2==1"]', "x": "y"}


@pytest.mark.parametrize(
    "entry",
    [
        "Constraint:node==x",
        "CONSTRAINT:node==x",
        " constraint:node==x",
        "constraint=node==x",
        "constraint",
        "whitelist:node==x",
        "A=constraint:x",
    ],
)
def test_what_is_no_entry_stays_in_the_environment(entry: str) -> None:
    request = read({"Env": [entry]})
    assert request.body["Env"] == [entry]
    assert not request.expressions


def test_compose_writes_entries_as_maps() -> None:
    assert texts(read({"Env": ["constraint:node==node-1"]})) == ["node==node-1"]  # from `constraint:node: "=node-1"`


@pytest.mark.parametrize("entry", ["constraint:", "constraint:node", "affinity:=="])
def test_a_bad_entry_is_refused_at_once(entry: str) -> None:
    with pytest.raises(ExpressionError):
        read({"Env": [entry]})


@pytest.mark.parametrize("label", ["x", "{}", "[1]", '["node==n1"', "null", '"node==n1"', "[" * 10_000, '["a"] x'])
def test_a_label_that_cannot_be_read_is_refused(label: str) -> None:
    with pytest.raises(RequestError, match=f"label {CONSTRAINTS}: expected a JSON list of texts") as caught:
        read({"Labels": {CONSTRAINTS: label}})
    assert caught.value.status == 400


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


@pytest.mark.parametrize(("name", "kept"), [("web", "web"), ("/web", "web"), ("", ""), ("a.b-c_9", "a.b-c_9")])
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
def test_any_object_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        request = read(body)
    except (RequestError, ExpressionError):
        return
    assert json.loads(msgspec.json.encode(request.body)) == json.loads(json.dumps(dict(request.body)))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        read(body)
    except (RequestError, ExpressionError):
        return
    json.loads(body)


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
