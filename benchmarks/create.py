"""How much slower than raw uv and pip is ``create``? Warm caches, same lock, same machine, alternating runs.

Run by ``nox -s bench``. Prints ratios of medians; absolute seconds are only there to judge the noise.
"""

from __future__ import annotations

import argparse
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
        lock, bare = place / "lock.txt", place / "bare"
        call(*tool, "lock", "--tf", arguments.tf, "-o", lock)
        plan = subprocess.run(
            [*tool, "create", "x", "--tf", arguments.tf, "--dry-run", "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        planned = json.loads(plan.stdout)["data"]["plan"]
        python = planned["python"]["executable"]

        def create(*words: str) -> Run:
            return lambda: call(*tool, "create", "x", "--verify", "none", *words)

        def clear() -> None:
            shutil.rmtree(bare, ignore_errors=True)
            if (place / "home" / "envs" / "x").exists():
                call(*tool, "remove", "x", "--yes")

        def raw_uv() -> None:
            call(raw, "venv", "--quiet", "--python", python, bare)
            call(raw, "pip", "sync", "--quiet", "--require-hashes", "--python", bare / "bin" / "python", lock)

        def raw_pip() -> None:
            call(python, "-m", "venv", bare)
            call(bare / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", lock)

        wanted = ("--tf", arguments.tf)
        if planned["lock"] != "verified":
            sys.exit(f"There is no verified lock of TensorFlow {arguments.tf} for this machine.")
        compare(
            "create, with the verified lock / uv venv + uv pip sync", create(*wanted), raw_uv, arguments.rounds, clear
        )
        compare("create --lock / uv venv + uv pip sync", create("--lock", str(lock)), raw_uv, arguments.rounds, clear)
        few = max(2, arguments.rounds // 3)
        compare("create, with the verified lock / venv + pip install", create(*wanted), raw_pip, few, clear)
        compare(
            "create --lock --engine pip / venv + pip install",
            create("--lock", str(lock), "--engine", "pip"),
            raw_pip,
            few,
            clear,
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
