"""What AWS Lambda does with a function, in a process: `python -IS runtime.py CODE LIBRARIES SECONDS HANDLER ANSWER`.

The event comes by standard input, what the handler prints is its log, and what it returns goes to the file ANSWER. Exit status 1: it failed.
"""

import importlib
import json
import sys
import time
import traceback
from pathlib import Path


class Context:
    """What a handler may ask of its runtime."""

    aws_request_id = "1"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may still take."""
        return int((self._end - time.monotonic()) * 1000)


def main(code: str, libraries: str, seconds: str, handler: str, answer: str) -> int:
    """Call the handler once."""
    sys.path[:] = [code, *sys.path, libraries]  # with -IS, that is Python's own library between the two
    context = Context(float(seconds))
    module, _, name = handler.rpartition(".")
    try:
        returned = getattr(importlib.import_module(module), name)(json.load(sys.stdin), context)
        Path(answer).write_text(json.dumps(returned))
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        Path(answer).write_text(json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}))
        return 1
    return 0


sys.exit(main(*sys.argv[1:]))
