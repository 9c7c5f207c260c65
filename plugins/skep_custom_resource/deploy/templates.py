"""Templates of CloudFormation: a stack that uses a custom resource, and the topic and queue by which the agent serves all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skep import Lookup
from skep_custom_resource.deploy.functions import function_name

__all__ = ["provider_template", "stack_template"]

_OUTPUTS = {
    "stack": ("Environment",),
    "vpc": ("VpcId", "CidrBlock", "SubnetIds"),
    "image": ("ImageId", "Name"),
    "route53": ("Id", "Name"),
    "certificate": ("Arn",),
    "elasticache": ("Id", "Engine", "Endpoint"),
}
"""What each of the six answers always."""
_ASKED = {"image": "ImageName", "route53": "DomainName", "vpc": "VpcName"}
"""The property that each is asked for where it demands none."""
_SECONDS = 180  # longer than a function may take
_VERSION = "2010-09-09"


def stack_template(
    name: str, lookup: Lookup, properties: Mapping[str, str], outputs: Iterable[str] = (), token: str = ""
) -> dict[str, Any]:
    """A stack of one custom resource, its attributes as outputs.

    properties: each is a parameter of the stack, with this default. token: the ARN of a topic; "" is the Lambda function here.
    """
    function = f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{function_name(name)}"
    shown = tuple(outputs) or _OUTPUTS.get(name) or tuple(each for each in lookup.attributes if "*" not in each)[:3]
    names = dict.fromkeys([*properties, *lookup.required])
    if not names and name in _ASKED:
        names = {_ASKED[name]: None}
    own = {_logical(each): each for each in names}
    return {
        "AWSTemplateFormatVersion": _VERSION,
        "Description": f"Tries the custom resource {name}",
        "Parameters": {
            key: {"Type": "String", **({"Default": properties[each]} if each in properties else {})}
            for key, each in own.items()
        },
        "Resources": {
            "Looked": {
                "Type": f"Custom::{name[:1].upper()}{name[1:]}Dependency",
                "Properties": {
                    "ServiceToken": token or {"Fn::Sub": function},
                    "ServiceTimeout": _SECONDS,
                    **{each: {"Ref": key} for key, each in own.items()},
                },
            }
        },
        "Outputs": {_logical(each): {"Value": {"Fn::GetAtt": ["Looked", each]}} for each in shown},
    }


def _logical(text: str) -> str:
    """A name that templates take for parameters and outputs."""
    return "".join(char for char in text if char.isascii() and char.isalnum())


def provider_template(lookups: Mapping[str, Lookup]) -> dict[str, Any]:
    """Topic, queue, dead-letter queue, and a managed policy for the agent's role: the queue's calls and those of the lookups."""
    source = {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}}
    send = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}, "Condition": source,
    }  # fmt: skip
    queue = {
        "VisibilityTimeout": 30, "MessageRetentionPeriod": 86400, "SqsManagedSseEnabled": True,
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Unanswered", "Arn"]}, "maxReceiveCount": 5},
    }  # fmt: skip
    subscription = {"Protocol": "sqs", "TopicArn": {"Ref": "Topic"}, "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}}
    return {
        "AWSTemplateFormatVersion": _VERSION,
        "Description": "Custom resources that skep's agent answers",
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Unanswered": _kept("AWS::SQS::Queue", {"MessageRetentionPeriod": 1209600, "SqsManagedSseEnabled": True}),
            "Queue": _kept("AWS::SQS::Queue", queue),
            "QueuePolicy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": [{"Ref": "Queue"}],
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [send]},
                },
            },
            "Subscription": {"Type": "AWS::SNS::Subscription", "DependsOn": "QueuePolicy", "Properties": subscription},
            "AgentPolicy": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "Description": "For the role of skep's agents",
                    "PolicyDocument": _agent_policy(lookups),
                },
            },
        },
        "Outputs": {
            "ServiceToken": {"Description": "For custom resources in templates", "Value": {"Ref": "Topic"}},
            "QueueUrl": {"Description": "The setting queue", "Value": {"Ref": "Queue"}},
            "AgentPolicyArn": {"Description": "To attach to the agents' role", "Value": {"Ref": "AgentPolicy"}},
        },
    }


def _kept(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": kind, "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete", "Properties": dict(properties)}


def _agent_policy(lookups: Mapping[str, Lookup]) -> dict[str, Any]:
    by_resource: dict[str, set[str]] = {}
    for lookup in lookups.values():
        for action, resource in lookup.actions.items():
            by_resource.setdefault(resource, set()).add(action)
    calls = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": calls, "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
    ]
    for resource, actions in sorted(by_resource.items()):
        where: Any = (
            {"Fn::Sub": resource.replace("arn:aws:", "arn:${AWS::Partition}:")}
            if resource.startswith("arn:aws:")
            else resource
        )
        statements.append({"Effect": "Allow", "Action": sorted(actions), "Resource": where})
    return {"Version": "2012-10-17", "Statement": statements}
