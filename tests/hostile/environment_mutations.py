"""Ways to make a valid environment hostile."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from tests.hostile.mutations import appended, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.ground import Ground
    from tests.hostile.mutations import Mutation

OURS = "store/envs/x"
THEIRS = "project/.venv"
META = ".imageai-env"


def state(root: str, **values: Any) -> Mutation:
    """Return the mutation of values of a state."""

    def mutate(ground: Ground) -> None:
        path = ground.world / root / META / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")

    return mutate


def in_site(root: str, change: Callable[[Ground, str], None]) -> Mutation:
    """Return a mutation in an environment's site-packages; ``change`` gets its path from the ground."""

    def mutate(ground: Ground) -> None:
        change(ground, str(ground.site(ground.world / root).relative_to(ground.world)))

    return mutate


def record(root: str, row: str) -> Mutation:
    """Return the mutation that adds a row to the RECORD of numpy."""
    return in_site(root, lambda ground, site: appended(f"{site}/{small(ground, site)}/RECORD", f"{row}\n")(ground))


def small(ground: Ground, site: str) -> str:
    """Return the name of the dist-info of numpy, below ``site``."""
    return next(path.name for path in (ground.world / site).glob("numpy-*.dist-info"))


def of_numpy(root: str, file: str, mutation: Callable[[str], Mutation]) -> Mutation:
    """Return a mutation of one file of the dist-info of numpy; ``mutation`` gets its path from the ground."""
    return in_site(root, lambda ground, site: mutation(f"{site}/{small(ground, site)}/{file}")(ground))


def clone_with_marker(ground: Ground) -> None:
    """Let the clone itself say that it is an environment that is being built."""
    meta = ground.project / META
    shutil.copy2(ground.theirs / META / "owner.json", meta / "owner.json")
    (meta / "building").touch()


def marker_of_ours(ground: Ground) -> None:
    """Give the environment of the clone the id of one of ours."""
    shutil.copy2(ground.ours / META / "owner.json", ground.theirs / META / "owner.json")


def rest_with_plan(ground: Ground) -> None:
    """Lay out what a kill leaves of an environment of ours, with a plan to keep what is not in it."""
    rest = ground.ours.with_name(".x.imageai-env-rest-12345678")
    (rest / META).mkdir(parents=True)
    shutil.copy2(ground.ours / META / "owner.json", rest / META / "owner.json")
    plan(str((rest / META / "keep.json").relative_to(ground.world)), "x-kept")(ground)


def plan(file: str, to: str) -> Mutation:
    """Return the mutation that writes a plan to keep what is outside."""
    outside = ["../../../canary/photo", "../../../canary/thesis"]
    return written(file, json.dumps({"to": to, "move": outside, "copy": ["../../../canary/photo"]}))


def waiting_beside(ground: Ground) -> None:
    """Put beside the environment of the clone what would wait for it, and be left of it."""
    shutil.copytree(ground.theirs / META, ground.project / "..venv.imageai-env-old" / META)
    shutil.copytree(ground.theirs / META, ground.project / "..venv.imageai-env-rest-12345678" / META)


def evil_python(ground: Ground) -> None:
    """Put a script of someone in the place of its Python."""
    python = ground.theirs / "bin" / "python"
    python.unlink()
    python.write_text(ground.fill("#!/bin/sh\ntouch {ground}/canary/pwned\n"), encoding="utf-8")
    python.chmod(0o755)


def nested(ground: Ground) -> None:
    """Put 1,500 directories in each other, and a file into the last."""
    handle = os.open(ground.ours, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(os.open("thesis", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)


def installed_is(kind: Callable[[str], Mutation]) -> Mutation:
    """Return a mutation of an installed file; ``kind`` gets its path from the ground."""
    return in_site(OURS, lambda ground, site: kind(f"{site}/numpy/__init__.py")(ground))


def rewrite_record(ground: Ground, path: object) -> None:
    """Let the record of our environment lead to another place."""
    (record,) = (ground.world / "store" / "records").iterdir()
    record.write_text(json.dumps({"schema": 1, "path": path}), encoding="utf-8")
