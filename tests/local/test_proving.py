"""The full probe and what is made of its answer, without TensorFlow: that it tells the truth where nothing works."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from imageai_envs.base.errors import VerifyError
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.verification import features
from imageai_envs.verification.features import FEATURES, prove
from imageai_envs.verification.which_probes import probe_of
from tests.support.context import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

PROBES = sorted(path for path in Path(str(files("imageai_envs.verification.probes"))).glob("*.py"))
EVENT = "@@imageai-env-event@@"
GOOD = {"ok": True, "seconds": 1.5, "cpu_seconds": 2.5, "error": None, "facts": {"objects": 3}}
BAD = {
    "ok": False,
    "seconds": 0.5,
    "cpu_seconds": 0.5,
    "error": {"type": "ValueError", "text": "no http://me:secret@host/", "where": "keras/a.py:1 in b", "shown": "x"},
    "facts": {"learning_rate_set": 0.001},
}


class Steps(Silent):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def output(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment with nothing in it."""
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    return place


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "x.log")


def event(**value: object) -> str:
    return EVENT + json.dumps(value)


def says(root: Path, *lines: str, end: str = "exit 0") -> None:
    """Put a program that says these lines where the environment's Python is."""
    python = root / "bin" / "python"
    python.unlink()
    body = "\n".join(lines)
    python.write_text(f"#!/bin/sh\ncat <<'EOF'\n{body}\nEOF\n{end}\n", encoding="utf-8")
    python.chmod(0o755)


@pytest.mark.parametrize("path", PROBES, ids=lambda path: path.name)
def test_probes_have_the_syntax_of_python_3_6(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the probes: none imports a framework until a stage runs."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(PROBES[0].parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("imageai", ["2.1.5", "2.1.6", "3.0.3"])
def test_every_stage_belongs_to_a_feature_and_every_feature_has_one(
    inside: Callable[[str], ModuleType], imageai: str
) -> None:
    table = inside(probe_of(imageai).removesuffix(".py")).STAGES.table()
    names = [name for name, _ in table]
    known = [stage for feature in FEATURES.values() for stage in feature]
    assert len(names) == len(set(names)) > 10
    assert len(known) == len(set(known))
    assert set(names) <= set(known)
    assert all(set(feature) & set(names) for feature in FEATURES.values())
    assert all(callable(work) for _, work in table)


@pytest.fixture
def training(inside: Callable[[str], ModuleType]) -> ModuleType:
    """What the probe does when it trains with ImageAI 3."""
    return inside("imageai3_training")


def test_each_batch_has_its_step_of_training(training: ModuleType) -> None:
    training.check_made([1, 2], 2, 1.0)
    for batches in ([], [2], [1], [1, 1], [1, 2, 3]):
        with pytest.raises(Exception, match="made steps for the batches"):
            training.check_made(batches, 2, 1.0)


def test_a_step_is_left_out_only_where_the_scaler_says_so(training: ModuleType) -> None:
    training.check_made(list(range(5, 17)), 16, 16.0)
    training.check_made([16], 16, 2.0**15)
    training.check_made([1, 3], 3, 2.0)
    for batches, shrunk in (([], 2.0**16), (list(range(5, 17)), 1.0), ([16], 2.0), (list(range(1, 17)), 2.0)):
        with pytest.raises(Exception, match="made steps for the batches"):
            training.check_made(batches, 16, shrunk)


class Bias:
    """A parameter with as much of a tensor as is looked at."""

    def __init__(self, value: float, grad: Bias | None = None) -> None:
        self.value, self.grad = value, grad

    def detach(self) -> Bias:
        return self

    def clone(self) -> Bias:
        return Bias(self.value)

    def __sub__(self, other: Bias) -> Bias:
        return Bias(self.value - other.value)


def test_steps_that_a_scaler_leaves_out_are_not_counted(training: ModuleType) -> None:
    """A trainer in half precision: in its first batches the scaler finds infinite gradients, and makes no step."""
    bias = Bias(1.0)
    hooks: list[Callable[[object, object], None]] = []
    groups = [{"lr": 0.0, "momentum": 0.8} for _ in range(3)]

    def move() -> None:
        assert bias.grad
        bias.value -= groups[2]["lr"] * bias.grad.value

    optimizer = SimpleNamespace(param_groups=groups, step=move)
    network = SimpleNamespace(
        named_parameters=lambda: [("conv.bias", bias), ("conv.weight", None)], register_forward_pre_hook=hooks.append
    )
    steps: list[dict[str, Any]] = []
    training._watch_steps(network, optimizer, steps)
    factor = 65536.0
    for batch in range(1, 17):
        hooks[0](SimpleNamespace(training=True), ())
        groups[2]["lr"] = training.bias_rate(batch, 16)
        bias.grad = Bias(0.5)
        if batch <= 4:
            factor /= 2
        else:
            optimizer.step()
        hooks[0](SimpleNamespace(training=False), ())  # the validation of each experiment
    assert [step["batch"] for step in steps] == list(range(5, 17))
    training.check_made([step["batch"] for step in steps], 16, 65536.0 / factor)
    first = steps[0]
    assert first["rates"][2] == (training.bias_rate(5, 16), 0.8)
    assert first["before"]["conv.bias"].value == 1.0
    assert first["moved"]["conv.bias"].value == pytest.approx(0.5 * training.bias_rate(5, 16))


def test_the_rate_that_imageai_means_for_biases(training: ModuleType) -> None:
    """As DetectionModelTrainer.trainModel of ImageAI 3.0.3 has it, in its own words."""

    def imageai(batches_done: int, epochs: int) -> float:
        lr_lambda = (1 - batches_done / (epochs - 1)) * (1.0 - 0.01) + 0.01
        end = 0.01 * lr_lambda
        return 0.1 + (end - 0.1) * batches_done / 1000  # numpy.interp(batches_done, [0, 1000], [0.1, end])

    assert training.bias_rate(1, 2) == pytest.approx(0.1 + (0.01 * 0.01 - 0.1) / 1000, rel=1e-12)
    for batch in range(1, 17):
        assert training.bias_rate(batch, 16) == pytest.approx(imageai(batch, 16), rel=1e-12)


def test_an_empty_environment(root: Path, log: Log) -> None:
    told = Steps()
    proof = prove(root, recording(log, told))
    assert not proof.ok
    assert proof.ended is None
    assert set(proof.features) == set(FEATURES)
    assert not any(proof.features.values())
    errors = {stage.name: stage.error or {} for stage in proof.stages}
    assert errors["imports"]["text"] == "No module named 'numpy'"
    assert {error["type"] for error in errors.values()} == {"ModuleNotFoundError", "Skipped"}
    assert "needs what the stage train_classification makes" in errors["classify_custom"]["text"]
    assert told.steps[1] == "image classification (MobileNetV2)"
    assert proof.failures()[0].startswith("imports (modules): ModuleNotFoundError: No module named 'numpy' [")
    assert str(root) not in json.dumps(proof.to_json())


def test_only_some_stages(root: Path, log: Log) -> None:
    proof = prove(root, recording(log), only=("detect_retinanet",), threads=1)
    assert [stage.name for stage in proof.stages] == ["imports", "detect_retinanet"]
    assert proof.features == {"imports": False, "object detection": False}


def test_a_stage_that_does_not_exist(root: Path, log: Log) -> None:
    with pytest.raises(VerifyError, match="no such stage: detect_cats") as caught:
        prove(root, recording(log), only=("detect_cats",))
    assert caught.value.code == "probe-died"


def test_features_are_true_when_all_their_stages_are(root: Path, log: Log) -> None:
    plan = ["imports", "detect_yolov3", "detect_retinanet", "train_detection"]
    whole = {"versions": {"tensorflow": "2.15.1"}, "peak_rss_mb": 2400, "seconds": 9.5, "cpu_seconds": 12.0}
    says(
        root,
        event(plan=plan),
        *(line for name in plan[:3] for line in (event(started=name), "noise", event(done=name, answer=GOOD))),
        "12/12 [=====]" + event(started=plan[3]),
        event(done=plan[3], answer=BAD),
        "@@imageai-env@@" + json.dumps(whole),
    )
    told = Steps()
    proof = prove(root, recording(log, told))
    assert proof.features == {"imports": True, "object detection": True, "detection training": False}
    assert (proof.seconds, proof.cpu_seconds, proof.peak_rss_mb) == (9.5, 12.0, 2400)
    assert proof.versions == {"tensorflow": "2.15.1"}
    assert proof.stages[3].facts == {"learning_rate_set": 0.001}
    assert proof.failures() == ("detection training (training): ValueError: no http://****@host/ [keras/a.py:1 in b]",)
    assert told.steps == [
        "imports (modules)",
        "object detection (YOLOv3)",
        "object detection (RetinaNet)",
        "detection training (training)",
    ]
    assert told.lines.count("noise") == 3
    assert EVENT not in "".join(told.lines)
    assert not proof.ok


def test_what_a_process_proved_before_it_died_stands(root: Path, log: Log) -> None:
    lines = (
        event(plan=["imports", "train_detection", "detect_custom"]),
        event(started="imports"),
        event(done="imports", answer=GOOD),
        event(started="train_detection"),
    )
    says(root, *lines, end="kill -9 $$")
    proof = prove(root, recording(log))
    assert proof.features == {"imports": True, "detection training": False, "custom detection": False}
    assert proof.ended is not None
    assert "memory ran out" in proof.ended
    assert [(stage.error or {}).get("type") for stage in proof.stages] == [None, "Died", "NotReached"]
    assert proof.seconds == 1.5
    assert not proof.ok


def test_one_wrong_stage_makes_its_feature_wrong(root: Path, log: Log) -> None:
    answers = {
        "detect_yolov3": GOOD,
        "detect_retinanet": BAD,
        "classify_resnet50": {},
        "train_detection": {"ok": "yes"},
    }
    says(root, event(plan=[*answers]), *(event(done=name, answer=answer) for name, answer in answers.items()))
    assert prove(root, recording(log)).features == {
        "image classification": False,
        "object detection": False,
        "detection training": False,
    }


@pytest.mark.parametrize(
    ("stage", "end", "proved"),
    [
        ("imports", "echo '@@imageai-env@@{}'", True),
        ("imports", "exit 0", False),  # without its last word
        ("imports", "kill -9 $$", False),
        ("of another version", "echo '@@imageai-env@@{}'", False),  # then nothing that is known was tried
    ],
)
def test_only_a_probe_that_came_to_its_end_proves(root: Path, log: Log, stage: str, end: str, proved: bool) -> None:
    says(root, event(plan=[stage]), event(done=stage, answer=GOOD), end=end)
    proof = prove(root, recording(log))
    assert (all(proof.features.values()), proof.ok) == (True, proved)


def test_a_probe_that_takes_too_long(root: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_TIMEOUT", 2)
    lines = (event(plan=["imports", "detect_yolov3"]), event(started="imports"), event(done="imports", answer=GOOD))
    says(root, *lines, end="exec sleep 600")
    proof = prove(root, recording(log))
    assert proof.ended == "it took longer than 2 s"
    assert proof.features == {"imports": True, "object detection": False}


def test_a_probe_that_does_not_begin(root: Path, log: Log) -> None:
    says(root, end="echo 'no such library' >&2; exit 3")
    with pytest.raises(VerifyError, match="exit status 3") as caught:
        prove(root, recording(log))
    assert caught.value.code == "probe-died"
    assert "no such library" in caught.value.message
    assert str(log.path) in caught.value.message


def test_gpus_are_hidden_from_the_cpu_variant_only(root: Path, log: Log) -> None:
    seen = {}
    for variant in ("cpu", "gpu"):
        text = event(plan=["imports"])
        says(root, text, end='echo "devices=${CUDA_VISIBLE_DEVICES-unset}"; exit 0')
        told = Steps()
        prove(root, recording(log, told), variant=variant)
        seen[variant] = [line for line in told.lines if line.startswith("devices=")]
    assert seen == {"cpu": ["devices=-1"], "gpu": ["devices=unset"]}
