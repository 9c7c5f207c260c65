"""The one error that the lab raises, and the one way it runs commands."""

import subprocess


class LabError(Exception):
    """Something about the lab went wrong; the text says what, and what to do about it."""


def run(*argv: str, stdin: str | bytes | None = None, seconds: float = 60) -> str:
    """Run a command to its end and return what it printed.

    Raises LabError with the command and its complaint when it fails or takes longer than `seconds`.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(argv, input=data or b"", capture_output=True, timeout=seconds)
    except FileNotFoundError:
        raise LabError(f"the command {argv[0]!r} is not installed; `lab missing` names the packages") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"still running after {seconds:g} s: {' '.join(argv)}") from None
    if done.returncode:
        complaint = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"{' '.join(argv)}: {complaint or f'exit status {done.returncode}'}")
    return done.stdout.decode(errors="replace")
