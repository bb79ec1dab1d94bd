"""Wrong requests: the exit code of their class, the reason, a fix; nothing is left behind."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import Answer, tool

if TYPE_CHECKING:
    from tests.support.index import Index


def assert_error(answer: Answer, code: int, *words: str) -> None:
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert [line for line in answer.err.splitlines() if line.startswith("error:")][1:] == []
    assert "error: " in answer.err
    for word in words:
        assert word in answer.err
    store = Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs"
    assert not store.is_dir() or not list(store.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("--tf", "9.9"), 3, ("9.9", "--tf 2.21")),
        (("--tf", "2.22"), 3, ("the newest that was is 2.21", "--tf 2.21")),
        (("--tf", "2.16.0"), 3, ("2.16.1, 2.16.2", "--tf 2.16.2")),
        (("--tf", "2.12.7"), 3, ("2.12.0, 2.12.1", "--tf 2.12.1")),
        (("--tf", "2.10.7"), 3, ("2.10.0, 2.10.1", "--tf 2.10.1")),
        (("--tf", "two"), 3, ("PEP 440",)),
        (("--imageai", "3.0.3", "--tf", "2.10"), 3, ("PyTorch", "--imageai 2.1.6")),
        (("--python", "3.12", "--tf", "2.10"), 3, ("Python 3.7 to 3.10", "3.12", "drop --python")),
        (("--template", "nope"), 3, ("no template 'nope'", "tf2.10")),
        (("--template", "./nope.toml"), 3, ("Cannot read template",)),
        (("--with", "numpy>=2"), 5, ("'numpy>=2'", "'numpy<1.24'", "has no attribute 'float'", "Drop")),
        (("--with", "keras==2.4.3", "--with", "tensorflow-cpu==2.4.0"), 5, ("tensorflow-cpu==2.10.1",)),
        (("--with", "not a requirement!"), 3, ("PEP 508",)),
        (("--with", "x @ https://user:secret@example.org/x.whl"), 3, ("URL", "cannot be locked")),
        (("-r", "missing.txt"), 3, ("missing.txt",)),
        (("--lock", "missing.txt"), 3, ("missing.txt",)),
        (("--engine", "conda"), 2, ("conda", "--help")),
        (("--tf",), 2, ("--help",)),
    ],
)
def test_requests(words: tuple[str, ...], code: int, expected: tuple[str, ...]) -> None:
    # On a machine without Python 3.10 the interpreter's answer may come first; the class of the error is the same.
    assert_error(tool("create", "x", "--no-download", *words), code, *expected)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 300, ".hidden", "con", "a b", "ä", "-x-"])
def test_names(name: str) -> None:
    answer = tool("create", "--tf", "2.10", "--", name)
    assert_error(answer, 3, "cannot name an environment")


def test_secrets_of_a_direct_reference_stay_out() -> None:
    answer = tool("create", "x", "--with", "x @ https://user:secret@example.org/x.whl")
    assert "secret" not in answer.err


def test_misspelt_command() -> None:
    assert_error(tool("creat", "x"), 2, "create")


def test_broken_templates() -> None:
    Path("broken.toml").write_text('schema = 1\nname = "x\n', encoding="utf-8")
    assert_error(tool("create", "x", "--template", "broken.toml"), 3, "not valid TOML", "line 2")
    Path("wrong.toml").write_text(
        'schema = 1\nname = "x"\nsummary = 3\n[tensorflow]\nminor = "2.10"\npatchs = ["2.10.1"]\n',
        encoding="utf-8",
    )
    answer = tool("templates", "validate", "wrong.toml")
    assert_error(answer, 3, "summary (line 3)", "must be a string", "did you mean 'patches'", "python")


def test_json_errors_keep_stdout_pure() -> None:
    answer = tool("create", "x", "--tf", "9.9", "--json")
    assert answer.code == 3
    envelope = answer.json()
    assert (envelope["schema"], envelope["status"], envelope["exit_code"]) == (1, "error", 3)
    assert envelope["errors"][0]["code"] == "no-such-release"
    usage = tool("create", "--engine", "conda", "--json")
    assert (usage.code, usage.json()["errors"][0]["code"]) == (2, "usage")


def test_an_index_that_does_not_know(index: Index, template: Path) -> None:
    answer = tool("create", "x", "--template", "tiny", "--with", "no-such-thing-at-all")
    assert_error(answer, 5, "no-such-thing-at-all")


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_deep_clash_in_words(index: Index, template: Path, engine: str) -> None:
    answer = tool("create", "x", "--template", "tiny", "--with", "needs-new-numpy", "--engine", engine)
    assert_error(answer, 5, "needs-new-numpy", "numpy>=1.26", "numpy<1.24")


PAGES = "^/simple/"
WHEEL = r"^/files/keras-2\.10.*whl$"


@pytest.mark.parametrize("engine", ["uv", "pip"])
@pytest.mark.parametrize(
    ("pattern", "fault", "words"),
    [
        (PAGES, "500", ("The index answered with an error.", "500")),
        (WHEEL, "truncated", ("A download was interrupted or arrived damaged.",)),
        (
            WHEEL,
            "altered",
            (
                "A downloaded file is not the one that the lock names, its sha256 differs: a mirror or proxy altered "
                "it, the download was interrupted, or the release was replaced.",
            ),
        ),
        (WHEEL, "404", ("The index answered with an error.", "404")),
        (WHEEL, "reset", ("A download was interrupted or arrived damaged.", "onnect")),
        (WHEEL, "slow", ("The index did not answer in time.", "timed out", "_TIMEOUT")),
    ],
)
def test_a_failing_index(
    index: Index, template: Path, tmp_path: Path, engine: str, pattern: str, fault: str, words: tuple[str, ...]
) -> None:
    caches = {
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "PIP_CACHE_DIR": str(tmp_path / "pip"),
        "PIP_RETRIES": "0",
    }
    caches |= {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "1", "PIP_DEFAULT_TIMEOUT": "1"}
    source = ("--template", "tiny")
    if engine == "pip":  # what the fault is not about is done while the index is healthy: pip's helper, the resolution
        locked = tool("lock", *source, "--engine", "pip" if pattern == PAGES else "uv", "-o", "x.txt")
        assert locked.code == 0, locked.err
        source = source if pattern == PAGES else ("--lock", "x.txt")
    index.faults[pattern] = fault
    answer = tool("create", "x", *source, "--engine", engine, **caches)
    assert_error(answer, 6, f"error: {words[0]}\n", *words[1:], "hint:")


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_an_index_without_hashes(index: Index, template: Path, tmp_path: Path, engine: str) -> None:
    """The file itself is hashed then; a lock from which a hash was taken is refused."""
    index.faults["^/simple/keras/"] = "no hash"
    locked = tool("lock", "--template", "tiny", "--engine", engine, "-o", "l.txt", UV_CACHE_DIR=str(tmp_path / "uv"))
    assert locked.code == 0, locked.err
    lock = Path("l.txt")
    text = lock.read_text(encoding="utf-8")
    wheel = next(file for file in index.files_of("keras") if "-2.10" in file.name)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert f"keras==2.10.0 \\\n    --hash=sha256:{digest}\n" in text
    lock.write_text(text.replace(f" \\\n    --hash=sha256:{digest}", ""), encoding="utf-8")
    assert_error(tool("create", "x", "--lock", "l.txt"), 3, "keras==2.10.0 has no sha256 hash")


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_no_network(index: Index, template: Path, tmp_path: Path, engine: str) -> None:
    if engine == "pip":
        assert tool("lock", "--template", "tiny", "--engine", "pip", "-o", "x.txt").code == 0
    nobody = "http://127.0.0.1:9/simple/"
    variables = {
        "PIP_INDEX_URL": nobody,
        "UV_DEFAULT_INDEX": nobody,
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "PIP_CACHE_DIR": str(tmp_path / "pip"),
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
    }
    answer = tool("create", "x", "--template", "tiny", "--engine", engine, **variables)
    assert_error(answer, 6, "cannot be reached", "connection")


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_credentials_appear_nowhere(index: Index, template: Path, tmp_path: Path, engine: str) -> None:
    password = "hunter2-and-more"
    index.password = password
    caches = {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_CACHE_DIR": str(tmp_path / "pip")}
    good = {"PIP_INDEX_URL": index.url_with(password), "UV_DEFAULT_INDEX": index.url_with(password), **caches}
    created = tool("create", "x", "--template", "tiny", "--verify", "none", "--engine", engine, "-v", **good)
    assert created.code == 0, created.err
    assert password not in created.out + created.err
    bad = {
        "PIP_INDEX_URL": index.url_with("wrong-word"),
        "UV_DEFAULT_INDEX": index.url_with("wrong-word"),
        **caches,
    }
    refused = tool("lock", "--template", "tiny", "--engine", engine, "--with", "pytz", "-o", "l.txt", **bad)
    assert refused.code in (5, 6), refused.err
    assert "wrong-word" not in refused.out + refused.err
    home = Path(os.environ["IMAGEAI_ENV_HOME"])
    ours = [*home.glob("logs/**/*"), *home.glob("envs/x/.imageai-env/*"), *Path().glob("*.txt")]
    texts = [path.read_text(encoding="utf-8") for path in ours if path.is_file()]
    assert len(texts) >= 4
    assert not any(password in text or "wrong-word" in text for text in texts)


def test_unwritable_home(template: Path, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    answer = tool("create", "x", "--template", "tiny", IMAGEAI_ENV_HOME=str(blocker / "home"))
    assert answer.code == 6
    assert "IMAGEAI_ENV_HOME" in answer.err


def test_foreign_directories_are_left_alone(index: Index, template: Path) -> None:
    place = Path(".venv")
    place.mkdir()
    (place / "precious").write_text("mine", encoding="utf-8")
    for words in (("--force",), ()):
        answer = tool("create", "y", "--path", ".venv", "--template", "tiny", *words)
        assert_error(answer, 3, "not made by imageai-env")
    assert (place / "precious").read_text(encoding="utf-8") == "mine"
    assert tool("remove", ".venv", "--yes").code == 3
    assert (place / "precious").exists()


def test_a_linked_store_leads_nowhere_else(index: Index, template: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("mine", encoding="utf-8")
    envs = Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs"
    envs.mkdir(parents=True)
    (envs / "x").symlink_to(elsewhere)
    assert tool("remove", "x", "--yes").code == 3
    assert tool("create", "x", "--template", "tiny", "--force", "--verify", "none").code == 3
    assert (elsewhere / "precious").exists()


def test_unknown_environments() -> None:
    for words in (
        ("show", "nope"),
        ("run", "nope", "--", "true"),
        ("remove", "nope", "-y"),
        ("activate", "nope"),
    ):
        answer = tool(*words)
        assert answer.code == 3
        assert "imageai-env create nope" in answer.err


def test_remove_asks() -> None:
    answer = tool("remove", "nope")
    assert answer.code == 3
