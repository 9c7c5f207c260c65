"""The zip of a Lambda function: Python's text alone, the same byte for byte each time."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from skep import PluginError, RequestError

__all__ = ["HANDLER", "bundle", "digest"]

HANDLER = "index.handler"
_OWN = Path(__file__).parents[1]
_RESOLVERS = "skep_lookup"
"""What the resolvers' package is called in the zip."""
_INDEX = '''"""Answers CloudFormation's custom resource {name}."""

from skep_custom_resource.protocol.lambda_handler import make_handler
from skep_custom_resource.protocol.lookups import packaged

handler = make_handler(packaged({name!r}, {package!r}))
'''
_MOST_BYTES = 50 * 2**20


def bundle(name: str, package: str) -> bytes:
    """Make the zip of the lookup `name`, whose resolvers are in `package` (`Lookup.package`). Raises RequestError, PluginError."""
    if not package:
        raise RequestError(
            f"lookup {name} brings no package for Lambda; the agent can serve it (see `queue` in the plugin's README)"
        )
    files = {"index.py": _INDEX.format(name=name, package=_RESOLVERS).encode()}
    files["skep_custom_resource/__init__.py"] = (_OWN / "__init__.py").read_bytes()
    files |= dict(_sources(_OWN / "protocol", "skep_custom_resource/protocol"))
    files |= dict(_sources(_folder(package), _RESOLVERS))
    return _zipped(files)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"package {package} is not there, and a Lambda function would be made of it")
    return Path(next(iter(spec.submodule_search_locations)))


def _sources(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            if path.suffix in (".so", ".pyd"):
                raise PluginError(f"{path}: a compiled library cannot go to Lambda")
            if path.suffix == ".py":
                yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _zipped(files: dict[str, bytes]) -> bytes:
    # Stored: what a compressor makes of it differs from one release to the next.
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, files[name])
    data = made.getvalue()
    if len(data) > _MOST_BYTES:
        raise PluginError(f"the zip has {len(data)} bytes; Lambda takes {_MOST_BYTES}")
    return data


def digest(data: bytes) -> str:
    """As Lambda tells it, `CodeSha256`."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
