"""Animals in the wrong place: environments that moved, Pythons that are gone or silent, paths that lead elsewhere."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.zoo.animal import RUNS, UNKNOWN, animal
from tests.zoo.cage import SYSTEM_PATH, Cage, NotHere, Scene, pyenv_root, python, uv
from tests.zoo.packages import HEALTHY, IMAGEAI, TENSORFLOW, healthy, scene

if TYPE_CHECKING:
    from pathlib import Path


@animal("an environment with pip, renamed", "moved", "environment-moved")
def moved(cage: Cage) -> Scene:
    env = cage.venv("3.10", "before").rename(cage.root / "after")
    return Scene((env,), ("bash", "-c", f"{env}/bin/pip list"))


@animal("an environment copied with `cp -r`, the first one still there", "moved", RUNS)
def copied(cage: Cage) -> Scene:
    cage.venv("3.10", "first")
    shutil.copytree(cage.root / "first", cage.root / "second", symlinks=True)
    return Scene((cage.root / "second",), (cage.root / "second/bin/pip", "--version"))


@animal("the Python that an environment was made from, removed", "python-missing", UNKNOWN)
def dangling(cage: Cage) -> Scene:
    base = cage.installation("3.10")
    env = cage.venv("3.10", base=base / "bin/python3.10")
    shutil.rmtree(base)
    return Scene((env,), ("bash", "-c", f"{env}/bin/python -c pass"))


@animal("pyvenv.cfg deleted, so that the environment's Python is the one below", "pyvenv-cfg",
        "tensorflow-not-installed")  # fmt: skip
def no_pyvenv_cfg(cage: Cage) -> Scene:
    env = healthy(cage)
    (env / "pyvenv.cfg").unlink()
    return scene(env, TENSORFLOW)


@animal("PYTHONPATH leads to a directory with numpy 2.0.2, the environment has 1.23.5", "pythonpath-shadows", "numpy-2")
def pythonpath(cage: Cage) -> Scene:
    env = healthy(cage)
    cage.build(
        uv(), "pip", "install", "-q", "--python", env / "bin/python", "--target", cage.root / "lib", "numpy==2.0.2"
    )
    return Scene((env,), (env / "bin/python", "-c", TENSORFLOW), {"PYTHONPATH": str(cage.root / "lib")})


@animal("a file tensorflow.py in a project that PYTHONPATH names", "module-shadowed", "name-shadowed")
def module_shadowed(cage: Cage) -> Scene:
    env = healthy(cage)
    file = cage.write("project/tensorflow.py", "import tensorflow as tf\nprint(tf.constant(1))\n")
    return Scene((env,), (env / "bin/python", file), {"PYTHONPATH": str(file.parent)})


@animal("`pip install --user numpy==2.0.2`, seen through include-system-site-packages", "user-site-shadows", "numpy-2")
def user_site(cage: Cage) -> Scene:
    base = cage.installation("3.10")
    cage.build(base / "bin/python", "-m", "pip", "install", "-q", "--user", "--no-deps", "numpy==2.0.2")
    env = cage.venv("3.10", "env", "--system-site-packages", base=base / "bin/python")
    cage.put(env, "tensorflow-cpu==2.10.1", IMAGEAI)
    cage.install(env, *HEALTHY)
    cage.build(env / "bin/python", "-m", "pip", "uninstall", "-q", "-y", "numpy")
    return scene(env, TENSORFLOW)


@animal("numpy 2.0.2 in the Python below, seen through include-system-site-packages", "system-site-packages", "numpy-2")
def system_site_packages(cage: Cage) -> Scene:
    base = cage.installation("3.10")
    cage.put(base, "numpy==2.0.2")
    env = cage.venv("3.10", "env", "--system-site-packages", base=base / "bin/python")
    cage.install(env, *HEALTHY)
    cage.put(env, IMAGEAI)
    cage.build(uv(), "pip", "uninstall", "-q", "--python", env / "bin/python", "numpy")
    return scene(env, TENSORFLOW)


CONDA_BEFORE = ("numpy==1.23.5", "matplotlib==3.5.3", "h5py", "scipy==1.15.3", "pillow")


@animal("a conda-made layout (made by hand: a Python with conda-meta/*.json as conda writes them), then `pip install` "
        "of TensorFlow, ImageAI and another numpy", "conda-and-pip", "numpy-2")  # fmt: skip
def conda_and_pip(cage: Cage) -> Scene:
    env = cage.installation("3.10", "conda")
    cage.put(env, *CONDA_BEFORE)
    for record in cage.site(env).glob("*.dist-info"):
        name, version = record.name.removesuffix(".dist-info").split("-")
        if name in ("numpy", "matplotlib", "h5py", "scipy", "pillow"):
            (record / "INSTALLER").unlink()
            (record / "INSTALLER").write_text("conda\n")
            conda_record(cage, env, name.lower(), version)
    conda_record(cage, env, "python", "3.10.13")
    (env / "conda-meta/history").write_text(
        "==> 2023-03-01 10:00:00 <==\n# cmd: conda create -n tf python=3.10 numpy\n"
    )
    cage.install(env, *HEALTHY)
    cage.put(env, IMAGEAI, "numpy==2.0.2")
    return scene(env, TENSORFLOW)


def conda_record(cage: Cage, env: Path, name: str, version: str) -> None:
    """Write the record of a package as conda does (its fields; no files are listed)."""
    build = "py310hac523dd_0"
    data = {
        "arch": "x86_64", "build": build, "build_number": 0,
        "channel": "https://conda.anaconda.org/conda-forge/linux-64",
        "constrains": [], "depends": ["python >=3.10,<3.11.0a0"], "extracted_package_dir": f"/opt/conda/pkgs/{name}",
        "files": [], "fn": f"{name}-{version}-{build}.conda", "license": "BSD-3-Clause", "name": name,
        "paths_data": {"paths": [], "paths_version": 1}, "platform": "linux", "requested_spec": name,
        "subdir": "linux-64", "version": version,
    }  # fmt: skip
    cage.write(f"{env.name}/conda-meta/{name}-{version}-{build}.json", json.dumps(data, indent=2))


@animal("conda's base active over a virtual environment (variables as its hook sets them)", "conda-over-venv", RUNS,
        severity="warning")  # fmt: skip
def conda_over_venv(cage: Cage) -> Scene:
    env = healthy(cage)
    conda = cage.installation("3.10", "conda")
    conda_record(cage, conda, "python", "3.10.13")
    variables = {
        "VIRTUAL_ENV": str(env), "CONDA_PREFIX": str(conda), "CONDA_DEFAULT_ENV": "base", "CONDA_SHLVL": "1",
        "PATH": f"{env}/bin:{conda}/bin:{SYSTEM_PATH}",
    }  # fmt: skip
    return Scene((env,), ("bash", "-c", f"python -c '{TENSORFLOW}'"), variables)


@animal("TensorFlow and ImageAI installed into a Python itself (a copy of one)", "global-installation", RUNS,
        severity="warning")  # fmt: skip
def global_installation(cage: Cage) -> Scene:
    base = cage.installation("3.10")
    cage.install(base, *HEALTHY)
    cage.put(base, IMAGEAI)
    return Scene(("--python", base / "bin/python3.10"), (base / "bin/python3.10", "-c", TENSORFLOW))


@animal("an environment made --without-pip, and another Python's pip on PATH", "other-pip", UNKNOWN, severity="warning")
def pip_of_another_python(cage: Cage) -> Scene:
    env = cage.venv("3.10", "env", "--without-pip")
    other = cage.installation("3.10", "other")
    cage.build(other / "bin/python", "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", "pip")
    variables = {"VIRTUAL_ENV": str(env), "PATH": f"{env}/bin:{other}/bin:{SYSTEM_PATH}"}
    words = "pip install -q --no-deps --no-index nothing-there; python -c 'import pip'"
    return Scene((env,), ("bash", "-c", words), variables)


@animal(
    "pyenv's shims first on PATH, and the selected version not installed", "pyenv-shim", UNKNOWN, severity="warning"
)
def broken_pyenv_shim(cage: Cage) -> Scene:
    root = pyenv_root()
    if not (root / "libexec/pyenv").exists():
        raise NotHere("there is no pyenv on this machine")
    here = cage.root / "pyenv"
    (here / "versions").mkdir(parents=True)
    for part in ("bin", "libexec"):
        shutil.copytree(root / part, here / part, symlinks=True)
    (here / "versions/3.10.99").symlink_to(cage.installation("3.10"))
    variables = {**cage.builders(), "PYENV_ROOT": str(here), "PATH": f"{here}/bin:{SYSTEM_PATH}"}
    done = cage.run([here / "bin/pyenv", "rehash"], variables)
    if done.status:
        raise RuntimeError(done.output)
    (here / "version").write_text("3.8.99\n", encoding="utf-8")
    env = cage.venv("3.10")
    terminal = {"PYENV_ROOT": str(here), "PATH": f"{here}/shims:{here}/bin:/nonexistent"}
    return Scene((env,), ("/bin/bash", "-c", f"PATH={here}/shims:{here}/bin:/bin python3.10 -c pass"), terminal)


@animal("a Jupyter kernel in the environment that another environment's ipykernel registered", "kernel-elsewhere",
        severity="warning")  # fmt: skip
def kernel_elsewhere(cage: Cage) -> Scene:
    env, other = cage.venv("3.10", "mine"), cage.venv("3.10", "other")
    cage.install(other, "ipykernel")
    cage.build(other / "bin/python", "-m", "ipykernel", "install", "--prefix", env, "--name", "mine")
    return Scene((env,))


@animal("a Jupyter kernel of an environment that was removed since", "kernel-python-missing", severity="note")
def kernel_of_a_removed_environment(cage: Cage) -> Scene:
    env, other = cage.venv("3.10"), cage.venv("3.10", "other")
    cage.install(other, "ipykernel")
    cage.build(other / "bin/python", "-m", "ipykernel", "install", "--user", "--name", "other")
    shutil.rmtree(other)
    return Scene((env,))


@animal("Python 2.7 with Keras 2.3.1 and what it needs, made by virtualenv 20.15", "python-unsupported",
        "tensorflow-not-installed", severity="warning")  # fmt: skip
def python_2_7(cage: Cage) -> Scene:
    env = cage.root / "env"
    virtualenv = ("tool", "run", "--python", python("3.10"), "--from", "virtualenv==20.15.1", "virtualenv")
    cage.build(uv(), *virtualenv, "-q", "-p", python("2.7"), env)
    needed = ("numpy==1.16.6", "scipy==1.2.3", "h5py==2.10.0", "six", "PyYAML==5.4.1")
    cage.build(env / "bin/pip", "install", "-q", *needed, "keras-applications==1.0.8", "keras-preprocessing==1.1.2")
    cage.build(env / "bin/pip", "install", "-q", "--no-deps", "Keras==2.3.1")
    return scene(env, "import keras")


@animal("Python 3.6 with h5py, Keras and pillow installed --no-deps", "missing-requirement", UNKNOWN)
def python_3_6(cage: Cage) -> Scene:
    env = cage.venv("3.6")
    cage.put(env, "h5py==2.10.0", "keras==2.4.3", "pillow")
    return scene(env, "import h5py")


@animal("sitecustomize.py of the environment never returns", "python-silent")
def python_that_hangs(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    (cage.site(env) / "sitecustomize.py").write_text("import time\ntime.sleep(3600)\n", encoding="utf-8")
    return Scene((env,))


@animal("PYTHONHOME names a Python of another version", "pythonhome", "pythonhome")
def pythonhome(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    home = {"PYTHONHOME": str(python("3.9").parent.parent)}
    return Scene((env,), (env / "bin/python", "-c", "pass"), home)


@animal("pip killed while it replaced tensorflow: ~ensorflow directories left", "broken-uninstall", RUNS,
        severity="warning")  # fmt: skip
def interrupted_uninstall(cage: Cage) -> Scene:
    env = healthy(cage)
    left = cage.site(env) / "~ensorflow_cpu-2.9.3.dist-info"
    left.mkdir()
    (left / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.9.3\n", encoding="utf-8")
    return scene(env, TENSORFLOW)


@animal(
    "an activate script of another environment's bin first on PATH", "wrong-python-first", UNKNOWN, severity="warning"
)
def another_environment_first(cage: Cage) -> Scene:
    env, other = cage.venv("3.10", "mine"), cage.venv("3.10", "other")
    cage.put(env, "six")
    variables = {"VIRTUAL_ENV": str(env), "PATH": f"{other}/bin:{env}/bin:{SYSTEM_PATH}"}
    return Scene((env,), ("bash", "-c", "python -c 'import six'"), variables)
