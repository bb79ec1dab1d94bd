"""How much slower than raw uv and pip is ``create``? Warm caches, same lock, same machine, alternating runs.

Run by ``nox -s bench``. Prints ratios of medians; absolute seconds are only there to judge the noise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Run, call, compare


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tf", default="2.10")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    import uv

    tool, raw = [sys.executable, "-m", "imageai_envs"], uv.find_uv_bin()
    with tempfile.TemporaryDirectory(prefix="imageai-env-bench-") as directory:
        place = Path(directory)
        os.environ["IMAGEAI_ENV_HOME"] = str(place / "home")
        lock, numbers = place / "lock.txt", itertools.count()
        call(*tool, "lock", "--tf", arguments.tf, "-o", lock)
        plan = subprocess.run(
            [*tool, "create", "x", "--tf", arguments.tf, "--dry-run", "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        planned = json.loads(plan.stdout)["data"]["plan"]
        python = planned["python"]["executable"]
        if planned["lock"] != "verified":
            sys.exit(f"There is no verified lock of TensorFlow {arguments.tf} for this machine.")

        # Every round makes a new environment, and nothing is deleted meanwhile: ext4 looks long for free inodes where
        # thousands were freed in the last minutes, which makes both sides slow and equal.
        def create(*words: str) -> Run:
            return lambda: call(*tool, "create", f"x{next(numbers)}", "--verify", "none", *words)

        def raw_uv(*words: str) -> Run:
            def run() -> None:
                root = place / "raw" / str(next(numbers))
                call(raw, "venv", "--quiet", "--python", python, root)
                python_in = root / "bin" / "python"
                call(raw, "pip", "sync", "--quiet", "--require-hashes", "--python", python_in, *words, lock)

            return run

        def raw_pip() -> None:
            root = place / "raw" / str(next(numbers))
            call(python, "-m", "venv", root)
            call(root / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", lock)

        def clear() -> None:  # what pip installs are copies, 1.4 GB each
            for made in (place / "raw", place / "home" / "envs"):
                shutil.rmtree(made, ignore_errors=True)

        rounds, few = arguments.rounds, max(2, arguments.rounds // 3)
        verified, given = ("--tf", arguments.tf), ("--lock", str(lock))
        raw_words = "uv venv + uv pip sync"
        compare(f"create, with the verified lock / {raw_words}", create(*verified), raw_uv(), rounds)
        compare(
            f"create, with the verified lock / {raw_words} --offline", create(*verified), raw_uv("--offline"), rounds
        )
        compare(f"create --lock / {raw_words}", create(*given), raw_uv(), rounds)
        compare("create, with the verified lock / venv + pip install", create(*verified), raw_pip, few, clear)
        compare(
            "create --lock --engine pip / venv + pip install", create(*given, "--engine", "pip"), raw_pip, few, clear
        )
    script = Path(sys.executable).with_name("imageai-env")
    start = [script] if script.exists() else tool
    compare(
        "imageai-env --help / python -c 'import click'",
        lambda: call(*start, "--help"),
        lambda: call(sys.executable, "-c", "import click"),
        20,
    )


if __name__ == "__main__":
    main()
