"""`image`: a machine image (AMI), by name."""

from __future__ import annotations

import json
from typing import Any

from .calls import Calls, Values
from .errors import AMBIGUOUS, NOT_FOUND, NOT_READY, AwsError, Unresolved
from .properties import Properties, bad
from .source import Source
from .texts import commas, scalars, tags, text

__all__ = ["IMAGE"]

_SHOWN = 20  # candidates that an error lists
_FILTERS = {
    "Architecture": "architecture",
    "VirtualizationType": "virtualization-type",
    "RootDeviceType": "root-device-type",
}


async def _resolve(asked: Properties, call: Calls) -> Values:
    image_id, name, parameter = asked.text("ImageId"), asked.text("ImageName"), asked.text("Parameter")
    if len([each for each in (image_id, name, parameter) if each]) != 1:
        raise bad("ImageName", "expected one of ImageName, ImageId and Parameter")
    if parameter:
        image_id = await _of_parameter(parameter, call)
    if image_id:
        found = await _by_id(image_id, call)
    else:
        found = await _by_name(name, asked, call)
    newest = sorted(found, key=lambda each: (each.get("CreationDate", ""), each["ImageId"]), reverse=True)
    wildcard = "*" in name or "?" in name
    if len(newest) > 1 and not asked.flag("MostRecent", default=wildcard):
        listed = [f"{each['ImageId']} ({each.get('Name', '')}, {each.get('CreationDate', '')})" for each in newest]
        shown = ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")
        raise Unresolved(AMBIGUOUS, f"{len(listed)} images are called {name}; say MostRecent, or more: {shown}", listed)
    if not newest:
        raise Unresolved(NOT_FOUND, f"there is no image {name or image_id}, of owners {_owners(asked)}")
    return _values(newest[0], len(newest))


async def _of_parameter(parameter: str, call: Calls) -> str:
    """The image that a public parameter names, alone or within JSON."""
    if not parameter.startswith("/aws/service/"):
        raise bad("Parameter", f"expected a public parameter, /aws/service/…; got {parameter}")
    try:
        value: str = (await call("ssm", "GetParameter", Name=parameter))["Parameter"]["Value"]
    except AwsError as error:
        if error.code == "ParameterNotFound":
            raise Unresolved(NOT_FOUND, f"there is no parameter {parameter}") from None
        raise
    if value.startswith("{"):
        try:
            value = str(json.loads(value)["image_id"])
        except (ValueError, KeyError, RecursionError):
            value = ""
    if not value.startswith("ami-"):
        raise bad("Parameter", f"{parameter} names no image")
    return value


async def _by_id(image_id: str, call: Calls) -> list[dict[str, Any]]:
    try:
        images: list[dict[str, Any]] = (await call("ec2", "DescribeImages", ImageIds=[image_id])).get("Images") or []
    except AwsError as error:
        if error.code in ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"):
            raise Unresolved(NOT_FOUND, f"there is no image {image_id}") from None
        raise
    if images and images[0].get("State") == "pending":
        raise Unresolved(NOT_READY, f"image {image_id} is still being made")
    return images


async def _by_name(name: str, asked: Properties, call: Calls) -> list[dict[str, Any]]:
    filters = {"name": name, "state": asked.text("State", "available")}
    filters |= {key: asked.text(each) for each, key in _FILTERS.items() if asked.text(each)}
    filters |= {f"tag:{key}": value for key, value in asked.family("Tag:").items()}
    more: dict[str, Any] = {"IncludeDeprecated": True} if asked.flag("IncludeDeprecated", default=False) else {}
    pages = call.pages(
        "ec2",
        "DescribeImages",
        "Images",
        Owners=_owners(asked),
        Filters=[{"Name": key, "Values": [value]} for key, value in filters.items()],
        MaxResults=1000,
        **more,
    )
    return [image async for image in pages]


def _owners(asked: Properties) -> list[str]:
    """Who may have made it. Anybody can make an image of any name, public or shared with us: so ourselves, unless others are named."""
    return asked.list("Owners") or ["self"]


def _values(image: dict[str, Any], count: int) -> Values:
    values = scalars(image)
    own = tags(image)
    values["Tags"] = commas(f"{key}={value}" for key, value in own.items())
    values |= {f"Tag.{key}": value for key, value in own.items()}
    for device in image.get("BlockDeviceMappings") or ():
        if device.get("DeviceName") == image.get("RootDeviceName") and (disk := device.get("Ebs")):
            values |= {
                ours: text(disk[key])
                for ours, key in (("RootSnapshotId", "SnapshotId"), ("RootVolumeSize", "VolumeSize"))
                if key in disk
            }
    values["MatchCount"] = text(count)
    return Values(values)


IMAGE = Source(
    resolve=_resolve,
    help="A machine image (AMI) by name, by id, or by a public parameter.",
    properties={
        "ImageName": "Its name; * and ? are wildcards, and then the newest is taken.",
        "ImageId": "Its id, instead of a name.",
        "Parameter": "A public parameter that names it: /aws/service/ami-amazon-linux-latest/….",
        "Owners": "Who made it: self (unless said), amazon, aws-marketplace, account ids.",
        "Architecture": "x86_64, arm64, …",
        "VirtualizationType": "hvm or paravirtual.",
        "RootDeviceType": "ebs or instance-store.",
        "State": "available, unless said.",
        "Tag:*": "The value of a tag: Tag:role=web.",
        "MostRecent": "true: the newest of several; false: refuse them. true with wildcards, unless said.",
        "IncludeDeprecated": "true: those too whose owner has deprecated them.",
    },
    attributes={
        "ImageId": "Its id.",
        "Name": "Its name.",
        "CreationDate": "When it was made.",
        "Tags": "All tags, key=value with commas between.",
        "Tag.*": "Each tag.",
        "RootSnapshotId": "The snapshot of its root volume.",
        "RootVolumeSize": "That one's size, in GiB.",
        "MatchCount": "How many matched.",
        "*": "What AWS tells of it: Architecture, OwnerId, RootDeviceName, State, …",
    },
    actions={"ec2:DescribeImages": "*", "ssm:GetParameter": "arn:aws:ssm:*::parameter/aws/service/*"},
)
