"""Logs into causes: real errors are explained rightly, people's own errors not at all, and no input does harm."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imageai_envs.explain.explain import Explanation, confirm, explain
from imageai_envs.explain.log_text import clean, encoding_of
from imageai_envs.explain.rules import shipped_rules
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Captured from environments that were really broken (names: rule--situation), with paths and names made neutral.
CAPTURED = sorted((REPOSITORY / "tests" / "data" / "errors").glob("*.txt"))
UNRELATED = sorted((REPOSITORY / "tests" / "data" / "unrelated").glob("*.txt"))
RULES = {rule.id: rule for rule in shipped_rules()}
NUMPY = "TypeError: Unable to convert function return value to a Python type! The signature was\n"


def ids(source: str | bytes, installed: Mapping[str, str] | None = None, status: int | None = None) -> list[str]:
    return [item.rule.id for item in explain(source, installed, status=status)]


# What is explained ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.stem)
def test_real_errors(path: Path) -> None:
    assert ids(path.read_bytes())[:1] == [path.stem.split("--")[0]]


def test_enough_real_errors() -> None:
    assert len(CAPTURED) >= 30


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RuntimeError: operator torchvision::nms does not exist", "--imageai 3"),
        ("RuntimeError: Dependency error!!! PyTorch and TorchVision are not installed.", "--imageai 3"),
        ("RuntimeError: Numpy is not available", "--imageai 3"),
        ("ModuleNotFoundError: No module named 'torch'", "--imageai 3"),
        ("_pickle.UnpicklingError: Weights only load failed. This file can still be loaded", "--imageai 3"),
        ("    from tkinter import Image\nModuleNotFoundError: No module named 'tkinter'", "--imageai 3"),
        (
            "imageai/Detection/__init__.py\nImportError: libtk8.6.so: cannot open shared object file: No such file",
            "--imageai 3",
        ),
        ("RuntimeError: You are trying to use a Tensorflow model with ImageAI. ImageAI now uses PyTorch", "--tf 2.10"),
        ("ERROR: No matching distribution found for tensorflow==1.14.0", "--tf 1.15"),
        ("ERROR: No matching distribution found for tensorflow-gpu<2,>=1.13", "--tf 2.10"),  # any of several
        ("AttributeError: module 'tensorflow._api.v1.compat.v2' has no attribute '__internal__'", "--tf 1.15"),
        ("AttributeError: module 'tensorflow' has no attribute 'placeholder'", "--tf 1.15"),
    ],
)
def test_what_mends_it_is_the_template_that_was_meant(text: str, words: str) -> None:
    (found,) = explain(f"{text}\n")
    assert re.match(rf"imageai-env create myproj {re.escape(words)}( |$)", found.rule.fix[0]), found.rule.fix


def test_the_evidence_is_the_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("a\nb\n  " + NUMPY + "c\n", encoding="utf-8")
    with path.open("rb") as stream:
        (found,) = explain(stream)
    assert [(item.line, item.text) for item in found.evidence] == [(3, NUMPY.strip())]
    assert found.to_json()["evidence"] == [{"line": 3, "text": NUMPY.strip()}]


def test_evidence_keeps_no_secrets() -> None:
    (found,) = explain("https://robot:hunter2@x/ ImportError: libGL.so.1: cannot open shared object file\n")
    assert found.evidence[0].text.startswith("https://****@x/ ")


# Chains and several failures ---------------------------------------------------------------------------------------

CHAIN = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
ImportError: libGL.so.1: cannot open shared object file: No such file or directory

{link}

Traceback (most recent call last):
  File "b.py", line 1, in <module>
{consequence}
"""


@pytest.mark.parametrize(
    "link",
    [
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ],
)
@pytest.mark.parametrize(
    "consequence",
    ["ModuleNotFoundError: No module named 'tensorflow'", "ModuleNotFoundError: No module named 'cv2'"],
)
def test_the_cause_of_a_chain_comes_first(link: str, consequence: str) -> None:
    assert ids(CHAIN.format(link=link, consequence=consequence))[0] == "opencv-libgl"


def test_what_imageai_puts_in_place_of_an_error_comes_last() -> None:
    wrapper = "ValueError: Ensure you specified correct input image, input type, output type and/or output image path"
    link = "During handling of the above exception, another exception occurred:"
    assert ids(wrapper) == ["imageai-hides-the-error"]
    text = CHAIN.format(link=link, consequence=wrapper).replace(": No such file or directory", "")
    assert ids(text) == ["opencv-libgl", "imageai-hides-the-error"]


def test_the_last_failure_of_a_log_comes_first() -> None:
    failure = "Traceback (most recent call last):\n  File 'a.py', line 1\n{}\n\n"
    first = failure.format("ModuleNotFoundError: No module named 'cv2'")
    last = failure.format("ModuleNotFoundError: No module named 'imageai'")
    assert ids(first + last) == ["imageai-not-installed", "opencv-not-installed"]
    found = explain(first + last + first)
    assert [item.rule.id for item in found] == ["opencv-not-installed", "imageai-not-installed"]
    assert [item.evidence[0].line for item in found] == [11, 7]


def test_warnings_come_after_errors() -> None:
    warning = "W dso_loader.cc:64] Could not load dynamic library 'libcudart.so.11.0'; dlerror: libcudart.so.11.0\n"
    found = explain(warning + NUMPY)
    assert [(item.rule.id, item.rule.warning) for item in found] == [("numpy-2", False), ("cuda-library-missing", True)]


def test_consequences_are_left_out() -> None:
    assert ids(NUMPY + "ImportError: numpy.core.multiarray failed to import\n") == ["numpy-2"]


def test_what_must_stand_near() -> None:
    error = "TypeError: 'NoneType' object is not subscriptable\n"
    assert ids(error) == []
    frame = '  File "/x/site-packages/keras_resnet/layers/_batch_normalization.py", line 13, in call\n'
    assert ids(frame + error) == ["keras-resnet-with-keras-3"]
    assert ids(frame + "  File 'x.py'\n" * 2000 + error) == []


def test_a_death_without_words() -> None:
    assert ids("", status=132) == ["no-avx"]
    (found,) = explain("I was here\n", status=137)
    assert (found.rule.id, found.evidence[0].line, found.evidence[0].text) == ("out-of-memory", 0, "exit status 137")


# What is not explained ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", UNRELATED, ids=lambda path: path.stem)
def test_errors_of_users_in_tensorflow_and_imageai(path: Path) -> None:
    assert ids(path.read_bytes()) == []


# Each is really run. They come near to what rules know: the same classes, modules of like names, files that lack.
PROGRAMS = (
    "raise ValueError('my own')",
    "raise ValueError('shapes (3,2) and (4,) not aligned')",
    "open('street.jpg')",
    "open('/root/' if __import__('os').getuid() else '/')",
    "{}['numpy']",
    "[][3]",
    "None['x']",
    "None.shape",
    "''.decode()",
    "import tensorflow_of_mine",
    "import keras_of_mine.layers",
    "import imageai_helpers",
    "import cv2_tools",
    "from os import deprecated",
    "from collections import Mapping_",
    "import json; json.loads('{')",
    "b'\\xff'.decode('utf-8')",
    "int('x')",
    "1 / 0",
    "def f(): f()\nf()",
    "assert 1 == 2, 'tensorflow'",
    "raise RuntimeError('CUDA is great')",
    "import sys; sys.exit('numpy is needed')",
    "try:\n    {}['a']\nexcept KeyError as error:\n    raise RuntimeError('odd') from error",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('Keras said no')",
    "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
    "import subprocess; subprocess.run(['no-such-program'])",
    "import threading\nt = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); raise SystemExit(1)",
    "import warnings; warnings.warn('numpy.dtype is fine', RuntimeWarning); raise KeyError('protobuf')",
    "x = object(); x.setModelPath('resnet.h5')",
    "raise AttributeError(\"module 'mine' has no attribute 'float'\")",
    "raise TypeError('Descriptors are created elsewhere')",
    "eval('a b')",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_errors_of_other_programs(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert done.stderr
    assert ids(done.stderr) == []


def test_nothing_in_nothing() -> None:
    assert explain("") == explain(b"") == explain(io.BytesIO()) == ()


# Any input ---------------------------------------------------------------------------------------------------------

TEXT = "before\n" + NUMPY + "\t() -> handle\nüber 'x'\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, end: str) -> None:
    found = explain(TEXT.replace("\n", end).encode(encoding))
    assert [item.rule.id for item in found] == ["numpy-2"]
    assert found[0].evidence[0].text == NUMPY.strip()


def test_latin_1_does_not_hinder() -> None:
    assert ids("Fehler für Sie\n".encode("latin-1") + NUMPY.encode()) == ["numpy-2"]


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[1;35mModuleNotFoundError\x1b[0m: \x1b[35mNo module named 'tensorflow'\x1b[0m",
        "\\u001b[0;31mModuleNotFoundError\\u001b[0m: No module named 'tensorflow'",
        "\x1b]8;;https://x\x07Module\x1b]8;;\x07NotFoundError: No module named \u2018tensorflow\u2019",
        "E   ModuleNotFoundError: No module named `tensorflow`",
        '{"message": "ModuleNotFoundError: No module named \'tensorflow\'\\n"}',
        "10%|█    | \rModuleNotFoundError: No module named 'tensorflow'\r20%",
    ],
)
def test_colours_quotes_and_wrappings(text: str) -> None:
    assert ids(text) == ["tensorflow-not-installed"]


def test_cleaning_keeps_lines() -> None:
    text = "\x1b[31ma\x1b[0m\n\u2018b\u2019\n\x1b[2Kc\n"
    assert clean(text) == "a\n'b'\nc\n"


def test_encoding_by_the_look() -> None:
    assert encoding_of(b"") == encoding_of(b"a") == encoding_of("naïve".encode()) == "utf-8"
    assert encoding_of("plain".encode("utf-16-le") * 20) == "utf-16-le"
    assert encoding_of(bytes(range(256))) == "utf-8"


@pytest.mark.parametrize("seed", range(5))
def test_garbage(seed: int) -> None:
    dice = random.Random(seed)
    garbage = dice.randbytes(300_000)
    assert ids(garbage) == []
    assert ids(garbage + b"\n" + NUMPY.encode() + garbage) == ["numpy-2"]


@pytest.mark.parametrize("before", [0, 1, 1023, 2**20 - 40, 2**20 - 1, 2**20, 2**20 + 7, 3 * 2**20 - 60])
def test_what_lies_across_pieces_is_found_with_its_line(before: int) -> None:
    filler = ("x" * 99 + "\n") * (before // 100) + "y" * (before % 100)
    (found,) = explain(io.BytesIO((filler + "\n" + NUMPY).encode()))
    assert found.evidence[0].line == before // 100 + 2


def test_one_endless_line() -> None:
    (found,) = explain(io.BytesIO(b"z" * 3_000_000 + b" No module named 'cv2' " + b"z" * 3_000_000))
    assert found.rule.id == "opencv-not-installed"
    assert len(found.evidence[0].text) <= 240


def test_random_cuts_of_real_errors_never_fail() -> None:
    dice = random.Random(4)
    everything = b"".join(path.read_bytes() for path in CAPTURED)
    for _ in range(30):
        start = dice.randrange(len(everything))
        explain(everything[start : start + dice.randrange(4000)])


# An environment's word ----------------------------------------------------------------------------------------------


def said(found: Explanation) -> tuple[bool | None, str]:
    return found.confirmed, found.because


def test_what_is_installed_confirms_or_refutes() -> None:
    assert said(explain(NUMPY, {"numpy": "2.0.2"})[0]) == (True, "numpy 2.0.2 is installed")
    assert said(explain(NUMPY, {"numpy": "1.23.5"})[0]) == (
        False, "numpy 1.23.5 is installed, and this comes with numpy>=2",
    )  # fmt: skip
    assert said(explain(NUMPY, {})[0]) == (False, "numpy is not installed")
    assert said(explain(NUMPY, {"numpy": "weird"})[0]) == (None, "")
    assert said(explain(NUMPY)[0]) == (None, "")


def test_what_is_refuted_comes_last_and_beats_nobody() -> None:
    text = NUMPY + "ImportError: numpy.core.multiarray failed to import\n"
    assert ids(text, {"numpy": "2.0.2"}) == ["numpy-2"]
    assert ids(text, {"numpy": "1.23.5"}) == ["numpy-multiarray", "numpy-2"]


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-macos"])
def test_tensorflow_has_many_names(name: str) -> None:
    rule = RULES["optimizer-decay"]
    assert confirm(rule, {name: "2.15.1"}) == (True, f"{name} 2.15.1 is installed")
    assert confirm(rule, {name: "2.10.1"})[0] is False


def test_what_is_absent() -> None:
    rule = RULES["opencv-not-installed"]
    assert confirm(rule, {"numpy": "1"}) == (True, "opencv-python is not installed")
    assert confirm(rule, {"opencv-contrib-python-headless": "4.8"}) == (
        False, "opencv-contrib-python-headless 4.8 is installed",
    )  # fmt: skip


def test_the_python_may_be_unknown() -> None:
    rule = RULES["python-without-distutils"]
    assert confirm(rule, {"python": "3.12"}) == (True, "python 3.12 is installed")
    assert confirm(rule, {"python": "3.10"})[0] is False
    assert confirm(rule, {}) == (None, "")


def test_rules_without_conditions_say_nothing() -> None:
    assert confirm(RULES["disk-full"], {"numpy": "1"}) == (None, "")


def test_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, NUMPY.encode())
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert [item.rule.id for item in explain(stream)] == ["numpy-2"]
