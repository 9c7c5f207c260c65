"""What a message of the queue holds: SNS's envelope around a request, or the request itself (raw message delivery)."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from skep_custom_resource.protocol import InvalidRequestError, ResourceRequest, UrlRules, parse_event, parse_message

__all__ = ["Admission"]


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose requests are taken.

    Whoever may send to the queue can claim any topic in the envelope, so the queue's own policy must let the topic alone send; these rules
    are what is checked beyond that. topics: ARNs; empty is any, and requests without an envelope. accounts: of stacks; empty is any.
    """

    rules: UrlRules
    topics: Collection[str] = ()
    accounts: Collection[str] = ()

    def request(self, body: str) -> ResourceRequest:
        """Read a message. Raises InvalidRequestError saying why it is none that is answered."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidRequestError("it is not JSON") from None
        if isinstance(found, dict) and isinstance(found.get("Message"), str):
            topic = found.get("TopicArn")
            if self.topics and topic not in self.topics:
                raise InvalidRequestError(f"its topic {str(topic)[:200]!r} is not among `topics`")
            request = parse_message(found["Message"], self.rules)
        elif self.topics:
            raise InvalidRequestError("it has no envelope of SNS, and `topics` says who may send one")
        else:
            request = parse_event(found, self.rules)
        if self.accounts and request.account not in self.accounts:
            raise InvalidRequestError(f"its stack is of account {request.account}, which is not among `accounts`")
        return request
