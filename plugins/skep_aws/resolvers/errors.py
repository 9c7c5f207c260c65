"""What can keep a lookup from its values. AWS' own errors are told apart by their codes."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["AwsError", "Unresolved", "told"]

NOT_FOUND, AMBIGUOUS, NOT_READY = "not found", "ambiguous", "not ready"
BAD_PROPERTY, DENIED, TEMPORARY = "bad property", "denied", "temporary"

_DENIED = (
    "AccessDenied", "Unauthorized", "NotAuthorized", "AuthFailure", "OptInRequired", "InvalidClientTokenId", "UnrecognizedClient",
    "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken", "InvalidAccessKeyId",
)  # fmt: skip
_TEMPORARY = (
    "Throttl", "TooManyRequests", "RequestLimitExceeded", "RequestThrottled", "SlowDown", "BandwidthLimitExceeded", "PriorRequestNot",
    "ProvisionedThroughputExceeded", "RequestTimeout", "ServiceUnavailable", "Unavailable", "Internal", "ExpiredToken", "RequestExpired",
)  # fmt: skip
"""How the codes begin. Credentials that have expired are renewed by whoever makes them."""
_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "RequestThrottled")


_NO_CREDENTIALS = (
    "NoCredentials", "PartialCredentials", "ProfileNotFound", "NoRegion", "UnauthorizedSSOToken", "SSOTokenLoad", "TokenRetrieval",
)  # fmt: skip
_SET_BY = {
    "NoRegion": "set AWS_DEFAULT_REGION, or region of the plugin aws",
    "NoCredentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role",
}
"""What helps where botocore names only what it lacks."""
_LIBRARIES = ("botocore", "aiobotocore", "boto3", "aiohttp", "urllib3")
_WRONG = ("ParamValidation", "InvalidRegion", "UnknownRegion", "UnknownService")


class Unresolved(Exception):
    """A lookup has no values. `kind` says why: one of the constants of this module; `candidates` those that all match."""

    def __init__(self, kind: str, message: str, candidates: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.candidates = tuple(candidates)


class AwsError(Unresolved):
    """AWS refused a call, with this code, or could not be asked (`code` is "")."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(kind, message)
        self.code = code

    @property
    def is_throttled(self) -> bool:
        """Whether it was one call too many in too short a time."""
        return self.code.startswith(_THROTTLED)


def told(action: str, error: Exception) -> AwsError:
    """An error of botocore as ours; what is neither that nor the network's is raised again. `action`: what was called, `ec2:DescribeVpcs`.

    botocore's `ClientError` is known by its attribute `response`.
    """
    if isinstance(error, AwsError):
        return error
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        name, home = type(error).__name__, type(error).__module__.partition(".")[0]
        if home not in _LIBRARIES and not isinstance(error, OSError):
            raise error
        kind = DENIED if name.startswith(_NO_CREDENTIALS) else BAD_PROPERTY if name.startswith(_WRONG) else TEMPORARY
        hint = next((f" ({words})" for begin, words in _SET_BY.items() if name.startswith(begin)), "")
        return AwsError(kind, "", f"{action}: {str(error) or name}{hint}")
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{action}: {code}: {response.get('Error', {}).get('Message', '')}"
    if code.startswith(_DENIED):
        return AwsError(DENIED, code, text)
    if code.startswith(_TEMPORARY) or status >= 500:
        return AwsError(TEMPORARY, code, text)
    return AwsError(NOT_FOUND if "NotFound" in code or code.startswith("NoSuch") else BAD_PROPERTY, code, text)
