"""What users write: PEP 508 requirements and requirements files; whatever cannot be locked is refused by name."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

import pytest

from imageai_envs.base.errors import RequestError
from imageai_envs.request.requirements import MAX_BYTES, MAX_NESTING, parse_requirement, read_requirements


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("pandas", "pandas"),
        ("  pandas >= 1.5 , < 2 ", "pandas<2,>=1.5"),
        ("pandas[excel]==1.5.3", "pandas[excel]==1.5.3"),
        ('six; python_version<"4"', 'six; python_version < "4"'),
    ],
)
def test_requirements_become_canonical(text: str, canonical: str) -> None:
    assert parse_requirement(text, "--with") == canonical
    assert parse_requirement(canonical, "--with") == canonical


@pytest.mark.parametrize("text", ["", "pandas==", "pandas 1.5", "-e .", "./local", "a; b"])
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(RequestError, match=r"^--with: .*PEP 508") as caught:
        parse_requirement(text, "--with")
    assert caught.value.code == "bad-requirement"


@pytest.mark.parametrize("url", ["https://user:secret@example.org/x-1.0.whl", "file:///srv/secret/x-1.0.whl"])
def test_direct_references_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(RequestError, match="x is given by URL or path") as caught:
        parse_requirement(f"x @ {url}", "more.txt, line 3")
    assert caught.value.code == "direct-reference"
    assert "secret" not in caught.value.message + (caught.value.hint or "")


def test_a_file_with_everything_that_is_understood() -> None:
    path = write(
        "more.txt",
        "\ufeff# a comment, after a byte order mark\n"
        "\n"
        "pandas<2   # the reason\n"
        "scipy \\\n"
        "  >=1.9, \\\n"
        "  <2\n"
        "pytz==2025.2 --hash=sha256:" + "0" * 64 + " \\\n    --hash=sha256:" + "1" * 64 + "\n"
        "-r sub/one.txt\n"
        "--requirement=sub/two.txt\n"
        "six; sys_platform == 'linux'",
    )
    write("sub/one.txt", "h5py\r\n-r deeper/three.txt\r\n")
    write("sub/deeper/three.txt", "wrapt\n")
    write("sub/two.txt", "")
    assert read_requirements(path) == (
        "pandas<2",
        "scipy<2,>=1.9",
        "pytz==2025.2",
        "h5py",
        "wrapt",
        'six; sys_platform == "linux"',
    )


def test_a_continuation_at_the_very_end() -> None:
    assert read_requirements(write("more.txt", "pandas \\\n")) == ("pandas",)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("-e .", "-e"),
        ("--editable=.", "--editable"),
        ("--index-url https://user:secret@example.org", "--index-url"),
        ("--extra-index-url=https://user:secret@example.org", "--extra-index-url"),
        ("-c constraints.txt", "-c"),
        ("--pre", "--pre"),
        ("-f wheels", "-f"),
    ],
)
def test_options_are_refused_by_name(line: str, option: str) -> None:
    path = write("more.txt", f"six\n\n{line}\n")
    with pytest.raises(RequestError, match=re.escape(f"more.txt, line 3: the option {option} is not")) as caught:
        read_requirements(path)
    assert "secret" not in str(caught.value)


def test_places_of_errors_are_those_of_the_file_and_the_lines_beginning() -> None:
    write("main.txt", "six\n-r inner.txt\n")
    write("inner.txt", "# one\npandas \\\n  ==\n")
    with pytest.raises(RequestError, match=r"inner\.txt, line 2: 'pandas"):
        read_requirements(Path("main.txt"))


def test_cycles_end() -> None:
    path = write("a.txt", "-r b.txt\n")
    write("b.txt", "-r a.txt\n")
    with pytest.raises(RequestError, match="includes itself"):
        read_requirements(path)


def test_nesting_up_to_the_limit() -> None:
    for number in range(MAX_NESTING):
        write(f"{number}.txt", f"-r {number + 1}.txt\n")
    write(f"{MAX_NESTING}.txt", "six\n")
    assert read_requirements(Path("0.txt")) == ("six",)


def test_unreadable_files() -> None:
    with pytest.raises(RequestError, match=r"Cannot read missing\.txt: No such file"):
        read_requirements(Path("missing.txt"))
    write("main.txt", "-r nothing/here.txt")
    with pytest.raises(RequestError, match=r"nothing/here\.txt: No such file"):
        read_requirements(Path("main.txt"))
    with pytest.raises(RequestError, match="Is a directory"):
        read_requirements(Path())
    Path("utf16.txt").write_text("pandas\n", encoding="utf-16")
    with pytest.raises(RequestError, match="not UTF-8"):
        read_requirements(Path("utf16.txt"))


def test_files_that_include_each_other_often_are_read_once() -> None:
    for number in range(MAX_NESTING):
        write(f"{number}.txt", f"-r {number + 1}.txt\n" * 50)
    write(f"{MAX_NESTING}.txt", "six\n")
    assert read_requirements(Path("0.txt")) == ("six",)


@pytest.mark.parametrize("text", ["six==" + "1" * 5000, "six; " + "(" * 900 + "os_name == 'x'", "x" * 100_000])
def test_requirements_without_measure(text: str) -> None:
    with pytest.raises(RequestError, match="PEP 508") as caught:
        parse_requirement(text, "--with")
    assert len(caught.value.message) < 500


def test_what_is_no_requirements_file() -> None:
    os.mkfifo("pipe")
    Path("endless").symlink_to("/dev/zero")
    for name, words in (("pipe", "nothing came out of this pipe"), ("endless", "it is a device, not a file")):
        with pytest.raises(RequestError, match=words) as caught:
            read_requirements(Path(name))
        assert caught.value.exit_code == 3
    Path("long.txt").write_bytes(b"six\n" * (MAX_BYTES // 4 + 1))
    with pytest.raises(RequestError, match="longer than 2 MB"):
        read_requirements(Path("long.txt"))
    write("null.txt", "-r a\0b\n")
    with pytest.raises(RequestError, match="null"):
        read_requirements(Path("null.txt"))


def test_spaces_and_continued_lines_take_no_minutes() -> None:
    """Each of 400,000 spaces was once tried as the beginning of a comment."""
    path = Path("requirements.txt")
    begun = time.monotonic()
    for text in ("six" + " " * 400_000 + "# comment", "six" + " " * 400_000 + "--hash=sha256:0", "six \\\n" * 100_000):
        path.write_text(text, encoding="utf-8")
        with contextlib.suppress(RequestError):
            assert read_requirements(path) == ("six",)
    assert time.monotonic() - begun < 5
