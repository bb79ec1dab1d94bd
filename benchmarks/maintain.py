"""Recreating, syncing and checking a real TensorFlow environment, against raw uv and pip. Run by ``nox -s bench``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import call, compare


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
        root, bare = place / "home" / "envs" / "x", place / "bare"
        call(*tool, "create", "x", "--tf", arguments.tf, "--verify", "none")
        lock = root / ".imageai-env" / "requirements.txt"
        python = (root / "bin" / "python").resolve()

        def raw_uv() -> None:
            shutil.rmtree(bare, ignore_errors=True)
            call(raw, "venv", "--quiet", "--python", python, bare)
            call(raw, "pip", "sync", "--quiet", "--require-hashes", "--python", bare / "bin" / "python", lock)

        def raw_sync() -> None:
            call(raw, "pip", "sync", "--quiet", "--require-hashes", "--python", bare / "bin" / "python", lock)

        rounds = arguments.rounds
        compare("recreate / uv venv + uv pip sync", lambda: call(*tool, "recreate", "x"), raw_uv, rounds)
        compare("sync, nothing to do / uv pip sync", lambda: call(*tool, "sync", "x"), raw_sync, rounds)

        def pip_check() -> None:  # always ends with 1 here: ImageAI's own pins are not met, on purpose
            subprocess.run([root / "bin" / "python", "-m", "pip", "check"], capture_output=True, check=False)

        compare("check (every file hashed) / pip check", lambda: call(*tool, "check", "x"), pip_check, rounds)


if __name__ == "__main__":
    main()
