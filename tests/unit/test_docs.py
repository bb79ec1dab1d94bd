"""The documentation says what the code does: generated pages are fresh, lists are complete, links and hints lead on."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.errors import ImageAIEnvError
from imageai_envs.building.hook._imageai_envs_hook.shims import SHIMS
from imageai_envs.explain.rules import installers_rules
from imageai_envs.running import run
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import click

DOCS = REPOSITORY / "docs"
SOURCES = sorted((REPOSITORY / "imageai_envs").rglob("*.py"))
PAGES = sorted([*DOCS.glob("*.md"), *REPOSITORY.glob("*.md")])
PROSE = ("imageai-env is ", "imageai-env lock, format")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@cache
def script(path: str) -> ModuleType:
    """A program of this repository that is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, REPOSITORY / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines]


# cli.md


def test_the_command_line_reference_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page("cli.md") == script("docs/make_cli_reference.py").render(), "run: python docs/make_cli_reference.py"
    monkeypatch.setenv("COLUMNS", "40")
    assert page("cli.md") == script("docs/make_cli_reference.py").render()


# matrix.md


def test_what_was_run_is_what_the_record_says() -> None:
    cells = json.loads((REPOSITORY / "templates" / "matrix.json").read_text(encoding="utf-8"))["cells"]
    matrix = script("benchmarks/matrix.py")
    assert page("matrix.md") == matrix.page(cells)
    assert page("which-to-take.md") == matrix.with_measures(page("which-to-take.md"), cells)


# exit-codes.md


def error_classes(base: type[ImageAIEnvError] = ImageAIEnvError) -> Iterator[type[ImageAIEnvError]]:
    yield base
    for child in base.__subclasses__():
        yield from error_classes(child)


def test_every_row_of_the_hook_is_listed_as_it_is() -> None:
    listed = {row[0]: row[1:] for row in rows(page("runtime-hook.md")) if row[0].startswith("`")}
    for shim in SHIMS:
        what, why, source = shim.what, shim.why, shim.source
        assert listed.get(f"`{shim.name}`", [])[1:] == [what, why, source], shim.name
        acts = listed[f"`{shim.name}`"][0]
        assert acts.startswith(f"{shim.distribution.replace('_', '-')} {'.'.join(map(str, shim.first))} ")
        assert acts.endswith(" ".join(["to", ".".join(map(str, shim.last))] if shim.last else ["and", "newer"]))


def test_every_exit_code_is_listed_with_the_meaning_of_its_class() -> None:
    listed = {(row[0], row[1]): row[2] for row in rows(page("exit-codes.md"))}
    classes = [one for one in error_classes() if one.__module__.startswith("imageai_envs.")]

    assert run.CommandNotFoundError in classes
    for one in classes:
        sentence = (one.__doc__ or "").splitlines()[0].replace("``", "`")
        meaning = re.sub(r" \(exit code \d+[^)]*\)", "", sentence)
        assert listed.get((str(one.exit_code), f"`{one.__name__}`"), "").startswith(meaning)
    assert {code for code, _ in listed if code.isdecimal()} == {"0", "130", *(str(one.exit_code) for one in classes)}


# environment-variables.md


def test_every_variable_of_ours_is_listed() -> None:
    used = {
        name
        for path in [*SOURCES, REPOSITORY / "tests" / "conftest.py"]
        for name in re.findall(r"\b_?IMAGEAI_ENV_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }

    assert used == set(re.findall(r"`(_?IMAGEAI_ENV_[A-Z_]+)`", page("environment-variables.md")))


# json.md: error codes. They are found in the sources, so that a new one cannot be forgotten.


def codes_of(tree: ast.Module) -> Iterator[str]:
    """Yield every error code of a module: class attributes, ``code=`` of calls, and what these names stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "code":
                    yield from constants(tree, statement.value)
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if ast.unparse(keyword.value) == "rule.failure":
                    yield from (rule.failure for rule in installers_rules())
                elif keyword.arg == "failure" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)
                elif keyword.arg == "code" and ast.unparse(keyword.value) != "failure":
                    yield from constants(tree, keyword.value)


def constants(tree: ast.Module, value: ast.expr) -> Iterator[str]:
    """Yield the strings that an expression may be: a constant, a module's name for one, or a function's answer."""
    if isinstance(value, ast.Constant):
        yield str(value.value)
        return
    name, found = ast.unparse(value), False
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            found = True
            yield from constants(tree, node.value)
        elif (
            isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Call)
        ):
            names = [ast.unparse(target) for target in node.targets[0].elts]
            if name in names:
                found = True
                yield from answers(tree, ast.unparse(node.value.func), names.index(name))
    assert found, f"no constant behind code={name}"


def answers(tree: ast.Module, function: str, index: int) -> Iterator[str]:
    """Yield what a function returns at ``index`` of its tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            for statement in ast.walk(node):
                if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
                    yield from constants(tree, statement.value.elts[index])


def test_every_error_code_is_listed() -> None:
    used = {code for tree in trees().values() for code in codes_of(tree)}
    section = page("json.md").partition("\n## Error codes\n")[2]
    listed = [row[0].strip("`") for row in rows(section) if row[0].startswith("`")]

    assert {"no-avx", "python-unsupported", "network", "drift"} <= used  # each way of finding one finds
    assert sorted(listed) == sorted(used)


def test_the_exit_codes_of_error_codes_are_those_of_their_classes() -> None:
    section = page("json.md").partition("\n## Error codes\n")[2]
    listed = {row[0].strip("`"): row[1] for row in rows(section)}

    for one in error_classes():
        if one.__module__.startswith("imageai_envs."):
            assert listed[one.code] == str(one.exit_code)


def findings_in(package: str) -> dict[str, set[str]]:
    """Return every finding of a package's modules, with the severities that stand beside it in the source."""
    found: dict[str, set[str]] = {}
    for path, tree in trees().items():
        if package not in path.parts:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Finding", "_Breaker"):
                names = [name for name in strings(node.args[0]) if re.fullmatch(r"[a-z0-9.-]+", name)]
                given = [keyword.value for keyword in node.keywords if keyword.arg == "severity"]
                beside = node.args[1] if ast.unparse(node.func) == "Finding" else (given or [ast.Constant("error")])[0]
                for name in names:
                    found.setdefault(name, set()).update({"error", "warning", "note"} & set(strings(beside)))
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "_finding":  # which takes the id along
                direct = [text for one in node.args if isinstance(one, ast.Constant) for text in strings(one)]
                for name in direct:
                    if re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)+", name):
                        found.setdefault(name, set())
    return found


def strings(node: ast.expr) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def test_every_finding_of_check_is_listed() -> None:
    section = page("json.md").partition("\n### Findings\n")[2].partition("\n## ")[0]
    listed = {name for row in rows(section) for name in re.findall(r"`([a-z0-9.-]+)`", row[0])}

    assert listed == {*findings_in("checks"), "does-not-run"}


def test_every_finding_of_doctor_is_listed_with_its_severities() -> None:
    section = page("doctor.md").partition("\n## Findings\n")[2]
    used = findings_in("doctor")
    table = {name: row[1] for row in rows(section) for name in re.findall(r"`([a-z0-9.-]+)`", row[0])}

    assert {*table, "not-inspected"} == set(used)
    assert "`not-inspected` (note)" in section
    for name, severities in table.items():
        assert used[name] <= set(severities.split(", ")), name


# Links


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        destination = (path.parent / file) if file else path
        assert destination.exists(), target
        if anchor:
            assert anchor in anchors(destination.read_text(encoding="utf-8")), target


# Commands in pages and hints


@cache
def known_commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = dict(script("docs/make_cli_reference.py").commands())
    return found


def complaint(line: str) -> str:
    """Say what is wrong with a line that begins with ``imageai-env``; empty when nothing is."""
    if line.startswith(PROSE):
        return ""
    line = re.split(r" -- |  +|\s#|;| [|>]|\.$|\s\(", line)[0]
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    commands = known_commands()
    if words[1:2] in ([], ["--version"], ["--help"]) or any(name.split()[1:] == words[1:] for name in commands):
        return ""
    named = next((" ".join(words[:count]) for count in (3, 2) if " ".join(words[:count]) in commands), None)
    if named is None:
        groups = {name.split()[1] for name in commands if name.count(" ") == 2}
        return "" if words[1] in groups and len(words) == 2 else f"no such command: {line}"
    options = {name for p in commands[named].params for name in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}
    unknown = [word for word in words if re.match(r"--?[a-zA-Z]", word) and word.split("=")[0] not in options]
    return f"{named} has no {', '.join(unknown)}" if unknown else ""


def lines_of_pages() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for _, block in FENCE.findall(text):
            for line in re.findall(r"^(?:\$ )?(imageai-env .+)$", block, re.MULTILINE):
                yield path.name, line
        for line in re.findall(r"`(imageai-env [^`\n]+)`", FENCE.sub("", text)):
            yield path.name, line


def lines_of_hints() -> Iterator[tuple[str, str]]:
    """Yield what ``hint=``, ``fix=`` and findings tell people to type; a value within stands as ``NAME``."""
    for path, tree in trees().items():
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in docstrings:
                continue
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(v.value) if isinstance(v, ast.Constant) else "NAME" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if "\n" not in text:
                for line in re.findall(r"\bimageai-env (?:[a-z]+\b.*|--.*)", text):
                    yield path.name, line


def test_commands_in_pages_exist() -> None:
    found = list(lines_of_pages())

    assert len(found) > 50
    assert not [(where, wrong) for where, line in found if (wrong := complaint(line))]


def test_commands_in_hints_exist() -> None:
    found = list(lines_of_hints())

    assert len(found) > 30
    assert not [(where, wrong) for where, line in found if (wrong := complaint(line))]


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert complaint("imageai-env cure")
    assert complaint("imageai-env create x --offline")
    assert not complaint("imageai-env create x --tf 2.10 --with 'a<2'")


# README and continuous integration


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands = [line for _, block in FENCE.findall(readme) for line in block.splitlines() if re.search(r"\bnox$", line)]

    assert len(commands) == 1
    assert commands[0] in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_pages_know_no_machine() -> None:
    for path in PAGES:
        assert not re.search(r"(?<![\w.])/(?:root|work|tmp/lab)\b", path.read_text(encoding="utf-8")), path.name


def texts_of_the_project() -> dict[str, str]:
    package = REPOSITORY / "imageai_envs"
    files = [*PAGES, *package.rglob("*.py"), *package.rglob("*.toml"), *(REPOSITORY / "templates").rglob("*.toml")]
    return {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in files}


def from_an_index(text: str) -> list[str]:
    """Return where people are told to install our name from an index: it is nobody's there, so it is anybody's."""
    # "imageai-envs @ file:…" and a wheel's file name say where it comes from.
    name = r"imageai[-_.]envs(?:\[[^\]]*\])?(?![\w./\[-]| *@ )"
    return re.findall(rf"(?i)(?:install|inject|--with|uvx|add)\b[^\n`]{{0,40}}[ \"'=]{name}", text)


def test_nobody_is_told_to_install_our_name_from_an_index() -> None:
    assert [(where, found) for where, text in texts_of_the_project().items() if (found := from_an_index(text))] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('python -m pip install "imageai-envs[uv]"', True),
        ("uv tool install imageai-envs", True),
        ("pipx install --python 3.12 imageai_envs", True),
        ('pip install "imageai-envs[uv] @ file:///x/imageai_envs-0.1.0-py3-none-any.whl#sha256=0"', False),
        ("pip install dist/imageai_envs-0.1.0-py3-none-any.whl", False),
        ('pip install ".[uv]"', False),
    ],
)
def test_such_a_text_is_noticed(text: str, told: bool) -> None:
    assert bool(from_an_index(text)) is told
