"""Kill, crowd and starve the command line, and look at what is left. Run by ``nox -s chaos``.

Everything is real (processes, signals, a full tmpfs) except the index, which serves tiny wheels from this machine, and
except what :mod:`tests.chaos.in_one_process` says of itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos import in_one_process, with_kills
from tests.chaos.playing import WRONG
from tests.chaos.sequences import draw, smallest
from tests.conftest import CACHE, tiny_template
from tests.support.catalogue import write_catalogue
from tests.support.index import Index
from tests.support.report import write_section

if TYPE_CHECKING:
    from tests.chaos.playing import Player

TOOL = (sys.executable, "-m", "imageai_envs")
MADE = ("--template", "tiny", "--verify", "imports", "-q")
CHANGES = (
    ("create", "x", "--force", *MADE),
    ("create", "x", "--force", "--tf", "2.10.0", *MADE),
    ("recreate", "x", "-q"),
    ("sync", "x", "more.txt", "-q"),
    ("sync", "x", "less.txt", "-q"),
    ("upgrade", "x", "--with", "pytz", "-q"),
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*TOOL, *words], capture_output=True, text=True, check=False, timeout=600)


def store() -> Path:
    """Return where environments lie."""
    return Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs"


def healthy(name: str) -> bool:
    """Tell whether an environment is exactly its lock and its Python imports ImageAI."""
    answer = run("check", name, "--json")
    used = run("run", name, "--", "python", "-c", "import imageai.Detection, tensorflow, numpy")
    return answer.returncode == 0 and used.returncode == 0


def leftovers() -> list[str]:
    """Return what is in the store beside environments."""
    return [path.name for path in store().iterdir() if path.name.startswith(".")]


def kills(count: int, chance: random.Random) -> Counter[str]:
    """Kill -9 a change at a random moment; whatever command comes next must find a working environment."""
    result: Counter[str] = Counter()
    run("create", "x", "--force", *MADE)
    durations: dict[tuple[str, ...], float] = {}
    for words in CHANGES:
        start = time.monotonic()
        run(*words)
        durations[words] = time.monotonic() - start
    for seen in ("environment lost", "half-built one called healthy"):
        result[seen] = 0
    while result["killed"] < count:
        words = chance.choice(CHANGES)
        child = subprocess.Popen([*TOOL, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(timeout=chance.uniform(0, durations[words]))
            result["ended before the kill"] += 1
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            result["killed"] += 1
        run("list", "--json")  # the next command, whichever it is
        if not (store() / "x").is_dir():
            result["environment lost"] += 1
            run("create", "x", *MADE)
        elif not healthy("x"):
            result["half-built one called healthy"] += 1
            run("create", "x", "--force", *MADE)
        result["leftovers"] += len(leftovers())
    return result


def crowd(count: int, chance: random.Random) -> Counter[str]:
    """Start many changes at once, on the same and on different names."""
    result: Counter[str] = Counter()
    names = ("p", "q", "r")
    for name in names:
        run("create", name, *MADE)
    children = []
    for _ in range(count):
        name = chance.choice(names)
        change = chance.choice(
            (
                ("create", name, "--force", *MADE),
                ("recreate", name, "-q"),
                ("sync", name, "more.txt", "-q"),
                ("remove", name, "--yes"),
            )
        )
        children.append(subprocess.Popen([*TOOL, *change], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for child in children:
        try:
            result[f"exit {child.wait(timeout=900)}"] += 1
        except subprocess.TimeoutExpired:  # noqa: PERF203 - each child is judged
            child.kill()
            result["deadlocked"] += 1
    there = [name for name in names if (store() / name).exists()]
    result["corrupted environments"] = sum(not healthy(name) for name in there)
    result["leftovers"] = len(leftovers())
    for name in there:
        run("remove", name, "--yes")
    return result


def full_disk(count: int, place: Path) -> Counter[str]:
    """Let the disk become full at different points of a replacement; needs root, for a small tmpfs."""
    result: Counter[str] = Counter()
    before = os.environ["IMAGEAI_ENV_HOME"]
    mount = place / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", mount], check=True)
    os.environ["IMAGEAI_ENV_HOME"] = str(mount / "home")
    try:
        run("create", "x", *MADE)
        for point in range(count):
            free = os.statvfs(mount)
            room = int(point * 25e6 / count)
            ballast = mount / "ballast"
            with ballast.open("wb") as stream:
                stream.truncate(0)
                stream.write(b"\0" * max(0, free.f_bavail * free.f_frsize - room))
            done = run("create", "x", "--force", *MADE)
            ballast.unlink()
            result[f"exit {done.returncode}"] += 1
            result["without a clear error"] += int(done.returncode != 0 and "error: " not in done.stderr)
            run("list", "--json")
            result["environments lost or broken"] += int(not healthy("x"))
            result["leftovers"] += len(leftovers())
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
        for words in CHANGES:
            done = run(*words)
            result["read-only: refused"] += int(done.returncode == 6)
            result["read-only: without a clear error"] += int("error: " not in done.stderr)
        subprocess.run(["mount", "-o", "remount,rw", mount], check=True)
        result["read-only: environments lost or broken"] = int(not healthy("x"))
    finally:
        os.environ["IMAGEAI_ENV_HOME"] = before
        subprocess.run(["umount", mount], check=True)
    return result


def sequences_in_one_process(count: int, seed: int, place: Path) -> Counter[str]:
    """Play sequences of what people do and of our commands, with a fault at a file-system call of most commands."""
    with in_one_process.player(place) as (player, commands):
        result = _play(player, count, seed)
        result["faults that struck"] = commands.struck
        result["different ones (command, call, which of them, error)"] = len(commands.hits)
    return result


def sequences_with_kills(count: int, seed: int, place: Path) -> Counter[str]:
    """Play sequences with real processes, most of them killed at a random moment."""
    files = place / "files"
    files.mkdir()
    (files / "tiny.toml").write_text(tiny_template(), encoding="utf-8")
    for name, lock in (("a", "less.txt"), ("b", "more.txt")):
        (files / f"{name}.txt").write_bytes(Path(lock).read_bytes())
    with with_kills.player(place, files) as (player, commands):
        result = _play(player, count, seed)
        result["commands killed"] = commands.killed
    return result


def _play(player: Player, count: int, seed: int) -> Counter[str]:
    """Play ``count`` sequences; show the first that went wrong, without all that it goes wrong without, too."""
    result = Counter(dict.fromkeys(WRONG, 0))
    for number in range(count):
        sequence = draw(random.Random(f"{seed} {number}"))
        result["commands"] += len(sequence.steps)
        wrong = player.play(sequence)
        if wrong and not any(result[what] for what in WRONG):
            print(wrong[0], smallest(sequence, lambda candidate: bool(player.play(candidate))), sep="\n", flush=True)
        for text in wrong:
            result[text.partition(":")[0]] += 1
    return result


def prepare(place: Path) -> Index:
    """Set up a hermetic machine: index, template, two locks."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "IMAGEAI_ENV_"))]:
        del os.environ[name]
    files = place / "index"
    files.mkdir()
    write_catalogue(files, CACHE)
    index = Index(files)
    index.start()
    os.environ.update(
        {
            "IMAGEAI_ENV_HOME": str(place / "home"),
            "PIP_INDEX_URL": index.url,
            "UV_DEFAULT_INDEX": index.url,
            "PIP_CONFIG_FILE": os.devnull,
            "UV_NO_CONFIG": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
    )
    project = place / "project"
    (project / ".imageai-env" / "templates").mkdir(parents=True)
    (project / ".imageai-env" / "templates" / "tiny.toml").write_text(tiny_template(), encoding="utf-8")
    os.chdir(project)
    for name, more in (("more", ("--with", "pandas<2")), ("less", ())):
        done = run("lock", "--template", "tiny", *more, "-o", f"{name}.txt")
        if done.returncode:
            sys.exit(done.stderr)
    return index


def main() -> int:
    """Run the experiments; 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--crowd", type=int, default=20)
    parser.add_argument("--full", type=int, default=20)
    parser.add_argument("--sequences", type=int, default=2000, help="in one process")
    parser.add_argument("--killed-sequences", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2106)
    parser.add_argument("--output", type=Path, default=Path("docs/reliability.md"))
    arguments = parser.parse_args()
    output, chance = arguments.output.absolute(), random.Random(arguments.seed)
    results: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="imageai-env-chaos-", ignore_cleanup_errors=True) as directory:
        index = prepare(Path(directory))
        grounds = [Path(directory, name) for name in ("one", "many")]
        for ground in grounds:
            ground.mkdir()
        results[
            f"{arguments.sequences} sequences of commands and edits in one process, faults at file-system calls"
        ] = sequences_in_one_process(arguments.sequences, arguments.seed, grounds[0])
        results[f"{arguments.killed_sequences} sequences of commands and edits, kill -9 at random moments"] = (
            sequences_with_kills(arguments.killed_sequences, arguments.seed, grounds[1])
        )
        results[f"kill -9 at {arguments.kills} random moments"] = kills(arguments.kills, chance)
        results[f"{arguments.crowd} changes at once on three names"] = crowd(arguments.crowd, chance)
        if os.geteuid() == 0:
            results[f"a full disk at {arguments.full} points, then a read-only one"] = full_disk(
                arguments.full, Path(directory)
            )
        os.chdir(output.parent)
        index.stop()
    print(json.dumps(results, indent=1))
    bad = ("lost", "half-built", "leftovers", "corrupted", "deadlocked", "without", *WRONG)
    lines = [
        f"What `nox -s chaos` saw on {datetime.now(timezone.utc).date()} (seed {arguments.seed}): real processes and",
        "signals, tiny wheels from an index on the same machine.",
        "",
        "| experiment | seen | count |",
        "|---|---|---|",
    ]
    failed = 0
    for title, counter in results.items():
        failed += sum(number for key, number in counter.items() if any(what in key for what in bad))
        lines += [f"| {title} | {key} | {number} |" for key, number in counter.items()]
    write_section(output, "Chaos", lines)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
