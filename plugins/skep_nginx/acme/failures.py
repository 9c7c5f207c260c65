"""Why an order failed, as an operator understands it and as the next try depends on it."""

from __future__ import annotations

from typing import Literal

from skep import SkepError

__all__ = ["Kind", "OrderFailed", "translate"]

Kind = Literal["away", "failed", "refused", "limited"]
_REFUSED = {
    "rejectedIdentifier": "it does not certify such a name",
    "caa": "a CAA record in DNS forbids it to certify this name: change that record",
    "unsupportedIdentifier": "it does not certify such a name",
    "malformed": "it does not understand the order",
    "badCSR": "it does not accept the order's names or key: try another key type",
    "unauthorized": "it does not let this account certify the name",
    "userActionRequired": "it wants something of you first, such as its new terms of service",
    "externalAccountRequired": "it wants an account that you have with it already: set acme.eab_kid and acme.eab_hmac_file",
    "invalidContact": "it does not accept the email address: change acme.email",
    "unsupportedContact": "it does not accept the email address: change acme.email",
    "accountDoesNotExist": "it does not know our account any more",
}
_FAILED = {
    "connection": "it cannot reach the host by HTTP on port 80: is that port open, and does DNS say this host?",
    "dns": "DNS does not tell the authority where the host is: look at its A and AAAA records",
    "tls": "it was sent on to TLS, and that failed",
    "incorrectResponse": "somebody else answers for the host: does DNS say this host?",
    "unauthorized": "somebody else answers for the host, or not with the challenge: does DNS say this host?",
}


class OrderFailed(SkepError):
    """No certificate came of an order. `kind` says how long to wait: the authority is away, did not find the challenge, refuses, or limits."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind


def translate(error: Exception, url: str = "") -> OrderFailed:
    """What the library raised."""
    from acme import errors, messages
    from requests import RequestException

    if isinstance(error, OrderFailed):
        return error
    if isinstance(error, errors.ValidationError):
        return _validation(error)
    if isinstance(error, errors.IssuanceError):
        return _problem(error.error)
    if isinstance(error, messages.Error):
        return _problem(error)
    if isinstance(error, errors.TimeoutError):
        return OrderFailed("away", "the authority did not finish in time")
    if isinstance(error, RequestException):
        where = str(error.request.url if error.request is not None and error.request.url else url)
        return OrderFailed("away", f"the authority does not answer at {_safe(where)}: {_cause(error)}")
    return OrderFailed("away", f"the authority answers with something else: {type(error).__name__} {_safe(str(error))}")


def _validation(error: Exception) -> OrderFailed:
    """The first challenge that failed, in words."""
    for authorization in getattr(error, "failed_authzrs", ()):
        name = authorization.body.identifier.value
        for challenge in authorization.body.challenges:
            if challenge.error is not None:
                problem = challenge.error
                help_ = _FAILED.get(problem.code or "", "the authority did not find the challenge")
                return OrderFailed("failed", f"{_safe(name)}: {help_} ({_safe(problem.detail or problem.typ)})")
    return OrderFailed("failed", "the authority did not find the challenge, and does not say why")


def _problem(problem: object) -> OrderFailed:
    code, detail = getattr(problem, "code", None) or "", getattr(problem, "detail", None) or ""
    told = f" ({_safe(detail)})" if detail else ""
    if code == "rateLimited":
        return OrderFailed("limited", f"the authority limits how often it is asked{told}")
    if code in _REFUSED:
        return OrderFailed("refused", f"the authority refuses: {_REFUSED[code]}{told}")
    return OrderFailed("away", f"the authority answers with the problem {_safe(code) or 'of no name'}{told}")


def _cause(error: BaseException) -> str:
    """The innermost reason, which is the one that helps."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return _safe(str(reason or error).rpartition(">: ")[2])


def _safe(text: str) -> str:
    """Of an authority's words, what fits a line of a log."""
    return ascii(text if len(text) <= 300 else text[:297] + "...")[1:-1]
