"""python -m contrib.fuzz TARGET [--seconds N | --runs N] [--seed N] [--replay FILE]"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]

TARGETS = {
    "expressions": ["skep"],
    "body": [
        "skep",
        *(f"skep_{name}" for name in ("port", "slots", "dependency", "affinity", "constraint", "whitelist")),
    ],
}
"""The targets, each with the packages whose branches guide it."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m contrib.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=30, help="how long, unless --runs is given")
    parser.add_argument("--runs", type=int, default=0, help="so many inputs, whatever the time")
    parser.add_argument("--seed", type=int, default=0, help="the same inputs every time; 0 is any")
    parser.add_argument("--corpus", type=Path, help="a folder in which inputs that reach something new are kept")
    parser.add_argument("--replay", type=Path, help="one input, as a failed run has written it")
    options = parser.parse_args()
    with atheris.instrument_imports(include=TARGETS[options.target]):
        target = importlib.import_module(f"contrib.fuzz.{options.target}")
    if options.replay:
        target.check(options.replay.read_bytes())
        return
    limit = f"-runs={options.runs}" if options.runs else f"-max_total_time={options.seconds}"
    with tempfile.TemporaryDirectory() as folder:
        dictionary = Path(folder, "words")
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
        corpus = options.corpus or Path(folder, "corpus")
        corpus.mkdir(parents=True, exist_ok=True)
        for number, example in enumerate(target.EXAMPLES):
            Path(corpus, f"example{number}").write_bytes(example)
        flags = [
            limit,
            f"-seed={options.seed}",
            f"-dict={dictionary}",
            "-max_len=4096",
            "-timeout=10",
            "-rss_limit_mb=1024",
        ]
        atheris.Setup([sys.argv[0], *flags, str(corpus)], target.check)
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
