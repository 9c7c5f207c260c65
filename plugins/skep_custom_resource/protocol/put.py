"""The answer's way to CloudFormation: a PUT exactly as S3's signature wants it.

The signature covers the path, the query and an empty Content-Type: nothing of the address may be written in another way. `put` is for Lambda
functions; the agent sends with its own HTTP client and the same rules.
"""

from __future__ import annotations

import http.client
import random
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Outcome", "outcome_of", "pauses", "put"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds
_ONE_TRY = 10.0  # seconds
_AGAIN = 408, 425, 429
_SHOWN = 300  # bytes of a refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer: `accepted`, or `why` not; `final` where another try would be told the same."""

    accepted: bool
    why: str = ""
    final: bool = False


def outcome_of(status: int) -> Outcome:
    """What a status of S3 means. 403 is an address that has expired or was altered; a redirect would not be signed."""
    if 200 <= status < 300:
        return Outcome(accepted=True)
    if status >= 500 or status in _AGAIN:
        return Outcome(accepted=False, why=f"status {status}")
    more = " (the address has expired, or was altered)" if status == 403 else ""
    return Outcome(accepted=False, why=f"status {status}{more}", final=True)


def pauses() -> Iterator[float]:
    """Seconds between tries: longer and longer, with jitter."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311
        pause = min(pause * 2, _LONGEST_PAUSE)


def put(url: str, body: bytes, seconds: float) -> Outcome:
    """Put an answer, again and again while that may help, for so many seconds; the first try is made in any case. Blocks."""
    end = time.monotonic() + seconds
    outcome = Outcome(accepted=False)
    for pause in pauses():
        try:
            outcome = outcome_of(_put_once(url, body, max(1.0, min(_ONE_TRY, end - time.monotonic()))))
        except (OSError, http.client.HTTPException) as error:
            outcome = Outcome(
                accepted=False, why=f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'no answer'}"
            )
        if outcome.accepted or outcome.final or time.monotonic() + pause >= end:
            break
        time.sleep(pause)
    return outcome


def _put_once(url: str, body: bytes, timeout: float) -> int:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(host, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.putrequest("PUT", f"/{path}", skip_accept_encoding=True)
        connection.putheader("Content-Type", "")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        response.read(_SHOWN)
        return response.status
    finally:
        connection.close()
