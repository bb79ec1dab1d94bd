"""Entry point of ``imageai-env`` and ``python -m imageai_envs``."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # A command makes some hundred thousand objects and keeps nearly all: looking for garbage in them every 700 takes a
    # tenth of its start.
    gc.set_threshold(100_000)
    from imageai_envs.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
