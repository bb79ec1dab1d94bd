"""Prove what of ImageAI works in an environment: every kind of model and of training, by results."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from imageai_envs.base.errors import InstallError, VerifyError
from imageai_envs.base.progress import Silent
from imageai_envs.base.redaction import redact
from imageai_envs.verification.devices import WITHOUT_TF32, device_variables
from imageai_envs.verification.probe_runner import run_probe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.base.progress import Reporter

_EVENT = "@@imageai-env-event@@"
_TIMEOUT = 1800  # seconds; the probe takes 100 on two cores, TensorFlow 1.15 over ten minutes

# What people ask for, and the stages of the probe that prove it, each with the word that tells it from its neighbours.
FEATURES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "imports": {"imports": "modules", "import_custom_detection": "training of detection"},
        "image classification": {
            "classify_mobilenetv2": "MobileNetV2",
            "classify_squeezenet": "SqueezeNet",
            "classify_resnet50": "ResNet50",
            "classify_inceptionv3": "InceptionV3",
            "classify_densenet121": "DenseNet121",
        },
        "object detection": {
            "detect_retinanet": "RetinaNet",
            "detect_yolov3": "YOLOv3",
            "detect_tinyyolov3": "TinyYOLOv3",
        },
        "video detection": {"detect_video": "TinyYOLOv3"},
        "classification training": {"train_classification": "weights", "train_classification_full": "whole network"},
        "custom classification": {"classify_custom": "weights", "classify_custom_full": "whole network"},
        "detection training": {"train_detection": "training", "evaluate_detection": "evaluation"},
        "custom detection": {"detect_custom": "pictures", "detect_custom_video": "video"},
    }
)


@dataclass(frozen=True)
class StageProof:
    """What one stage of the probe answered.

    Attributes:
        name: as in :data:`FEATURES`.
        ok: ImageAI gave the right result.
        seconds: by the clock.
        cpu_seconds: of the processors, which a busy machine does not stretch.
        error: ``type``, ``text`` and ``where`` of what went wrong at the root, and ``shown``, what ImageAI made of it.
        facts: what was measured, also by a stage that failed.
    """

    name: str
    ok: bool
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    error: Mapping[str, str] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """What works in an environment.

    Attributes:
        features: name of each feature that was tried, and whether all its stages are right.
        stages: every stage in the order in which they ran.
        seconds: of the whole probe.
        cpu_seconds: of the whole probe; 0 when it did not reach its end.
        peak_rss_mb: the largest memory in use, in MiB; None where it is not known.
        versions: of Python and the packages that were imported.
        ended: why the probe did not reach its end; None when it did.
    """

    features: Mapping[str, bool]
    stages: tuple[StageProof, ...]
    seconds: float
    cpu_seconds: float = 0.0
    peak_rss_mb: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    ended: str | None = None

    @property
    def ok(self) -> bool:
        """Everything that was tried works."""
        return self.ended is None and bool(self.features) and all(self.features.values())

    def failures(self) -> tuple[str, ...]:
        """Return one line for each stage that is not right, with the cause."""
        lines = []
        for stage in self.stages:
            if not stage.ok:
                error = stage.error or {}
                where = f" [{error['where']}]" if error.get("where") else ""
                lines.append(f"{words(stage.name)}: {error.get('type')}: {error.get('text')}{where}")
        return tuple(lines)

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)


def words(stage: str) -> str:
    """Return a stage's name for people."""
    for feature, stages in FEATURES.items():
        if stage in stages:
            return f"{feature} ({stages[stage]})"
    return stage


def prove(
    root: Path,
    context: Context,
    *,
    variant: str = "cpu",
    script: str = "imageai_probe.py",
    only: tuple[str, ...] = (),
    threads: int | None = None,
) -> Proof:
    """Run the full probe in the environment at ``root`` and return what works.

    What fails is an answer, not an error; so is a process that dies in the middle: what it had proved stands, and what
    it was about to prove counts as failed. The probe is offline and needs about 0.6 GB of disk and 3 GB of memory.
    Results are compared digit by digit, so a GPU computes without TensorFloat-32, whose products have three digits.

    Args:
        root: the environment.
        context: directories, reporter and log of the command.
        variant: ``cpu`` hides GPUs from TensorFlow.
        script: the probe; ImageAI 3 and 2.1.5 have their own.
        only: stages to run, with the imports; all by default.
        threads: for TensorFlow and NumPy; as many as there are processors by default.

    Raises:
        VerifyError: the probe did not even begin (``probe-died``).
    """
    events = _Listener(context.reporter)
    arguments = ["features", "{directory}"]
    if only:
        arguments += ["--only", ",".join(only)]
    if threads:
        arguments += ["--threads", str(threads)]
    answer, ended = None, None
    try:
        done, answer = run_probe(
            root,
            script,
            tuple(arguments),
            replace(context, reporter=events),
            timeout=_TIMEOUT,
            variables=device_variables(variant) | WITHOUT_TF32,
        )
    except InstallError as error:
        if error.code != "timeout":
            raise
        ended, last = f"it took longer than {_TIMEOUT} s", ""
    else:
        if answer is None:
            ended = _end(done.returncode)
        last = "\n".join(f"  {line}" for line in redact(done.stderr).splitlines()[-5:])
    if not events.plan:
        raise VerifyError(
            f"The probe did not begin: {ended}.\n{last}\n  Full log: {context.log.path}", code="probe-died"
        )
    stages = tuple(events.stage(name, ended) for name in events.plan)
    whole = answer or {}
    return Proof(
        _features(stages),
        stages,
        _number(whole.get("seconds")) or round(sum(stage.seconds for stage in stages), 2),
        _number(whole.get("cpu_seconds")),
        int(_number(whole.get("peak_rss_mb"))) or None,
        _texts(whole.get("versions")),
        ended,
    )


def _end(returncode: int) -> str:
    if returncode == -signal.SIGILL:
        return "it stopped with an illegal instruction: this processor has no AVX, which TensorFlow's wheels need"
    if returncode in (-9, 137):
        return "the system killed it, most likely because memory ran out (the whole probe needs 3 GB)"
    return f"it was ended by signal {-returncode}" if returncode < 0 else f"it ended with exit status {returncode}"


def _features(stages: tuple[StageProof, ...]) -> dict[str, bool]:
    right = {stage.name: stage.ok for stage in stages}
    return {
        feature: all(right[name] for name in names if name in right)
        for feature, names in FEATURES.items()
        if any(name in right for name in names)
    }


class _Listener(Silent):
    """Reads the probe's events among its output, and passes the rest on.

    It is called from the threads that read the process; they have ended when its answers are asked for.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._done: dict[str, dict[str, object]] = {}
        self._started: str | None = None
        self.plan: tuple[str, ...] = ()

    def output(self, line: str) -> None:
        """Take a line of the probe."""
        _, mark, text = line.partition(_EVENT)
        if not mark:
            self._reporter.output(line)
            return
        event = json.loads(text)
        if "plan" in event:
            self.plan = tuple(event["plan"])
        elif "started" in event:
            self._started = event["started"]
            self._reporter.step(words(event["started"]))
        elif "done" in event:
            self._started = None
            self._done[event["done"]] = event["answer"]

    def stage(self, name: str, ended: str | None) -> StageProof:
        """Return what is known of a stage; ``ended`` says why the probe did not go on, if it did not."""
        answer = self._done.get(name)
        if answer is None:
            kind = "Died" if name == self._started else "NotReached"
            return StageProof(name, False, error={"type": kind, "text": ended or "the probe ended", "where": ""})
        error, facts = answer.get("error"), answer.get("facts")
        return StageProof(
            name,
            answer.get("ok") is True,
            _number(answer.get("seconds")),
            _number(answer.get("cpu_seconds")),
            {key: redact(value) for key, value in _texts(error).items()} if error else None,
            facts if isinstance(facts, dict) else {},
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
