"""Authorities and certificates for tests, made in the blink of an eye."""

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

HOUR = datetime.timedelta(hours=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def key_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """Issues certificates; `pem` is its own."""

    def __init__(self, name: str = "test authority") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder(self.name, self.name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=100))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self, *names: str, days: tuple[float, float] = (-1, 30), key: Key | None = None, **extra: Any
    ) -> tuple[bytes, bytes]:
        """A certificate and its key, PEM. `days` are its validity from now; `client` makes one to show to servers, `ocsp` is the URL of a
        responder."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder(self.name, _name(names[0][:60]), own.public_key(), x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
        )
        if not extra.get("client"):
            builder = builder.add_extension(x509.SubjectAlternativeName(map(_general, names)), critical=False)
        if extra.get("ocsp"):
            where = x509.UniformResourceIdentifier(str(extra["ocsp"]))
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        signed = builder.sign(self.key, extra.get("digest") or hashes.SHA256())
        return signed.public_bytes(Encoding.PEM), key_pem(own)

    def write(self, folder: Path, stem: str, *names: str, **how: Any) -> Path:
        """`stem.crt` and `stem.key`, as nginx-proxy has them."""
        folder.mkdir(exist_ok=True)
        certificate, key = self.issue(*(names or (stem,)), **how)
        (folder / f"{stem}.key").write_bytes(key)
        (folder / f"{stem}.crt").write_bytes(certificate)
        return folder / f"{stem}.crt"

    def vouch(self, request: bytes, certificate: bytes) -> bytes:
        """A responder's answer (RFC 6960), DER: this certificate of ours is good."""
        asked = ocsp.load_der_ocsp_request(request)
        found = x509.load_pem_x509_certificate(certificate)
        assert asked.serial_number == found.serial_number
        now = datetime.datetime.now(datetime.UTC)
        builder = ocsp.OCSPResponseBuilder().add_response(
            found, self.certificate, asked.hash_algorithm, ocsp.OCSPCertStatus.GOOD, now, now + HOUR, None, None
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).certificates(
            [self.certificate]
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def revoke(self, *certificates: bytes) -> bytes:
        """A list of revoked certificates, PEM."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder(self.name, now, now + datetime.timedelta(days=5))
        for pem in certificates:
            serial = x509.load_pem_x509_certificate(pem).serial_number
            revoked = x509.RevokedCertificateBuilder(serial, now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
