"""The library's network, more patient: imported where the library is, on first use."""

from __future__ import annotations

from typing import Any

import requests
from acme.client import ClientNetwork
from acme.messages import Error

__all__ = ["PatientNetwork"]

_ATTEMPTS = 4


class PatientNetwork(ClientNetwork):
    """Sends a request again whose nonce the authority does not take, as it should be (RFC 8555, 6.5); the library alone gives up at the
    second."""

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As the library's. Raises its errors."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return super().post(*args, **kwargs)
            except Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)
