"""What moto lacks of the little that the demonstration takes: each function here replaces something of moto's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["mend"]

Run = Callable[[Any, Any], tuple[str, bool, str]]


def mend(run: Run) -> None:
    """Change moto in this process. run: carries out a Lambda function, see `Functions.run`."""
    from moto import settings
    from moto.awslambda.models import LambdaFunction
    from moto.cloudformation.responses import CloudFormationResponse
    from moto.elasticache.exceptions import ElastiCacheException
    from moto.elasticache.responses import ElastiCacheResponse

    class NoServerlessCache(ElastiCacheException):
        code = "ServerlessCacheNotFoundFault"
        message = "there are no serverless caches here"

    def describe_serverless_caches(response: Any) -> None:
        raise NoServerlessCache

    answered = CloudFormationResponse.process_cfn_response

    def process_cfn_response(response: Any) -> Any:
        # moto heeds no failure: a stack would be in progress for ever.
        if response._get_param("Status") == "FAILED":
            stack = response.cloudformation_backend.get_stack(response._get_param("StackId"))
            stack._add_stack_event("CREATE_FAILED", resource_status_reason=response._get_param("Reason"))
            stack.status = "ROLLBACK_COMPLETE"
        return answered(response)

    # moto runs functions in containers, and names a host for their answers that only those know.
    replaced: tuple[tuple[Any, str, Any], ...] = (
        (LambdaFunction, "_invoke_lambda", lambda function, event=None: run(function, event)),
        (settings, "moto_server_host", lambda: "http://127.0.0.1"),
        (CloudFormationResponse, "process_cfn_response", process_cfn_response),
        (ElastiCacheResponse, "describe_serverless_caches", describe_serverless_caches),
    )
    for owner, name, function in replaced:
        setattr(owner, name, function)
