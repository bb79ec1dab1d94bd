"""Which template answers: the nearest of a name, the one that fits the version; otherwise the reason and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageai_envs.catalog import load_catalog, select
from imageai_envs.errors import RequestError, TemplateError
from imageai_envs.paths import Home
from imageai_envs.request import Request
from tests.conftest import tiny_template


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
    assert [entry.template.name for entry in catalog.entries] == [
        "tf1.15",
        "tf2.4",
        "tf2.5",
        "tf2.6",
        "tf2.7",
        "tf2.8",
        "tf2.9",
        "tf2.10",
        "tf2.11",
        "tf2.12",
        "tf2.13",
        "tf2.14",
        "tf2.15",
        "imageai3",
    ]
    assert {entry.origin for entry in catalog.entries} == {"shipped"}


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
    put(project(), "bad", "schema = 1\n")
    put(home.templates, "torn", "schema = ")
    put(home.templates, "unsupported", "reasons, not a template")
    catalog = load_catalog(home)
    assert len(catalog.entries) == 14
    assert [error.message.count("bad.toml") + error.message.count("torn.toml") > 0 for error in catalog.broken] == [
        True,
        True,
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
    text = without_gpu(tiny_template("new")).replace('"2.10"', '"2.17"').replace("2.10.", "2.17.")
    put(project(), "new", text)
    assert select(Request(tensorflow="2.17"), home).template.name == "new"
    with pytest.raises(RequestError, match="Template new has no gpu variant") as caught:
        select(Request(tensorflow="2.17", variant="gpu"), home)
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
        ({"tensorflow": "2.16"}, "no-such-release", "Keras 3", "--tf 2.15"),
        ({"tensorflow": "2.16.2"}, "no-such-release", "source: ", "--tf 2.15"),
        ({"tensorflow": "2.17.0rc1"}, "no-such-release", "Keras 3", "--tf 2.15"),
        ({"tensorflow": "2.12.0rc1"}, "no-such-release", "2.12.0, 2.12.1", "--tf 2.12.1"),
        ({"tensorflow": "2.3"}, "no-such-release", "not measured", "--tf 2.4"),
        ({"tensorflow": "1.14"}, "no-such-release", "only 1.15 was measured", "--tf 1.15"),
        ({"tensorflow": "1.15.1"}, "no-such-release", "It has 1.15.0, 1.15.2", "--tf 1.15.5"),
        ({"tensorflow": "2"}, "no-such-release", "not measured", "--tf 2.4"),
        ({"tensorflow": "3.1"}, "no-such-release", "Known: tf1.15, tf2.4", "--tf 2.15"),
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
        ({"imageai": "3", "variant": "gpu"}, "no-such-variant", "imageai3 has no gpu", "templates show imageai3"),
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
        ({"torch": "1.12"}, "imageai3", "1.12.1"),
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
