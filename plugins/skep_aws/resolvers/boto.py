"""`Boto3`: carries out calls by boto3, which is there in AWS Lambda; imported when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from .calls import Place

__all__ = ["Boto3"]


class Boto3:
    """Calls by boto3, in threads. `options` are given to every client: `endpoint_url`, `region_name`, credentials."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._clients: dict[tuple[Place, str], Any] = {}

    async def call(self, place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call. Raises botocore's errors."""
        return await asyncio.to_thread(self._call, place, service, operation, parameters)

    def _call(self, place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        from botocore import xform_name

        answer: dict[str, Any] = getattr(self._client(place, service), xform_name(operation))(**parameters)
        return answer

    def _client(self, place: Place, service: str) -> Any:
        import boto3

        if (place, service) not in self._clients:
            options = dict(self._options)
            if place.region:
                options["region_name"] = place.region
            if place.role:
                options |= self._assume(place)
            self._clients[place, service] = boto3.session.Session().client(service, **options)
        return self._clients[place, service]

    def _assume(self, place: Place) -> dict[str, str]:
        """Take on a role. Its credentials last an hour, longer than a Lambda function runs."""
        wanted = {"RoleArn": place.role, "RoleSessionName": place.session}
        if place.external_id:
            wanted["ExternalId"] = place.external_id
        found = self._client(Place(place.region), "sts").assume_role(**wanted)["Credentials"]
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }
