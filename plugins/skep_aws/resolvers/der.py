"""The names in an X.509 certificate, as far as a lookup needs them: the standard library reads none without a connection."""

from __future__ import annotations

import base64
import binascii
import re

__all__ = ["dns_names"]

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_ALTERNATIVE_NAMES = b"\x06\x03\x55\x1d\x11"  # OBJECT IDENTIFIER 2.5.29.17 (RFC 5280, 4.2.1.6)
_BOOLEAN, _OCTETS, _SEQUENCE, _DNS_NAME = 0x01, 0x04, 0x30, 0x82


def dns_names(pem: str) -> list[str]:
    """The DNS names that the first certificate in `pem` is for (subjectAltName); empty where there are none, or it cannot be read."""
    match = _PEM.search(pem)
    if match is None:
        return []
    try:
        data = base64.b64decode(match[1])
        start = data.index(_ALTERNATIVE_NAMES) + len(_ALTERNATIVE_NAMES)
        tag, body, rest = _element(data[start:])
        if tag == _BOOLEAN:  # critical
            tag, body, rest = _element(rest)
        if tag != _OCTETS:
            return []
        tag, body, _ = _element(body)
        names = []
        while tag == _SEQUENCE and body:
            kind, name, body = _element(body)
            if kind == _DNS_NAME:
                names.append(name.decode("ascii"))
    except (ValueError, IndexError, binascii.Error):
        return []
    return names


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element in DER: tag, content, and what follows. Raises ValueError where it is cut off."""
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if start + length > len(data):
        raise ValueError("cut off")
    return data[0], data[start : start + length], data[start + length :]
