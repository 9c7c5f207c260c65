"""The account that is deployed to: clients of boto3, and how its errors are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from skep import PluginError, RequestError, SettingsError

__all__ = ["Account", "Say"]

Say = Callable[[str], None]
_MISSING = "the AWS library is not installed: pip install 'skep[aws]'"


@dataclass
class Account:
    """Where, and as whom; "" is what the environment and ~/.aws say. say: is told each step. dry_run: nothing is changed."""

    region: str = ""
    profile: str = ""
    endpoint_url: str = ""
    dry_run: bool = False
    say: Say = print

    @cached_property
    def _session(self) -> Any:
        try:
            import boto3
        except ImportError:
            raise PluginError(_MISSING) from None
        with told():
            return boto3.session.Session(region_name=self.region or None, profile_name=self.profile or None)

    @property
    def options(self) -> dict[str, str]:
        """For clients that somebody else makes."""
        return {"region_name": self.where} | ({"endpoint_url": self.endpoint_url} if self.endpoint_url else {})

    def client(self, service: str) -> Any:
        """A client of boto3."""
        with told():
            return self._session.client(service, region_name=self.where, endpoint_url=self.endpoint_url or None)

    @property
    def where(self) -> str:
        """The region. Raises SettingsError where nothing names one."""
        region = self.region or self._session.region_name
        if not region:
            raise SettingsError("no region is named: --region, or AWS_DEFAULT_REGION in the environment")
        return str(region)

    @cached_property
    def _identity(self) -> dict[str, str]:
        with told():
            found: dict[str, str] = self.client("sts").get_caller_identity()
        return found

    @property
    def id(self) -> str:
        """The account's number."""
        return self._identity["Account"]

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, …"""
        return self._identity["Arn"].split(":")[1]

    def step(self, text: str) -> bool:
        """Tell a step that is about to be taken; returns whether to take it."""
        self.say(f"would {text}" if self.dry_run else text)
        return not self.dry_run


@contextmanager
def told() -> Iterator[None]:
    """Raise the library's errors as RequestError."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("botocore", "boto3"):
            raise
        raise RequestError(str(error)) from None


def code_of(error: Exception) -> str:
    """The code of an error of AWS, "" of others."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
