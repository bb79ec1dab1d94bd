"""doctor: what is installed, where it comes from, and whether it fits together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from imageai_envs.base.finding import Finding
from imageai_envs.base.paths import home, shipped_templates
from imageai_envs.doctor import doctor, remedy
from imageai_envs.doctor import subject as subjects
from imageai_envs.doctor.inspections import (
    breakers,
    global_installation,
    managers,
    overlaps,
    pairs,
    requirements,
    shadowing,
    standard_library,
)
from imageai_envs.doctor.subject import Subject, look_at
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.request.stack import HOOK
from imageai_envs.rescue.choosing import RescueOptions, choose_template
from imageai_envs.rescue.installed import read_distributions
from imageai_envs.templates.template_file import load_template
from tests.support.installed import REAL, install, make_venv, site_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYENV = Path("~/.pyenv/versions").expanduser()  # before tests move HOME


def environ(**variables: str) -> dict[str, str]:
    return {"PATH": "/nonexistent/bin", "HOME": os.environ["HOME"], **variables}


def see(root: Path, **variables: str) -> Subject:
    subject = look_at(root / "bin" / "python", label=root.name, root=root, environ=environ(**variables))
    assert subject.facts is not None, subject.silence
    return subject


def old_python(minor: str) -> Path:
    """Return an installed Python of that minor that runs; the test is skipped where there is none.

    What is on ``PATH`` may be a shim of pyenv for a version that is not active: it runs nothing.
    """
    command = shutil.which(f"python{minor}")
    found = [*sorted(PYENV.glob(f"{minor}.*/bin/python"), reverse=True), *([Path(command)] if command else [])]
    for python in found:
        asked = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(asked, capture_output=True, text=True, check=False).stdout == f"{minor}\n":
            return python
    pytest.skip(f"no Python {minor} here")


def ids(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity, finding.id) for finding in findings]


def one(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, ids(findings)
    return findings[0]


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "env")


@pytest.fixture
def site(env: Path) -> Path:
    return site_of(env)


def fill(site: Path, *pins: str) -> None:
    for pin in pins:
        name, _, version = pin.partition("==")
        install(site, name, version)


# What healthy sets look like: none of these may be called broken -----------------------------------------------------

HEALTHY = {
    "2.4": "tensorflow-cpu==2.4.4 imageai==2.1.6 keras==2.4.3 numpy==1.19.5 protobuf==3.20.3 h5py==2.10.0",
    "2.5": "tensorflow-cpu==2.5.3 imageai==2.1.6 keras==2.4.3 numpy==1.19.5 protobuf==3.20.3 h5py==3.1.0",
    "2.6": "tensorflow-cpu==2.6.5 imageai==2.1.6 keras==2.6.0 numpy==1.19.5 protobuf==3.19.6 h5py==3.1.0",
    "2.7": "tensorflow-cpu==2.7.4 imageai==2.1.6 keras==2.7.0 numpy==1.23.5 protobuf==3.19.6 h5py==3.14.0",
    "2.8": "tensorflow==2.8.4 imageai==2.1.6 keras==2.8.0 numpy==1.23.5 protobuf==3.19.6 h5py==3.16.0",
    "2.9": "tensorflow==2.9.3 imageai==2.1.6 keras==2.9.0 numpy==1.23.5 protobuf==3.19.6 h5py==3.16.0",
    "2.10": "tensorflow==2.10.1 imageai==2.1.6 keras==2.10.0 numpy==1.23.5 protobuf==3.19.6 h5py==3.16.0",
    "2.15 and the hook": "tensorflow==2.15.1 imageai==2.1.6 keras==2.15.0 numpy==1.23.5 protobuf==4.25.9 h5py==3.16.0 "
    f"{HOOK}==1.0",
    "2.19 and the hook": "tensorflow-cpu==2.19.1 imageai==2.1.6 keras==3.12.4 tf-keras==2.19.0 numpy==2.1.3 "
    f"protobuf==5.29.6 h5py==3.16.0 {HOOK}==2.0",
    "2.21 and the hook": "tensorflow==2.21.0 imageai==2.1.6 keras==3.15.1 tf-keras==2.21.0 numpy==2.5.5 "
    f"protobuf==6.31.1 h5py==3.16.0 tensorboard==2.21.0 {HOOK}==2.0",
    "1.15": "tensorflow==1.15.5 imageai==2.1.5 keras==2.3.1 numpy==1.18.5 protobuf==3.20.3 h5py==2.10.0",
    "torch": "imageai==3.0.3 torch==1.12.1 torchvision==0.13.1 numpy==1.26.4 tqdm==4.67.1",
    "new torch": "imageai==3.0.3 torch==2.13.0 torchvision==0.28.0 numpy==2.2.6 tqdm==4.67.1",
}  # fmt: skip
SHARED = "scipy==1.15.3 pillow==12.3.0 matplotlib==3.5.3 keras-resnet==0.2.0 opencv-python==4.11.0.86"


@pytest.mark.parametrize("pins", HEALTHY.values(), ids=HEALTHY)
def test_measured_sets_are_healthy(env: Path, site: Path, pins: str) -> None:
    old = "imageai==2" in pins and f"{HOOK}==2" not in pins
    shared = SHARED if old else SHARED.replace("matplotlib==3.5.3", "matplotlib==3.10.9")
    fill(site, *pins.split(), *shared.split())
    subject = see(env)
    assert subject.facts is not None
    subject = replace(subject, facts=replace(subject.facts, no_tkinter=""))  # whatever this Python has
    diagnosis = doctor.diagnose(subject)
    assert ids([*diagnosis.errors]) == []
    unexpected = {finding.id for finding in diagnosis.findings} - {"python-unsupported", "no-pip", "kernel-elsewhere"}
    assert not unexpected & {row.id for row in breakers.BREAKERS}
    assert "installed here" not in diagnosis.verdict


def test_our_words_about_templates_are_those_of_the_templates() -> None:
    templates = [load_template(path) for path in shipped_templates().glob("tf*.toml")]
    assert remedy.minors() == tuple(sorted({template.minor for template in templates}, key=Version))
    served = {minor for minor in range(30) if any(template.allows_python((3, minor)) for template in templates)}
    assert served == set(range(6, 14))  # pairs.py says 3.6 to 3.13


def on_python(subject: Subject, major: int, minor: int) -> Subject:
    """Return the subject as if its interpreter were of another version."""
    assert subject.facts is not None
    return replace(subject, facts=replace(subject.facts, version=(major, minor, 1)))


# Breakers ------------------------------------------------------------------------------------------------------------

BROKEN = {
    "the copied recipe": ("tensorflow==2.10.0 imageai==3.0.3 keras==2.10.0 numpy==2.2.6 protobuf==3.19.6",
                          ["imageai-3-tensorflow", "numpy-2"]),
    "imageai 3 with both": ("tensorflow==2.10.0 imageai==3.0.3 keras==2.10.0 numpy==1.23.5 torch==1.12.1 "
                            "torchvision==0.13.1 tqdm==4", ["imageai-3-tensorflow"]),
    "imageai 3 alone": ("imageai==3.0.3 tqdm==4.67.1 numpy==1.26.4", ["torch-missing"]),
    "imageai 2 alone": ("imageai==2.1.6 keras==2.10.0 numpy==1.23.5 h5py==3.16.0", ["tensorflow-missing"]),
    "numpy 2": ("tensorflow-cpu==2.10.1 numpy==2.0.2", ["numpy-2"]),
    "numpy 2 and matplotlib": ("matplotlib==3.5.3 numpy==2.2.6", ["numpy-2-matplotlib"]),
    "numpy 2 and torch": ("torch==1.12.1 numpy==2.2.6", ["numpy-2-torch"]),
    "numpy 1.24": ("tensorflow==2.10.1 imageai==2.1.6 keras==2.10.0 numpy==1.24.4", ["numpy-1.24"]),
    "numpy 1.24 and 2.6": ("tensorflow==2.6.5 keras==2.6.0 numpy==1.24.4", ["numpy-1.24"]),
    "matplotlib": ("tensorflow==2.10.1 imageai==2.1.6 keras==2.10.0 numpy==1.23.5 matplotlib==3.7.5",
                   ["matplotlib-3.6"]),
    "protobuf 2.4": ("tensorflow==2.4.4 protobuf==4.21.0", ["protobuf-4"]),
    "protobuf 2.10": ("tensorflow==2.10.1 keras==2.10.0 protobuf==7.36.2", ["protobuf-4"]),
    "keras newer": ("tensorflow==2.10.1 keras==2.12.0", ["keras-mismatch"]),
    "keras older": ("tensorflow==2.10.1 keras==2.9.0", ["keras-mismatch"]),
    "keras 2.4.3": ("tensorflow==2.10.1 keras==2.4.3", ["keras-mismatch"]),
    "keras 3": ("tensorflow==2.15.1 keras==3.12.4", ["keras-3"]),
    "keras 3 and 2.5": ("tensorflow==2.5.3 keras==3.0.4", ["keras-3"]),
    "keras of 2.4": ("tensorflow==2.4.4 keras==2.15.0", ["keras-mismatch"]),
    "keras of 1.15": ("tensorflow==1.15.5 keras==2.11.0", ["keras-mismatch"]),
    "keras-nightly": ("tensorflow==2.5.3 imageai==2.1.6 keras-nightly==2.5.0.dev2021032900 numpy==1.19.5",
                      ["keras-nightly"]),
    "2.11": ("tensorflow==2.11.1 imageai==2.1.6 keras==2.11.0 numpy==1.23.5", ["tensorflow-optimizers"]),
    "2.15": ("tensorflow-intel==2.15.1 imageai==2.1.6 keras==2.15.0 numpy==1.23.5", ["tensorflow-optimizers"]),
    "2.16": ("tensorflow==2.16.2 imageai==2.1.6 keras==3.12.4 numpy==1.23.5", ["tensorflow-keras-3"]),
    "2.22": (f"tensorflow==2.22.0 imageai==2.1.6 keras==3.12.4 tf-keras==2.22.0 numpy==2.5.5 {HOOK}==2.0",
             ["tensorflow-not-measured"]),
    "2.19 and matplotlib": ("tensorflow-cpu==2.19.1 imageai==2.1.6 tf-keras==2.19.0 numpy==2.1.3 matplotlib==3.11.2",
                            ["hook-needed"]),
    "2.19 and the first hook": (f"tensorflow-cpu==2.19.1 imageai==2.1.6 tf-keras==2.19.0 numpy==2.1.3 {HOOK}==1.0",
                                ["hook-needed"]),
    "2.19 and the hook without tf-keras": (f"tensorflow-cpu==2.19.1 imageai==2.1.6 numpy==2.1.3 {HOOK}==2.0",
                                           ["tensorflow-keras-3"]),
    "tf-keras of another": (f"tensorflow-cpu==2.19.1 imageai==2.1.6 tf-keras==2.21.0 numpy==2.1.3 {HOOK}==2.0",
                            ["tf-keras-mismatch"]),
    "tf-keras of an older": ("tensorflow-cpu==2.19.1 tf-keras==2.18.0 numpy==2.1.3", ["tf-keras-mismatch"]),
    "2.3": ("tensorflow==2.3.4 imageai==2.1.6 keras==2.4.3 numpy==1.18.5", ["tensorflow-not-measured"]),
    "1.15": ("tensorflow==1.15.5 imageai==2.1.6 keras==2.3.1 numpy==1.18.5", ["imageai-tensorflow-1"]),
    "2.1.5": ("tensorflow==2.10.1 imageai==2.1.5 keras==2.10.0 numpy==1.23.5", ["imageai-too-old"]),
    "h5py": ("tensorflow==1.15.5 h5py==3.8.0", ["h5py-3"]),
    "torchvision": ("torch==2.1.0 torchvision==0.15.2", ["torchvision-mismatch"]),
    "old torchvision": ("torch==1.12.1 torchvision==0.14.1", ["torchvision-mismatch"]),
}  # fmt: skip


@pytest.mark.parametrize(("pins", "expected"), BROKEN.values(), ids=BROKEN)
def test_known_breakers(env: Path, site: Path, pins: str, expected: list[str]) -> None:
    fill(site, *pins.split())
    subject = see(env)
    found = [f for f in (*breakers.inspect(subject), *pairs.inspect(subject)) if f.id != "python-unsupported"]
    assert [finding.id for finding in found] == expected
    for finding in found:
        assert finding.cause.endswith((".", ")"))
        assert finding.subject in subject.winners or finding.id.endswith("-missing") or finding.id == "hook-needed"
        assert finding.fix.startswith(("imageai-env create myproj --", f"uv pip install --python {env}/bin/python",
                                       f"uv pip uninstall --python {env}/bin/python"))  # fmt: skip


FRESH = {
    "1.15": ("tensorflow==1.15.5 imageai==2.1.5", "--tf 1.15"),
    "1.13": ("tensorflow-gpu==1.13.1", "--tf 1.15"),
    "2.1.5 alone": ("imageai==2.1.5 numpy==1.18.5", "--tf 1.15"),
    "2.3": ("tensorflow==2.3.0 imageai==2.1.6", "--tf 2.4"),
    "2.8": ("tensorflow==2.8.4", "--tf 2.8"),
    "2.21": ("tensorflow==2.21.0", "--tf 2.21"),
    "2.22": ("tensorflow==2.22.0", "--tf 2.21"),
    "2.1.6 alone": ("imageai==2.1.6", "--tf 2.10"),
    "nothing": ("", "--tf 2.10"),
    "imageai 3": ("imageai==3.0.3", "--imageai 3"),
    "imageai 3 and torch": ("imageai==3.0.3 torch==1.12.1 torchvision==0.13.1", "--imageai 3"),
    "the copied recipe": ("imageai==3.0.3 tensorflow==2.10.0", "--tf 2.10"),
    "the copied recipe and torch alone": ("imageai==3.0.3 tensorflow==2.10.0 torch==1.12.1", "--tf 2.10"),
    "all of both": ("imageai==3.0.3 tensorflow==2.10.0 torch==1.12.1 torchvision==0.13.1", "--imageai 3"),
    "torch without imageai": ("torch==1.12.1 torchvision==0.13.1", "--imageai 3"),
}


@pytest.mark.parametrize(("pins", "words"), FRESH.values(), ids=FRESH)
def test_the_clean_environment_is_that_of_what_is_installed(env: Path, site: Path, pins: str, words: str) -> None:
    fill(site, *pins.split())
    assert remedy.fresh(on_python(see(env), 3, 10)) == f"imageai-env create myproj {words}"


@pytest.mark.parametrize(
    ("pins", "python", "words"),
    [
        ("tensorflow-cpu==2.19.1 imageai==2.1.6", (3, 12), "--tf 2.19 --python 3.12"),
        ("tensorflow==2.15.1", (3, 11), "--tf 2.15 --python 3.11"),
        ("tensorflow==2.22.0", (3, 13), "--tf 2.21"),
        ("tensorflow==2.8.4", (3, 11), "--tf 2.8"),
        ("imageai==2.1.6", (3, 12), "--tf 2.10"),
    ],
)
def test_a_clean_environment_keeps_a_newer_python_that_its_tensorflow_has(
    env: Path, site: Path, pins: str, python: tuple[int, int], words: str
) -> None:
    fill(site, *pins.split())
    assert remedy.fresh(on_python(see(env), *python)) == f"imageai-env create myproj {words}"


@pytest.mark.parametrize(
    ("pins", "words"),
    [("tensorflow==1.15.5", "--tf 2.10"), ("torch==2.1.0", "--tf 2.10"), ("tensorflow==2.6.5", "--tf 2.6")],
)
def test_a_clean_environment_for_a_gpu_has_a_template_that_uses_one(
    env: Path, site: Path, pins: str, words: str
) -> None:
    fill(site, pins)
    assert remedy.fresh(see(env), gpu=True) == f"imageai-env create myproj {words} --gpu"


@pytest.mark.parametrize("pins", [pins for pins, _ in FRESH.values() if pins])
def test_rescue_chooses_what_the_findings_recommend(env: Path, site: Path, pins: str) -> None:
    fill(site, *pins.split())
    subject = see(env)
    source = read_distributions(subject.winners.values(), "x")
    template = choose_template(source, RescueOptions(), home()).selection.template
    wanted = remedy.fresh(on_python(subject, 3, 10)).rpartition(" ")[2]
    assert template.name == ("imageai3" if wanted == "3" else f"tf{wanted}")


def test_rescue_stays_nearer_to_a_newer_torch(site: Path) -> None:
    fill(site, "imageai==3.0.3", "torch==2.9.1", "torchvision==0.24.1")
    source = read_distributions(distributions_in(site), "x")
    assert choose_template(source, RescueOptions(), home()).selection.template.name == "imageai3-torch2.7"


def test_what_a_pin_helps_against_has_a_pin_as_its_fix_where_there_are_wheels(env: Path, site: Path) -> None:
    fill(site, *["tensorflow==2.15.1", "imageai==2.1.6", "keras==2.15.0", "numpy==1.26.4", "matplotlib==3.8.4"])
    old, new = (breakers.inspect(on_python(see(env), 3, minor)) for minor in (10, 11))
    assert [finding.id for finding in old] == ["tensorflow-optimizers", "numpy-1.24", "matplotlib-3.6"]
    assert old[1].fix.endswith("'numpy<1.24'")
    assert old[2].fix.endswith("'matplotlib<3.6'")
    needed = one(new)
    assert needed.id == "hook-needed"
    assert needed.evidence.endswith(f"on Python 3.11, without {HOOK}")
    for lost in ("decay is deprecated", "has no attribute 'float'", "cannot import name 'deprecated'"):
        assert lost in needed.cause
    assert needed.fix == "imageai-env create myproj --tf 2.15 --python 3.11"


def test_tensorboard_is_missed_where_tensorflow_does_not_require_it(env: Path, site: Path) -> None:
    fill(site, *["imageai==2.1.6", "keras==3.15.1", "numpy==2.5.5", "h5py==3.16.0"], *SHARED.split())
    install(site, "tensorflow-cpu", "2.21.0")
    missing = one(requirements.inspect(see(env)))
    assert (missing.subject, missing.severity) == ("tensorboard", "warning")
    assert "Only training of a detection model" in missing.cause


def test_every_breaker_is_tried() -> None:
    expected = {name for _, names in BROKEN.values() for name in names}
    assert {row.id for row in breakers.BREAKERS} <= expected


def test_severities_say_whether_something_fails(env: Path, site: Path) -> None:
    fill(site, "tensorflow==2.10.1", "keras==2.9.0")
    assert ids(pairs.inspect(see(env)))[0] == ("warning", "keras-mismatch")  # measured: it imports
    install(site, "keras", "2.11.0")
    shutil.rmtree(site / "keras-2.9.0.dist-info")
    assert ids(pairs.inspect(see(env)))[0] == ("error", "keras-mismatch")


@pytest.mark.parametrize(
    ("torch", "vision", "machine", "expected"),
    [
        ("2.13.0+cpu", "0.28.0", "x86_64", ["torchvision-build"]),
        ("2.13.0", "0.28.0+cpu", "x86_64", ["torchvision-build"]),
        ("2.13.0+cpu", "0.28.0+cpu", "x86_64", []),
        ("2.1.0+cu118", "0.16.0", "x86_64", []),
        ("2.13.0+cpu", "0.28.0", "aarch64", []),
        ("nonsense", "0.28.0", "x86_64", []),
    ],
)
def test_builds_of_torch_and_torchvision(
    env: Path, site: Path, torch: str, vision: str, machine: str, expected: list[str]
) -> None:
    fill(site, f"torch=={torch}", f"torchvision=={vision}")
    subject = see(env)
    assert subject.facts is not None
    subject = replace(subject, facts=replace(subject.facts, machine=machine, sys_platform="linux"))
    assert [f.id for f in pairs.inspect(subject) if f.id.startswith("torch")] == expected


@pytest.mark.parametrize(
    ("torch", "vision"),
    [((1, 12), (0, 13)), ((1, 13), (0, 14)), ((2, 0), (0, 15)), ((2, 5), (0, 20)), ((2, 14), (0, 29)),
     ((2, 15), (0, 29)), ((2, 16), None), ((1, 3), None), ((3, 0), None)],
)  # fmt: skip
def test_the_torchvision_of_a_torch(torch: tuple[int, int], vision: tuple[int, int] | None) -> None:
    assert pairs.torchvision_for(torch) == vision


@pytest.mark.parametrize("path", sorted(shipped_templates().glob("imageai3*.toml")), ids=lambda path: path.stem)
def test_the_pairs_of_the_templates_are_right_for_doctor(env: Path, site: Path, path: Path) -> None:
    template = load_template(path)
    vision = next(Requirement(one) for one in template.variants["cpu"].requirements if one.startswith("torchvision"))
    fill(site, f"torch=={template.newest}", f"torchvision{vision.specifier}")
    assert [found for found in pairs.inspect(see(env)) if found.id.startswith("torch")] == []


def test_wheels_of_another_python(env: Path, site: Path) -> None:
    install(site, "numpy", "1.23.5", tag="cp36-cp36m-manylinux1_x86_64")
    install(site, "opencv-python", "4.11.0.86", tag="cp37-abi3-manylinux2014_x86_64")
    install(site, "scipy", "1.15.3", tag=f"cp3-cp{sys.version_info[0]}{sys.version_info[1]}-linux_x86_64")
    finding = next(f for f in pairs.inspect(see(env)) if f.id == "other-python")
    assert finding.subject == "numpy"
    assert "numpy 1.23.5 (cp36m)" in finding.evidence
    assert "scipy" not in finding.evidence
    assert "opencv" not in finding.evidence


# Requirements --------------------------------------------------------------------------------------------------------


def test_chains_name_who_brought_it(env: Path, site: Path) -> None:
    install(site, "tensorflow-cpu", "2.10.1", ["tensorboard<2.11", "numpy>=1.20"])
    install(site, "tensorboard", "2.10.1", ["google-auth<3", "absl-py>=0.4; extra == 'x'"])
    install(site, "google-auth", "4.0", [])
    install(site, "numpy", "1.19.5")
    findings = {finding.subject: finding for finding in requirements.inspect(see(env))}
    assert set(findings) == {"google-auth", "numpy"}
    assert findings["google-auth"].evidence == (
        "google-auth 4.0 is installed; tensorflow-cpu → tensorboard 2.10.1 wants google-auth<3"
    )
    assert findings["numpy"].severity == "warning"
    assert findings["numpy"].fix == f"uv pip install --python {env}/bin/python 'numpy>=1.20'"


def test_a_cycle_of_requirements_ends(env: Path, site: Path) -> None:
    install(site, "a", "1", ["b"])
    install(site, "b", "1", ["a", "missing"])
    assert one(requirements.inspect(see(env))).evidence == "missing is not installed; a → b 1 wants missing"


def test_markers_are_those_of_the_subject(env: Path, site: Path) -> None:
    install(site, "a", "1", [
        "old; python_version < '3'", "elsewhere; sys_platform == 'win32'", "here>=2; python_version >= '3'",
        "nonsense ][", "for-docs; extra == 'docs'",
    ])  # fmt: skip
    assert one(requirements.inspect(see(env))).subject == "here"


def test_many_missing_are_one_accident(env: Path, site: Path) -> None:
    install(site, "a", "1", ["p>=1", "q", "r", "s<3"])
    install(site, "b", "1", ["p<2"])
    finding = one(requirements.inspect(see(env)))
    assert finding.subject == "4 distributions"
    assert finding.evidence.startswith("4 are not installed: p, q, r, s; a 1 wants p>=1; b 1 wants p<2")
    assert finding.fix.endswith("install --python " + f"{env}/bin/python 'p<2,>=1' q r 's<3'")


PINS = ["numpy==1.19.3", "scipy==1.4.1", "pillow==7.0.0", "matplotlib==3.3.2", "h5py==2.10.0", "keras-resnet==0.2.0",
        "keras==2.4.3", "opencv-python"]  # fmt: skip


def test_imageais_own_pins_are_no_conflicts(env: Path, site: Path) -> None:
    install(site, "imageai", "2.1.6", PINS)
    fill(site, "keras==2.10.0", "numpy==1.23.5", "h5py==3.16.0", *SHARED.split())
    assert requirements.inspect(see(env)) == []


def test_what_imageai_imports_is_needed_all_the_same(env: Path, site: Path) -> None:
    install(site, "imageai", "2.1.6", PINS)
    fill(site, "keras==2.10.0", "numpy==1.23.5", "h5py==3.16.0", "scipy==1.15.3", "opencv-contrib-python==4.11.0.86")
    found = {finding.subject: finding.severity for finding in requirements.inspect(see(env))}
    assert found == {"pillow": "error", "matplotlib": "error", "keras-resnet": "warning"}


def test_keras_nightly_is_left_out_on_purpose(env: Path, site: Path) -> None:
    install(site, "tensorflow-cpu", "2.5.3", ["keras-nightly~=2.5.0.dev", "gast==0.4.0"])
    assert one(requirements.inspect(see(env))).subject == "gast"
    install(site, "tf-models", "2.5", ["keras-nightly"])  # someone else really needs it
    assert {finding.subject for finding in requirements.inspect(see(env))} == {"gast", "keras-nightly"}


def test_one_tensorflow_stands_for_the_other(env: Path, site: Path) -> None:
    install(site, "tensorflow-hub", "0.12", ["tensorflow>=2.4", "opencv-python-headless"])
    fill(site, "tensorflow-cpu==2.10.1", "opencv-python==4.11.0.86")
    assert requirements.inspect(see(env)) == []


def test_addresses_do_not_reach_the_words(env: Path, site: Path) -> None:
    install(site, "a", "1", ["b @ https://robot:hunter2@example.org/b-1-py3-none-any.whl"])
    assert "hunter2" not in repr(requirements.inspect(see(env)))
    loud = lambda _: [Finding("x", "note", "y", "https://robot:hunter2@h/", "c", "f")]  # noqa: E731
    shown = doctor.diagnose(see(env), (loud,)).findings
    assert shown[0].evidence == "https://****@h/"


# Overlaps and managers -----------------------------------------------------------------------------------------------


def test_two_tensorflows(env: Path, site: Path) -> None:
    install(site, "tensorflow-cpu", "2.10.0", files={"tensorflow/__init__.py": "old", "tensorflow/same.py": ""})
    install(site, "tensorflow", "2.10.1", files={"tensorflow/__init__.py": "new!", "tensorflow/same.py": ""})
    finding = one(overlaps.inspect(see(env)))
    assert (finding.severity, finding.subject) == ("error", "tensorflow, tensorflow-cpu")
    assert "share 2 files, 1 of them with different contents, such as tensorflow/__init__.py" in finding.evidence
    assert finding.fix == (
        f"uv pip uninstall --python {env}/bin/python tensorflow tensorflow-cpu && "
        f"uv pip install --python {env}/bin/python tensorflow==2.10.1"
    )


def test_a_shell_over_another_tensorflow_is_as_it_should_be(env: Path, site: Path) -> None:
    install(site, "tensorflow", "2.10.1", ["tensorflow-cpu-aws==2.10.1"], files={})
    install(site, "tensorflow-cpu-aws", "2.10.1", files={"tensorflow/__init__.py": ""})
    assert overlaps.inspect(see(env)) == []


def test_two_opencvs_and_two_kerases(env: Path, site: Path) -> None:
    for name in ("opencv-python", "opencv-python-headless"):
        install(site, name, "4.11.0.86", files={"cv2/__init__.py": "", f"{name}.txt": ""})
    for name, version in (("keras", "2.4.3"), ("keras-nightly", "2.5.0.dev1")):
        install(site, name, version, files={"keras/__init__.py": version})
    found = {finding.subject: finding.severity for finding in overlaps.inspect(see(env))}
    assert found == {"keras, keras-nightly": "error", "opencv-python, opencv-python-headless": "warning"}


def test_overlaps_need_a_record_on_both_sides(env: Path, site: Path) -> None:
    install(site, "opencv-contrib-python", "4.11.0.86", files={"cv2/__init__.py": ""})
    (install(site, "opencv-python", "4.11.0.86", files={"cv2/__init__.py": ""}) / "RECORD").unlink()
    assert overlaps.inspect(see(env)) == []


def test_recorded_twice(env: Path, site: Path) -> None:
    fill(site, "numpy==1.23.5", "numpy==2.2.6", "scipy==1.15.3")
    os.utime(site / "numpy-1.23.5.dist-info", (1, 1))
    finding = one(managers.inspect(see(env)))
    assert (finding.id, finding.severity, finding.subject) == ("duplicate", "error", "numpy")
    assert "numpy-1.23.5.dist-info, numpy-2.2.6.dist-info" in finding.evidence
    assert finding.fix.endswith("numpy==2.2.6")


def test_the_rest_of_an_interrupted_uninstallation(env: Path, site: Path) -> None:
    info = install(site, "tensorflow", "2.10.1")
    info.rename(site / "~ensorflow-2.10.1.dist-info")
    assert ids(managers.inspect(see(env))) == [("warning", "broken-uninstall")]


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """An environment with the layout of conda: its Python is the prefix's own, and conda-meta lists packages."""
    root = tmp_path / "miniconda3" / "envs" / "tf"
    make_venv(root)
    (root / "pyvenv.cfg").unlink()
    meta = root / "conda-meta"
    meta.mkdir()
    for name in ("numpy-1.23.5-py310h53a5b5f_0", "numpy-base-1.23.5-py310_0", "python-3.10.13-h955ad1f_0", "history"):
        (meta / f"{name}.json").write_text("{}", encoding="utf-8")
    return root


def of_conda(root: Path, site: Path) -> Subject:
    """Look at it as its own Python would show it; a copied interpreter cannot be a conda build."""
    plain = look_at(REAL, label="tf", environ=environ())
    assert plain.facts is not None
    facts = replace(plain.facts, prefix=root, base_prefix=root, path=(site,), purelib=site, modules={})
    return Subject("tf", root / "bin" / "python", root, None, facts, "", environ())


def test_pip_in_an_environment_of_conda(conda: Path) -> None:
    site = site_of(conda)
    install(site, "numpy", "2.2.6")
    install(site, "imageai", "2.1.6")
    install(site, "scipy", "1.15.3", installer="conda")
    subject = of_conda(conda, site)
    assert subject.kind == "conda"
    both, alone = managers.inspect(subject)
    assert (both.id, both.severity) == ("conda-and-pip", "error")
    assert "numpy (pip: 2.2.6, conda: 1.23.5)" in both.evidence
    assert (alone.id, alone.severity) == ("pip-in-conda", "warning")
    assert "imageai 2.1.6" in alone.evidence
    assert "scipy" not in both.evidence + alone.evidence


def test_condas_base_environment(conda: Path) -> None:
    site = site_of(conda)
    install(site, "tensorflow", "2.10.1", installer="conda")
    assert global_installation.inspect(of_conda(conda, site)) == []
    (conda / "condabin").mkdir()
    finding = one(global_installation.inspect(of_conda(conda, site)))
    assert "conda's base environment" in finding.evidence


def test_conda_active_over_an_environment(env: Path) -> None:
    subject = see(env, CONDA_PREFIX="/opt/conda", VIRTUAL_ENV=str(env))
    assert ids(managers.inspect(subject)) == [("warning", "conda-over-venv")]
    assert managers.inspect(see(env, CONDA_PREFIX="/opt/conda")) == []


# Global installations and shadowing ----------------------------------------------------------------------------------


@pytest.fixture
def user_site(tmp_path: Path) -> Path:
    """The user site that the real Python would use with the tests' home."""
    code = "import site; print(site.getusersitepackages())"
    done = subprocess.run([REAL, "-c", code], env=environ(), capture_output=True, text=True, check=True)
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path)
    path.mkdir(parents=True)
    return path


def test_tensorflow_in_the_user_site(user_site: Path) -> None:
    fill(user_site, "tensorflow==2.9.3", "imageai==2.1.6", "keras==2.9.0", "numpy==1.23.5")
    subject = look_at(REAL, label="python", environ=environ())
    assert subject.kind == "global"
    finding = next(f for f in global_installation.inspect(subject) if f.subject == str(user_site))
    assert (finding.id, finding.severity) == ("global-installation", "warning")
    assert "tensorflow 2.9.3, keras 2.9.0, imageai 2.1.6 in the user site" in finding.evidence
    assert finding.fix.startswith("imageai-env create myproj --tf 2.9 ")
    install(user_site, "numpy", "2.2.6")
    shutil.rmtree(user_site / "numpy-1.23.5.dist-info")
    fixes = [f.fix for f in breakers.inspect(look_at(REAL, label="python", environ=environ()))]
    assert fixes  # numpy 2
    assert all(fix.startswith("imageai-env create") for fix in fixes)  # never pip install into a global Python


def test_pythonpath_hides_what_is_installed(env: Path, site: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    install(site, "numpy", "1.23.5")
    install(other, "numpy", "2.2.6")
    finding = one(shadowing.inspect(see(env, PYTHONPATH=str(other))))
    assert (finding.id, finding.severity, finding.fix) == ("pythonpath-shadows", "error", "unset PYTHONPATH")
    assert finding.evidence == f"numpy 2.2.6 in {other} hides 1.23.5 in {site}"
    shutil.rmtree(site / "numpy-1.23.5.dist-info")
    shutil.rmtree(site / "numpy")
    assert one(shadowing.inspect(see(env, PYTHONPATH=str(other)))).severity == "warning"
    assert shadowing.inspect(see(env)) == []


def test_a_pythonpath_without_packages_is_nobodys_business(env: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert shadowing.inspect(see(env, PYTHONPATH=f"{tmp_path / 'src'}{os.pathsep}")) == []


def test_a_file_called_tensorflow(env: Path, site: Path, tmp_path: Path) -> None:
    install(site, "tensorflow", "2.10.1")
    place = tmp_path / "code"
    place.mkdir()
    (place / "tensorflow.py").write_text("print('mine')\n", encoding="utf-8")
    finding = one(shadowing.inspect(see(env, PYTHONPATH=str(place))))
    assert (finding.id, finding.severity) == ("module-shadowed", "error")
    assert f"import tensorflow loads {place / 'tensorflow.py'}" in finding.evidence
    assert "PYTHONPATH" in finding.fix


def test_the_working_directory_is_not_on_the_path(env: Path, site: Path) -> None:
    install(site, "tensorflow", "2.10.1")
    for name in ("json", "tensorflow", "platform"):
        Path(f"{name}.py").write_text("raise SystemExit('ran')\n", encoding="utf-8")
    assert shadowing.inspect(see(env)) == []


def test_what_an_uninstallation_left(env: Path, site: Path) -> None:
    (site / "tensorflow" / "python").mkdir(parents=True)
    finding = one(shadowing.inspect(see(env)))
    assert (finding.id, finding.severity) == ("module-without-distribution", "error")
    assert "AttributeError: module 'tensorflow' has no attribute" in finding.cause
    (site / "tensorflow" / "__init__.py").touch()
    assert one(shadowing.inspect(see(env))).severity == "warning"
    info = install(site, "tensorflow-vendor", "2.10.1")
    (info / "top_level.txt").write_text("tensorflow\n", encoding="utf-8")
    assert shadowing.inspect(see(env)) == []


def test_an_editable_installation_is_meant_so(env: Path, site: Path, tmp_path: Path) -> None:
    info = install(site, "imageai", "2.1.6", files={})
    (info / "direct_url.json").write_text("{}", encoding="utf-8")
    (tmp_path / "src" / "imageai").mkdir(parents=True)
    (tmp_path / "src" / "imageai" / "__init__.py").touch()
    (site / "editable.pth").write_text(f"{tmp_path / 'src'}\n", encoding="utf-8")
    assert shadowing.inspect(see(env)) == []


def test_packages_of_the_system_shine_through(tmp_path: Path, user_site: Path) -> None:
    root = make_venv(tmp_path / "env", "--system-site-packages")
    install(site_of(root), "numpy", "1.23.5")
    install(user_site, "numpy", "2.2.6")
    found = {finding.id: finding for finding in shadowing.inspect(see(root))}
    assert found["system-site-packages"].severity == "warning"
    shadows = found.get("user-site-shadows")  # whether it comes before or after depends on the Python
    first = see(root).winners["numpy"]
    assert (shadows is not None) == (first.site == user_site)


def test_the_user_site_before_an_environment_of_conda(conda: Path, tmp_path: Path) -> None:
    site, user = site_of(conda), tmp_path / "user-site"
    user.mkdir()
    install(site, "numpy", "1.23.5")
    install(user, "numpy", "2.2.6")
    subject = of_conda(conda, site)
    assert subject.facts is not None
    subject = replace(subject, facts=replace(subject.facts, path=(user, site), user_site=user))
    finding = one(shadowing.inspect(subject))
    assert (finding.id, finding.severity, finding.fix) == ("user-site-shadows", "error", "export PYTHONNOUSERSITE=1")


def test_pythonhome(env: Path) -> None:
    subject = look_at(env / "bin" / "python", label="env", root=env, environ=environ(PYTHONHOME="/nonexistent"))
    assert subject.facts is None
    assert ids(shadowing.inspect(subject)) == [("error", "pythonhome")]
    found = [finding.id for finding in doctor.diagnose(subject).findings]
    assert found[:2] == ["pythonhome", "python-silent"]  # the cause before its consequence


# The whole -----------------------------------------------------------------------------------------------------------


def test_root_causes_come_first_and_swallow_their_consequences(env: Path, site: Path) -> None:
    install(site, "tensorflow", "2.10.0", ["keras>=2.10,<2.11", "numpy>=1.20", "protobuf<3.20"])
    fill(site, "imageai==3.0.3", "keras==2.12.0", "numpy==2.2.6", "protobuf==4.25.9")
    install(site, "tensorflow-cpu", "2.10.1", files={"tensorflow/__init__.py": "x"})
    diagnosis = doctor.diagnose(see(env))
    assert [finding.id for finding in diagnosis.errors] == [
        "imageai-3-tensorflow", "overlap", "numpy-2", "protobuf-4", "keras-mismatch",
    ]  # fmt: skip
    keras = diagnosis.errors[-1]
    assert keras.evidence.endswith("; tensorflow 2.10.0 wants keras<2.11,>=2.10")
    assert not [finding for finding in diagnosis.findings if finding.id == "unmet-requirement"]
    assert diagnosis.verdict == (
        "Something will fail: imageai 3.0.3 is installed beside tensorflow 2.10.0. "
        "pip takes the newest ImageAI, and ImageAI 3 runs on PyTorch. (4 further errors)"
    )
    severities = [finding.severity for finding in diagnosis.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_an_inspection_that_fails_does_not_stop_the_others(env: Path) -> None:
    def broken(_: Subject) -> list[Finding]:
        raise RuntimeError("unforeseen")

    def fine(_: Subject) -> list[Finding]:
        return [Finding("numpy-2", "error", "numpy", "e", "c.", "f")]

    found = doctor.diagnose(see(env), (broken, fine)).findings
    assert [finding.id for finding in found] == ["numpy-2", "not-inspected"]
    assert "RuntimeError: unforeseen" in found[1].evidence


def test_no_inspection_fails_on_an_empty_environment(env: Path) -> None:
    assert "not-inspected" not in {finding.id for finding in doctor.diagnose(see(env)).findings}


def test_the_gravest_of_two_equal_findings_stays(env: Path) -> None:
    def twice(_: Subject) -> list[Finding]:
        return [Finding("moved", severity, "x", severity, "c.", "f") for severity in ("warning", "error", "note")]

    assert [finding.evidence for finding in doctor.diagnose(see(env), (twice,)).findings] == ["error"]


# Garbage -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Without the rights of root, for whom nothing is unreadable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_binary_garbage(env: Path, site: Path) -> None:
    garbage = bytes(range(256)) * 64
    for name in ("tensorflow", "tensorflow-cpu", "opencv-python", "opencv-contrib-python", "imageai"):
        info = install(site, name, "2.1.6")
        for file in ("METADATA", "RECORD", "WHEEL", "INSTALLER"):
            (info / file).write_bytes(garbage)
    (site / "numpy-\udcff\udcfe.dist-info").mkdir()
    (site / "keras-not.a.version-1.dist-info").mkdir()
    install(site, "keras", "nonsense")
    (site / "scipy-1.0.dist-info").write_bytes(garbage)  # a file where a directory belongs
    info = install(site, "h5py", "3.8.0")
    (info / "METADATA").unlink()
    (info / "METADATA").mkdir()
    found = doctor.diagnose(see(env)).findings
    assert "not-inspected" not in {finding.id for finding in found}


def test_a_metadata_of_megabytes_is_read_to_its_end_of_headers(site: Path) -> None:
    info = install(site, "a", "1", ["b"])
    text = (info / "METADATA").read_text(encoding="utf-8")
    headers = text.rstrip() + "\n" + "".join(f"Classifier: {n}\n" for n in range(2000)) + "Requires-Dist: c\n\n"
    (info / "METADATA").write_bytes((headers + "Requires-Dist: prose\n" * 300_000).replace("\n", "\r\n").encode())
    (found,) = distributions_in(site)
    assert found.requires == ("b", "c")
    assert len(found.metadata) == len(headers) - 2


def test_unreadable_directories(env: Path, site: Path, request: pytest.FixtureRequest) -> None:
    info = install(site, "tensorflow", "2.10.1", ["gast"])
    subject = see(env)
    for path in (info, site, env):
        path.chmod(0)
    try:
        request.getfixturevalue("as_nobody")
        found: list[Finding] = []
        inspections: tuple[Callable[[Subject], list[Finding]], ...] = (
            shadowing.inspect, overlaps.inspect, managers.inspect, breakers.inspect, pairs.inspect,
            requirements.inspect, global_installation.inspect,
        )  # fmt: skip
        for inspect in inspections:
            found += inspect(subject)
        assert subject.distributions == ()
        assert distributions_in(site) == ()
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        for path in (env, site, info):
            path.chmod(0o755)
    assert {finding.id for finding in found} <= {"python-unsupported", "module-without-distribution"}


def test_a_python_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "TIMEOUT", 0.3)
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nsleep 60\n", encoding="utf-8")
    program.chmod(0o755)
    diagnosis = doctor.diagnose(look_at(program, label="python", environ={"PATH": "/usr/bin:/bin"}))
    first = diagnosis.findings[0]
    assert (first.id, first.severity) == ("python-silent", "error")
    assert "did not finish within 0.3 s" in first.evidence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho hello\n", "it did not answer as a Python does"),
        ("#!/bin/sh\necho broken >&2; exit 127\n", "exit status 127: broken"),
        ("#!/bin/sh\necho '@@imageai-env@@{\"version\": 3}'\n", "it did not answer as a Python does"),
        ("#!/nonexistent/python\n", "Cannot start"),
        ("\x7fELFgarbage", "Cannot start"),
    ],
)
def test_what_is_no_python(tmp_path: Path, text: str, words: str) -> None:
    program = tmp_path / "python"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    subject = look_at(program, label="python", environ={"PATH": "/usr/bin:/bin"})
    assert subject.facts is None
    assert words in subject.silence
    assert doctor.diagnose(subject).findings[0].id == "python-silent"


def test_what_lies_in_an_environment_whose_python_is_gone(env: Path, site: Path) -> None:
    install(site, "tensorflow", "2.10.1", ["keras<2.11,>=2.10.0"])
    fill(site, "keras==2.10.0", "numpy==2.2.6")
    for name in ("python", "python3", REAL.name):
        (env / "bin" / name).unlink(missing_ok=True)
    (env / "bin" / "python").symlink_to("/nonexistent/python3")
    diagnosis = doctor.diagnose(look_at(env / "bin" / "python", label="env", root=env, environ=environ()))
    assert [finding.id for finding in diagnosis.errors] == ["python-missing", "numpy-2"]


@pytest.mark.parametrize(("minor", "served"), [("2.7", False), ("3.6", True)])
def test_pythons_of_the_past(minor: str, served: bool, tmp_path: Path) -> None:
    python = old_python(minor)
    diagnosis = doctor.diagnose(look_at(python, label=minor, environ=environ()))
    assert diagnosis.subject.facts is not None, diagnosis.subject.silence
    assert diagnosis.subject.facts.minor == minor
    unsupported = [f for f in diagnosis.findings if f.id == "python-unsupported"]
    assert [f.severity for f in unsupported] == ([] if served else ["warning"])
    assert all(f"it is Python {minor}" in f.evidence for f in unsupported)
    assert "not-inspected" not in {f.id for f in diagnosis.findings}
    assert not diagnosis.errors


def test_torch_is_brought_as_it_was_measured_and_its_torchvision_with_it(env: Path, site: Path) -> None:
    fill(site, "imageai==3.0.3", "tqdm==4.67.1")
    subject = see(env)
    assert subject.facts is not None
    old = replace(subject, facts=replace(subject.facts, version=(3, 10, 1)))
    new = replace(subject, facts=replace(subject.facts, version=(3, 12, 1)))
    unknown = replace(subject, facts=replace(subject.facts, version=(3, 14, 0)))
    found = [next(f for f in pairs.inspect(one) if f.id == "torch-missing") for one in (old, new, unknown)]
    assert found[0].fix.endswith("torch==1.12.1 torchvision==0.13.1 'numpy<2'")
    assert found[1].fix.endswith("torch==2.15.0 torchvision==0.29.2 'numpy<2.4'")
    assert found[2].fix == "imageai-env create myproj --imageai 3"
    fill(site, "torch==2.1.0+cpu")
    half = next(f for f in pairs.inspect(see(env)) if f.id == "torch-missing")
    assert half.fix.endswith("--index-url https://download.pytorch.org/whl/cpu torch==2.1.0+cpu 'torchvision==0.16.*'")
    fill(site, "torchvision==0.15.2+cpu")
    wrong = next(f for f in pairs.inspect(see(env)) if f.id == "torchvision-mismatch")
    assert wrong.fix == half.fix


def test_an_old_imageai_alone_is_not_given_a_new_tensorflow(env: Path, site: Path) -> None:
    fill(site, "imageai==2.1.5", "numpy==1.18.5")
    subject = see(env)
    assert subject.facts is not None
    subject = replace(subject, facts=replace(subject.facts, version=(3, 7, 1)))
    assert one(pairs.inspect(subject)).fix == "imageai-env create myproj --tf 1.15"


@pytest.mark.parametrize(
    ("reason", "base", "platform", "fix"),
    [
        ("No module named '_tkinter'", "/usr", "linux", "apt install python3.10-tk   ("),
        ("No module named '_tkinter'", "/home/me/.pyenv/versions/3.10.13", "linux", "imageai-env create myproj --imag"),
        (
            "libtk8.6.so: cannot open shared object file: No such file",
            "/usr/local",
            "linux",
            "apt install libtk8.6   (",
        ),
        ("No module named '_tkinter'", "/opt/homebrew", "darwin", "brew install python-tk@3.10   ("),
    ],
)
def test_imageai_3_needs_tkinter(env: Path, site: Path, reason: str, base: str, platform: str, fix: str) -> None:
    fill(site, "imageai==3.0.3", "torch==1.12.1", "torchvision==0.13.1")
    subject = see(env)
    assert subject.facts is not None
    facts = replace(subject.facts, version=(3, 10, 1), base_prefix=Path(base), sys_platform=platform, no_tkinter=reason)
    finding = one(standard_library.inspect(replace(subject, facts=facts)))
    assert (finding.severity, finding.id) == ("error", "tkinter-missing")
    assert reason in finding.evidence
    assert finding.fix.startswith(fix)
    assert "imageai-env create myproj --imageai 3" in finding.fix
    assert not standard_library.inspect(replace(subject, facts=replace(facts, no_tkinter="")))


def test_who_does_not_import_tkinter_may_lack_it(env: Path, site: Path) -> None:
    fill(site, "imageai==2.1.6", "tensorflow==2.10.1")
    subject = see(env)
    assert subject.facts is not None
    assert not standard_library.inspect(replace(subject, facts=replace(subject.facts, no_tkinter="gone")))


def test_a_python_says_whether_tkinter_can_be_imported(env: Path, tmp_path: Path) -> None:
    (tmp_path / "_tkinter.py").write_text("raise ImportError('libtk8.6.so: cannot open shared object file')\n")
    subject = see(env, PYTHONPATH=str(tmp_path))
    assert subject.facts is not None
    assert subject.facts.no_tkinter == "libtk8.6.so: cannot open shared object file"
    (tmp_path / "_tkinter.py").write_text("")
    subject = see(env, PYTHONPATH=str(tmp_path))
    assert subject.facts is not None
    assert subject.facts.no_tkinter == ""


def test_a_python_that_no_template_serves(env: Path) -> None:
    subject = see(env)
    assert subject.facts is not None
    served = pairs.inspect(replace(subject, facts=replace(subject.facts, version=(3, 9, 1))))
    newest = pairs.inspect(replace(subject, facts=replace(subject.facts, version=(3, 13, 0))))
    newer = pairs.inspect(replace(subject, facts=replace(subject.facts, version=(3, 14, 0))))
    pypy = pairs.inspect(replace(subject, facts=replace(subject.facts, version=(3, 9, 1), implementation="PyPy")))
    assert served == newest == []
    assert ids(newer) == ids(pypy) == [("note", "python-unsupported")]
    assert "64-bit CPython" in pypy[0].cause
    fill(site_of(env), "imageai==3.0.3", "torch==2.13.0", "torchvision==0.28.0")
    torch = see(env)
    assert torch.facts is not None
    assert pairs.inspect(replace(torch, facts=replace(torch.facts, version=(3, 13, 0)))) == []
    with_torch = one(pairs.inspect(replace(torch, facts=replace(torch.facts, version=(3, 14, 0)))))
    assert "3.7 to 3.13" in with_torch.evidence
    assert with_torch.fix == "imageai-env create myproj --imageai 3"
