"""Let the command line meet every hostile input, and write what it answered. Run by ``nox -s hostile``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from tests.conftest import CACHE
from tests.hostile.ground import Ground
from tests.hostile.hostile import KINDS, MEGABYTES, SECONDS, Hostile, Verdict, judge
from tests.hostile.inputs import INPUTS
from tests.support.catalogue import write_catalogue
from tests.support.index import Index
from tests.support.report import write_section

_SAID = (
    "Each is made from a valid input, which the same command takes in the same session. As decided is: the exit",
    "code and the sentence that its entry in `tests/hostile` names, for people and with `--json`; one error, no",
    f"traceback, no control character; ended within {SECONDS} s, no process above {MEGABYTES} MB; nothing changed",
    "in the project, in the home, beside them, or in the environments of the store, except what a right answer is",
    "to change.",
)


def meet(inputs: list[Hostile], place: Path) -> list[Verdict]:
    """Let the command line meet inputs, on a ground at ``place``."""
    files = place / "index"
    files.mkdir()
    write_catalogue(files, CACHE)
    index = Index(files)
    index.start()
    ground = Ground(place, index.url)
    verdicts = []
    try:
        ground.build()
        for hostile in inputs:
            begun = time.monotonic()
            verdict = judge(hostile, ground)
            verdicts.append(verdict)
            print(f"{'wrong' if verdict.wrong else 'ok':6}{verdict.code:4}{time.monotonic() - begun:6.1f} s  ", end="")
            print(f"{hostile.kind}: {hostile.name}", *verdict.wrong, sep="\n        ", flush=True)
    finally:
        ground.clear()
        index.stop()
    return verdicts


def table(verdicts: list[Verdict]) -> list[str]:
    """Return the figures, and below them every input with its exit code."""
    lines = ["| kind | inputs | answered as decided |", "|---|---|---|"]
    for kind in KINDS:
        those = [verdict for verdict in verdicts if verdict.hostile.kind == kind]
        lines.append(f"| {kind} | {len(those)} | {sum(not verdict.wrong for verdict in those)} |")
    lines.append(f"| all | {len(verdicts)} | {sum(not verdict.wrong for verdict in verdicts)} |")
    for kind in KINDS:
        those = [verdict for verdict in verdicts if verdict.hostile.kind == kind]
        lines += ["", f"{kind} (exit code): " + "; ".join(f"{one.hostile.name} ({one.code})" for one in those) + "."]
    return lines


def main() -> int:
    """Run the inputs; 1 if any is not answered as decided."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="inputs whose kind or name contains this; writes nothing")
    parser.add_argument("--output", type=Path, default=Path("docs/reliability.md"))
    arguments = parser.parse_args()
    chosen = [one for one in INPUTS if arguments.only in f"{one.kind}: {one.name}"]
    with tempfile.TemporaryDirectory(prefix="imageai-env-hostile-", ignore_cleanup_errors=True) as directory:
        verdicts = meet(chosen, Path(directory))
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    print(f"{len(verdicts)} inputs, {wrong} not answered as decided")
    if not arguments.only:
        head = f"What `nox -s hostile` saw on {datetime.now(timezone.utc).date()}."
        write_section(arguments.output, "Hostile inputs", [head, *_SAID, "", *table(verdicts)])
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
