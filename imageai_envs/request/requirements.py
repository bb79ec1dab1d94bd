"""Requirements as users write them: one on the command line, or a file of them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from imageai_envs.base.errors import RequestError
from imageai_envs.base.file_reading import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_NESTING = 10  # -r inside -r; pip has no limit, but a cycle has no end
MAX_BYTES = 2_000_000
"""Of a requirements file. The longest real ones that were met have 30 kB; with hashes, 500 kB."""
LONGEST = 2000
"""Characters of one requirement. Markers of real ones have some hundred; longer versions are no numbers any more."""
_SHOWN = 120  # characters of it in an error


def parse_requirement(text: str, origin: str) -> str:
    """Validate one requirement of the user and return it in canonical spelling.

    Args:
        text: a PEP 508 requirement.
        origin: where it stands, for the error: ``--with`` or ``file.txt, line 3``.

    Raises:
        RequestError: not a requirement, or one that cannot be locked with hashes.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"it has more than {LONGEST} characters")
        requirement = Requirement(text)
        if not str(requirement).isprintable():
            raise ValueError("it has control characters")
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            f"{origin}: {text[:_SHOWN]!r} is not a requirement (PEP 508): {reason[:_SHOWN]}.",
            hint="A requirement looks like 'pandas' or 'pandas>=1.5,<2'.",
            code="bad-requirement",
        ) from error
    if requirement.url:
        raise RequestError(
            f"{origin}: {requirement.name} is given by URL or path, and that cannot be locked with hashes.",
            hint=f"Name a released version, such as {requirement.name}==1.0, or install it afterwards with "
            "imageai-env run NAME -- pip install --no-deps ...",
            code="direct-reference",
        )
    return str(requirement)


def read_requirements(path: Path, *, _depth: int = 0, _read: set[str] | None = None) -> tuple[str, ...]:
    """Read a requirements file: requirements, comments, continuation lines and ``-r`` of other files.

    Hashes are ignored (the resolution makes new ones). Every other option is refused by name, since an option that
    is silently dropped changes what gets installed; index settings belong into pip's or uv's configuration, where
    credentials stay out of files that are shared.

    Raises:
        RequestError: unreadable file, an option, or something that is not a requirement, with the line number.
    """
    if _depth > MAX_NESTING:
        raise RequestError(f"{path} includes itself, or nests more than {MAX_NESTING} files.", code="bad-requirement")
    read = set() if _read is None else _read
    if _depth and os.path.abspath(path) in read:  # noqa: PTH100 - no errors
        return ()  # its requirements are there already; ten files that name each other would be read a billion times
    try:
        text = read_text(path, limit=MAX_BYTES, encoding="utf-8-sig", pipe=True)
    except OSError as error:
        raise RequestError(f"Cannot read {path}: {error.strerror or error}.", code="bad-requirement") from error
    requirements: list[str] = []
    for number, line in logical_lines(text):
        origin = f"{path}, line {number}"
        include = re.fullmatch(r"(?:-r|--requirement)[ =]?\s*(\S+)", line)
        if include:
            requirements += read_requirements(path.parent / include[1], _depth=_depth + 1, _read=read)
        elif line.startswith("-"):
            option = line.split()[0].split("=")[0]
            raise RequestError(
                f"{origin}: the option {option} is not understood in a requirements file here.",
                hint="Remove the line. Index addresses: set PIP_INDEX_URL or UV_DEFAULT_INDEX instead.",
                code="bad-requirement",
            )
        else:
            requirements.append(parse_requirement(re.sub(r"\s--hash[= ]\S+", "", line).strip(), origin))
    read.add(os.path.abspath(path))  # noqa: PTH100 - as above
    return tuple(requirements)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield numbered lines as pip reads them: continued ones joined, comments and empty ones left out."""
    start, pending = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        # One space, not all of them: 100,000 would be tried from each of them.
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole, pending = (pending + line).strip(), ""
        if whole:
            yield start, whole
    if pending.strip():
        yield start, pending.strip()
