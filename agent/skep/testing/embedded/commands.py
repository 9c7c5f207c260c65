"""The commands that containers and `exec` know: sleep, echo, cat, env, a very small sh, and the like.

Any other command runs until it is stopped, as a server would.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Sequence

from .programs import FOREVER, INPUT, Process, Program, Wait

Command = Callable[[Process, Sequence[str]], Program]


def program(process: Process, argv: Sequence[str]) -> Program | None:
    """The script of a command line, or None for one that runs until it is stopped."""
    command = COMMANDS.get(name_of(argv))
    if command is not None:
        return command(process, argv[1:])
    return _not_found(process, argv) if process.strict else None


def _not_found(process: Process, argv: Sequence[str]) -> Program:
    yield from ()
    what = "unable to start container process: exec"
    reason = "executable file not found in $PATH: unknown"
    process.out(f'OCI runtime exec failed: exec failed: {what}: "{argv[0]}": {reason}\r\n')
    return 126


def name_of(argv: Sequence[str]) -> str:
    """The program's name without its folder; empty for an empty command line."""
    return argv[0].rpartition("/")[2] if argv else ""


def ignores_sigterm(argv: Sequence[str]) -> bool:
    """True for what, as process 1, has no handler for SIGTERM and is killed when the grace period ends."""
    return name_of(argv) in COMMANDS


def sleep(process: Process, args: Sequence[str]) -> Program:
    """`sleep N`, `sleep infinity`."""
    try:
        seconds = float(args[0])
    except (ValueError, IndexError):
        process.err("sleep: invalid number\n")
        return 1
    yield FOREVER if seconds == float("inf") else seconds
    return 0


def true(process: Process, args: Sequence[str]) -> Program:
    """Success."""
    yield from ()
    return 0


def false(process: Process, args: Sequence[str]) -> Program:
    """Failure."""
    yield from ()
    return 1


def echo(process: Process, args: Sequence[str]) -> Program:
    """`echo [-n] words`."""
    yield from ()
    bare = bool(args) and args[0] == "-n"
    process.out(" ".join(args[1:] if bare else args) + ("" if bare else "\n"))
    return 0


def cat(process: Process, args: Sequence[str]) -> Program:
    """Standard input to standard output until its end."""
    code = 0
    for name in args:
        if name == "/etc/hostname":
            process.out(process.env.get("HOSTNAME", "") + "\n")
        else:
            process.err(f"cat: can't open '{name}': No such file or directory\n")
            code = 1
    while not args and (data := (yield INPUT)):
        process.put(1, data)
    return code


def env(process: Process, args: Sequence[str]) -> Program:
    """The environment, one `NAME=value` a line."""
    yield from ()
    process.out("".join(f"{key}={value}\n" for key, value in process.env.items()))
    return 0


def printenv(process: Process, args: Sequence[str]) -> Program:
    """One variable's value."""
    if not args:
        return (yield from env(process, args))
    if args[0] not in process.env:
        return 1
    process.out(process.env[args[0]] + "\n")
    return 0


def hostname(process: Process, args: Sequence[str]) -> Program:
    """The container's host name."""
    yield from ()
    process.out(process.env.get("HOSTNAME", "") + "\n")
    return 0


def whoami(process: Process, args: Sequence[str]) -> Program:
    """Always root."""
    yield from ()
    process.out("root\n")
    return 0


def pwd(process: Process, args: Sequence[str]) -> Program:
    """Always the root folder."""
    yield from ()
    process.out("/\n")
    return 0


def ls(process: Process, args: Sequence[str]) -> Program:
    """The folders of a small image."""
    yield from ()
    process.out("bin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\nusr\nvar\n")
    return 0


def sh(process: Process, args: Sequence[str]) -> Program:
    """`sh -c SCRIPT`; without a script, one line of standard input after the other."""
    if args and args[0].startswith("-") and "c" in args[0]:
        return (yield from _script(process, args[1] if len(args) > 1 else ""))[0]
    prompt = "/ # " if process.tty else ""
    process.strict = True
    code, rest = 0, b""
    process.out(prompt)
    while data := (yield INPUT):
        if process.tty:
            if b"\x04" in data:
                break
            process.out(data.decode(errors="replace").replace("\r", "\n"))
            data = data.replace(b"\r", b"\n")
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            code, finished = yield from _script(process, line.decode(errors="replace"))
            if finished:
                return code
            process.out(prompt)
    return code


def _script(process: Process, text: str) -> Generator[float | Wait, bytes | None, tuple[int, bool]]:
    """Run `a; b && c`. Returns the exit code, and whether `exit` ended the shell.

    What it cannot read (loops, pipes, redirections) runs until it is stopped.
    """
    code, skip = 0, False
    for word in _commands(text):
        if word in ("&&", "||"):
            skip = (code != 0) == (word == "&&")
            continue
        if skip:
            skip = False
            continue
        argv = _expand(process, word, code)
        if not argv:
            continue
        if argv[0] == "exit":
            return (int(argv[1]) & 255 if len(argv) > 1 and argv[1].isdigit() else code), True
        code = yield from _simple(process, argv[1:] if argv[0] == "exec" else argv)
    return code, False


def _commands(text: str) -> list[str]:
    """Split a script at `;`, newlines, `&&` and `||`, none of them within quotes."""
    lexer = shlex.shlex(text.replace("\n", ";"), posix=False, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[str] = [""]
    try:
        tokens = list(lexer)
    except ValueError:
        return ["unreadable"]
    for token in tokens:
        if set(token) == {";"}:
            found.append("")
        elif token in ("&&", "||"):
            found += [token, ""]
        else:
            found[-1] += (" " if found[-1] else "") + token
    return [part for part in found if part]


def _expand(process: Process, command: str, code: int) -> list[str]:
    """Words of one command, quotes removed, `$NAME` and `$?` put in (not within single quotes)."""
    words = []
    for raw in shlex.split(command, posix=False):
        text = raw
        if not raw.startswith("'"):
            text = text.replace("$?", str(code))
            for name in sorted(process.env, key=len, reverse=True):
                text = text.replace(f"${{{name}}}", process.env[name]).replace(f"${name}", process.env[name])
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
        words.append(text[1:-1] if quoted else text)
    return words


def _simple(process: Process, argv: list[str]) -> Program:
    if argv[-2:] == [">&", "2"] or argv[-1:] == [">&2"]:
        cut = argv.index(">&") if ">&" in argv else len(argv) - 1
        process.err(" ".join(argv[1:cut]) + "\n")
        return 0
    command = COMMANDS.get(name_of(argv))
    if command is not None:
        return (yield from command(process, argv[1:]))
    if process.strict:
        process.err(f"sh: {argv[0]}: not found\n")
        return 127
    yield FOREVER
    return 0


COMMANDS: dict[str, Command] = {
    "ash": sh,
    "bash": sh,
    "cat": cat,
    "echo": echo,
    "env": env,
    "false": false,
    "hostname": hostname,
    "ls": ls,
    "printenv": printenv,
    "pwd": pwd,
    "sh": sh,
    "sleep": sleep,
    "true": true,
    "whoami": whoami,
}
