"""Where an answer may be put: the buckets of CloudFormation alone, unless settings say otherwise.

A request carries the address that its answer goes to. Whoever may publish requests could name any address, within the provider's network or
outside, and be sent what was looked up. So the host is checked against what CloudFormation really uses.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["UrlRules", "bucket_host"]

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_LONGEST = 8192  # characters
_BUCKET = "cloudformation-custom-resource-response-"
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}
"""What the names of S3's hosts end with, by how regions begin; all others with `amazonaws.com`. Each partition has names of buckets of its own,
so the bucket's name in another one may be anybody's."""
_LOOPBACK = "127.0.0.1", "::1", "localhost"


@dataclass(frozen=True, slots=True)
class UrlRules:
    """Which addresses are right.

    hosts: further names of hosts, each whole, or `.example.com` for all below it. plain_loopback: allow http to this machine, for tests.
    region: where this provider is, and so the stacks that may ask it; "" is not known. Of a region that there is not, anybody could make the
    bucket.
    """

    hosts: tuple[str, ...] = ()
    plain_loopback: bool = False
    region: str = ""

    @classmethod
    def from_environment(cls) -> UrlRules:
        """SKEP_RESPONSE_HOSTS, with commas between names, SKEP_PLAIN_LOOPBACK=1, and the region in a Lambda function."""
        is_function = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
        hosts = os.environ.get("SKEP_RESPONSE_HOSTS", "")
        return cls(
            hosts=tuple(each.strip().lower() for each in hosts.split(",") if each.strip()),
            plain_loopback=os.environ.get("SKEP_PLAIN_LOOPBACK") == "1",
            region=os.environ.get("AWS_REGION", "") if is_function else "",
        )

    def fault(self, url: str, region: str) -> str:
        """What is wrong with the address of an answer for a stack in a region; "" is nothing. Never repeats its path or query."""
        if len(url) > _LONGEST or not _PRINTABLE.fullmatch(url) or "#" in url or "\\" in url:
            return "ResponseURL: expected a URL of printable ASCII without a fragment"
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return "ResponseURL: it is no URL"
        if not host or "@" in parts.netloc or not parts.path.startswith("/"):
            return "ResponseURL: expected https://host/path"
        if self.plain_loopback and host in _LOOPBACK and parts.scheme in ("http", "https"):
            return ""
        if parts.scheme != "https":
            return "ResponseURL: expected https"
        if any(host == each or (each.startswith(".") and host.endswith(each)) for each in self.hosts):
            return ""
        if self.region and region != self.region:
            return f"ResponseURL: it is for a stack in {region}, and this provider answers those in {self.region}"
        if port not in (None, 443) or not _is_bucket(host, parts.path, region):
            return f"ResponseURL: {host[:100]} is not where CloudFormation keeps answers for {region}"
        return ""


def bucket_host(region: str) -> str:
    """The host of CloudFormation's bucket for the answers of a region; its name has the region without dashes."""
    return f"{_bucket(region)}.s3.{_suffix(region)}"


def _bucket(region: str) -> str:
    return _BUCKET + region.replace("-", "")


def _suffix(region: str) -> str:
    return next((suffix for start, suffix in _SUFFIXES.items() if region.startswith(start)), "amazonaws.com")


def _is_bucket(host: str, path: str, region: str) -> bool:
    """Whether it is CloudFormation's bucket of the region."""
    bucket, suffix = _bucket(region), _suffix(region)
    places = [f"s3.{region}.{suffix}", f"s3-{region}.{suffix}", f"s3.dualstack.{region}.{suffix}", f"s3.{suffix}"]
    if host in places:
        return path.startswith(f"/{bucket}/")
    return host in [f"{bucket}.{place}" for place in places]
