"""Run a probe inside an environment and read its answer."""

from __future__ import annotations

from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import parse_json
from imageai_envs.base.paths import environment_python
from imageai_envs.base.process import Finished, clean_environment, run
from imageai_envs.base.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.base.context import Context


MARK = "@@imageai-env@@"


def run_probe(
    root: Path,
    script: str,
    arguments: tuple[str, ...],
    context: Context,
    *,
    timeout: float,
    variables: Mapping[str, str] | None = None,
) -> tuple[Finished, dict[str, object] | None]:
    """Run ``probes/script`` with the Python of the environment at ``root``; return its end, and its answer if any.

    ``{directory}`` in an argument becomes a scratch directory, which is also its home and its place
    for temporary files: Keras writes ~/.keras, matplotlib a font cache, and neither must decide whether it works.

    Raises:
        InstallError: it cannot be started, or took longer than ``timeout`` seconds.
    """
    path = package_files("imageai_envs.verification.probes") / script
    with scratch(context.home, "probe") as work:
        directory = str(work)
        environment = clean_environment(
            {
                "HOME": directory,
                "USERPROFILE": directory,
                **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), directory),  # TensorFlow leaves what it generates there
                "MPLCONFIGDIR": directory,
                "MPLBACKEND": "Agg",
                "TF_CPP_MIN_LOG_LEVEL": "2",
                **(variables or {}),
            }
        )
        done = run(
            [
                environment_python(root),
                "-I",
                str(path),
                *(word.replace("{directory}", directory) for word in arguments),
            ],
            environment=environment,
            cwd=work,
            log=context.log,
            on_line=lambda line: None if line.startswith(MARK) else context.reporter.output(line),
            timeout=timeout,
        )
    return done, _read_answer(done)


def _read_answer(done: Finished) -> dict[str, object] | None:
    for line in reversed(done.stdout.splitlines()):
        _, mark, text = line.partition(MARK)
        if mark:
            try:
                answer = parse_json(text)
            except ValueError:
                return None
            return answer if isinstance(answer, dict) else None
    return None
