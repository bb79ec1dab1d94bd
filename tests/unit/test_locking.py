"""What a lock depends on, what is resolved beside ImageAI's wrong metadata, and clashes that are seen before."""

from __future__ import annotations

import dataclasses
import platform
import sys
from pathlib import Path

import pytest

from imageai_envs.base.errors import RequestError, UnsolvableError
from imageai_envs.base.process import Log
from imageai_envs.engines.compile_lock import check_clashes, compile_lock, resolution_of
from imageai_envs.engines.pip_tools import PipEngine
from imageai_envs.interpreters import Interpreter
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.lockfile import Pin
from imageai_envs.request.target import Target
from imageai_envs.templates.catalog import Entry, Selection
from imageai_envs.templates.template_file import load_template
from tests.conftest import tiny_template
from tests.support.context import recording

LINUX = Target((3, 10), "linux", "x86_64")
DROPPED = """
[[dropped]]
distribution = "Keras_Preprocessing"
reason = "nobody imports it"
source = "a test"
"""


def inputs(*extras: str, text: str | None = None, tensorflow: str = "2.10.1", target: Target = LINUX) -> LockInputs:
    path = Path("tiny.toml").absolute()
    path.write_text(tiny_template() if text is None else text, encoding="utf-8")
    return LockInputs(Selection(Entry(load_template(path), "file"), tensorflow, "cpu"), extras, target)


def of_imageai() -> str:
    """The template with ImageAI's metadata believed."""
    return tiny_template().replace("replaces-dependencies = true", "replaces-dependencies = false")


def ours() -> Interpreter:
    version = (sys.version_info[0], sys.version_info[1], sys.version_info[2])
    return Interpreter(Path(sys.executable), version, "CPython", sys.platform, platform.machine(), "running")


# The inputs -------------------------------------------------------------------------------------------------------


def test_imageai_is_not_resolved_with_the_rest() -> None:
    one = inputs("six")
    assert one.requirements[0] == "tensorflow-cpu==2.10.1"
    assert one.requirements[-1] == "six"
    assert not any(line.startswith("imageai") for line in one.requirements)
    assert resolution_of(one).alone == ("imageai==2.1.6",)
    assert resolution_of(one).built == ("keras-resnet",)
    assert "numpy<1.24" in one.constraints


def test_imageai_whose_metadata_counts_is_resolved_with_the_rest() -> None:
    one = inputs(text=of_imageai())
    assert "imageai==2.1.6" in one.requirements
    assert resolution_of(one).alone == ()
    assert not one.header("uv 1", frozenset()).replaced


def test_preferences_without_what_is_upgraded() -> None:
    pins = (Pin("six", "1.0", ()), Pin("pillow", "12.2.0", ()))
    resolution = resolution_of(inputs(), pins, frozenset({"pillow"}))
    assert [pin.name for pin in resolution.preferences()] == ["six"]


def test_the_digest_follows_all_that_is_resolved() -> None:
    text = tiny_template()
    variations = [
        inputs(),
        inputs("six"),
        inputs("six", "pandas"),
        inputs(tensorflow="2.10.0"),
        inputs(target=Target((3, 9), "linux", "x86_64")),
        inputs(text=text.replace('"numpy<1.24"', '"numpy<1.25"')),
        inputs(text=text.replace('version = "2.1.6"', 'version = "2.1.5"')),
        inputs(text=text + DROPPED),
        inputs(text=of_imageai()),
        inputs("imageai==2.1.6"),  # resolved is the same: what ImageAI requires counts in one of them
        inputs(text=text.replace('distribution = "keras-resnet"', 'distribution = "keras-resnets"')),
    ]
    assert len({one.digest for one in variations}) == len(variations)


def test_the_digest_ignores_words() -> None:
    text = tiny_template()
    for other in (
        text.replace("summary = ", 'summary = "x" #'),
        text.replace('reason = "3.6 and newer', 'reason = "other words: 3.6 and newer'),
        text.replace("disk-mb = 1391", "disk-mb = 1"),
        text.replace('name = "tiny"', 'name = "other"'),
        f"# a comment\n{text}",
    ):
        assert other != text
        assert inputs(text=other).digest == inputs().digest


def test_the_header() -> None:
    header = inputs("six", text=tiny_template() + DROPPED).header("uv 1", frozenset({"six"}))
    assert (header.template, str(header.release), header.imageai, header.variant) == (
        "tiny",
        "TensorFlow 2.10.1",
        "2.1.6",
        "cpu",
    )
    assert (header.requires, header.dropped, header.replaced) == (("six",), ("keras-preprocessing",), True)
    assert header.built == ()  # keras-resnet is not among the pins
    assert inputs().header("uv 1", frozenset({"keras-resnet"})).built == ("keras-resnet",)


# Clashes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("numpy>=2", ("'numpy>=2'", "'numpy<1.24'", "has no attribute 'float'", "source: ")),
        ("NumPy==1.26.4", ("'numpy<1.24'",)),
        ("tensorflow_cpu==2.4.0", ("'tensorflow-cpu==2.10.1'",)),
        ("keras-resnet<0.2", ("'keras-resnet==0.2.0'",)),
        ("imageai==3.0.3", ("'imageai==2.1.6'",)),
        ('numpy>=2; python_version >= "3.10"', ("'numpy<1.24'",)),
    ],
)
def test_clashes_are_named_with_their_reason(extra: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UnsolvableError) as caught:
        check_clashes(inputs(extra))
    assert (caught.value.code, caught.value.exit_code) == ("clash", 5)
    for word in words:
        assert word in caught.value.message
    assert "Drop" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "extra",
    [
        "numpy",
        "numpy>=1.20",
        "numpy==1.23.5",
        "pandas>=99",
        "imageai",
        "imageai==2.1.6",
        "keras-resnet==0.2.0",
        'numpy>=2; python_version < "3.10"',
        'numpy>=2; sys_platform == "win32"',
    ],
)
def test_what_may_go_together_passes(extra: str) -> None:
    check_clashes(inputs(extra))


def test_the_engine_pip_does_not_resolve_for_pythons_without_a_pip_tools_that_can(tmp_path: Path) -> None:
    old = dataclasses.replace(ours(), version=(3, 6, 15))
    engine = PipEngine()
    with pytest.raises(RequestError, match="cannot resolve for Python 3.6") as caught:
        compile_lock(inputs(target=old.target), engine, old, recording(Log(tmp_path / "x.log")))
    assert caught.value.code == "old-python"
    assert engine.describe(old) == "pip"
