"""One request by hand: to the function that is deployed, or in this process."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from skep import Lookup, RequestError
from skep_custom_resource.deploy.account import Account, told
from skep_custom_resource.deploy.functions import function_name
from skep_custom_resource.protocol.lambda_handler import INVOKED, make_handler
from skep_custom_resource.protocol.lookups import packaged

__all__ = ["event", "invoke", "invoke_here"]


def event(
    account_id: str, region: str, name: str, properties: Mapping[str, Any], kind: str = "Create"
) -> dict[str, Any]:
    """A request as CloudFormation would send it, marked so that its answer is returned and put nowhere."""
    token = f"arn:aws:lambda:{region}:{account_id}:function:{function_name(name)}"
    made = {
        INVOKED: True,
        "RequestType": kind,
        "ServiceToken": token,
        "StackId": f"arn:aws:cloudformation:{region}:{account_id}:stack/invoked-by-hand/{uuid.uuid4()}",
        "RequestId": str(uuid.uuid4()),
        "LogicalResourceId": "Invoked",
        "ResourceType": f"Custom::{name[:1].upper()}{name[1:]}Dependency",
        "ResourceProperties": {"ServiceToken": token, **properties},
    }
    return made if kind == "Create" else {**made, "PhysicalResourceId": "invoked-by-hand"}


def invoke(account: Account, name: str, properties: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Have the deployed function answer; its log goes to `say`. Raises RequestError where it fails."""
    request, client = event(account.id, account.where, name, properties, kind), account.client("lambda")
    with told():
        answer = client.invoke(FunctionName=function_name(name), Payload=json.dumps(request), LogType="Tail")
    for line in base64.b64decode(answer.get("LogResult") or "").decode(errors="replace").splitlines():
        account.say(line)
    try:
        found = json.loads(answer["Payload"].read())
    except ValueError:
        raise RequestError(f"function {function_name(name)}: its answer is not JSON") from None
    if answer.get("FunctionError"):
        raise RequestError(f"function {function_name(name)}: {found.get('errorMessage', found)}")
    return found if isinstance(found, dict) else {"Response": found}


def invoke_here(
    account: Account, name: str, lookup: Lookup, properties: Mapping[str, Any], kind: str
) -> dict[str, Any]:
    """Have the same code answer in this process, asking AWS as whoever calls."""
    if not lookup.package:
        raise RequestError(f"lookup {name} brings no package for Lambda; try it by skep lookup {name}")
    handler = make_handler(packaged(name, lookup.package, **account.options), log=account.say)
    return handler(event("000000000000", account.where, name, properties, kind), None)
