"""Answers as bytes: what fits, what does not, and what never is in them; and the README's own example."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skep_custom_resource
from skep import DeniedError, Plugin
from skep.testing import check_plugin
from skep_custom_resource.catalogue import explain
from skep_custom_resource.protocol import (
    Resource,
    ResourceAnswer,
    ResourceError,
    ResourceRequest,
    UrlRules,
    encode,
    failed,
    parse_event,
    run,
)

URL = "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/a%3Ab?Signature=secret%2Fsecret"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/web/1"
EVENT = {"RequestType": "Create", "StackId": STACK, "RequestId": "r", "LogicalResourceId": "L", "ResponseURL": URL}
REQUEST = parse_event(EVENT, UrlRules())


def said(answer: ResourceAnswer, request: ResourceRequest = REQUEST) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(request, answer, "name"))
    return found


def test_values_become_texts_and_lists_of_texts() -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    values = {
        "t": True, "i": 5, "f": 1e21, "n": None, "d": when, "l": ["a", 1], "m": {"x": {"y": False}}, "o": [{"a": 1}, {"a": 2}], "e": [], "u": "ö\n",
    }  # fmt: skip
    assert said(ResourceAnswer(values=values))["Data"] == {
        "t": "true", "i": "5", "f": "1000000000000000000000", "d": "2026-01-02T03:04:05+00:00", "l": ["a", "1"], "m.x.y": "false",
        "o.0.a": "1", "o.1.a": "2", "e": [], "u": "ö\n",
    }  # fmt: skip


@pytest.mark.parametrize("value", [b"x", object(), float("nan"), "\ud800", {"a": b"x"}, [b"x"]])
def test_what_is_no_text_fails_and_is_named(value: Any) -> None:
    answer = said(ResourceAnswer(values={"Wrong": value}))
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("name: Wrong")


@pytest.mark.parametrize("returned", ["text", 5, ["a"]])
async def test_what_is_no_mapping_fails(returned: Any) -> None:
    async def function(request: ResourceRequest) -> Any:
        return returned

    answer = await run(Resource("name", function), REQUEST, 5)
    assert said(answer)["Status"] == "FAILED"


TEXTS = st.text(max_size=3000)


@settings(max_examples=100, deadline=None)
@given(
    values=st.dictionaries(TEXTS, TEXTS, max_size=5), reason=TEXTS, physical=TEXTS, success=st.booleans(), sent=TEXTS
)
def test_an_answer_fits_whatever_is_in_it(
    values: dict[str, str], reason: str, physical: str, success: bool, sent: str
) -> None:
    request = parse_event({**EVENT, "RequestType": "Update", "PhysicalResourceId": sent}, UrlRules())
    body = encode(request, ResourceAnswer(values, physical, reason=reason, success=success), "name")
    assert len(body) <= 4096
    answer = json.loads(body)
    assert answer["PhysicalResourceId"]
    assert answer["Status"] == "SUCCESS" or answer["Reason"]


def test_the_size_is_of_bytes_and_the_limit_is_exact() -> None:
    room = 4096 - len(encode(REQUEST, ResourceAnswer({"A": ""}), "name"))
    assert len(encode(REQUEST, ResourceAnswer({"A": "x" * room}), "name")) == 4096
    assert said(ResourceAnswer({"A": "x" * room}))["Status"] == "SUCCESS"
    reason = said(ResourceAnswer({"A": "ö" * (room // 2 + 1), "B": "b"}))["Reason"]
    assert re.search(
        r"the answer has 4\d\d\d bytes, and CloudFormation takes 4096; the largest values are A \(\d+ bytes\), B",
        reason,
    )


def test_a_reason_never_holds_the_address() -> None:
    reason = said(failed(f"cannot PUT {URL}\nnor ?Signature=secret%2Fsecret"))["Reason"]
    assert "secret" not in reason
    assert "\n" not in reason


async def test_the_text_of_an_unknown_exception_is_not_shown() -> None:
    async def function(request: ResourceRequest) -> None:
        raise KeyError("hunter2")

    assert (await run(Resource("name", function), REQUEST, 5)).reason == "name: KeyError (the provider's log has more)"


@pytest.mark.parametrize(
    ("error", "reason"), [(ResourceError("not today"), "name: not today"), (DeniedError("may not"), "name: may not")]
)
async def test_what_is_meant_for_people_is_shown(error: Exception, reason: str) -> None:
    async def function(request: ResourceRequest) -> None:
        raise error

    assert (await run(Resource("name", function), REQUEST, 5, explain)).reason == reason


def test_the_physical_id_is_stable_and_delete_has_no_values() -> None:
    first = said(ResourceAnswer({"A": "1"}))["PhysicalResourceId"]
    assert first == said(failed("no"))["PhysicalResourceId"] == REQUEST.default_id("name")
    kept = parse_event({**EVENT, "RequestType": "Delete", "PhysicalResourceId": "never-ours"}, UrlRules())
    answer = said(ResourceAnswer({"A": "1"}), kept)
    assert answer["PhysicalResourceId"] == "never-ours"
    assert "Data" not in answer


async def test_the_readmes_example_is_right() -> None:
    text = (Path(skep_custom_resource.__file__).parent / "README.md").read_text()
    match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert match is not None
    names: dict[str, Any] = {}
    exec(match[1], names)
    kind: type[Plugin] = names["BucketPlugin"]
    await check_plugin(kind)
    bucket = Resource("bucket", kind().custom_resources()["bucket"], deletes=True)
    made = await run(bucket, parse_event({**EVENT, "ResourceProperties": {"Name": "b"}}, UrlRules()), 5, explain)
    assert (made.values, made.physical_id) == ({"Arn": "arn:aws:s3:::b"}, "b")
    assert (await run(bucket, REQUEST, 5, explain)).reason == "bucket: Name is missing"
    gone = parse_event({**EVENT, "RequestType": "Delete", "PhysicalResourceId": "b"}, UrlRules())
    assert (await run(bucket, gone, 5, explain)).success
