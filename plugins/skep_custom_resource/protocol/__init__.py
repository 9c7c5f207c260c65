"""The protocol of CloudFormation's custom resources, for every front end. Imports nothing but Python's own library.

A request is parsed (`request`), answered by an async function before its deadline (`run`), made into the bytes that CloudFormation takes
(`answer`), and put to its signed address (`put`). `lambda_handler` is all of it as an AWS Lambda function.
"""

from skep_custom_resource.protocol.answer import ResourceAnswer, encode, failed
from skep_custom_resource.protocol.request import InvalidRequestError, ResourceRequest, parse_event, parse_message
from skep_custom_resource.protocol.run import Failure, Resource, ResourceError, run
from skep_custom_resource.protocol.urls import UrlRules

__all__ = [
    "Failure",
    "InvalidRequestError",
    "Resource",
    "ResourceAnswer",
    "ResourceError",
    "ResourceRequest",
    "UrlRules",
    "encode",
    "failed",
    "parse_event",
    "parse_message",
    "run",
]
