"""Certificates for tests of TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def openssl(*arguments: str, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_ca(folder: Path, name: str = "ca") -> None:
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
        *("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", f"{name}-key.pem", "-out", f"{name}.pem"),
        folder=folder,
    )


def make_certificate(folder: Path, name: str, ca: str = "ca", alt: str = "IP:127.0.0.1,DNS:localhost") -> None:
    openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
        *("-addext", f"subjectAltName={alt}", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr"),
        folder=folder,
    )
    openssl(
        *("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}-key.pem"),
        *("-copy_extensions", "copy", "-out", f"{name}.pem"),
        folder=folder,
    )


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca, server and client, and a second authority `other` with its own client `stranger`."""
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "other"):
        make_ca(folder, ca)
    for name, ca in (("server", "ca"), ("client", "ca"), ("stranger", "other")):
        make_certificate(folder, name, ca)
    make_certificate(folder, "elsewhere", alt="DNS:engine.example")
    openssl(
        *("pkey", "-in", "client-key.pem", "-aes256", "-passout", "pass:secret", "-out", "locked-key.pem"),
        folder=folder,
    )
    return folder


@pytest.fixture
def certify() -> Callable[..., None]:
    """Makes another certificate: `certify(folder, name, ca)`."""
    return make_certificate
