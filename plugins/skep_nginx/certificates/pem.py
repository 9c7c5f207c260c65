"""Certificates and keys, read before nginx sees them: whatever is in a file, nginx gets a pair that it takes, or nothing."""

from __future__ import annotations

import hashlib
import os
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["Pair", "Unusable", "covers", "nobody", "read_authorities", "read_crl", "read_pair"]

_LARGEST = 2**20
_MOST = 16  # certificates of a chain
_DIGESTS = ("sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


class Unusable(ValueError):
    """A certificate that cannot be shown to anybody; the text says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain and its private key: `pem` is all of it in one file, so that no two halves are ever mixed.

    `names` are those that it is for, lower-case; times are seconds since the epoch. `issuer` is who signed it.
    """

    names: tuple[str, ...]
    not_before: float
    not_after: float
    issuer: str
    pem: bytes = field(repr=False)
    digest: str = ""
    chained: bool = False
    """Whether it comes with the certificate of who signed it."""

    def covers(self, host: str) -> bool:
        """Whether clients accept it for this host."""
        return any(covers(name, host) for name in self.names)


def covers(name: str, host: str) -> bool:
    """Whether a certificate's name is good for a host. Source: RFC 6125, 6.4.3; `*` stands for one label, the first."""
    if name.startswith("*."):
        first, _, rest = host.partition(".")
        return bool(first) and (rest == name[2:] or host == name)
    return name == host


def read_pair(chain: bytes, key: bytes, now: float | None = None) -> Pair:
    """Read a certificate (its own first) and its key, both PEM. Raises Unusable."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    found = _certificates(chain, "certificate")
    leaf = found[0]
    private = _private_key(key)
    now = time.time() if now is None else now
    not_before, not_after = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    if not_after <= now:
        raise Unusable(f"it expired on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: put a newer one in its place")
    if not_before > now:
        raise Unusable(
            f"it is valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only: look at this host's clock"
        )
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*spki) != private.public_key().public_bytes(*spki):
        raise Unusable("the key belongs to another certificate")
    for one in found:
        _check_strength(one)
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in found)
    pem += private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _check_loads(pem)
    return Pair(
        _names(leaf),
        not_before,
        not_after,
        ascii(leaf.issuer.rfc4514_string())[1:-1][:200],
        pem,
        hashlib.sha256(pem).hexdigest()[:32],
        len(found) > 1,
    )


def read_authorities(text: bytes) -> bytes:
    """Certificates that clients' ones must come from, as nginx gets them. Raises Unusable."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(one.public_bytes(Encoding.PEM) for one in _certificates(text, "authority", most=500))


def read_crl(text: bytes) -> bytes:
    """A list of revoked certificates, as nginx gets it. Raises Unusable."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    parts = [part for part in text.split(b"-----END X509 CRL-----") if part.strip()]
    try:
        crls = [x509.load_pem_x509_crl(part + b"-----END X509 CRL-----\n") for part in parts]
    except Exception as error:
        raise Unusable(f"it is no list of revoked certificates in PEM: {_short(error)}") from None
    if not crls:
        raise Unusable("it holds no list of revoked certificates in PEM")
    return b"".join(one.public_bytes(Encoding.PEM) for one in crls)


def _certificates(text: bytes, what: str, most: int = _MOST) -> list[x509.Certificate]:
    from cryptography import x509

    if len(text) > _LARGEST:
        raise Unusable(f"the {what}'s file has {len(text)} bytes: at most {_LARGEST} are read")
    try:
        found = x509.load_pem_x509_certificates(text)
        for one in found:  # parsed when they are asked for
            _ = one.extensions, one.signature_hash_algorithm, one.public_key()
    except Exception as error:  # whatever a parser of hostile bytes raises
        raise Unusable(f"it is no certificate in PEM: {_short(error)}") from None
    if not 0 < len(found) <= most:
        raise Unusable(f"its file holds {len(found)} certificates: from 1 to {most} are expected")
    return found


def _private_key(text: bytes) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if len(text) > _LARGEST:
        raise Unusable(f"the key's file has {len(text)} bytes: at most {_LARGEST} are read")
    try:
        return load_pem_private_key(text, None)
    except TypeError:
        raise Unusable("its key is encrypted: nginx starts without anybody to ask for a password; decrypt it") from None
    except Exception:  # whose text might show a piece of the key
        raise Unusable("its key is no private key in PEM") from None


def _check_strength(certificate: x509.Certificate) -> None:
    """What OpenSSL's usual security level (2) refuses, and with it nginx: all sites would go down with one certificate."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < 2048:
            raise Unusable(f"an RSA key of {key.key_size} bits is too short: 2048 at least")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise Unusable(f"clients do not know keys on the curve {key.curve.name}: use P-256 or P-384")
    elif not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raise Unusable("its key is none of RSA, EC, Ed25519")
    digest = certificate.signature_hash_algorithm
    if digest is not None and digest.name not in _DIGESTS and certificate.issuer != certificate.subject:
        raise Unusable(
            f"it is signed by {digest.name.upper()}, which clients refuse: get one that is signed by SHA-256"
        )


def _check_loads(pem: bytes) -> None:
    """The last word is OpenSSL's, which nginx asks too."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pem)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        raise Unusable(f"OpenSSL does not take it: {_short(error)}") from None
    finally:
        os.close(descriptor)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        general = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*general.get_values_for_type(x509.DNSName), *map(str, general.get_values_for_type(x509.IPAddress))]
    except x509.ExtensionNotFound:
        names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return tuple(sorted({name.lower() for name in names}))


def _short(error: Exception) -> str:
    return ascii(str(error).split("\n")[0].split(". See http")[0][:120])[1:-1]  # where to read on is of no use here


def nobody() -> bytes:
    """An authority that certified nobody and never will: its key is gone. For files of authorities that cannot be read."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "skep lets nobody in")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
