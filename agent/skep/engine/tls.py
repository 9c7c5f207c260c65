"""TLS material: files read with errors that name the file and what is wrong with it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from skep.errors import SettingsError

__all__ = ["TLS", "load_authorities", "load_identity"]


@dataclass(frozen=True, slots=True)
class TLS:
    """How to speak TLS to an engine: the files that docker calls ca.pem, cert.pem and key.pem.

    ca: the authorities that the engine's certificate must come from (None: those of the system).
    cert, key: what we show the engine (both or none).
    verify: False accepts any engine; only for laboratories.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files into a context for clients, TLS 1.2 at least.

        Blocking. Raises SettingsError naming the file.
        """
        context = ssl.create_default_context() if self.ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Read the files, perhaps renewed, into `context`; connections made from now on use them.

        As `ssl_context`.
        """
        if self.ca is not None:
            load_authorities(context, self.ca)
        if self.cert is not None and self.key is not None:
            load_identity(context, self.cert, self.key)
        elif self.cert is not None or self.key is not None:
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise SettingsError(
                f"TLS: the {given} {self.cert or self.key} is given without a {missing}; give both or none"
            )


def load_authorities(context: ssl.SSLContext, path: Path) -> None:
    """Trust the certificates in `path`. Raises SettingsError naming the file."""
    text = _read_pem(path, "CERTIFICATE", "certificate authorities")
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(f"TLS: cannot use the certificate authorities in {path}: {_reason(error)}") from error


def load_identity(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Show the certificate in `cert`, whose private key is in `key`. Raises SettingsError naming the file."""
    _read_pem(cert, "CERTIFICATE", "certificate")
    if "ENCRYPTED" in _read_pem(key, "PRIVATE KEY", "private key"):
        raise SettingsError(
            f"TLS: the private key {key} is encrypted; give an unencrypted one (openssl pkey -in … -out …)"
        )
    try:
        # The password is never asked for on a terminal: an agent has none.
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError, OSError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"TLS: the private key {key} does not belong to the certificate {cert}") from error
        raise SettingsError(f"TLS: cannot use the certificate {cert} with the key {key}: {_reason(error)}") from error


def _read_pem(path: Path, kind: str, what: str) -> str:
    try:
        text = path.read_bytes().decode("ascii", "replace")
    except OSError as error:
        raise SettingsError(f"TLS: cannot read the {what} {path}: {error.strerror}") from error
    if f"{kind}-----" not in text:
        raise SettingsError(f"TLS: {path} is not a PEM file with a {what} (it has no 'BEGIN {kind}' line)")
    return text


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
