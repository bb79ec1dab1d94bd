"""``imageai-env templates``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imageai_envs.base.result import Result, Table
from imageai_envs.cli.options import FILE_TYPE, Session, answers
from imageai_envs.locks.verified import load_matrix
from imageai_envs.request.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.markers import Marker

    from imageai_envs.locks.verified import Cell
    from imageai_envs.templates.catalog import Entry
    from imageai_envs.templates.template import Template


@click.group()
def command() -> None:
    """List, show and validate templates."""


def _cells(entry: Entry) -> list[Cell]:
    """Return what was proved of a template: of a shipped one only, another of that name is another one."""
    return [c for c in load_matrix() if entry.origin == "shipped" and c.template == entry.template.name]


def _data(entry: Entry) -> dict[str, object]:
    template, cells = entry.template, _cells(entry)
    return {
        "name": template.name,
        "summary": template.summary,
        "origin": entry.origin,
        "path": str(template.path),
        "hides": [str(path) for path in entry.hides],
        template.framework.name: list(template.patches),
        "imageai": template.imageai.version,
        "python": str(template.python),
        "python_of": {patch: str(pythons) for patch, pythons in template.python_of.items()},
        "variants": {
            variant.name: {"requirements": list(variant.requirements), "disk_mb": variant.disk_mb}
            for variant in template.variants.values()
        },
        "dependencies": list(template.imageai.dependencies),
        "replaces_dependencies": template.imageai.replaces_dependencies,
        "caps": [
            {
                "requirement": c.requirement,
                "releases": str(c.releases),
                "reason": c.reason,
                "source": c.source,
            }
            for c in template.caps
        ],
        "source_only": [item.distribution for item in template.source_only],
        "dropped": [item.distribution for item in template.dropped],
        "proved": [cell.to_json() for cell in cells],
    }


def _proved(cells: Sequence[Cell]) -> str:
    """Say in one table cell what was proved: on which Pythons everything works, and where something does not."""
    cpu = sorted((cell for cell in cells if cell.variant == "cpu"), key=lambda cell: Target.parse(cell.target).python)
    works = [Target.parse(cell.target).python_version for cell in cpu if cell.works]
    parts = [f"works ({', '.join(works)})"] if works else []
    for cell in cpu:
        missing = [name for name, ok in cell.features.items() if not ok]
        if missing:
            parts.append(f"partly ({Target.parse(cell.target).python_version}: no {', '.join(missing)})")
    return "; ".join(parts) or "resolved only"


def _patches(template: Template) -> str:
    """Return the range of releases."""
    first, last = template.patches[0], template.newest
    return f"{template.framework.title} {first}{f' - {last}' if last != first else ''}"


@command.command("list")
@answers
def list_command(session: Session, /) -> Result:
    """List the templates of the project, the user and this package."""
    from imageai_envs.templates.catalog import REFUSED, load_catalog

    catalog = load_catalog(session.home)
    rows = tuple(
        (
            entry.template.name,
            _patches(entry.template),
            entry.template.imageai.version,
            entry.template.python_words(),
            ", ".join(entry.template.variants),
            _proved(_cells(entry)),
            entry.origin,
            entry.template.summary,
        )
        for entry in catalog.entries
    )
    for one in catalog.broken:
        session.reporter.warn(one.error.message)
    for path in catalog.refused:
        session.reporter.warn(REFUSED.format(path))
    data: dict[str, object] = {
        "templates": [_data(entry) for entry in catalog.entries],
        "broken": [one.error.message for one in catalog.broken],
    }
    headings = ("NAME", "FRAMEWORK", "IMAGEAI", "PYTHON", "VARIANTS", "PROVED", "FROM", "SUMMARY")
    return Result("templates list", data, [Table(headings, rows)])


@command.command("show")
@click.argument("name", metavar="NAME|FILE")
@answers
def show_command(session: Session, /, name: str) -> Result:
    """Show a template: its requirements, and every cap with its reason and source."""
    from imageai_envs.request.request import Request
    from imageai_envs.templates.catalog import select

    entry = select(Request(template=name), session.home).entry
    template = entry.template
    text = [
        f"{template.name}: {template.summary}",
        f"  file        {template.path} ({entry.origin})",
        f"  {template.framework.name:<10}  {', '.join(template.patches)}",
        f"  python      {template.python_words()}{_narrower(template)} ({template.python_reason})",
        f"  imageai     {template.imageai.version}, with {', '.join(template.imageai.dependencies) or 'its own'}",
    ]
    if template.imageai.replaces_dependencies:
        text.append(f"    its own requirements are replaced: {template.imageai.reason} [{template.imageai.source}]")
    for variant in template.variants.values():
        text.append(f"  {variant.name}")
        text += [f"    {requirement}" for requirement in variant.requirements]
    for title, items in (("built from source", template.source_only), ("left out", template.dropped)):
        for item in items:
            text.append(
                f"  {title}: {item.distribution}{_when(template, str(item.releases), item.marker)}: "
                f"{item.reason} [{item.source}]"
            )
    for cap in template.caps:
        text.append(f"  cap {cap.requirement}{_when(template, str(cap.releases))}: {cap.reason} [{cap.source}]")
    return Result("templates show", _data(entry), text)


def _when(template: Template, specifier: str, marker: Marker | None = None) -> str:
    when = [f"{template.framework.title} {specifier}"] if specifier else []
    return f" ({', '.join([*when, *([str(marker)] if marker else [])])})" if when or marker else ""


def _narrower(template: Template) -> str:
    return "".join(f"; {patch}: {template.of(patch).python_words()}" for patch in template.python_of)


@command.command("validate")
@click.argument("files", nargs=-1, required=True, type=FILE_TYPE, metavar="FILE...")
@answers
def validate_command(session: Session, /, files: tuple[Path, ...]) -> Result:  # noqa: ARG001
    """Check template files; every problem is listed with its place."""
    from imageai_envs.base.errors import TemplateError
    from imageai_envs.templates.template_file import load_template

    problems: list[str] = []
    valid: list[dict[str, str]] = []
    for file in files:
        try:
            template = load_template(file)
        except TemplateError as error:  # noqa: PERF203 - every file is judged
            problems.append(error.message)
        else:
            valid.append({"path": str(file), "name": template.name})
    if problems:
        raise TemplateError("\n".join(problems), hint="docs/templates.md describes the format")
    return Result(
        "templates validate",
        {"valid": valid},
        [f"{item['path']}: template {item['name']} is valid." for item in valid],
    )
