"""doctor: virtual environments that are not whole, PATH that leads elsewhere, kernels of another Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.doctor.inspections import kernels, venv_misuse
from imageai_envs.doctor.subject import Subject, look_at

if TYPE_CHECKING:
    from imageai_envs.base.finding import Finding

SYSTEM = "/nonexistent/bin"  # what is in /usr/bin differs from machine to machine
REAL = Path(sys.executable).resolve()
# What `pyenv rehash` writes (pyenv 2.6).
SHIM = """\
#!/usr/bin/env bash
set -e
[ -n "$PYENV_DEBUG" ] && set -x

program="${{0##*/}}"

export PYENV_ROOT="{root}"
exec "{root}/libexec/pyenv" exec "$program" "$@"
"""


def environ(path: str = SYSTEM, **variables: str) -> dict[str, str]:
    return {"PATH": path, "HOME": os.environ["HOME"], **variables}


def make(root: Path, base: Path = REAL) -> Path:
    subprocess.run([base, "-m", "venv", "--without-pip", root], check=True)
    return root


def see(root: Path, **variables: str) -> Subject:
    return look_at(root / "bin" / "python", label=root.name, root=root, environ=environ(**variables))


def ids(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity, finding.id) for finding in findings]


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return make(tmp_path / "env")


def test_a_new_environment_is_whole(env: Path) -> None:
    assert ids(venv_misuse.inspect(see(env))) == [("note", "no-pip")]


def test_an_environment_with_pip_has_nothing_to_say(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", tmp_path / "env"], check=True)
    assert venv_misuse.inspect(see(tmp_path / "env")) == []


def test_a_global_python_is_no_environment() -> None:
    subject = look_at(REAL, label="python", environ=environ())
    assert subject.kind == "global"
    assert ids(venv_misuse.inspect(subject)) == [("note", "no-venv")]


def test_an_environment_without_its_pyvenv_cfg(env: Path) -> None:
    (env / "pyvenv.cfg").unlink()
    subject = look_at(env / "bin" / "python", label="env", environ=environ())
    assert subject.root is None
    [finding] = venv_misuse.inspect(subject)
    assert (finding.severity, finding.id, finding.subject) == ("error", "pyvenv-cfg", str(env / "pyvenv.cfg"))
    assert finding.fix == f"imageai-env rescue {env} --name myproj"


def test_python_removed_below_an_environment(tmp_path: Path) -> None:
    base = tmp_path / "base" / "bin" / "python3"
    base.parent.mkdir(parents=True)
    base.symlink_to(REAL)
    root = make(tmp_path / "env", base)
    assert ids(venv_misuse.inspect(see(root))) == [("note", "no-pip")]
    shutil.rmtree(tmp_path / "base")
    subject = see(root)
    assert subject.facts is None
    findings = venv_misuse.inspect(subject)
    assert ids(findings) == [("error", "python-missing")]
    assert str(base) in findings[0].evidence, "the end of the chain of links is named"
    assert findings[0].fix.startswith(f"imageai-env rescue {root} --name")


def test_python_deleted_from_an_environment(env: Path) -> None:
    (env / "bin" / "python").unlink()
    assert ids(venv_misuse.inspect(see(env))) == [("error", "python-missing")]


def test_python_that_may_not_be_executed(env: Path) -> None:
    (env / "bin" / "python").unlink()
    (env / "bin" / "python").write_bytes(b"")
    assert ids(venv_misuse.inspect(see(env))) == [("error", "python-not-executable")]


def test_pyvenv_cfg_without_home_or_with_one_that_is_gone(env: Path) -> None:
    dead = Subject("env", env / "bin" / "python", env, None, None, "exit status 1", environ())
    assert venv_misuse.inspect(dead) == [], "files are as they should be: what silenced it is for others to say"
    (env / "pyvenv.cfg").write_text("home = /nowhere/bin\n")
    assert ids(venv_misuse.inspect(dead)) == [("error", "python-missing")]
    (env / "pyvenv.cfg").write_text("version = 3.10.13\n")
    assert ids(venv_misuse.inspect(dead)) == [("error", "pyvenv-cfg")]


def test_an_environment_that_was_renamed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", tmp_path / "before"], check=True)
    root = (tmp_path / "before").rename(tmp_path / "after")
    (finding,) = venv_misuse.inspect(see(root))
    assert (finding.severity, finding.id, finding.subject) == ("error", "moved", str(root))
    assert f"activates {tmp_path / 'before'}" in finding.evidence
    assert f"start {tmp_path / 'before'}/bin/python" in finding.evidence


def test_an_environment_that_was_copied(env: Path, tmp_path: Path) -> None:
    executable(env / "bin" / "tool", f"#!{env}/bin/python\n")
    copy = Path(shutil.copytree(env, tmp_path / "copy", symlinks=True))
    assert ids(venv_misuse.inspect(see(env))) == [("note", "no-pip")]
    assert ids(venv_misuse.inspect(see(copy))) == [("error", "moved"), ("note", "no-pip")]


def test_another_name_of_the_same_place_is_no_move(env: Path, tmp_path: Path) -> None:
    executable(env / "bin" / "tool", f"#!{env}/bin/python\n")
    (tmp_path / "other").symlink_to(env)
    assert ids(venv_misuse.inspect(see(tmp_path / "other"))) == [("note", "no-pip")]


def test_scripts_may_start_the_systems_python(env: Path) -> None:
    executable(env / "bin" / "tool", f"#!{REAL}\n")
    assert ids(venv_misuse.inspect(see(env))) == [("note", "no-pip")]


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        ('VIRTUAL_ENV="/elsewhere"', True),  # venv to Python 3.12
        ("    export VIRTUAL_ENV='/else where'", True),  # venv of Python 3.13
        ('    VIRTUAL_ENV=$(cygpath "/elsewhere")', False),  # its branch for Windows
        ("        VIRTUAL_ENV=/elsewhere", True),  # virtualenv
        ('        VIRTUAL_ENV="$CURRENT_ENV"', False),
        ("VIRTUAL_ENV=''\"$(dirname -- \"$(realpath -- \"$SCRIPT_PATH\")\")\"''", False),  # uv, relocatable
        ("VIRTUAL_ENV='", False),  # damaged
    ],
)  # fmt: skip
def test_spellings_of_activation_scripts(env: Path, line: str, moved: bool) -> None:
    (env / "bin" / "activate").write_text(f"# This file must be used with source\n{line}\nexport VIRTUAL_ENV\n")
    assert (("error", "moved") in ids(venv_misuse.inspect(see(env)))) is moved


def test_an_active_environment_first_on_path_is_right(env: Path) -> None:
    assert ids(venv_misuse.inspect(see(env, path=f"{env}/bin:{SYSTEM}", VIRTUAL_ENV=str(env)))) == [("note", "no-pip")]


def test_an_active_environment_behind_another_python(env: Path, tmp_path: Path) -> None:
    other = executable(tmp_path / "brew" / "python", "#!/bin/sh\n")
    findings = venv_misuse.inspect(see(env, path=f"{other.parent}:{env}/bin:{SYSTEM}", VIRTUAL_ENV=str(env)))
    assert ("warning", "wrong-python-first") in ids(findings)
    assert str(other) in findings[-1].evidence


def test_an_active_environment_that_is_gone(env: Path, tmp_path: Path) -> None:
    findings = venv_misuse.inspect(see(env, VIRTUAL_ENV=str(tmp_path / "gone")))
    assert ids(findings)[-1] == ("warning", "active-missing")


def test_no_path_at_all(env: Path) -> None:
    subject = look_at(env / "bin" / "python", label="env", root=env, environ={"VIRTUAL_ENV": str(env)})
    assert ("warning", "wrong-python-first") in ids(venv_misuse.inspect(subject))


def test_pip_of_another_python(env: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    executable(other / "bin" / "pip", f"#!{other}/bin/python\nimport sys\n")
    seen = {"path": f"{env}/bin:{other}/bin:{SYSTEM}", "VIRTUAL_ENV": str(env)}
    (finding,) = (found for found in venv_misuse.inspect(see(env, **seen)) if found.id == "other-pip")
    assert f"installs for {other}/bin/python" in finding.evidence
    executable(env / "bin" / "pip", f"#!{env}/bin/python\nimport sys\n")
    assert "other-pip" not in {found.id for found in venv_misuse.inspect(see(env, **seen))}


@pytest.fixture
def pyenv(tmp_path: Path) -> Path:
    """A root of pyenv with 3.9.18 and 3.10.13, and its shims in their real form."""
    root = tmp_path / "pyenv"
    for version in ("3.9.18", "3.10.9", "3.10.13"):
        (root / "versions" / version / "bin").mkdir(parents=True)
        (root / "versions" / version / "bin" / "python").symlink_to(REAL)
        executable(root / "versions" / version / "bin" / "pip", f"#!{root}/versions/{version}/bin/python\n")
    for name in ("python", "pip"):
        executable(root / "shims" / name, SHIM.format(root=root))
    return root


def shims(pyenv: Path, env: Path, version: str | None, **variables: str) -> list[Finding]:
    if version is not None:
        (pyenv / "version").write_text(version)
    empty = pyenv / "empty"
    empty.mkdir(exist_ok=True)
    subject = see(env, path=f"{pyenv}/shims:{empty}", **variables)
    return [found for found in venv_misuse.inspect(subject) if found.id != "no-pip"]


@pytest.mark.parametrize("version", ["3.9.18\n", "3.10\n", "# mine\n3.99\n3.9.18\n", "python-3.10\n"])
def test_shims_of_selected_versions_are_right(pyenv: Path, env: Path, version: str) -> None:
    assert [found.id for found in shims(pyenv, env, version)] == (["pyenv-version"] if "3.99" in version else [])


@pytest.mark.parametrize("version", ["3.8.1\n", "system\n", "", None, "../../etc\n"])
def test_a_shim_that_answers_127(pyenv: Path, env: Path, version: str | None) -> None:
    (finding,) = shims(pyenv, env, version)
    assert (finding.severity, finding.id) == ("warning", "pyenv-shim")
    assert finding.subject == str(pyenv / "shims" / "python")
    assert "3.9.18" in finding.fix


def test_a_python_version_file_above_the_directory(pyenv: Path, env: Path) -> None:
    (pyenv / "version").write_text("3.9.18")
    file = Path.cwd() / ".python-version"
    file.write_text("3.11.4\n")
    below = Path.cwd() / "a" / "b"
    below.mkdir(parents=True)
    os.chdir(below)
    (finding,) = shims(pyenv, env, None)
    assert finding.id == "pyenv-shim"
    assert f"3.11.4 is not installed ({file})" in finding.evidence
    assert shims(pyenv, env, None, PYENV_VERSION="3.10.13") == []


def test_pip_of_the_shims_beside_an_active_environment(pyenv: Path, env: Path) -> None:
    (pyenv / "version").write_text("3.10")
    findings = venv_misuse.inspect(see(env, path=f"{env}/bin:{pyenv}/shims", VIRTUAL_ENV=str(env)))
    (finding,) = (found for found in findings if found.id == "other-pip")
    assert f"{pyenv}/versions/3.10.13/bin/python" in finding.evidence, "the newest 3.10"


def kernel(share: Path, name: str, python: object, **more: object) -> Path:
    file = share / "kernels" / name / "kernel.json"
    file.parent.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    file.write_text(json.dumps({"argv": argv, "display_name": name, "language": "python", **more}))
    return file


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernels, "SYSTEM_DIRECTORIES", ())
    return Path(os.environ["HOME"]) / ".local" / "share" / "jupyter"


def install(root: Path, name: str, version: str) -> None:
    site = next((root / "lib").glob("python*/site-packages"))
    (site / f"{name}-{version}.dist-info").mkdir()


def test_healthy_kernels(env: Path, user: Path) -> None:
    install(env, "ipykernel", "6.29.0")
    kernel(env / "share" / "jupyter", "python3", "python")
    kernel(user, "env", str(env / "bin" / "python"))
    kernel(user, "bash", "/nowhere/bash", language="bash", argv=["/nowhere/bash"])
    assert kernels.inspect(see(env)) == []


def test_a_kernel_whose_python_is_gone(env: Path, user: Path) -> None:
    theirs = kernel(user, "old", "/gone/bin/python")
    mine = kernel(env / "share" / "jupyter", "python3", f"{env}/bin/python2.7")
    found = {finding.subject: finding for finding in kernels.inspect(see(env))}
    assert {path: item.severity for path, item in found.items()} == {str(theirs): "note", str(mine): "warning"}
    assert found[str(theirs)].fix == "jupyter kernelspec remove old"
    assert f"--prefix {env}" in found[str(mine)].fix


def test_a_kernel_in_the_environment_that_starts_another_python(env: Path, user: Path) -> None:
    kernel(env / "share" / "jupyter", "python3", str(REAL))
    assert ids(kernels.inspect(see(env))) == [("warning", "kernel-elsewhere")]


def test_a_kernel_with_the_environments_name(tmp_path: Path, user: Path) -> None:
    mine, other = make(tmp_path / "imageai"), make(tmp_path / "torch")
    kernel(user, "imageai", str(other / "bin" / "python"))
    kernel(user, "unrelated", str(other / "bin" / "python"))
    (finding,) = kernels.inspect(see(mine))
    assert (finding.id, finding.subject) == ("kernel-elsewhere", str(user / "kernels" / "imageai" / "kernel.json"))


def test_ipykernel_missing(env: Path, user: Path) -> None:
    kernel(user, "mine", str(env / "bin" / "python3"))
    assert ids(kernels.inspect(see(env))) == [("warning", "ipykernel-missing")]


def test_the_users_python3_before_jupyter_core_5(env: Path, user: Path) -> None:
    kernel(user, "python3", str(REAL))
    install(env, "jupyter_core", "4.12.0")
    assert ids(kernels.inspect(see(env))) == [("warning", "kernel-elsewhere")]
    assert kernels.inspect(see(env, JUPYTER_PREFER_ENV_PATH="1")) == []


def test_jupyters_variables(env: Path, user: Path, tmp_path: Path) -> None:
    kernel(tmp_path / "a", "one", "/gone/1")
    kernel(tmp_path / "b", "two", "/gone/2")
    kernel(user, "three", "/gone/3")
    path = f"{tmp_path}/a:{tmp_path}/a:"
    found = kernels.inspect(see(env, JUPYTER_PATH=path, JUPYTER_DATA_DIR=str(tmp_path / "b")))
    assert [Path(finding.subject).parent.name for finding in found] == ["one", "two"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[]", b"{}", b'{"argv": []}', b'{"argv": "python"}', b'{"argv": [7]}', b"[" * 100_000],
)
def test_damaged_kernels(env: Path, user: Path, content: bytes) -> None:
    file = kernel(user, "x", "y")
    file.write_bytes(content)
    assert ids(kernels.inspect(see(env))) == [("note", "kernel-damaged")]


def test_a_kernel_json_that_is_a_directory(env: Path, user: Path) -> None:
    (user / "kernels" / "x" / "kernel.json").mkdir(parents=True)
    assert ids(kernels.inspect(see(env))) == [("note", "kernel-damaged")]
