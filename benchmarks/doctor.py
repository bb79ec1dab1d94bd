"""``doctor`` on a real TensorFlow environment, against a walk through its metadata and ``pip check``.

All three as whole processes. Run by ``nox -s bench``; ``--environment`` names one that is there already.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import call, compare

# The least that anybody must do who wants to know what is installed.
WALK = "import importlib.metadata as m; [d.metadata for d in m.distributions()]"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tf", default="2.10")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--environment", type=Path, help="a directory; default: a new one is made")
    arguments = parser.parse_args()
    tool = [sys.executable, "-m", "imageai_envs"]
    with tempfile.TemporaryDirectory(prefix="imageai-env-bench-") as directory:
        os.environ["IMAGEAI_ENV_HOME"] = directory
        root = arguments.environment
        if root is None:
            call(*tool, "create", "x", "--tf", arguments.tf, "--verify", "none")
            root = Path(directory) / "envs" / "x"
        python = root / "bin" / "python"

        def doctor() -> None:  # ends with 1 where something is wrong: on a machine without libGL, for one
            subprocess.run([*tool, "doctor", root], capture_output=True, check=False)

        def pip_check() -> None:  # always ends with 1 here: ImageAI's own pins are not met, on purpose
            subprocess.run([python, "-m", "pip", "check"], capture_output=True, check=False)

        compare("doctor / importlib.metadata walk", doctor, lambda: call(python, "-c", WALK), arguments.rounds)
        compare("doctor / pip check", doctor, pip_check, arguments.rounds)


if __name__ == "__main__":
    main()
