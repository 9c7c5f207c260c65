"""Groups for the key exchange DHE: PEM around DER's SEQUENCE of two INTEGERs, the prime and the generator (PKCS #3)."""

from __future__ import annotations

import base64
import re

from skep_nginx.certificates.pem import Unusable

__all__ = ["named_group", "read_group"]

_ADDED = {2048: 560316, 3072: 2625351, 4096: 5736041}
_PEM = re.compile(rb"-----BEGIN DH PARAMETERS-----\s([A-Za-z0-9+/=\s]{1,10000})-----END DH PARAMETERS-----")
_INTEGER, _SEQUENCE = 0x02, 0x30


def named_group(bits: int) -> bytes:
    """The group of so many bits that RFC 7919 names: 2^b - 2^(b-64) + (floor(2^(b-130) * e) + X) * 2^64 - 1, and the generator 2."""
    return _write(2**bits - 2 ** (bits - 64) + (_floor_e(bits - 130) + _ADDED[bits]) * 2**64 - 1, 2)


def _floor_e(bits: int) -> int:
    """floor(2^bits * e), by e = 1 + 1 + 1/2! + 1/3! + … with 64 bits to spare."""
    term = total = 1 << (bits + 64)
    count = 1
    while term:
        term //= count
        total += term
        count += 1
    return total >> 64


def read_group(text: bytes) -> bytes:
    """A group in PEM as nginx gets it. Raises Unusable."""
    found = _PEM.search(text)
    try:
        data = base64.b64decode(b"".join(found[1].split()), validate=True) if found else b""
        inner, rest = _element(data, _SEQUENCE)
        prime, inner = _element(inner, _INTEGER)
        generator, _ = _element(inner, _INTEGER)
    except (ValueError, IndexError):
        raise Unusable("it is no group for DHE in PEM, as `openssl dhparam` writes it") from None
    number = int.from_bytes(prime, signed=True)
    if rest or number.bit_length() < 2048 or number % 2 == 0:
        raise Unusable("its group is too small: 2048 bits at least")
    return _write(number, int.from_bytes(generator, signed=True))


def _write(prime: int, generator: int) -> bytes:
    body = b"".join(_wrap(_INTEGER, each.to_bytes(each.bit_length() // 8 + 1)) for each in (prime, generator))
    coded = base64.b64encode(_wrap(_SEQUENCE, body)).decode()
    lines = [coded[start : start + 64] for start in range(0, len(coded), 64)]
    return "\n".join(["-----BEGIN DH PARAMETERS-----", *lines, "-----END DH PARAMETERS-----", ""]).encode()


def _wrap(kind: int, body: bytes) -> bytes:
    size = len(body)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([kind, size] if size < 128 else [kind, 0x80 | len(long), *long]) + body


def _element(data: bytes, kind: int) -> tuple[bytes, bytes]:
    """Its contents, and what stands behind it. Raises ValueError, IndexError."""
    if data[0] != kind:
        raise ValueError
    size, start = data[1], 2
    if size >= 128:
        start += size - 128
        size = int.from_bytes(data[2:start])
    if len(data) < start + size:
        raise ValueError
    return data[start : start + size], data[start + size :]
