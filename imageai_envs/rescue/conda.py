"""conda's ``environment.yml`` and ``conda list --export``, read as requirements of the index.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html and
https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html#package-match-specifications
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imageai_envs.base.errors import RequestError
from imageai_envs.environments.hints import install_beside_us
from imageai_envs.request.requirements import LONGEST
from imageai_envs.request.stack import CONDA_NAMES
from imageai_envs.rescue.source import Line, Source, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadLine = Callable[[str, str], Line]

_SPEC = re.compile(r"(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?P<version>.*)")
# Libraries and tools that conda packages and no index has; a Python package of that name does not exist or differs.
_SYSTEM = re.compile(
    r"_.*|lib(?!rosa|clang|cst|svm|sass|tmux).*|mkl.*|blas.*|openblas.*|ca-certificates|openssl|sqlite|tk|xz|zlib|bzip2|readline|ncurses|ld_impl.*"
    r"|vc\d*.*|vs20.*|ucrt|icu|qt(?:-main)?|jpeg|openjpeg|freetype|zstd|lz4-c|giflib|hdf5|ffmpeg|intel-openmp|tbb"
    r"|cuda(?:toolkit)?|cudnn|cupti|pytorch-(?:cuda|mutex)|tensorflow-gpu-base|conda|gcc.*|gxx.*|binutils.*"
)
_NOT_ON_INDEX = "a package of conda's that the index does not have; wheels bring such libraries along"


def read_conda_file(text: str, label: str, read_line: ReadLine) -> Source:
    """Read an ``environment.yml``, its nested ``pip:`` list too.

    Raises:
        RequestError: PyYAML is not installed, the file is not YAML, or has no ``dependencies`` list.
    """
    entries = _dependencies(_load(text, label), label)
    lines: list[Line] = []
    python, place, exported = "", "", 0
    for number, entry in enumerate(entries, 1):
        where = f"dependency {number}"
        if isinstance(entry, dict):
            nested = entry.get("pip")
            for index, line in enumerate(nested if isinstance(nested, list) else [], 1):
                lines.append(read_line(_word(line), f"{where}, pip {index}"))
            continue
        word = _word(entry)
        line, wanted = read_spec(word, where)
        exported += word.count("=") == 2 and "==" not in word
        if wanted is not None:
            python, place = wanted, where
        else:
            lines.append(line)
    return Source(label, "conda", tuple(lines), complete=exported > 5, python=python, python_place=place)


def _word(entry: object) -> str:
    """Return a scalar's text. A list is none: ten anchors that name each other make gigabytes of text."""
    return str(entry) if isinstance(entry, str | int | float) else "(not a word)"


def read_conda_export(text: str, label: str) -> Source:
    """Read what ``conda list --export`` wrote: ``name=version=build`` lines, often called requirements.txt."""
    lines: list[Line] = []
    python, place = "", ""
    for number, raw in enumerate(text.splitlines(), 1):
        entry = raw.partition("#")[0].strip()
        if not entry:
            continue
        line, wanted = read_spec(entry, f"line {number}")
        if wanted is not None:
            python, place = wanted, f"line {number}"
        else:
            lines.append(line)
    return Source(label, "conda", tuple(lines), complete=True, python=python, python_place=place)


def read_spec(entry: str, place: str) -> tuple[Line, str | None]:
    """Return the line of a match specification, and the Python's specifier if it is that of ``python``."""
    text = shown(entry)
    if len(entry) > LONGEST:
        return Line(place, text, why_not=f"it has more than {LONGEST} characters"), None
    match = _SPEC.fullmatch(entry.split("#")[0].split("[")[0].strip())
    if not match:
        return Line(place, text, why_not="not understood"), None
    name = match["name"].lower()
    specifier = _specifier(match["version"])
    if name == "python":
        # Any patch of the minor does: TensorFlow's wheels are for minors.
        return Line(place, text), re.sub(r"^==(\d+\.\d+)\.\d.*$", r"==\1.*", specifier)
    name = CONDA_NAMES.get(name, name)
    gpu = bool(re.search(r"gpu|cuda", match["version"])) and canonicalize_name(name) == "tensorflow"
    if name in ("cudatoolkit", "cudnn", "cuda-toolkit"):
        return Line(place, text, Requirement(name), "the gpu variant brings CUDA as wheels"), None
    if _SYSTEM.fullmatch(name) and "=pypi" not in match["version"]:
        return Line(place, text, why_not=_NOT_ON_INDEX), None
    try:
        return Line(place, text, Requirement(f"{name}{'[and-cuda]' if gpu else ''}{specifier}")), None
    except InvalidRequirement:
        return Line(place, text, why_not="not understood"), None


def _specifier(version: str) -> str:
    """Return a PEP 440 specifier for conda's: ``=1.2`` means 1.2 and all its patches, ``==1.2`` just that."""
    version = version.strip()
    exact = re.fullmatch(r"=(?P<version>[^=<>!~,|*\s]+)=\S+", version) or re.fullmatch(
        r"(?P<version>\d[^=<>!~,|*\s]*)\s+\S+", version
    )
    if exact:
        return f"=={exact['version']}"
    fuzzy = re.fullmatch(r"=?(?P<version>\d[\w.]*?)(?:\.?\*)?", version)
    if fuzzy:
        starred = version.startswith("=") or version.endswith("*")
        return f"=={fuzzy['version']}{'.*' if starred else ''}"
    bounds = version.replace(" ", "").split("|")[0]
    try:
        return str(SpecifierSet(bounds))
    except InvalidSpecifier:
        return ""


def _load(text: str, label: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise RequestError(
            f"{label} is YAML, and PyYAML, which reads it, is not installed.",
            hint=install_beside_us("pyyaml"),
            code="no-yaml",
        ) from error
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "it cannot be parsed"
        raise RequestError(f"{label}{where}: not valid YAML: {shown(str(what))}.", code="bad-source") from error


def _dependencies(data: Any, label: str) -> list[Any]:
    entries = data.get("dependencies") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise RequestError(
            f"{label} has no list of dependencies, as conda's environment.yml has.",
            hint="conda env export > environment.yml",
            code="bad-source",
        )
    return entries
