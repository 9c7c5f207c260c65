"""Role and function of a custom resource, made or brought up to date; what is right already is left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from skep import Lookup, RequestError
from skep_custom_resource.deploy.account import Account, code_of, told
from skep_custom_resource.deploy.bundle import HANDLER, bundle, digest

__all__ = ["deploy", "ensure_role", "function_name", "policy", "role_name"]

RUNTIME, MEMORY, TIMEOUT = "python3.13", 256, 120
_POLICY = "skep"
_PATIENCE = 60.0  # seconds until IAM's changes are known to Lambda
_POLL = 1.0  # seconds


def function_name(name: str) -> str:
    """What the function of a lookup is called: `stackDependency`."""
    return f"{name}Dependency"


def role_name(account: Account, name: str) -> str:
    """What its role is called; roles are the same in all regions, and it may log in one."""
    return f"{function_name(name)}-{account.where}"


def policy(account: Account, name: str, lookup: Lookup, assume: str = "") -> dict[str, Any]:
    """The least that the function may do: its calls, and its own log."""
    document: dict[str, Any] = json.loads(json.dumps(lookup.policy(assume, account.partition)))
    logs = f"arn:{account.partition}:logs:{account.where}:{account.id}:log-group:/aws/lambda/{function_name(name)}"
    document["Statement"].append({"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": logs})
    writes = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": f"{logs}:*"}
    document["Statement"].append(writes)
    return document


def ensure_role(account: Account, name: str, lookup: Lookup, assume: str = "") -> str:
    """Make the role and its policy, or change what differs; returns its ARN. Raises RequestError."""
    iam, role, wanted = account.client("iam"), role_name(account, name), policy(account, name, lookup, assume)
    with told():
        arn = _role(account, iam, role)
        current = _policy(iam, role)
        if current == wanted:
            account.say(f"role {role} is right already")
        elif account.step(f"write the policy of role {role}:\n{json.dumps(wanted, indent=2)}"):
            iam.put_role_policy(RoleName=role, PolicyName=_POLICY, PolicyDocument=json.dumps(wanted))
    return arn


def _role(account: Account, iam: Any, role: str) -> str:
    try:
        return str(iam.get_role(RoleName=role)["Role"]["Arn"])
    except iam.exceptions.NoSuchEntityException:
        pass
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    if not account.step(f"make role {role}, for lambda.amazonaws.com"):
        return f"arn:{account.partition}:iam::{account.id}:role/{role}"
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document, Description="A custom resource of skep's")
    return str(made["Role"]["Arn"])


def _policy(iam: Any, role: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = iam.get_role_policy(RoleName=role, PolicyName=_POLICY)["PolicyDocument"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return found


def deploy(account: Account, name: str, lookup: Lookup, assume: str = "") -> str:
    """Make role and function, or change what differs; returns the function's ARN. Raises RequestError."""
    data = bundle(name, lookup.package)
    role, function, client = ensure_role(account, name, lookup, assume), function_name(name), account.client("lambda")
    wanted = {"Role": role, "Handler": HANDLER, "Runtime": RUNTIME, "Timeout": TIMEOUT, "MemorySize": MEMORY}
    with told():
        try:
            current = client.get_function(FunctionName=function)["Configuration"]
        except client.exceptions.ResourceNotFoundException:
            return _create(account, client, function, wanted, data)
        arn = str(current["FunctionArn"])
        differ = {key: value for key, value in wanted.items() if current.get(key) != value}
        if current.get("CodeSha256") == digest(data) and not differ:
            account.say(f"function {function} is right already")
        if current.get("CodeSha256") != digest(data) and account.step(
            f"update the code of function {function} ({len(data)} bytes)"
        ):
            client.update_function_code(FunctionName=function, ZipFile=data)
            _ready(account, client, function)
        if differ and account.step(
            f"change function {function}: " + ", ".join(f"{key}={value}" for key, value in differ.items())
        ):
            _until_role_is_known(account, lambda: client.update_function_configuration(FunctionName=function, **wanted))
            _ready(account, client, function)
    return arn


def _create(account: Account, client: Any, function: str, wanted: Mapping[str, Any], data: bytes) -> str:
    if not account.step(f"make function {function} ({wanted['Runtime']}, {len(data)} bytes of code)"):
        return f"arn:{account.partition}:lambda:{account.where}:{account.id}:function:{function}"
    made = _until_role_is_known(
        account,
        lambda: client.create_function(
            FunctionName=function, Code={"ZipFile": data}, Description="A custom resource of skep's", **wanted
        ),
    )
    _ready(account, client, function)
    return str(made["FunctionArn"])


def _until_role_is_known(account: Account, change: Any) -> Any:
    """A role that was just made cannot be assumed at once: Lambda is asked again until it can."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return change()
        except Exception as error:
            if (
                code_of(error) != "InvalidParameterValueException"
                or "assume" not in str(error)
                or time.monotonic() > end
            ):
                raise
        account.say("  waiting until Lambda knows the role")
        time.sleep(_POLL)


def _ready(account: Account, client: Any, function: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        found = client.get_function_configuration(FunctionName=function)
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if "Failed" in (state, update):
            raise RequestError(
                f"function {function}: {found.get('StateReason') or found.get('LastUpdateStatusReason') or 'failed'}"
            )
        if state == "Active" and update != "InProgress":
            return
        if time.monotonic() > end:
            raise RequestError(f"function {function} is {state} after {_PATIENCE:.0f} s")
        account.say(f"  function {function} is {state}")
        time.sleep(_POLL)
