"""The command: a server that speaks AWS's APIs, filled, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys

from contrib.aws_demo.server import REGION, AwsServer
from contrib.aws_demo.world import fill


def main() -> int:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="make aws-demo", description=__doc__)
    parser.add_argument("--port", type=int, default=5555, help="on 127.0.0.1; 0 takes a free one (default: 5555)")
    parser.add_argument("--empty", action="store_true", help="with nothing in it")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        with AwsServer(arguments.port) as server:
            if not arguments.empty:
                fill(server.url, REGION)
            print(announcement(server.url), flush=True)
            signal.pause()
    except OSError as error:
        sys.stderr.write(f"aws-demo: port {arguments.port}: {error.strerror}; --port 0 takes a free one\n")
        return 1
    except KeyboardInterrupt:
        print()
    return 0


def _end(number: int, frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def announcement(url: str) -> str:
    """What to do with it."""
    return f"""AWS at {url}; Ctrl-C stops it. In another terminal:
  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={REGION}
  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo
Try there:
  skep lookup stack StackName=prod
  skep lookup vpc VpcName=prod
  skep custom-resource deploy stack"""


sys.exit(main())
