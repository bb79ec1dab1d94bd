"""Which template answers: the nearest of a name, the one that fits the version; otherwise the reason and the fix."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.errors import RequestError, TemplateError
from imageai_envs.base.paths import Home, shipped_templates
from imageai_envs.request.request import Request
from imageai_envs.templates.catalog import load_catalog, select
from tests.conftest import tiny_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.templates.template import Template


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


def put(directory: Path, name: str, text: str | None = None) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.toml"
    path.write_text(tiny_template(name) if text is None else text, encoding="utf-8")
    return path


def project() -> Path:
    return Path.cwd() / ".imageai-env" / "templates"


def without_gpu(text: str) -> str:
    return text[: text.index("[variants.gpu]")] + text[text.index("[[caps]]") :]


# The catalogue ----------------------------------------------------------------------------------------------------


def test_the_shipped_ones_are_all_good_and_in_order(home: Home) -> None:
    catalog = load_catalog(home)
    assert catalog.broken == ()
    names = [entry.template.name for entry in catalog.entries]
    lists = {"defaults", "unsupported"}
    assert sorted(names) == sorted({path.stem for path in shipped_templates().glob("*.toml")} - lists)
    assert {entry.origin for entry in catalog.entries} == {"shipped"}
    # TensorFlow before PyTorch, minors as numbers, the plain name before the others of its minor.
    order = ["tf1.15", "tf2.4", "tf2.9", "tf2.10", "tf2.11", "tf2.15", "imageai3"]
    assert [name for name in names if name in order] == order
    for name in names:
        plain = name.partition("-")[0]
        assert names.index(plain) <= names.index(name)


def test_the_nearest_of_a_name_wins_and_says_what_it_hides(home: Home) -> None:
    near, user = put(project(), "tf2.10"), put(home.templates, "tf2.10")
    own = put(home.templates, "mine")
    catalog = load_catalog(home)
    entry = catalog.named("tf2.10")
    assert entry is not None
    assert (entry.origin, entry.template.path) == ("project", near)
    assert entry.hides[0] == user
    assert [path.name for path in entry.hides] == ["tf2.10.toml", "tf2.10.toml"]
    mine = catalog.named("mine")
    assert mine is not None
    assert (mine.origin, mine.template.path, mine.hides) == ("user", own, ())
    assert catalog.named("nobodys") is None


def test_broken_files_hide_nothing(home: Home) -> None:
    whole = load_catalog(home).entries
    put(project(), "bad", "schema = 1\n")
    put(home.templates, "torn", "schema = ")
    put(home.templates, "unsupported", "reasons, not a template")
    catalog = load_catalog(home)
    assert catalog.entries == whole
    assert [(one.error.path, one.origin) for one in catalog.broken] == [
        (project() / "bad.toml", "project"),
        (home.templates / "torn.toml", "user"),
    ]


# Selection --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensorflow", "name", "exact"),
    [
        (None, "tf2.10", "2.10.1"),
        ("2.10", "tf2.10", "2.10.1"),
        ("2.10.0", "tf2.10", "2.10.0"),
        ("2.4", "tf2.4", None),
        ("2.9", "tf2.9", None),
    ],
)
def test_versions(home: Home, tensorflow: str | None, name: str, exact: str | None) -> None:
    selection = select(Request(tensorflow=tensorflow), home)
    assert selection.template.name == name
    assert selection.version == (exact or selection.template.newest)
    assert selection.variant == "cpu"


def test_without_a_named_patch_the_python_decides(home: Home) -> None:
    whole, named = (select(Request(tensorflow=text), home) for text in ("2.11", "2.11.1"))
    assert [whole.on((3, minor)).version for minor in (7, 8, 10)] == ["2.11.0", "2.11.1", "2.11.1"]
    assert (whole.choosing.python_words(), named.choosing.python_words()) == ("3.7 to 3.10", "3.8 to 3.10")
    assert named.on((3, 7)) is named


def test_the_nearest_template_of_a_minor(home: Home) -> None:
    put(project(), "ours")
    assert select(Request(tensorflow="2.10"), home).template.name == "ours"
    assert select(Request(tensorflow="2.10", template="tf2.10"), home).template.name == "tf2.10"
    assert select(Request(), home).template.name == "tf2.10"  # nobody asked for a project's own


def test_a_template_without_the_variant_yields_to_one_that_has_it(home: Home) -> None:
    put(project(), "ours", without_gpu(tiny_template("ours")))
    assert select(Request(tensorflow="2.10"), home).template.name == "ours"
    selection = select(Request(tensorflow="2.10", variant="gpu"), home)
    assert (selection.template.name, selection.variant) == ("tf2.10", "gpu")
    with pytest.raises(RequestError, match="no gpu variant") as caught:
        select(Request(template="ours", variant="gpu"), home)
    assert caught.value.code == "no-such-variant"


def test_a_minor_of_which_nobody_has_the_variant(home: Home) -> None:
    text = without_gpu(tiny_template("new")).replace('"2.10"', '"2.97"').replace("2.10.", "2.97.")
    put(project(), "new", text)
    assert select(Request(tensorflow="2.97"), home).template.name == "new"
    with pytest.raises(RequestError, match="Template new has no gpu variant") as caught:
        select(Request(tensorflow="2.97", variant="gpu"), home)
    assert caught.value.code == "no-such-variant"


@pytest.mark.parametrize("spelling", ["{}", "./{}", "~/{}"])
def test_files_by_path(home: Home, spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    path = put(Path.cwd(), "by-path")
    selection = select(Request(template=spelling.format(path.name)), home)
    assert (selection.template.name, selection.entry.origin) == ("by-path", "file")


def test_a_file_that_is_not_there_or_broken(home: Home) -> None:
    with pytest.raises(TemplateError, match="Cannot read template"):
        select(Request(template="./missing.toml"), home)
    put(Path.cwd(), "bad", "schema = 2\n")
    with pytest.raises(TemplateError, match=r"bad\.toml"):
        select(Request(template="bad.toml"), home)


def test_a_named_template_that_is_broken_says_why(home: Home) -> None:
    put(project(), "ours", 'schema = 1\nname = "ours"\nsumary = "x"\n')
    with pytest.raises(TemplateError, match="did you mean 'summary'"):
        select(Request(template="ours"), home)


def refused(home: Home, **words: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        select(Request(**words), home)  # type: ignore[arg-type]
    assert caught.value.exit_code == 3
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        ({"template": "nope"}, "no-such-template", "Known: tf1.15, tf2.4,", "imageai-env templates list"),
        ({"tensorflow": "two"}, "bad-version", "PEP 440", "--tf 2.10"),
        ({"imageai": "new"}, "bad-version", "PEP 440", "--imageai 2.1.6"),
        ({"tensorflow": "2.22"}, "no-such-release", "the newest that was is 2.21", "--tf 2.21"),
        ({"tensorflow": "2.22.2"}, "no-such-release", "source: ", "--tf 2.21"),
        ({"tensorflow": "2.23.0rc1"}, "no-such-release", "not measured", "--tf 2.21"),
        ({"tensorflow": "2.16.0"}, "no-such-release", "It has 2.16.1, 2.16.2", "--tf 2.16.2"),
        ({"tensorflow": "2.12.0rc1"}, "no-such-release", "2.12.0, 2.12.1", "--tf 2.12.1"),
        ({"tensorflow": "2.3"}, "no-such-release", "not measured", "--tf 2.4"),
        ({"tensorflow": "1.14"}, "no-such-release", "only 1.15 was measured", "--tf 1.15"),
        ({"tensorflow": "1.15.1"}, "no-such-release", "It has 1.15.0, 1.15.2", "--tf 1.15.5"),
        ({"tensorflow": "2"}, "no-such-release", "not measured", "--tf 2.4"),
        ({"tensorflow": "3.1"}, "no-such-release", "Known: tf1.15, tf2.4", "--tf 2.21"),
        ({"tensorflow": "2.10.9"}, "no-such-release", "It has 2.10.0, 2.10.1", "--tf 2.10.1"),
        ({"tensorflow": "2.10rc1"}, "no-such-release", "It has 2.10.0, 2.10.1", "--tf 2.10.1"),
        ({"tensorflow": "2.9", "template": "tf2.10"}, "no-such-release", "tf2.10 has no TensorFlow 2.9", "--tf"),
        ({"imageai": "3.0.0"}, "imageai-version", "only 3.0.3 was measured", "--imageai 3.0.3"),
        ({"imageai": "2.1.0"}, "imageai-version", "only 2.1.5 was measured", "--imageai 2.1.5"),
        ({"imageai": "2.1.7"}, "imageai-version", "only 3.0.3", "--imageai 3.0.3"),
        ({"imageai": "3.0.3", "template": "tf2.10"}, "imageai-version", "With TensorFlow: it runs on PyTorch", "2.1.6"),
        ({"imageai": "2.1.5", "tensorflow": "2.4"}, "imageai-version", "does not import", "--imageai 2.1.6"),
        ({"imageai": "2.1.6", "tensorflow": "1.15"}, "imageai-version", "has ImageAI 2.1.5; you asked", "2.1.5"),
        ({"torch": "1.13"}, "no-such-release", "No template has PyTorch 1.13. Known: imageai3", "--torch 1.12"),
        ({"torch": "1.12.0"}, "no-such-release", "imageai3 has no PyTorch 1.12.0", "--torch 1.12.1"),
        ({"torch": "new"}, "bad-version", "PEP 440", "--torch 1.12"),
        ({"torch": "1.12", "tensorflow": "2.10"}, "two-frameworks", "not on both", "--torch"),
        (
            {"torch": "1.12", "template": "tf2.10"},
            "no-such-release",
            "runs on TensorFlow; you asked for PyTorch",
            "--torch",
        ),
        ({"tensorflow": "2.10", "template": "imageai3"}, "no-such-release", "runs on PyTorch", "Drop --tf"),
        (
            {"imageai": "2.1.5", "variant": "gpu"},
            "no-such-variant",
            "tf1.15 has no gpu",
            "templates show tf1.15",
        ),
    ],
)
def test_reasons_and_fixes(home: Home, words: dict[str, str], code: str, message: str, hint: str) -> None:
    error = refused(home, **words)
    assert error.code == code
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("words", "name", "version"),
    [
        ({"imageai": "3"}, "imageai3", "1.12.1"),
        ({"imageai": "3.0"}, "imageai3", "1.12.1"),
        ({"imageai": "3.0.3"}, "imageai3", "1.12.1"),
        ({"imageai": "3", "variant": "gpu"}, "imageai3-torch2.15", "2.15.0"),
        ({"torch": "1.12"}, "imageai3", "1.12.1"),
        ({"torch": "2.7"}, "imageai3-torch2.7", "2.7.1"),
        ({"torch": "1.12.1", "imageai": "3.0.3"}, "imageai3", "1.12.1"),
        ({"imageai": "2.1.5"}, "tf1.15", "1.15.5"),
        ({"tensorflow": "1.15"}, "tf1.15", "1.15.5"),
        ({"imageai": "2.1.6"}, "tf2.10", "2.10.1"),
        ({"imageai": "2.1"}, "tf2.10", "2.10.1"),
        ({"imageai": "2"}, "tf2.10", "2.10.1"),
    ],
)
def test_another_imageai(home: Home, words: dict[str, str], name: str, version: str) -> None:
    selection = select(Request(**words), home)  # type: ignore[arg-type]
    assert (selection.template.name, selection.version) == (name, version)


def test_equal_versions_are_equal(home: Home) -> None:
    assert select(Request(tensorflow="2.10.0.0", imageai="2.1.6.0"), home).version == "2.10.0"


def names(home: Home, **words: str) -> list[str]:
    """Return what a request offers to choose among."""
    offered: list[str] = []

    def choose(templates: Sequence[Template]) -> Template:
        offered.extend(template.name for template in templates)
        return templates[-1]

    chosen = select(Request(**words), home, choose).template.name  # type: ignore[arg-type]
    assert chosen == offered[-1]
    return offered


def test_what_may_answer_in_place_of_the_usual_one(home: Home) -> None:
    torches = ["imageai3-torch2.15", "imageai3-torch2.7", "imageai3-torch2.0"]
    assert names(home, imageai="3") == ["imageai3", *torches]
    assert names(home, imageai="3", variant="gpu") == torches
    found = names(home)
    assert (found[0], found[-1]) == ("tf2.10", "tf2.4")
    assert not {"tf1.15", "tf2.10-headless"} & set(found)  # another ImageAI, another purpose


def test_templates_of_mine_answer_only_under_the_names_of_shipped_ones(home: Home) -> None:
    text = (shipped_templates() / "imageai3-torch2.15.toml").read_text(encoding="utf-8")
    put(project(), "imageai3-torch2.15", text)
    put(home.templates, "torch2.15", text.replace('"imageai3-torch2.15"', '"torch2.15"'))
    assert names(home, imageai="3")[:2] == ["imageai3", "imageai3-torch2.15"]
    selection = select(Request(imageai="3"), home, lambda templates: templates[1])
    assert selection.entry.origin == "project"


# Broken files that are nearer ------------------------------------------------------------------------------------

NOT_TOML = "schema = "
MISSPELT = tiny_template("tf2.10").replace("summary", "sumary")


@pytest.mark.parametrize("where", ["project", "user"])
@pytest.mark.parametrize("text", [NOT_TOML, MISSPELT, ""])
@pytest.mark.parametrize(
    "words",
    [
        {},
        {"template": "tf2.10"},
        {"tensorflow": "2.10"},
        {"tensorflow": "2.10.0"},
        {"imageai": "2.1.6"},
        {"variant": "gpu"},
    ],
    ids=str,
)
def test_a_broken_file_of_the_chosen_name_is_not_passed_over(
    home: Home, where: str, text: str, words: dict[str, str]
) -> None:
    path = put(project() if where == "project" else home.templates, "tf2.10", text)
    with pytest.raises(TemplateError) as caught:
        select(Request(**words), home)  # type: ignore[arg-type]
    assert caught.value.path == path
    assert str(path) in caught.value.message
    assert "fix it, or move it away" in caught.value.message
    assert caught.value.hint == f"imageai-env templates validate {path}"


def test_what_the_file_says_counts_as_its_name_does(home: Home) -> None:
    path = put(project(), "other", MISSPELT)
    for words in ({}, {"template": "tf2.10"}, {"tensorflow": "2.10"}):
        with pytest.raises(TemplateError) as caught:
            select(Request(**words), home)  # type: ignore[arg-type]
        assert caught.value.path == path


def test_a_broken_file_of_that_minor_might_have_been_nearer(home: Home) -> None:
    path = put(project(), "lab", tiny_template("lab").replace("summary", "sumary"))
    with pytest.raises(TemplateError) as caught:
        select(Request(tensorflow="2.10"), home)
    assert caught.value.path == path
    # It could not have answered these: they take a template by its name.
    for words in ({}, {"template": "tf2.10"}, {"imageai": "2.1.6"}, {"tensorflow": "2.9"}, {"torch": "1.12"}):
        select(Request(**words), home)  # type: ignore[arg-type]


@pytest.mark.parametrize("stem", ["tf2.9", "f2.10", "tf2.1", "atf2.10", "tf2.10-headless", "unsupported", "defaults"])
def test_an_unrelated_broken_file_changes_nothing(home: Home, stem: str) -> None:
    put(project(), stem, NOT_TOML)
    for words in ({}, {"template": "tf2.10"}, {"tensorflow": "2.10"}, {"imageai": "2.1.6"}):
        assert select(Request(**words), home).entry.origin == "shipped"  # type: ignore[arg-type]


def test_a_broken_file_further_away_changes_nothing(home: Home) -> None:
    put(project(), "tf2.10")
    put(home.templates, "tf2.10", NOT_TOML)
    for words in ({}, {"template": "tf2.10"}, {"tensorflow": "2.10"}):
        assert select(Request(**words), home).entry.origin == "project"  # type: ignore[arg-type]


def test_a_name_is_not_found_in_another(home: Home) -> None:
    put(project(), "tf2.9", NOT_TOML)
    error = refused(home, template="f2.9")
    assert (error.code, "tf2.9.toml" in error.message) == ("no-such-template", False)


def test_only_a_broken_file_would_answer(home: Home) -> None:
    path = put(project(), "new", tiny_template("new").replace('minor = "2.10"', 'minor = "2.17"'))
    with pytest.raises(TemplateError) as caught:
        select(Request(tensorflow="2.17"), home)
    assert caught.value.path == path
    unreadable = put(project(), "tf2.18", "")
    unreadable.unlink()
    unreadable.symlink_to("/dev/zero")
    with pytest.raises(TemplateError, match="it is a device") as caught:
        select(Request(tensorflow="2.18"), home)
    assert caught.value.path == unreadable


# One of several ---------------------------------------------------------------------------------------------------

HEADLESS = [{}, {"tensorflow": "2.10"}, {"imageai": "2.1.6"}, {"imageai": "2"}, {"variant": "gpu"}]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "shipped"
    shutil.copytree(shipped_templates(), directory)
    monkeypatch.setattr("imageai_envs.templates.catalog.shipped_templates", lambda: directory)
    return directory


@pytest.mark.parametrize("words", HEADLESS, ids=str)
@pytest.mark.parametrize("name", ["tf2.10-other", "a", "zzz"])
def test_another_shipped_template_of_a_minor_changes_nothing(
    home: Home, shipped: Path, name: str, words: dict[str, str]
) -> None:
    put(shipped, name)
    assert select(Request(**words), home).template.name == "tf2.10"  # type: ignore[arg-type]
    assert select(Request(template=name), home).template.name == name


@pytest.mark.parametrize("words", [words for words in HEADLESS if "tensorflow" not in words], ids=str)
def test_another_template_of_mine_changes_nothing_for_who_names_no_tensorflow(
    home: Home, words: dict[str, str]
) -> None:
    put(project(), "tf2.10-headless")
    put(home.templates, "tf2.15-mine", tiny_template("tf2.15-mine").replace("2.10", "2.15"))
    entry = select(Request(**words), home).entry  # type: ignore[arg-type]
    assert (entry.template.name, entry.origin) == ("tf2.10", "shipped")


def test_the_default_of_my_own_is_the_nearest_of_that_name(home: Home) -> None:
    put(home.templates, "tf2.10")
    for words in HEADLESS:
        assert select(Request(**words), home).entry.origin == "user"  # type: ignore[arg-type]
    put(project(), "tf2.10", without_gpu(tiny_template("tf2.10")))
    assert select(Request(), home).entry.origin == "project"
    with pytest.raises(RequestError, match="has no gpu variant"):
        select(Request(variant="gpu"), home)


def test_of_several_of_mine_the_plain_name_answers_for_a_minor(home: Home) -> None:
    put(project(), "lab")
    put(project(), "tf2.10")
    put(home.templates, "theirs")
    assert select(Request(tensorflow="2.10"), home).template.name == "tf2.10"


def test_of_several_of_mine_without_a_plain_name_none_is_guessed(home: Home) -> None:
    put(project(), "lab")
    put(project(), "lab-headless")
    error = refused(home, tensorflow="2.10")
    assert (error.code, error.hint) == ("several-templates", "--template lab")
    assert "lab, lab-headless" in error.message


def test_the_default_is_gone(home: Home, shipped: Path) -> None:
    (shipped / "tf2.10.toml").unlink()
    assert refused(home).code == "no-template"
    put(shipped, "tf2.10", NOT_TOML)
    with pytest.raises(TemplateError, match=r"tf2\.10\.toml"):
        select(Request(), home)


def test_another_default_is_a_word_in_the_data(home: Home, shipped: Path) -> None:
    text = (shipped / "defaults.toml").read_text(encoding="utf-8")
    (shipped / "defaults.toml").write_text(text.replace("tf2.10", "tf2.12"), encoding="utf-8")
    assert select(Request(), home).template.name == "tf2.12"
    assert select(Request(imageai="2.1.6"), home).template.name == "tf2.12"


@pytest.mark.parametrize("option", ["tensorflow", "imageai", "torch"])
def test_versions_without_measure(home: Home, option: str) -> None:
    assert refused(home, **{option: "1" * 5000}).code == "bad-version"


def test_homes_of_nobody(home: Home) -> None:
    with pytest.raises(TemplateError, match="No such file"):
        select(Request(template="~nobody-at-all/x.toml"), home)
