"""Create and prove every template on every Python that is here, and write the result as a table.

Run by ``nox -s matrix``; the table goes to ``docs/matrix.md``. Real index, real TensorFlow, real ImageAI. Each cell is
one ``imageai-env create`` as a user would type it; the environment is removed before the next one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

HEAD = """\
# What was run

Every cell is one real `imageai-env create` that ended with ImageAI classifying a picture (`--verify inference`).
Written by `nox -s matrix` on {date}, {system}, {processors} processors. Seconds are single runs; downloads are in
them where the cache was cold. Size is what the environment has on disk, shared files counted once.

| TensorFlow | Python | engine | result | lock s | install s | verify s | total s | size MB |
|---|---|---|---|---|---|---|---|---|
"""


def tool(*words: str) -> tuple[int, dict[str, object]]:
    """Run the command line with ``--json`` and return exit code and data."""
    done = subprocess.run(
        [sys.executable, "-m", "imageai_envs", *words, "--json"], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def cells(templates: list[str]) -> list[tuple[str, str, str]]:
    """Return template, Python and engine of each cell: uv on every Python, pip on the newest and the oldest."""
    _, answer = tool("python", "list")
    pythons: dict[str, list[str]] = {}
    for one in answer["data"]["pythons"]:  # type: ignore[index]
        for name in one["templates"]:
            minor = ".".join(one["version"].split(".")[:2])
            if minor not in pythons.setdefault(name, []):
                pythons[name].append(minor)
    result = []
    for name in templates:
        minors = sorted(pythons.get(name, []), key=lambda text: int(text.split(".")[1]), reverse=True)
        result += [(name, minor, "uv") for minor in minors]
        result += [(name, minor, "pip") for minor in dict.fromkeys((*minors[:1], *minors[-1:]))]
    return result


def run_cell(template: str, python: str, engine: str) -> str:
    """Create, measure and remove one environment; return its row."""
    name = f"matrix-{template}-{python}-{engine}"
    code, answer = tool("create", name, "--template", template, "--python", python, "--engine", engine, "--force")
    if code:
        reason = str(answer["errors"][0]["message"]).splitlines()[0]  # type: ignore[index]
        return f"| {template} | {python} | {engine} | **failed ({code})**: {reason} | | | | | |"
    state = answer["data"]["environment"]  # type: ignore[index]
    seconds = state["seconds"]
    _, shown = tool("show", name)
    size = shown["data"]["bytes"] // 1_000_000  # type: ignore[index]
    tool("remove", name, "--yes")
    return (
        f"| {state['tensorflow']} | {state['python_version']} | {state['engine']} | works | {seconds['lock']:.1f} | "
        f"{seconds['install']:.1f} | {seconds['verify']:.1f} | {sum(seconds.values()):.1f} | {size} |"
    )


def main() -> int:
    """Run all cells; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("templates", nargs="*", help="default: all that are shipped")
    parser.add_argument("--output", type=Path, default=Path("docs/matrix.md"))
    arguments = parser.parse_args()
    _, listed = tool("templates", "list")
    known = [item["name"] for item in listed["data"]["templates"]]  # type: ignore[index]
    rows = []
    for cell in cells(arguments.templates or known):
        rows.append(run_cell(*cell))
        print(rows[-1], flush=True)
    head = HEAD.format(
        date=datetime.now(timezone.utc).date(),
        system=f"{platform.system()} {platform.machine()}",
        processors=os.cpu_count(),
    )
    arguments.output.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return int(any("failed" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
