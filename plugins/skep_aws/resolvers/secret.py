"""`secret`: a secret of Secrets Manager."""

from __future__ import annotations

import base64
import json

from .calls import Calls, Values
from .errors import NOT_FOUND, AwsError, Unresolved
from .names import chosen, renamed
from .properties import Properties
from .source import Source
from .texts import text

__all__ = ["SECRET"]


async def _resolve(asked: Properties, call: Calls) -> Values:
    name = asked.text("SecretId")
    version = {key: asked.text(key) for key in ("VersionStage", "VersionId") if asked.text(key)}
    try:
        answer = await call("secretsmanager", "GetSecretValue", SecretId=name, **version)
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            which = f" ({', '.join(version.values())})" if version else ""
            raise Unresolved(NOT_FOUND, f"there is no secret {name}{which}") from None
        if error.code == "InvalidRequestException":  # marked for deletion, or not to be had otherwise
            raise Unresolved(NOT_FOUND, str(error)) from None
        raise
    own_name = answer.get("Name", name).rpartition("/")[2]
    if "SecretString" in answer:
        values = _members(answer["SecretString"]) or {own_name: answer["SecretString"]}
    else:
        values = {own_name: base64.b64encode(answer.get("SecretBinary", b"")).decode()}
    values = renamed(chosen(values, asked), asked)
    return Values(dict(values), secret=values)


def _members(secret: str) -> dict[str, str]:
    """The members of a secret that is a JSON object, as texts; empty where it is none."""
    if not secret.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(secret)
    except (ValueError, RecursionError):
        return {}
    return {
        key: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        if isinstance(value, dict | list) or value is None
        else text(value)
        for key, value in found.items()
    }


SECRET = Source(
    resolve=_resolve,
    help="A secret of Secrets Manager.",
    properties={
        "SecretId": "Its name or ARN.",
        "VersionStage": "AWSCURRENT (unless said), AWSPREVIOUS, AWSPENDING.",
        "VersionId": "A version's id, instead.",
        "Includes": "Only these members; globs.",
        "Excludes": "Not these.",
        "Prefix": "Put before every name.",
        "Rename": "Other names: password=DB_PASSWORD.",
        "KeyStyle": "keep (unless said), or upper_snake: dbUrl is DB_URL.",
    },
    required=("SecretId",),
    attributes={
        "*": "Each member, where it is a JSON object; else the whole, by the last part of the secret's name (binary: base64)."
    },
    actions={"secretsmanager:GetSecretValue": "arn:aws:secretsmanager:*:*:secret:*"},
)
