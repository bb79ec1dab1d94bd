"""The catalogue of errors: every rule explains its own example, first and alone; its commands and links lead on."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING

import click
import pytest

from imageai_envs.base.errors import TemplateError
from imageai_envs.cli.app import COMMANDS, cli
from imageai_envs.explain.explain import explain
from imageai_envs.explain.rules import (
    Rule,
    compile_pattern,
    fixed_text,
    load_rules,
    rules_directory,
    shipped_rules,
)
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

RULES = shipped_rules()
BY_ID = {rule.id: rule for rule in RULES}

ONE = """\
schema = 1
[[rules]]
id = "one"
patterns = ["a very odd text"]
cause = "It is odd."
versions = "all"
fix = ["mend it"]
links = ["https://example.org/1"]
example = "here is a very odd text"
"""


def written(tmp_path: Path, text: str, name: str = "topic.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> str:
    with pytest.raises(TemplateError) as caught:
        load_rules([path])
    return caught.value.message


# The shipped ones -------------------------------------------------------------------------------------------------


def test_the_catalogue_is_large_and_grouped() -> None:
    assert len(RULES) >= 60
    topics = Counter(rule.topic for rule in RULES)
    assert {"tensorflow", "keras", "numpy", "protobuf", "opencv", "h5py", "imageai", "cuda", "pip", "machine"} <= set(
        topics
    )
    assert set(topics) == {path.stem for path in rules_directory().glob("*.toml")}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_example_is_explained_by_its_rule_and_by_no_other(rule: Rule) -> None:
    assert [item.rule.id for item in explain(rule.example)] == [rule.id]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_example_is_found_as_windows_writes_it(rule: Rule) -> None:
    redirected = rule.example.replace("\n", "\r\n").encode("utf-16")
    assert [item.rule.id for item in explain(redirected)] == [rule.id]


def test_each_text_is_one_rules_only() -> None:
    patterns = Counter(pattern.expression.pattern for rule in RULES for pattern in rule.patterns if not rule.near)
    assert [pattern for pattern, count in patterns.items() if count > 1] == []


def test_what_is_beaten_exists_and_nobody_beats_his_victor() -> None:
    for rule in RULES:
        for loser in rule.beats:
            assert loser != rule.id
            assert rule.id not in BY_ID[loser].beats, f"{rule.id} and {loser} beat each other"


def test_causes_are_sentences() -> None:
    for rule in RULES:
        assert rule.cause.rstrip(")").endswith((".", "'")), rule.id
        assert "\n" not in rule.cause + rule.versions + "".join(rule.fix), rule.id


def parsed(words: list[str]) -> None:
    context = click.Context(cli)
    name = words[0]
    assert name in COMMANDS, words
    command = cli.get_command(context, name)
    assert command is not None
    arguments = words[1:]
    if isinstance(command, click.Group):
        command, arguments = command.get_command(context, words[1]), words[2:]
        assert command is not None, words
    command.make_context(name, arguments, resilient_parsing=False).close()


def test_our_commands_in_them_are_commands() -> None:
    seen = 0
    for rule in RULES:
        for fix in rule.fix:
            for found in re.findall(r"imageai-env [^;,()]+?(?=   |$|[;,()]| and )", fix):
                parsed(shlex.split(found)[1:])
                seen += 1
    assert seen > 60


def test_our_pages_in_them_have_these_headings() -> None:
    def anchor(heading: str) -> str:
        return re.sub(r"[^\w\- ]", "", heading.strip("# ").lower()).replace(" ", "-")

    for rule in RULES:
        for link in rule.links:
            if link.startswith("docs/"):
                page, _, wanted = link.partition("#")
                lines = (REPOSITORY / page).read_text(encoding="utf-8").splitlines()
                assert wanted in [anchor(line) for line in lines if line.startswith("#")], f"{rule.id}: {link}"


def test_what_dies_by_a_signal() -> None:
    assert [item.rule.id for item in explain("", status=132)] == ["no-avx"]
    assert [item.rule.id for item in explain("", status=137)] == ["out-of-memory"]
    assert explain("", status=139) == ()


def test_caps_are_caps() -> None:
    caps = {rule.id: str(rule.cap) for rule in RULES if rule.cap}
    assert caps["protobuf-4"] == "protobuf<4"
    assert caps["matplotlib-too-new"] == "matplotlib<3.6"
    assert all("<" in cap for cap in caps.values())


def test_the_page_of_known_errors_is_up_to_date() -> None:
    path = REPOSITORY / "docs" / "make_explain_reference.py"
    spec = importlib.util.spec_from_file_location("make_explain_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (REPOSITORY / "docs" / "explain.md").read_text(encoding="utf-8")
    assert page == module.render(), "run: python docs/make_explain_reference.py"


# The format -------------------------------------------------------------------------------------------------------


def test_a_rule_is_read(tmp_path: Path) -> None:
    more = 'near = ["keras"]\nunless = ["mine"]\nstatuses = ["132"]\ncap = "x<2"\nbeats = ["y"]\npriority = -3\n'
    more += "warning = true\n"
    confirm = '[rules.confirm]\ninstalled = ["numpy>=2"]\nabsent = ["torch"]\n'
    (rule,) = load_rules([written(tmp_path, ONE + more + confirm)])
    assert (rule.id, rule.topic, rule.fix, rule.priority, rule.warning) == ("one", "topic", ("mend it",), -3, True)
    assert (rule.statuses, str(rule.cap), rule.beats, rule.absent) == ((132,), "x<2", ("y",), ("torch",))
    assert [str(item) for item in rule.installed] == ["numpy>=2"]
    assert rule.patterns[0].literal == "a very odd text"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("schema = 1", "schema = 2"), "this version reads schema 1"),
        (("id = ", "idea = "), "did you mean 'id'?"),
        (('id = "one"', 'id = "One two"'), "lower case letters"),
        (("a very odd text", "odd (text"), "is not valid"),
        (("a very odd text", "a|b"), "write one pattern for each"),
        (("a very odd text", "odd.*text"), "6 characters"),
        (('"a very odd text"', "3"), "must be a string"),
        (('["a very odd text"]', "[]"), "must not be empty"),
        (('cause = "It is odd."\n', ""), "cause: missing"),
        (("https://example.org/1", "example.org"), "a link begins with https://"),
        (('fix = ["mend it"]', "fix = []"), "must not be empty"),
        (("example = ", 'cap = "not a cap!"\nexample = '), "cap"),
        (("example = ", 'statuses = ["SIGILL"]\nexample = '), "statuses"),
    ],
)
def test_problems_are_named_with_their_place(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    path = written(tmp_path, ONE.replace(*change))
    message = problems(path)
    assert told in message
    assert str(path) in message


def test_unknown_keys_of_confirm(tmp_path: Path) -> None:
    assert "did you mean 'installed'?" in problems(written(tmp_path, ONE + '[rules.confirm]\ninstaled = ["x"]\n'))


def test_one_id_is_one_rules(tmp_path: Path) -> None:
    first, second = written(tmp_path, ONE), written(tmp_path, ONE, "other.toml")
    with pytest.raises(TemplateError, match="another rule 'one'"):
        load_rules([first, second])


def test_not_toml(tmp_path: Path) -> None:
    assert "is not valid TOML" in problems(written(tmp_path, "schema ="))


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        (r"libGL\.so\.1: cannot open", "libGL.so.1: cannot open"),
        (r"Descriptors cannot (?:not )?be created", "Descriptors cannot "),
        (r"(?<!partially )module 'tensorflow' has", "module 'tensorflow' has"),
        (r"[^]x]abcdefg[a-z\]]hi", "abcdefg"),
        (r"abcdefgh?ijk", "abcdefg"),
        (r"abcdefgh+ijk", "abcdefgh"),
        (r"abcdefg.{0,80}hi", "abcdefg"),
        (r"\babcdef\d", "abcdef"),
        (r"(a(b|c)d)efghij", "efghij"),
    ],
)
def test_the_fixed_text_of_a_pattern(pattern: str, literal: str) -> None:
    assert compile_pattern(pattern).literal == literal


def test_fixed_text_is_in_every_example() -> None:
    for rule in RULES:
        for pattern in rule.patterns:
            assert all(
                run in pattern.expression.pattern.replace("\\", "") for run in fixed_text(pattern.expression.pattern)
            )
