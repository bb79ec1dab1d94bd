"""The releases of the local index: real names, versions and requirements, tiny contents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.wheels import Project, write_sdist, write_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEMPLATES = Path(__file__).parents[2] / "templates"
LIBRARIES = {
    "cuda_runtime": ("libcudart.so.11.0",),
    "cublas": ("libcublas.so.11", "libcublasLt.so.11"),
    "cuda_nvrtc": ("libnvrtc.so.11.2",),
}
DATA = Path(__file__).parents[1] / "data" / "metadata.json"
SDIST_ONLY = ("keras-resnet",)
# Needed for real: building the sdist without isolation, and the helper environment of pip-tools.
REAL = ("setuptools", "wheel", "pip==26.3", "pip-tools")

_PACKAGES = ("Classification", "Classification/Custom", "Detection", "Detection/Custom")


def modules_of(name: str, version: str) -> dict[str, str]:
    """Return what a distribution contains: an importable module of the right name."""
    if name == "imageai":
        framework = "torch, torchvision" if version.startswith("3") else "tensorflow"
        files = {f"imageai/{name}/__init__.py": f"import {framework}\n" for name in _PACKAGES}
        return {"imageai/__init__.py": "", **files}
    module = {
        "opencv-python": "cv2",
        "tensorflow-cpu": "tensorflow",
        "pillow": "PIL",
        "keras-preprocessing": "keras_preprocessing",
    }.get(name, name.replace("-", "_"))
    return {f"{module}/__init__.py": f"__version__ = {version!r}\n"}


def projects() -> list[Project]:
    """Return the releases with their real metadata.

    ``Requires-Python`` loses its upper bound, so that the running Python can stand for the 3.10 of TensorFlow 2.10.
    """
    result = []
    for release in json.loads(DATA.read_text(encoding="utf-8")):
        if release["name"] == "packaging":  # setuptools imports it: the real one is among REAL
            continue
        python = (release["requires_python"] or "").split(",")
        bounds = ",".join(part.strip() for part in python if part.strip().startswith(">="))
        result.append(
            Project(
                release["name"],
                release["version"],
                tuple(release["requires_dist"]),
                bounds or None,
                modules_of(release["name"], release["version"]),
            )
        )
    return result


def gpu_projects() -> list[Project]:
    """Return the releases of the gpu variant: TensorFlow under its other name, and libraries that are none.

    Files of the right names stand for the libraries: 3 GB of them are downloaded in ``nox -s gpu`` instead.
    """
    template = tomllib.loads((TEMPLATES / "tf2.10.toml").read_text(encoding="utf-8"))
    lines = [line for line in template["variants"]["gpu"]["requirements"] if line.startswith("nvidia-")]
    wheels = []
    for pin in map(Requirement, lines):
        directory = pin.name.removeprefix("nvidia-").removesuffix("-cu11").replace("-", "_")
        files = {f"nvidia/{directory}/lib/{name}": name for name in LIBRARIES.get(directory, ())}
        files[f"nvidia/{directory}/__init__.py"] = ""
        wheels.append(Project(pin.name, str(pin.specifier).removeprefix("=="), (), None, files))
    shells = [
        Project("tensorflow", cpu.version, cpu.requires, cpu.requires_python, cpu.modules)
        for cpu in projects()
        if cpu.name == "tensorflow-cpu"
    ]
    return [*wheels, *shells]


def torch_projects() -> list[Project]:
    """Return what ImageAI 3 runs on, and a newer PyTorch that brings CUDA: real names, requirements of their kind."""
    cuda = ("nvidia-cublas-cu12==12.1.3.1", "nvidia-cudnn-cu12==8.9.2.26")
    pairs = [
        ("torch", "1.12.1", ("typing-extensions",)),
        ("torch", "1.13.1", ("typing-extensions", "sympy", "triton==2.1.0", *cuda)),
        ("torchvision", "0.13.1", ("typing-extensions", "numpy", "requests", "torch==1.12.1", "pillow>=5.3.0")),
        ("torchvision", "0.15.2", ("numpy", "requests", "torch==2.0.1", "pillow>=5.3.0")),
        ("torchaudio", "0.12.1", ("torch==1.12.1",)),
        ("torchaudio", "0.13.1", ("torch==1.13.1",)),
        ("tqdm", "4.67.1", ()),
        ("sympy", "1.12", ("mpmath>=0.19",)),
        ("mpmath", "1.3.0", ()),
        ("triton", "2.1.0", ()),
        *((pin.partition("==")[0], pin.partition("==")[2], ()) for pin in cuda),
    ]
    return [Project(name, version, requires, None, modules_of(name, version)) for name, version, requires in pairs]


def write_catalogue(directory: Path, cache: Path) -> None:
    """Fill ``directory`` with the files of the index; real wheels are fetched once into ``cache``."""
    # Not on the real index: a release whose requirement clashes with a cap of the template.
    own = [Project("needs-new-numpy", "1.0", ("numpy>=1.26",), None, {"needs_new_numpy/__init__.py": ""})]
    for project in [*projects(), *own, *gpu_projects(), *torch_projects()]:
        (write_sdist if project.name in SDIST_ONLY else write_wheel)(directory, project)
    for file in real_wheels(cache):
        target = directory / file.name
        if not target.exists():
            target.write_bytes(file.read_bytes())


def real_wheels(cache: Path) -> list[Path]:
    """Return the wheels of :data:`REAL` and what they require, for the running Python."""
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    directory = cache / minor
    done = directory / ".complete"
    if not done.exists():
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "virtualenv", "--quiet", str(directory / "venv")], check=True, timeout=300
        )
        python = directory / "venv" / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-d", directory, *REAL],
            check=True,
            timeout=600,
        )
        done.touch()
    return sorted(directory.glob("*.whl"))
