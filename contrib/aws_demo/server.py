"""`AwsServer`: moto's server on loopback, which runs Lambda functions in processes instead of containers."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from contrib.aws_demo.mends import mend

__all__ = ["REGION", "AwsServer"]

REGION = "us-east-1"
"""The one region for which moto takes the answers of custom resources."""
_RUNTIME = Path(__file__).with_name("runtime.py")
_LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py")


class AwsServer:
    """Up within the block, at `url`. port: 0 is any free one. Raises OSError where it is taken.

    One per process: moto keeps everything in global variables.
    """

    def __init__(self, port: int = 0) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        # Read by moto: no 1,300 images of others, certificates valid at once, where answers of custom resources go.
        os.environ |= {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_ACM_VALIDATION_WAIT": "0"}
        os.environ["MOTO_PORT"] = str(self._port)
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._folder = TemporaryDirectory(prefix="skep-aws-demo-", ignore_cleanup_errors=True)
        mend(Functions(Path(self._folder.name), self.url).run)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._folder.cleanup()


class Functions:
    """Runs Lambda functions as AWS would: a process each, with the zip and boto3 on its path and nothing else."""

    def __init__(self, folder: Path, url: str) -> None:
        import boto3

        self._folder, self._url = folder, url
        self._libraries = folder / "libraries"
        self._libraries.mkdir()
        for name in _LIBRARIES:
            (self._libraries / name).symlink_to(Path(boto3.__file__).parents[1] / name)

    def run(self, function: Any, event: Any) -> tuple[str, bool, str]:
        """Run a function of moto's; returns what it returned as JSON, whether it failed, and its log."""
        with TemporaryDirectory(dir=self._folder) as made:
            code, answer = Path(made, "code.zip"), Path(made, "answer.json")
            code.write_bytes(function.code_bytes)
            environ = {
                "AWS_ENDPOINT_URL": self._url, "AWS_REGION": function.region, "AWS_DEFAULT_REGION": function.region,
                "AWS_ACCESS_KEY_ID": "function", "AWS_SECRET_ACCESS_KEY": "function", "SKEP_PLAIN_LOOPBACK": "1",
                **function.environment_vars,
            }  # fmt: skip
            command = [sys.executable, "-IS", _RUNTIME, code, self._libraries, str(function.timeout), function.handler]
            try:
                done = subprocess.run(
                    [*command, answer], env=environ, input=json.dumps(event), stdout=-1, stderr=-2, text=True,
                    timeout=int(function.timeout),
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return json.dumps({"errorMessage": f"Task timed out after {function.timeout} seconds"}), True, ""
            if not answer.exists():
                return json.dumps({"errorMessage": f"Runtime exited with {done.returncode}"}), True, done.stdout
            return answer.read_text(), done.returncode != 0, done.stdout
