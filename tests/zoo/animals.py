"""Build broken environments for real, and ask doctor and explain about them. Run by ``nox -s doctor-zoo``.

Each animal is built with real Pythons and real distributions in a cage of its own, looked at by ``imageai-env doctor``
as a process, run as its user would run it, and removed. What it wrote is given to explain. The table goes to
docs/doctor-zoo.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from imageai_envs.explain.explain import explain
from tests.zoo import healthy, packages, places
from tests.zoo.animal import ALL, RUNS, UNKNOWN, Animal
from tests.zoo.cage import REPOSITORY, Cage, Done, NotHere

KINDS = (packages, places)  # imported for the animals that they enter
SHOWN = 150


@dataclass(frozen=True)
class Row:
    """What was seen of one animal."""

    animal: Animal
    first: str
    severity: str
    further: tuple[str, ...]
    done: Done | None
    explained: tuple[str, ...]
    seconds: float

    @property
    def wrong(self) -> str:
        """Return what is not as it must be; empty when all is."""
        found = []
        if (self.first, self.severity) != (self.animal.first, self.animal.severity):
            found.append(f"first finding: {self.animal.severity} {self.animal.first} expected")
        if self.done is not None:
            if (self.done.status == 0) != (self.animal.rule == RUNS):
                found.append(f"exit {self.done.status}, '{self.animal.rule}' expected")
            expected = "" if self.animal.rule in (RUNS, UNKNOWN) else self.animal.rule
            if self.done.status and (self.explained[0] if self.explained else "") != expected:
                found.append(f"explain: {expected or 'silence'} expected")
        return "; ".join(found)


def visit(animal: Animal, root: Path, *, keep: bool, log: Path | None) -> Row:
    """Build an animal, look at it, run it, and remove it."""
    # All in the same place, one after the other: so modules need not be compiled again for each.
    cage = Cage(root / (animal.name if keep else "cage"))
    cage.root.mkdir(parents=True)
    compiled = {} if keep else {"PYTHONPYCACHEPREFIX": str(root / "compiled")}
    start = time.monotonic()
    try:
        scene = animal.build(cage)
        findings = cage.doctor(scene)["findings"]
        done = cage.run(scene.command, cage.terminal(**scene.variables, **compiled)) if scene.command else None
    finally:
        if not keep:
            cage.remove()
    explained: tuple[str, ...] = ()
    if done is not None and done.status:
        if log:
            (log / f"{animal.name}.txt").write_text(done.output, encoding="utf-8")
        explained = tuple(
            item.rule.id for item in explain(done.output, status=done.status if done.status > 0 else 128 - done.status)
        )
    first, *others = findings or [{"id": "", "severity": ""}]
    further = tuple(f"{item['severity']} {item['id']}" for item in others)
    return Row(animal, first["id"], first["severity"], further, done, explained, time.monotonic() - start)


def ends(row: Row) -> str:
    """Say how the run ended."""
    if row.done is None:
        return "not run"
    if row.done.status < 0:
        return f"killed by {signal.Signals(-row.done.status).name}"
    return "it runs" if row.done.status == 0 else f"`{shorten(row.done.last)}`"


def shorten(line: str) -> str:
    """Return a line that a table takes."""
    plain = line.replace("|", "\\|").replace("`", "'")
    return plain if len(plain) <= SHOWN else f"{plain[:SHOWN]} …"


def says(row: Row) -> str:
    """Say what explain answered."""
    if row.done is None or row.done.status == 0:
        return "–"  # noqa: RUF001 - a dash
    return f"`{row.explained[0]}`" if row.explained else "nothing known"


def page(rows: list[Row], absent: list[tuple[Animal, str]], well: list[healthy.Health], seconds: float) -> str:
    """Return the whole page."""
    today = datetime.now(tz=timezone.utc).date()
    right = sum(not row.wrong for row in rows)
    lines = [
        "# The doctor's zoo",
        "",
        f"What `nox -s doctor-zoo` saw on {today}, in {seconds / 60:.0f} minutes: {len(rows)} broken environments,",
        "built with real Pythons and real distributions from the index (what is a stand-in says so). Each was",
        "looked at by `imageai-env doctor`, then run as its user would; what that wrote was given to `explain`.",
        f"{right} of {len(rows)} are as they must be. `…` stands for the directory in which they were built.",
        "",
        "| animal | how it was made | first finding | severity | what happens when it is run | explain says | right? |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (row.animal.name, row.animal.made, f"`{row.first}`" if row.first else "none", row.severity, ends(row))
        lines.append(f"| {' | '.join(cells)} | {says(row)} | {row.wrong or 'yes'} |")
    lines += [f"| {item.name} | {item.made} | not built: {why} | | | | |" for item, why in absent]
    errors = sum(len(item.errors) for item in well)
    lines += [
        "",
        "## Healthy ones",
        "",
        f"Every shipped template, created with `--verify none` on its preferred Python: {errors} findings of severity "
        "error.",
        "",
        "| environment | errors | other findings | doctor took |",
        "|---|---|---|---|",
        *(f"| {item.name} | {', '.join(item.errors) or 'none'} | {', '.join(item.others) or 'none'} | "
          f"{item.seconds:.1f} s |" for item in well),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    """Visit the zoo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", help="only this animal, or 'healthy'; repeatable")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="build there, and leave everything")
    parser.add_argument("--log", metavar="DIR", type=Path, help="write there what failing runs wrote")
    parser.add_argument("--page", type=Path, help="default: docs/doctor-zoo.md, when all are visited")
    chosen = parser.parse_args()
    if chosen.log:
        chosen.log.mkdir(parents=True, exist_ok=True)
    names = set(chosen.only or ())
    unknown = names - {item.name for item in ALL} - {"healthy"}
    if unknown:
        parser.error(f"no such animal: {', '.join(sorted(unknown))}; there are: {', '.join(a.name for a in ALL)}")
    start = time.monotonic()
    rows, absent = [], []
    with tempfile.TemporaryDirectory(prefix="zoo-", ignore_cleanup_errors=True) as temporary:
        root = chosen.keep.absolute() if chosen.keep else Path(temporary)
        for animal in ALL:
            if names and animal.name not in names:
                continue
            try:
                row = visit(animal, root, keep=bool(chosen.keep), log=chosen.log)
            except NotHere as why:  # the others are still worth a look
                absent.append((animal, str(why)))
                continue
            rows.append(row)
            print(
                f"{row.seconds:5.1f} s  {animal.name}: {row.severity} {row.first} | {', '.join(row.further)}",
                flush=True,
            )
            print(f"         {ends(row)} | {', '.join(row.explained)} | {row.wrong or 'right'}", flush=True)
        well = healthy.visit(root) if not names or "healthy" in names else []
    seconds = time.monotonic() - start
    text = page(rows, absent, well, seconds).replace(str(root), "…")
    target = chosen.page or (None if names else REPOSITORY / "docs/doctor-zoo.md")
    if target:
        target.write_text(text, encoding="utf-8")
    wrong = [row.animal.name for row in rows if row.wrong] + [item.name for item in well if item.errors]
    print(
        f"{len(rows)} animals, {len(well)} healthy environments, {seconds / 60:.1f} minutes; wrong: {wrong or 'none'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
