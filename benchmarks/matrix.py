"""Prove every template on every Python that is here: create, run the full probe of ImageAI, keep lock and record.

Run by ``nox -s matrix``: each cell is one ``imageai-env create`` as a user would type it, then every feature of ImageAI
is used and its results are checked (``imageai_envs/verification/features.py``), and a trained model has to find what is
in two photographs (``real_model.py``). Writes ``templates/locks``, ``templates/matrix.json`` and ``docs/matrix.md``,
after each cell, so that a run that was interrupted can go on. ``--upgrade`` resolves again, shows what moved and proves
that (``nox -s relock``). ``--objects`` adds the photographs to cells that are proved already.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from real_model import PER_CENT, PIXELS, REPEATS, Objects, detect

from imageai_envs.base.context import Context
from imageai_envs.base.paths import home
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.locks.lockfile import Lock, compare, read_lock
from imageai_envs.request.framework import release_in
from imageai_envs.templates.catalog import load_catalog
from imageai_envs.verification.features import Proof, prove
from imageai_envs.verification.which_probes import probe_of

TEMPLATES = Path("templates")
DOCUMENT = Path("docs/matrix.md")
CHOICES = Path("docs/which-to-take.md")
MEASURED, END = "<!-- measured: written by nox -s matrix -->\n", "<!-- end -->"
HEAD = """\
# What was run

Each row is one real environment: created by `imageai-env create`, then every feature of ImageAI was used in it and its
results were checked: four classifiers, RetinaNet, YOLOv3, TinyYOLOv3, video, training of classification and detection
(with the learning rate that was really used), and the models that were trained. Written by `nox -s matrix`. The exact
sets are in `templates/locks`; `create` installs them. Seconds are single runs of the probe on a busy machine of two
processors. Those of the variant gpu were run on a machine without a GPU: their CUDA libraries were all opened (by
PyTorch when it is imported), and ImageAI computed on the processor ([what was run on a GPU](gpu.md#proof)). Of PyTorch
both variants lock one set on Linux x86_64, which is run once.

"Real model" is a trained TinyYOLOv3 and two photographs, the same model file in every environment of an ImageAI: "yes"
means that every object was found, with its probability (to {per_cent} %) and its box (to {pixels} pixel), and nothing
else ([which](compatibility.md#one-model-two-photographs)). "Images/s" is how many photographs in a second ImageAI
answers for with that model at 416 pixels, the fastest of {repeats} calls on the same busy machine.

| template | framework | ImageAI | Python | variant | {columns} | probe s | memory MB | size MB | date |
|---|---|---|---|---|{lines}|---|---|---|---|
"""


def tool(*words: str) -> tuple[int, dict[str, Any]]:
    """Run the command line with ``--json`` and return exit code and data."""
    done = subprocess.run(
        [sys.executable, "-m", "imageai_envs", *words, "--json"], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def cells(templates: list[str], variant: str, *, newest: bool) -> list[tuple[str, str, str]]:
    """Return template, Python minor and variant of each cell; with ``newest`` only the newest Python of each."""
    _, answer = tool("python", "list")
    pythons: dict[str, list[str]] = {}
    for one in answer["data"]["pythons"]:
        for name in one["templates"]:
            minor = ".".join(one["version"].split(".")[:2])
            if minor not in pythons.setdefault(name, []):
                pythons[name].append(minor)
    found = []
    for name in templates:
        minors = sorted(pythons.get(name, []), key=lambda text: int(text.split(".")[1]), reverse=True)
        found += [(name, minor, variant) for minor in minors[: 1 if newest else None]]
    # The newest Python of every template first: a run that is interrupted has proved what most people use.
    return sorted(found, key=lambda cell: -int(cell[1].split(".")[1]))


def run_cell(
    template: str, python: str, variant: str, *words: str, proved: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Create and prove one environment; return its record, None when it could not be created.

    Args:
        template: its name.
        python: minor version.
        variant: cpu or gpu.
        words: options of ``create``.
        proved: the record of this cell; then only the real model is run, and put into it.
    """
    name = f"matrix-{template}-{python}-{variant}"
    verify = "none" if proved else "imports"
    code, answer = tool(
        "create",
        name,
        "--template",
        template,
        "--python",
        python,
        f"--{variant}",
        "--force",
        "--verify",
        verify,
        *words,
    )
    if code:
        print(f"{template} {python} {variant}: failed ({code}): {answer['errors'][0]['message']}", flush=True)
        return None
    state = answer["data"]["environment"]
    root = Path(state["root"])
    context = Context(home(), Silent(), Log(root.parent / f"{name}.log"))
    if proved:
        record = proved
    else:
        proof = prove(root, context, variant=variant, script=probe_of(state["imageai"]))
        _, shown = tool("show", name)
        record = describe(state, proof, shown["data"]["bytes"], variant)
    record = with_objects(record, detect(root, context, state["imageai"], variant=variant))
    if not proved:
        keep_lock(read_lock(root / ".imageai-env" / "requirements.txt"), record)
    tool("remove", name, "--yes")
    for line in record["failures"]:
        print(f"    {line}", flush=True)
    return record


def with_objects(record: dict[str, Any], objects: Objects) -> dict[str, Any]:
    """Return the record of a cell with what the real model answered there."""
    before = [line for line in record["failures"] if not line.startswith("real model: ")]
    return {
        **record,
        "failures": [*before, *objects.failures],
        "objects": not objects.failures,
        "images_per_second": objects.images_per_second,
        "import_seconds": objects.import_seconds,
    }


def describe(state: dict[str, Any], proof: Proof, size: int, variant: str) -> dict[str, Any]:
    """Return the record of a cell, without the real model."""
    return {
        "template": state["template"],
        "variant": variant,
        "target": state["target"],
        **{name: state[name] for name in ("tensorflow", "torch") if name in state},
        "imageai": state["imageai"],
        "python": state["python_version"],
        "features": dict(proof.features),
        "failures": list(proof.failures()),
        "stages": len(proof.stages),
        "seconds": round(proof.seconds),
        "peak_mb": proof.peak_rss_mb,
        "size_mb": size // 1_000_000,
        "date": str(datetime.now(timezone.utc).date()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def keep_lock(lock: Lock, record: dict[str, Any]) -> None:
    """Write the lock with its proof into ``templates/locks``; say what moved."""
    path = TEMPLATES / "locks" / record["template"] / f"{record['variant']}-{record['target']}.txt"
    works = sum(record["features"].values())
    proved = (
        f"{record['date']} on {record['system']}, CPython {record['python']}: "
        f"{works} of {len(record['features'])} features of ImageAI"
    )
    if record["variant"] == "gpu":
        proved += ", on the processor; all CUDA libraries opened"
    if path.is_file():
        for change in compare(read_lock(path).pins, lock.pins):
            print(f"    moved: {change}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = replace(lock.header, verified=proved)
    path.write_text(replace(lock, header=header).render(), encoding="utf-8")


def write(records: list[dict[str, Any]], order: list[str]) -> None:
    """Write the record and its table."""
    records.sort(key=lambda r: (order.index(r["template"]), r["variant"], -int(r["target"].split("-")[0][3:])))
    text = json.dumps({"schema": 1, "cells": records}, indent=1)
    (TEMPLATES / "matrix.json").write_text(text + "\n", encoding="utf-8")
    DOCUMENT.write_text(page(records), encoding="utf-8")
    text = CHOICES.read_text(encoding="utf-8")
    CHOICES.write_text(with_measures(text, records), encoding="utf-8")


def with_measures(text: str, records: list[dict[str, Any]]) -> str:
    """Return the page on which to take with its table: the newest Python of each template for the processor."""
    lines = [
        "| template | Python | size MB | memory MB | import of `imageai.Detection` s | images/s |",
        "|---|---|---|---|---|---|",
    ]
    seen = set()
    for record in records:
        template = record["template"]
        if record["variant"] != "cpu" or template in seen or template.endswith("-headless"):
            continue
        seen.add(template)
        measured = (record["size_mb"], record["peak_mb"], record.get("import_seconds"), record.get("images_per_second"))
        words = (template, ".".join(record["python"].split(".")[:2]), *(one or "" for one in measured))
        lines.append(f"| {' | '.join(map(str, words))} |")
    before, rest = text.split(MEASURED)
    return before + MEASURED + "\n".join([*lines, END]) + rest.partition(END)[2]


def page(records: list[dict[str, Any]]) -> str:
    """Return ``docs/matrix.md``: a row a record, in their order."""
    features = list(dict.fromkeys(name for record in records for name in record["features"]))
    rows = []
    for record in records:
        proofs = [*(record["features"].get(name) for name in features), record.get("objects")]
        marks = [{True: "yes", False: "**no**"}.get(proof, "") for proof in proofs]
        first = (record["template"], release_in(record), record["imageai"], record["python"], record["variant"])
        rate = record.get("images_per_second") or ""
        last = (rate, record["seconds"], record["peak_mb"], record["size_mb"], record["date"])
        rows.append(f"| {' | '.join(map(str, (*first, *marks, *last)))} |")
    columns = [*features, "real model", "images/s"]
    lines = "|".join("---" for _ in columns)
    head = HEAD.format(columns=" | ".join(columns), lines=lines, per_cent=PER_CENT, pixels=PIXELS, repeats=REPEATS)
    return head + "\n".join(rows) + "\n"


def main() -> int:
    """Run the cells; 1 if one could not be created, or does not do all that it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("templates", nargs="*", help="default: all that are shipped")
    parser.add_argument("--variant", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--newest", action="store_true", help="only the newest Python of each template")
    parser.add_argument("--upgrade", action="store_true", help="resolve again instead of taking the verified locks")
    parser.add_argument("--resume", action="store_true", help="leave out what was proved already")
    parser.add_argument("--objects", action="store_true", help="add the real model to cells that are proved already")
    arguments = parser.parse_args()
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    known = [entry.template.name for entry in load_catalog(home()).entries if entry.origin == "shipped"]
    try:
        records = json.loads((TEMPLATES / "matrix.json").read_text(encoding="utf-8"))["cells"]
    except OSError:
        records = []
    failed = 0
    for template, python, variant in cells(arguments.templates or known, arguments.variant, newest=arguments.newest):
        start = f"cp{python.replace('.', '')}-"
        same = [
            r for r in records if (r["template"], r["variant"]) == (template, variant) and r["target"].startswith(start)
        ]
        if arguments.objects:
            if not same or (arguments.resume and "objects" in same[0]):
                continue
            record = run_cell(template, python, variant, proved=same[0])
        elif arguments.resume and same:
            continue
        else:
            record = run_cell(template, python, variant, *(["--upgrade"] if arguments.upgrade else []))
        if record is None:
            failed += 1
            continue
        records = [one for one in records if one not in same] + [record]
        write(records, known)
        works = sum(record["features"].values())
        failed += works < len(record["features"]) or not record["objects"]
        answers = f"{works}/{len(record['features'])} in {record['seconds']} s, {record['images_per_second']} images/s"
        print(f"{template} {python} {variant}: {answers}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
