"""`route53`: a hosted zone, by its domain."""

from __future__ import annotations

import re
from typing import Any

from .calls import Calls, Values
from .errors import AMBIGUOUS, NOT_FOUND, AwsError, Unresolved
from .properties import Properties, bad
from .source import Source
from .texts import commas, text

__all__ = ["ROUTE53"]

_OCTAL = re.compile(r"\\([0-7]{3})")


async def _resolve(asked: Properties, call: Calls) -> Values:
    zone_id, domain = asked.text("ZoneId"), asked.text("DomainName")
    if bool(zone_id) == bool(domain):
        raise bad("DomainName", "expected one of DomainName and ZoneId")
    if zone_id:
        return _values(await _zone(zone_id, call), call.place.partition)
    name = _canonical(domain)
    parents = [name]
    if asked.flag("MatchParent", default=False):
        labels = name.split(".")
        parents = [".".join(labels[start:]) for start in range(len(labels))]
    for each in parents:
        if found := await _matching(each, asked, call):
            return _values(_chosen(each, found), call.place.partition)
    kind = {"true": "private ", "false": "public "}.get(asked.text("Private"), "")
    raise Unresolved(NOT_FOUND, f"there is no {kind}hosted zone {domain}" + (" or above" if len(parents) > 1 else ""))


def _canonical(domain: str) -> str:
    """A domain as the API names zones, without the last dot: lower case, IDN as punycode."""
    labels = domain.lower().removesuffix(".").split(".")
    try:
        return ".".join(each if each.isascii() else each.encode("idna").decode() for each in labels)
    except UnicodeError as error:
        raise bad("DomainName", f"{domain!r} is no domain: {error}") from None


def _shown(name: str) -> str:
    """A zone's name without the last dot; what the API writes as octal escapes as it is."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), name).removesuffix(".").lower()


async def _matching(name: str, asked: Properties, call: Calls) -> list[dict[str, Any]]:
    """All zones of that very name that suit, in full. They are listed in order of their names, and the list begins with it."""
    private = asked.choice("Private", ("any", "true", "false"), "any")
    vpc = asked.text("VpcId")
    zones: list[dict[str, Any]] = []
    start: dict[str, str] = {"DNSName": name, "MaxItems": "100"}
    while start:
        answer = await call("route53", "ListHostedZonesByName", **start)
        same = [each for each in answer.get("HostedZones") or () if _shown(each["Name"]) == name]
        zones += same
        goes_on = answer.get("IsTruncated") and same and _shown(answer.get("NextDNSName", "")) == name
        after = {"DNSName": answer.get("NextDNSName", ""), "HostedZoneId": answer.get("NextHostedZoneId", "")}
        start = after | {"MaxItems": "100"} if goes_on and after["HostedZoneId"] != start.get("HostedZoneId") else {}
    suiting = [
        each for each in zones if private in ("any", text(bool(each.get("Config", {}).get("PrivateZone", False))))
    ]
    full = [await _zone(each["Id"], call) for each in suiting]
    return [each for each in full if not vpc or vpc in _vpcs(each)]


async def _zone(zone_id: str, call: Calls) -> dict[str, Any]:
    try:
        return await call("route53", "GetHostedZone", Id=zone_id.removeprefix("/hostedzone/"))
    except AwsError as error:
        if error.code == "NoSuchHostedZone":
            raise Unresolved(NOT_FOUND, f"there is no hosted zone with the id {zone_id}") from None
        raise


def _vpcs(zone: dict[str, Any]) -> list[str]:
    return sorted(each["VPCId"] for each in zone.get("VPCs") or ())


def _chosen(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    if len(found) > 1:
        listed = []
        for each in found:
            private = each["HostedZone"].get("Config", {}).get("PrivateZone")
            what = f"private, of {commas(_vpcs(each)) or 'no VPC'}" if private else "public"
            listed.append(f"{each['HostedZone']['Id'].rpartition('/')[2]} ({what})")
        shown = ", ".join(listed)
        raise Unresolved(
            AMBIGUOUS, f"{len(found)} hosted zones are called {name}; say Private, VpcId or ZoneId: {shown}", listed
        )
    return found[0]


def _values(found: dict[str, Any], partition: str) -> Values:
    zone = found["HostedZone"]
    config = zone.get("Config") or {}
    zone_id = zone["Id"].rpartition("/")[2]
    values: dict[str, str | list[str]] = {
        "Id": zone_id,
        "Name": _shown(zone["Name"]),
        "ResourceRecordSetCount": text(zone.get("ResourceRecordSetCount", 0)),
        "Private": text(bool(config.get("PrivateZone", False))),
        "Comment": config.get("Comment", ""),
        "Arn": f"arn:{partition}:route53:::hostedzone/{zone_id}",
    }
    if servers := (found.get("DelegationSet") or {}).get("NameServers"):
        values["NameServers"] = commas(servers)
    if vpcs := _vpcs(found):
        values["VpcIds"] = commas(vpcs)
    return Values(values)


ROUTE53 = Source(
    resolve=_resolve,
    help="A hosted zone of Route 53, by its domain.",
    properties={
        "DomainName": "The zone's domain, with or without the last dot.",
        "ZoneId": "Its id, instead of a domain.",
        "Private": "true, false, or any (unless said), where a public and a private zone have one domain.",
        "VpcId": "The VPC that a private zone must be of.",
        "MatchParent": "true: the closest zone around the domain; for api.eu.example.com that may be example.com.",
    },
    attributes={
        "Id": "Its id, as record sets want it.",
        "Name": "Its domain, without the last dot.",
        "ResourceRecordSetCount": "How many record sets it has.",
        "Private": "Whether only VPCs see it.",
        "Comment": "Its comment.",
        "NameServers": "Its name servers, with commas between; a public zone's only.",
        "VpcIds": "The VPCs that see it, with commas between; a private zone's only.",
        "Arn": "Its ARN.",
    },
    actions={"route53:ListHostedZonesByName": "*", "route53:GetHostedZone": "arn:aws:route53:::hostedzone/*"},
)
