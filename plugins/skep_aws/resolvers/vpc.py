"""`vpc`: a VPC by name, with its subnets, route tables and security groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .calls import Calls, Values, together
from .errors import AMBIGUOUS, NOT_FOUND, NOT_READY, Unresolved
from .properties import Properties, bad
from .source import Source
from .texts import commas, scalars, tags, text

__all__ = ["VPC"]

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_PAGE = 100  # as many as all three operations allow


async def _resolve(asked: Properties, call: Calls) -> Values:
    vpc = await _vpc(asked, call)
    of_vpc = {"vpc-id": vpc["VpcId"]}
    wanted = of_vpc | {f"tag:{key}": value for key, value in asked.family("SubnetTag:").items()}
    if asked.flag("OnlyDefaultSubnets", default=False):
        wanted["default-for-az"] = "true"
    subnets, tables, groups = await together(
        _all(call, "DescribeSubnets", "Subnets", wanted),
        _all(call, "DescribeRouteTables", "RouteTables", of_vpc),
        _all(call, "DescribeSecurityGroups", "SecurityGroups", of_vpc),
    )
    if not subnets and not asked.flag("AllowEmpty", default=False):
        raise Unresolved(NOT_FOUND, f"VPC {vpc['VpcId']} has no subnets that match; AllowEmpty takes it without")
    subnets.sort(key=lambda each: (each.get("AvailabilityZone", ""), each["SubnetId"]))
    return Values(_of_vpc(vpc) | _of_subnets(subnets) | _of_tables(tables, subnets) | _of_groups(groups))


async def _vpc(asked: Properties, call: Calls) -> dict[str, Any]:
    name, vpc_id, cidr = asked.text("VpcName"), asked.text("VpcId"), asked.text("Cidr")
    if not (name or vpc_id or cidr):
        raise bad("VpcName", "expected VpcName, VpcId or Cidr")
    filters = {"vpc-id": vpc_id, "cidr": cidr}
    filters |= {"is-default": "true"} if name == "default" else {"tag:Name": name}
    found = await _all(call, "DescribeVpcs", "Vpcs", {key: value for key, value in filters.items() if value})
    called = name or vpc_id or cidr
    if not found:
        raise Unresolved(NOT_FOUND, f"there is no VPC {called}")
    if len(found) > 1:
        listed = sorted(f"{each['VpcId']} ({each['CidrBlock']})" for each in found)
        raise Unresolved(AMBIGUOUS, f"{len(found)} VPCs match {called}; say VpcId or Cidr: {', '.join(listed)}", listed)
    if found[0].get("State") == "pending":
        raise Unresolved(NOT_READY, f"VPC {called} is still being made")
    return found[0]


async def _all(call: Calls, operation: str, key: str, filters: dict[str, str]) -> list[dict[str, Any]]:
    wanted = [{"Name": name, "Values": [value]} for name, value in filters.items()]
    return [each async for each in call.pages("ec2", operation, key, Filters=wanted, MaxResults=_PAGE)]


def _of_vpc(vpc: dict[str, Any]) -> dict[str, str | list[str]]:
    values = scalars(vpc)
    for key, member, block in (
        ("CidrBlocks", "CidrBlockAssociationSet", "CidrBlock"),
        ("Ipv6CidrBlocks", "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock"),
    ):
        blocks = [each[block] for each in vpc.get(member) or () if block in each]
        if blocks:
            values[key] = commas(blocks)
    return values | {f"Tag.{key}": value for key, value in tags(vpc).items()}


def _of_subnets(subnets: list[dict[str, Any]]) -> dict[str, str | list[str]]:
    ids: list[str] = [each["SubnetId"] for each in subnets]
    values: dict[str, str | list[str]] = {"SubnetIds": commas(ids), "Subnets": ids}
    values |= {f"SubnetId{number}": each for number, each in enumerate(ids)}
    for key, member in (("AvailabilityZones", "AvailabilityZone"), ("AvailabilityZoneIds", "AvailabilityZoneId")):
        values[key] = commas(dict.fromkeys(each[member] for each in subnets if each.get(member)))
    for zone in dict.fromkeys(each.get("AvailabilityZone", "") for each in subnets):
        values[f"SubnetIds.{zone[-1:]}"] = commas(
            each["SubnetId"] for each in subnets if each.get("AvailabilityZone", "") == zone
        )
    names = [(tags(each).get("Name", ""), each["SubnetId"]) for each in subnets]
    return values | {f"SubnetId.{name}": each for name, each in _single(names)}


def _single(pairs: list[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Those whose name nothing else has."""
    count = Counter(name for name, _ in pairs)
    return ((name, each) for name, each in pairs if name and count[name] == 1)


def _of_tables(tables: list[dict[str, Any]], subnets: list[dict[str, Any]]) -> dict[str, str | list[str]]:
    """Route tables, and what they make of the subnets: public, private or isolated."""
    own: dict[str, dict[str, Any]] = {}
    main: dict[str, Any] = {}
    for table in tables:
        for association in table.get("Associations") or ():
            if association.get("Main"):
                main = table
            elif subnet := association.get("SubnetId"):
                own[subnet] = table
    reach: dict[str, list[str]] = {"Public": [], "Private": [], "Isolated": []}
    for each in subnets:
        reach[_reach(own.get(each["SubnetId"], main))].append(each["SubnetId"])
    values: dict[str, str | list[str]] = {f"{key}SubnetIds": commas(ids) for key, ids in reach.items() if ids}
    values["RouteTableIds"] = commas(sorted(each["RouteTableId"] for each in tables))
    if main:
        values["MainRouteTableId"] = main["RouteTableId"]
    routes = [route for table in tables for route in table.get("Routes") or ()]
    if nats := sorted({each["NatGatewayId"] for each in routes if each.get("NatGatewayId")}):
        values["NatGatewayIds"] = commas(nats)
    if gateways := sorted({each["GatewayId"] for each in routes if each.get("GatewayId", "").startswith("igw-")}):
        values["InternetGatewayId"] = gateways[0]
    return values


def _reach(table: dict[str, Any]) -> str:
    """How a route table's subnets reach the internet: directly, by something between, or not."""
    found = "Isolated"
    for route in table.get("Routes") or ():
        if (route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")) not in _EVERYWHERE:
            continue
        if route.get("GatewayId", "").startswith("igw-"):
            return "Public"
        found = "Private"
    return found


def _of_groups(groups: list[dict[str, Any]]) -> dict[str, str | list[str]]:
    names = sorted((each["GroupName"], each["GroupId"]) for each in groups)
    values: dict[str, str | list[str]] = {f"SecurityGroupId.{name}": text(each) for name, each in _single(names)}
    if default := dict(names).get("default"):
        values["DefaultSecurityGroupId"] = default
    return values


VPC = Source(
    resolve=_resolve,
    help="A VPC by name, with its subnets, route tables and security groups.",
    properties={
        "VpcName": "Its tag Name; default is the account's default VPC.",
        "VpcId": "Its id, instead or besides.",
        "Cidr": "Its first address range, instead or besides.",
        "OnlyDefaultSubnets": "true: only the subnets that are their zone's default.",
        "SubnetTag:*": "The value of a tag of the subnets: SubnetTag:tier=app.",
        "AllowEmpty": "true: a VPC without such subnets will do.",
    },
    attributes={
        "VpcId": "Its id.",
        "CidrBlock": "Its first address range; CidrBlocks and Ipv6CidrBlocks are all, with commas between.",
        "SubnetIds": "Its subnets, in order of zone and id, with commas between.",
        "Subnets": "The same as a list.",
        "SubnetId*": "Each subnet: SubnetId0, and SubnetId.NAME by its tag Name.",
        "SubnetIds.*": "The subnets of one zone, by its letter: SubnetIds.a.",
        "PublicSubnetIds": "Those with a route to an internet gateway.",
        "PrivateSubnetIds": "Those with another route to everywhere: NAT, transit gateway, ….",
        "IsolatedSubnetIds": "Those with none.",
        "AvailabilityZones": "The zones of the subnets; AvailabilityZoneIds too.",
        "RouteTableIds": "Its route tables.",
        "MainRouteTableId": "The one of subnets that name none.",
        "DefaultSecurityGroupId": "The security group called default.",
        "SecurityGroupId.*": "Each security group, by its name.",
        "NatGatewayIds": "The NAT gateways that routes lead to.",
        "InternetGatewayId": "The internet gateway that routes lead to.",
        "Tag.*": "Each tag.",
        "*": "What AWS tells of it: State, DhcpOptionsId, InstanceTenancy, IsDefault, OwnerId.",
    },
    actions={f"ec2:Describe{each}": "*" for each in ("Vpcs", "Subnets", "RouteTables", "SecurityGroups")},
)
