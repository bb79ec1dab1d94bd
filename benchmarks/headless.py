"""Prove what ``tf2.10-headless`` is for, in a Debian that has no libGL: ``tf2.10`` fails there and says why. As root.

Run by ``nox -s headless``. debootstrap makes the Debian. This checkout, the Python that runs it, the Python of the
environments, uv's cache and the certificates are seen in there at the places where they are here.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from matrix import tool

SUITE = "bookworm"
# What a Python that was built on a Debian is linked against, and certificates.
PACKAGES = "ca-certificates,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g"
CHECKOUT = Path(__file__).resolve().parents[1]
SYSTEM = (Path("/"), Path("/usr"))
TEMPLATES = ("tf2.10", "tf2.10-headless")


def lacking() -> str:
    """Return what this machine lacks for it; empty when it has all."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root, for debootstrap and chroot"
    if Path(sys.base_prefix) in SYSTEM:
        return f"{sys.executable} is the system's Python, whose libraries would come along: it needs another one"
    absent = [name for name in ("debootstrap", "unshare", "chroot", "mount") if shutil.which(name) is None]
    if absent:
        return f"there is no {', '.join(absent)} here"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return f"no mounts of our own: {done.stderr.strip()}" if done.returncode else ""


def interpreter() -> tuple[str, Path] | None:
    """Return the newest Python for the template that is a directory of its own, and that directory."""
    _, answer = tool("python", "list")
    fitting = [one for one in answer["data"]["pythons"] if TEMPLATES[1] in one["templates"]]
    for one in sorted(fitting, key=lambda one: [int(part) for part in one["version"].split(".")], reverse=True):
        path = Path(one["executable"]).resolve()
        if path.parents[1] not in SYSTEM:
            return str(path), path.parents[1]
    return None


def create(root: Path, template: str, python: str, seen: list[Path]) -> tuple[int, dict[str, Any]]:
    """Run ``create`` inside ``root``; the mounts end with the process."""
    lines = ["set -e", "mount --make-rprivate /"]
    for path in seen:
        inside = shlex.quote(f"{root}{path}")
        lines.append(f"mkdir -p {inside} && mount --bind {shlex.quote(str(path))} {inside}")
    words = [sys.executable, "-m", "imageai_envs", "create", template, "--template", template]
    words += ["--python", python, "--force", "--json"]
    lines.append(f"exec chroot {shlex.quote(str(root))} {shlex.join(words)}")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "XDG_"))}
    variables |= {"HOME": "/root", "IMAGEAI_ENV_HOME": "/store", "PYTHONPATH": str(CHECKOUT), "PWD": "/"}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "\n".join(lines)], env=variables, stdout=subprocess.PIPE, check=False
    )
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    return done.returncode, answer


def prove(root: Path) -> int:
    """Make the Debian at ``root`` unless it is there, and both environments in it; 0 when they do as they should."""
    if not (root / "bin" / "sh").exists():
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root], check=True)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    found = interpreter()
    if found is None:
        print(f"skipped: no Python for {TEMPLATES[1]} here that is a directory of its own")
        return 0
    python, prefix = found
    seen = [Path(sys.base_prefix), Path(sys.prefix), CHECKOUT, prefix, *map(Path, ("/dev", "/proc", "/etc/ssl"))]
    if shutil.which("uv"):
        done = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True)
        os.environ["UV_CACHE_DIR"] = done.stdout.strip()
        seen.append(Path(done.stdout.strip()))
    print(f"libGL in {root}: {len(list(root.glob('usr/lib/**/libGL*')))} files", flush=True)
    failed, answer = create(root, TEMPLATES[0], python, seen)
    errors = answer.get("errors") or [{"message": "", "hint": ""}]
    print(f"{TEMPLATES[0]}: exit {failed}\n{errors[0]['message']}\nhint: {errors[0].get('hint')}", flush=True)
    works, answer = create(root, TEMPLATES[1], python, seen)
    print(f"{TEMPLATES[1]}: exit {works}\n{json.dumps(answer['data'].get('verification'), indent=1)}", flush=True)
    return 0 if failed == 7 and "libGL" in errors[0]["message"] and works == 0 else 1  # 7: not proved


def main() -> int:
    """Do it; 0 too where it cannot be done, with the reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="where the Debian lies, or is made; default: a temporary directory")
    arguments = parser.parse_args()
    problem = lacking()
    if problem:
        print(f"skipped: {problem}")
        return 0
    if arguments.root:
        return prove(arguments.root.resolve())
    with tempfile.TemporaryDirectory() as directory:
        return prove(Path(directory) / "root")


if __name__ == "__main__":
    sys.exit(main())
