"""Read what people keep their requirements in. One line that is not understood never hides the others.

Formats: pip's requirements files (https://pip.pypa.io/en/stable/reference/requirements-file-format/), the outputs of
``pip freeze`` and ``pip list``, ``conda list --export``, conda's ``environment.yml``, and the ``[project]`` table of a
``pyproject.toml`` (PEP 621). Directories of environments are read by :mod:`imageai_envs.rescue.installed`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from imageai_envs.base.addresses import parse as parse_address
from imageai_envs.base.errors import RequestError
from imageai_envs.base.file_reading import read_bytes
from imageai_envs.base.toml_reader import parse_toml
from imageai_envs.request.framework import TENSORFLOW
from imageai_envs.request.requirements import LONGEST, MAX_BYTES, MAX_NESTING, logical_lines
from imageai_envs.request.stack import FOLLOWERS, RELEASES, TENSORFLOW_ONLY, TORCH_ONLY
from imageai_envs.rescue.conda import read_conda_export, read_conda_file
from imageai_envs.rescue.source import Line, Source, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CODE = "bad-source"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does, so it is tried before
    (codecs.BOM_UTF16_LE, "utf-16"),  # what PowerShell's `pip freeze > requirements.txt` writes
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OPTION = re.compile(r"(?P<option>--?[a-zA-Z][a-zA-Z-]*)(?:\s*=\s*|\s+|(?<=-[rce]))?(?P<value>.*)")
_INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index")
_AFTERWARDS = "install it afterwards: imageai-env run NAME -- python -m pip install --no-deps ..."


def read_source(path: Path) -> Source:
    """Read a file.

    Raises:
        RequestError: it cannot be read, is no text, has nothing in it, or includes a file of which that is true.
    """
    text = read_text(path)
    if path.suffix.lower() in (".yml", ".yaml"):
        source = read_conda_file(text, str(path), read_line)
    elif path.suffix.lower() == ".toml":
        source = _read_pyproject(text, path)
    elif re.search(r"^[\w.-]+=[^=\s]+=\S+\s*$", text, re.MULTILINE):
        source = read_conda_export(text, str(path))
    else:
        source = _read_requirements(text, path)
    if not any(line.requirement or line.why_not for line in source.lines):
        refuse(f"{path} has no requirements in it.", "A requirements file has lines such as tensorflow==2.10.0")
    return source


def refuse(message: str, hint: str | None = None) -> NoReturn:
    """Raise the error for a source that cannot be rescued from."""
    raise RequestError(message, hint=hint, code=_CODE)


def read_text(path: Path) -> str:
    """Return the text of a user's file.

    Raises:
        RequestError: missing, unreadable, too large, empty, or not text.
    """
    try:
        data = read_bytes(path, limit=MAX_BYTES, pipe=True)
    except OSError as error:
        refuse(
            f"Cannot read {path}: {error.strerror or error}.",
            "Give the requirements.txt, environment.yml or the environment's directory.",
        )
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        refuse(f"{path} is not a text file.", "Give the requirements.txt, environment.yml or environment's directory.")
    if not text.strip():
        refuse(f"{path} is empty.", "A requirements file has lines such as tensorflow==2.10.0")
    return text


def _read_requirements(text: str, path: Path) -> Source:
    listing = re.search(r"^Package +Version.*\r?\n-+ +-+.*\r?\n", text, re.MULTILINE)
    if listing:
        rows = enumerate(text[listing.end() :].splitlines(), text[: listing.end()].count("\n") + 1)
        pinned = [(number, "==".join(row.split()[:2])) for number, row in rows if len(row.split()) > 1]
        lines = tuple(read_line(pin, f"line {number}") for number, pin in pinned)
        return Source(str(path), "freeze", lines, complete=True)
    lines = tuple(_lines_of(text, path, (), set(), constraint=False))
    names = {line.name for line in lines if line.pin or (line.requirement and line.requirement.url)}
    asked = [line for line in lines if line.requirement and not line.constraint]
    pinned_share = len([line for line in asked if line.pin or line.why_not]) / max(len(asked), 1)
    # Nobody writes astunparse and opt-einsum by hand, or mpmath and PyTorch's ten nvidia-*: an installer listed them.
    fine_print = {name for name in names if name in TENSORFLOW_ONLY | TORCH_ONLY or name.startswith("nvidia-")}
    complete = pinned_share > 0.9 and len(fine_print) >= 3
    return Source(str(path), "freeze" if complete else "requirements", lines, complete=complete)


def _lines_of(
    text: str, path: Path, above: tuple[Path, ...], done: set[tuple[Path, bool]], *, constraint: bool
) -> Iterator[Line]:
    for number, written in logical_lines(text):
        place = f"line {number}" if not above else f"{path.name}, line {number}"
        include = re.fullmatch(r"(?P<option>-r|-c|--requirement|--constraint)(?:\s+|=|(?=\S))(?P<file>.+)", written)
        if include:
            bounds = constraint or include["option"] in ("-c", "--constraint")
            yield from _included(include["file"].strip("\"'"), path, (*above, path), done, place, constraint=bounds)
        else:
            yield replace(read_line(written, place), constraint=constraint)


def _included(
    name: str, path: Path, above: tuple[Path, ...], done: set[tuple[Path, bool]], place: str, *, constraint: bool
) -> Iterator[Line]:
    if "://" in name:
        yield Line(place, shown(name), why_not="nothing is fetched from there; download the file and name it instead")
        return
    file = path.parent / name
    if file.resolve() in [one.resolve() for one in above] or len(above) > MAX_NESTING:
        refuse(f"{path}, {place}: {shown(name)} includes itself.", f"Remove the line from {path}.")
    if not file.is_file():
        refuse(
            f"{path}, {place}: there is no file {shown(str(file))}.",
            "Put it there, or remove the line.",
        )
    if (file.resolve(), constraint) in done:
        return  # its lines are there already; ten files that name each other would be read a billion times
    yield from _lines_of(read_text(file), file, above, done, constraint=constraint)
    done.add((file.resolve(), constraint))


def read_line(written: str, place: str) -> Line:
    """Return what one line asks for."""
    # Hashes are made again; per-requirement options (--config-settings) change how something is built.
    text = re.sub(r"\s--(?:hash|config-settings?|global-option|install-option)[= ]\S+", "", written).strip()
    if len(text) > LONGEST:
        return Line(place, shown(text), why_not=f"it has more than {LONGEST} characters")
    if text.startswith("-"):
        return _read_option(text, place)
    if re.match(r"[a-z+]+://|\.{0,2}/|[A-Za-z]:[\\/]|git@|~", text) or text.endswith((".whl", ".tar.gz", ".zip")):
        return _read_location(text, place, "")
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return _read_sloppy(text, place)
    return _checked(requirement, text, place)


def _checked(requirement: Requirement, text: str, place: str) -> Line:
    if requirement.url:
        return _read_location(requirement.url, place, requirement.name, text)
    return Line(place, shown(text), requirement)


def _read_sloppy(text: str, place: str) -> Line:
    """Read what people write and pip refuses: ``numpy=1.19``, ``numpy 1.19``, ``pip install numpy``, quotes, commas."""
    bare = re.sub(r"^[!%$]?\s*(?:python3? -m )?pip3? install\s+(?:-\S+\s+)*", "", text)
    bare = re.sub(r"\s+--?(?:upgrade|U|user|pre|no-deps)\b", "", bare).strip("\"', ")
    match = re.fullmatch(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:=|\s|v|==\s*v?)\s*(?P<version>\d[\w.]*)", bare)
    try:
        requirement = Requirement(f"{match['name']}=={match['version']}" if match else bare)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].rstrip(".")
        return Line(place, shown(text), why_not=f"not understood: {shown(reason)}")
    if requirement.url:
        return _read_location(requirement.url, place, requirement.name, text)
    return Line(place, shown(text), requirement)


def _read_option(text: str, place: str) -> Line:
    match = _OPTION.fullmatch(text)
    option, value = (match["option"], match["value"].strip("\"' ")) if match else (text.split()[0], "")
    if option in ("-e", "--editable"):
        return _read_location(value, place, "", f"-e {value}")
    if option in _INDEX_OPTIONS:
        scheme, separator, rest = value.partition("://")
        host = parse_address(scheme, rest).host if separator else ""
        return Line(
            place,
            f"{option} https://{host}/…" if host else shown(option),
            why_not="an index is a setting, not a requirement: set PIP_INDEX_URL, PIP_EXTRA_INDEX_URL or pip's "
            "configuration, and both engines use it",
        )
    return Line(place, shown(text), why_not=f"the option {shown(option)} says how to install; locks say that already")


def _read_location(address: str, place: str, name: str, text: str = "") -> Line:
    """Return the line of a URL or path. It cannot be locked by hash, but a file's name may say what it is."""
    parts = urlsplit(address)
    egg = re.search(r"(?:^|&)egg=([\w.-]+)", parts.fragment)
    name = name or (egg[1] if egg else "")
    bare = shown(text or address)
    named, version = _of_filename(unquote(parts.path).rsplit("/", 1)[-1])
    if version and (not name or name == named):
        return Line(place, bare, Requirement(f"{named}=={version}"), "taken from the index instead of that file")
    if parts.scheme == "file" and name and text.startswith(name):
        # What `pip freeze` says of everything that conda installed: a build directory of conda's.
        return Line(place, bare, Requirement(name), "a path on another machine; its version is not known")
    if canonicalize_name(name) in {"imageai", *RELEASES[TENSORFLOW], *FOLLOWERS}:
        return Line(place, bare, Requirement(name), "taken from the index instead of that place")
    return Line(place, bare, why_not=f"what is outside the index has no version to lock; {_AFTERWARDS}")


def _of_filename(name: str) -> tuple[str, str]:
    try:
        if name.endswith(".whl"):
            wheel = parse_wheel_filename(name)
            return str(wheel[0]), str(wheel[1])
        if name.endswith((".tar.gz", ".zip")):
            sdist = parse_sdist_filename(name)
            return str(sdist[0]), str(sdist[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        pass
    return "", ""


def _read_pyproject(text: str, path: Path) -> Source:
    try:
        data = parse_toml(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number with thousands of digits, too
        refuse(f"{path} is not valid TOML: {error}.")
    project = data.get("project")
    dependencies = project.get("dependencies") if isinstance(project, dict) else None
    if not isinstance(project, dict) or not isinstance(dependencies, list):
        refuse(
            f"{path} has no [project] dependencies (PEP 621).",
            "Export them first, such as: poetry export -o requirements.txt, pdm export -o requirements.txt",
        )
    lines = tuple(read_line(str(text), f"dependency {number}") for number, text in enumerate(dependencies, 1))
    python = str(project.get("requires-python") or "")
    try:
        SpecifierSet(python)
    except ValueError:
        python = ""
    optional = project.get("optional-dependencies")
    notes = ("optional dependencies were not read",) if optional else ()
    return Source(str(path), "pyproject", lines, python=python, python_place="requires-python", notes=notes)
