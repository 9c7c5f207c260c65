"""Scheduling entries in environment and labels, row by row (sections 2.2 and 2.3 of classic Swarm's rules), and what people mistype."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skep import ExpressionError, PlacementRequest, RequestError

CONSTRAINTS = "com.docker.swarm.constraints"
AFFINITIES = "com.docker.swarm.affinities"
WHITELISTS = "com.docker.swarm.whitelists"
POLICIES = "com.docker.swarm.reschedule-policies"
KINDS = {"constraint": CONSTRAINTS, "affinity": AFFINITIES, "whitelist": WHITELISTS}


def read(**body: Any) -> PlacementRequest:
    return PlacementRequest.from_create(json.dumps(body).encode(), kinds=KINDS)


def texts(request: PlacementRequest) -> dict[str, list[str]]:
    return {kind: [each.text for each in found] for kind, found in request.expressions.items()}


@pytest.mark.parametrize(
    ("env", "labels", "left", "kept"),
    [
        pytest.param(["constraint:node==a"], {}, [], {CONSTRAINTS: '["node==a"]'}, id="2.2 constraint"),
        pytest.param(["affinity:image==a"], {}, [], {AFFINITIES: '["image==a"]'}, id="2.2 affinity"),
        pytest.param(["whitelist:node==a|b"], {}, [], {WHITELISTS: '["node==a|b"]'}, id="2.2 whitelist"),
        pytest.param(["reschedule:off"], {}, [], {POLICIES: '["off"]'}, id="2.2 reschedule"),
        pytest.param(
            ["constraint:a1==x:y"], {}, [], {CONSTRAINTS: '["a1==x:y"]'}, id="2.2 the first colon alone divides"
        ),
        pytest.param(
            ["A=1", "constraint:a1==1", "B", "C=d:e", ":x", "x:"],
            {},
            ["A=1", "B", "C=d:e", ":x", "x:"],
            {CONSTRAINTS: '["a1==1"]'},
            id="2.2 all else stays, in its order",
        ),
        pytest.param(
            ["Constraint:a1==1", "constraint", "constraint=a1==1"],
            {},
            ["Constraint:a1==1", "constraint", "constraint=a1==1"],
            {},
            id="2.2 the prefix is exact",
        ),
        pytest.param(
            ["constraint:c1==1", "constraint:a1==1"],
            {CONSTRAINTS: '[ "b1==1", "a1==1" ]', "other": "[1]"},
            [],
            {CONSTRAINTS: '["b1==1","a1==1","c1==1","a1==1"]', "other": "[1]"},
            id="2.2 the label's come first, nothing is sorted, nothing dropped",
        ),
        pytest.param(
            [],
            {CONSTRAINTS: '["node==/^(a\\u007cb)$/","node!=c"]'},
            [],
            {CONSTRAINTS: '["node==/^(a|b)$/","node!=c"]'},
            id="2.2 escapes of the original's encoder",
        ),
        pytest.param([], {CONSTRAINTS: "[]"}, [], {CONSTRAINTS: "[]"}, id="2.6 the empty list of the image fallback"),
        pytest.param([], {CONSTRAINTS: ""}, [], {CONSTRAINTS: ""}, id="2.2 an empty label"),
        pytest.param(
            [],
            {POLICIES: '["on-node-failure"]', "com.docker.swarm.id": "5e" * 32},
            [],
            {POLICIES: '["on-node-failure"]', "com.docker.swarm.id": "5e" * 32},
            id="2.2 a container that the original placed",
        ),
    ],
)
def test_entries_leave_the_environment_and_are_kept_in_labels(
    env: list[str], labels: dict[str, str], left: list[str], kept: dict[str, str]
) -> None:
    request = read(Env=env, Labels=labels)
    assert (request.body["Env"], request.body["Labels"]) == (left, kept)
    assert (list(request.container.env), dict(request.container.labels)) == (left, kept)
    again = read(Env=left, Labels=kept)  # as it is made anew from what an engine keeps
    assert texts(again) == texts(request)
    assert again.body == request.body


def test_what_the_original_wrote_is_understood() -> None:
    """The configuration of a container as the original leaves it on an engine, byte for byte."""
    body = (
        rb'{"Image":"app:1.2","Env":["PATH=/bin"],"Labels":{"com.docker.swarm.affinities":"[\"container==redis*\",\"image==~app\"]",'
        rb'"com.docker.swarm.constraints":"[\"storage==ssd\",\"node!=~/^n[12]$/\",\"ostype==linux\"]",'
        rb'"com.docker.swarm.id":"d0b5f5a2b5ee4a1b9b7a3e9c7f0f9f5ed0b5f5a2b5ee4a1b9b7a3e9c7f0f9f5e",'
        rb'"com.docker.swarm.reschedule-policies":"[\"on-node-failure\"]","com.docker.swarm.whitelists":"[\"node==n1|n2\"]"}}'
    )
    request = PlacementRequest.from_create(body, kinds=KINDS)
    assert texts(request) == {
        "constraint": ["storage==ssd", "node!=~/^n[12]$/", "ostype==linux"],
        "affinity": ["container==redis*", "image==~app"],
        "whitelist": ["node==n1|n2"],
    }
    assert [each.text for each in request.wishes] == ["node!=~/^n[12]$/", "image==~app"]
    assert request.container.swarm_id.startswith("d0b5f5a2")
    assert dict(request.container.labels) == json.loads(body)["Labels"]  # nothing was to be written otherwise


@pytest.mark.parametrize(
    ("env", "labels", "told"),
    [
        pytest.param(["reschedule:always"], {}, "invalid reschedule policy: 'always' (environment entry 1)", id="2.3"),
        pytest.param(["reschedule:"], {}, "invalid reschedule policy: ''", id="2.3 nothing"),
        pytest.param(["reschedule:Off"], {}, "invalid reschedule policy: 'Off'", id="2.3 case counts"),
        pytest.param(["reschedule:off", "reschedule:off"], {}, "too many reschedule policies", id="2.3 two entries"),
        pytest.param(
            ["reschedule:off"], {POLICIES: '["off"]'}, "too many reschedule policies", id="2.3 label and entry"
        ),
        pytest.param([], {POLICIES: '["off","off"]'}, f"(label {POLICIES}, entry 2)", id="2.3 two in the label"),
        pytest.param([], {POLICIES: "off"}, f"label {POLICIES}: expected a JSON list of texts", id="2.3 no list"),
    ],
)
def test_a_reschedule_policy_is_one_that_exists(env: list[str], labels: dict[str, str], told: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(Env=env, Labels=labels)
    assert caught.value.status == 400
    assert told in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("policy", ["off", "on-node-failure"])
def test_a_reschedule_policy_is_stored(policy: str) -> None:
    for request in (read(Env=[f"reschedule:{policy}"]), read(Labels={POLICIES: json.dumps([policy])})):
        assert (request.body["Env"], request.body["Labels"]) == ([], {POLICIES: f'["{policy}"]'})
        assert not request.expressions


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"Env": ["A=1", "constraint:"]}, "invalid constraint '' (environment entry 2)", id="2.2 nothing"),
        pytest.param({"Env": ["affinity:x"]}, "invalid affinity 'x' (environment entry 1), at character 2", id="3.1"),
        pytest.param({"Env": ["whitelist:a<>b"]}, "invalid whitelist 'a<>b' (environment entry 1)", id="3.1 <>"),
        pytest.param(
            {"Labels": {CONSTRAINTS: '["node==a","node=b"]'}, "Env": ["constraint:=="]},
            f"invalid constraint 'node=b' (label {CONSTRAINTS}, entry 2), at character 5",
            id="2.2 in a label",
        ),
        pytest.param(
            {"Labels": {CONSTRAINTS: r'["node==\u003c\u0026\u003e"]'}},
            f"invalid constraint 'node==<&>' (label {CONSTRAINTS}, entry 1), at character 7",
            id="2.2 escapes in a label",
        ),
    ],
)
def test_a_malformed_entry_is_named_with_its_place(body: dict[str, Any], told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(**body)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("x", "malformed"),
        ("{}", "Expected `array`, got `object`"),
        ('["a1==1",7]', "$[1]"),
        ("[null]", "$[0]"),
        ('["node==n1"', "truncated"),
        ("null", "got `null`"),
        ('"node==n1"', "got `str`"),
        ("[" * 10_000, "Expected `str`"),
        ('["a1==1"] x', "trailing"),
        (" ", "truncated"),
        ("[" + '"x",' * 50_000, "truncated"),
    ],
    ids=lambda value: f"2.2 {value[:12]!r}",
)
@pytest.mark.parametrize("name", [CONSTRAINTS, AFFINITIES, WHITELISTS, POLICIES])
def test_a_label_that_is_no_list_of_texts_is_refused_with_the_place(name: str, label: str, told: str) -> None:
    with pytest.raises(RequestError, match=f"^label {name}: expected a JSON list of texts") as caught:
        read(Labels={name: label})
    assert caught.value.status == 400
    assert told in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("contraint:node==a", "did you mean constraint:…?"),
        ("constraints:node==a", "did you mean constraint:…?"),
        ("Constraint:node!=a", "did you mean constraint:…?"),
        (" constraint:node==a", "did you mean constraint:…?"),
        ("afinity:container==a", "did you mean affinity:…?"),
        ("white-list:node==a", "did you mean whitelist:…?"),
        ("form:stack==prod", "did you mean from:…?"),
        ("from:stack==prod", "the plugin that reads such entries, envfile, is not configured"),
    ],
)
def test_what_looks_like_an_entry_is_pointed_out_and_left_alone(entry: str, hint: str) -> None:
    request = read(Env=["A=1", entry])
    assert request.body["Env"] == ["A=1", entry]
    assert len(request.doubts) == 1
    assert request.doubts[0].startswith("environment entry 2 (")
    assert request.doubts[0].endswith(hint)


@pytest.mark.parametrize(
    "entry", ["A=constraint:x==y", "http://x==y", "contraint:node", "x:a==b", "B", "constraint=a:b==c"]
)
def test_what_does_not_is_not(entry: str) -> None:
    assert read(Env=[entry]).doubts == ()


def test_an_entry_whose_plugin_is_not_there_is_pointed_out() -> None:
    body = b'{"Env":["whitelist:node==a","spread:zone"]}'
    request = PlacementRequest.from_create(body, kinds={"constraint": CONSTRAINTS})
    assert request.body["Env"] == ["whitelist:node==a", "spread:zone"]
    said = "environment entry {} ({}:…) is handed to the container as it is: the plugin that reads such entries, {}, is not configured"
    assert request.doubts == (said.format(1, "whitelist", "whitelist"), said.format(2, "spread", "topology"))


def test_floods_of_entries_are_refused_and_of_doubts_a_few_are_told() -> None:
    many = 50_000
    for body in (
        {"Env": ["constraint:aa==x"] * many},
        {"Labels": {CONSTRAINTS: json.dumps(["aa==x"] * many)}},
    ):
        with pytest.raises(RequestError, match=f"^{many} scheduling entries .constraint.: expected at most 100$"):
            read(**body)
    with pytest.raises(RequestError, match=r"^110 scheduling entries \(constraint, affinity, whitelist\)"):
        read(Env=["constraint:aa==x"] * 50 + ["affinity:aa==x"] * 50 + ["whitelist:node==x"] * 10)
    with pytest.raises(RequestError, match="too many reschedule policies") as caught:
        read(Env=["reschedule:off"] * many)
    assert len(str(caught.value)) < 400
    assert 1 <= len(read(Env=["contraint:aa==x"] * many).doubts) <= 5


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("x" * 2**20, "at most 4096 characters"),
        ("/" + "(a*)*" * 2**18 + "/", "at most 4096 characters"),
        ("/" + "(a*)*" * 700 + "/", "a regular expression of at most 512 characters"),
        ("/" + r"\pL" * 170 + "/", "a regular expression (pattern too large"),
    ],
    ids=["a megabyte", "a megabyte of repetition", "long repetition", "too large compiled"],
)
def test_huge_patterns_are_refused(value: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(Env=[f"constraint:node=={value}"])
    assert told in str(caught.value)
    assert len(str(caught.value)) < 600


def test_an_entry_can_be_added() -> None:
    request = read(Env=["constraint:node!=a"]).with_entry("constraint", "ostype==linux", CONSTRAINTS)
    assert texts(request) == {"constraint": ["node!=a", "ostype==linux"]}
    assert request.body["Labels"] == {CONSTRAINTS: '["node!=a","ostype==linux"]'}
    assert texts(read().with_entry("constraint", "a1==1", CONSTRAINTS)) == {"constraint": ["a1==1"]}
