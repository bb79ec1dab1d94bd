"""What a rescue plans: template, problems, what is kept, and why not the rest; against the local index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from imageai_envs.base.context import Context
from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import home
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.request.framework import TENSORFLOW
from imageai_envs.rescue import RescueOptions, plan_rescue, plan_rescue_of
from imageai_envs.rescue.choosing import choose_template
from imageai_envs.rescue.fitting import looser
from imageai_envs.rescue.installed import read_distributions
from imageai_envs.rescue.reading import read_source
from imageai_envs.rescue.releases import releases
from imageai_envs.rescue.sorting import sort_lines
from imageai_envs.templates.catalog import load_catalog
from tests.support.wheels import Project

if TYPE_CHECKING:
    from imageai_envs.rescue import Rescue
    from imageai_envs.rescue.choosing import Choice
    from tests.support.index import Index

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
SHIPPED = [entry.template for entry in load_catalog(home()).entries]
NEWEST = max((one.newest for one in SHIPPED if one.framework is TENSORFLOW), key=Version)
SEED = "tensorflow==2.10.0\nimageai==2.1.6\nopencv-python==4.7.0\n"


def choice(text: str, name: str = "requirements.txt", options: RescueOptions | None = None) -> Choice:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return choose_template(read_source(path), options or RescueOptions(), home())


def rescued(text: str, options: RescueOptions | None = None, name: str = "requirements.txt") -> Rescue:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return plan_rescue(path, Context(home(), Silent()), options or RescueOptions(engine="uv"))


def actions(plan: Rescue) -> dict[str, tuple[str, str]]:
    return {change.name: (change.action, change.after) for change in plan.changes if change.name}


# The template


def test_a_range_that_allows_every_patch_leaves_the_patch_to_the_python() -> None:
    whole, exact, part = (
        choice(f"tensorflow{text}\n").selection for text in ("~=2.11.0", "==2.11.1", ">=2.11.1,<2.12")
    )
    assert (whole.on((3, 7)).version, whole.on((3, 8)).version) == ("2.11.0", "2.11.1")
    assert (exact.on((3, 7)).version, part.on((3, 7)).version) == ("2.11.1", "2.11.1")


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ("tensorflow==2.10.0", "2.10.0"),
        ("tensorflow==2.4.1", "2.4.1"),
        ("tensorflow==1.15.5", "1.15.5"),
        ("tensorflow-cpu~=2.8.0", "2.8.4"),
        ("tensorflow>=2.5,<2.7", "2.6.5"),
        ("tensorflow==2.19.0", "2.19.0"),
        ("tensorflow>=2.16", NEWEST),
        ("tensorflow>=2.4", "2.10.1"),  # what `create` takes when nobody asks
        ("tensorflow", "2.10.1"),
        ("six", "2.10.1"),
    ],
)
def test_a_tensorflow_that_is_served_is_taken_as_it_is(asked: str, taken: str) -> None:
    found = choice(f"{asked}\n")
    assert found.selection.version == taken
    assert not found.problems


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("dependencies: [python=3.12, tensorflow]", NEWEST),
        ("dependencies: ['python>=3.12', six]", NEWEST),
        ("dependencies: [python=3.12, 'tensorflow>=2.10,<2.20']", "2.19.1"),
        ("dependencies: [python=3.10, tensorflow]", "2.10.1"),
        ("dependencies: ['python>=3.9', 'tensorflow>=2.8']", "2.10.1"),
    ],
)
def test_without_a_pin_the_python_that_is_asked_for_is_served(text: str, taken: str) -> None:
    found = choice(text, "environment.yml")
    assert (found.selection.version, found.problems) == (taken, ())
    assert choice("tensorflow\n", options=RescueOptions(python="3.13")).selection.version == NEWEST


@pytest.mark.parametrize(
    ("asked", "taken", "why"),
    [
        ("tensorflow>=2.22", NEWEST, "the newest that was is 2.21"),
        ("tensorflow==2.99.0", NEWEST, "the newest that was is 2.21"),
        ("tensorflow==2.3.0", "2.4.4", "not measured"),
        ("tensorflow==1.14.0", "1.15.5", "only 1.15 was measured"),
        ("tensorflow==2.10.9", "2.10.1", "2.10.0, 2.10.1"),
        ("tensorflow-gpu==2.12.0", "2.12.0", "has been removed"),
    ],
)
def test_another_one_is_the_nearest_and_the_reason_is_told(asked: str, taken: str, why: str) -> None:
    found = choice(f"{asked}\n")
    assert found.selection.version == taken
    (problem,) = found.problems
    assert (problem.place, problem.requirement, problem.nearest) == ("line 1", asked, f"tensorflow=={taken}")
    assert why in problem.why


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("tensorflow==2.10.0\n", "cpu"),
        ("tensorflow-gpu==2.10.0\n", "gpu"),
        ("tensorflow[and-cuda]==2.10.0\n", "gpu"),
        ("tensorflow==2.10.0\nnvidia-cudnn-cu11==8.6.0.163\n", "gpu"),
        ("tensorflow==2.10.0\ntorch==2.1.0\nnvidia-cudnn-cu12==8.9.2.26\n", "cpu"),  # PyTorch's own
    ],
)
def test_who_asks_for_cuda_gets_it(text: str, variant: str) -> None:
    assert choice(text).selection.variant == variant
    assert choice(text, options=RescueOptions(variant="cpu")).selection.variant == "cpu"


@pytest.mark.parametrize(
    ("text", "python", "problems"),
    [
        ("dependencies: [python=3.8, tensorflow=2.10]", "3.8", []),
        ("dependencies: [python=3.12, tensorflow=2.10]", None, ["Python 3.12"]),
        ("dependencies: ['python>=3.8,<3.10', tensorflow=2.10]", "3.9", []),
        ("dependencies: ['python>=3.11', tensorflow=2.10]", None, ["Python >=3.11"]),
        ("dependencies: [python=3.12, tensorflow=2.19]", "3.12", []),
    ],
)
def test_the_python_that_is_asked_for(text: str, python: str | None, problems: list[str]) -> None:
    found = choice(text, "environment.yml")
    assert found.python == python
    assert [problem.requirement for problem in found.problems] == problems
    assert choice(text, "environment.yml", RescueOptions(python="3.9")).python == "3.9"


def test_imageai_3_beside_tensorflow_and_an_imageai_without_a_version() -> None:
    pinned = choice("tensorflow==2.10.0\nimageai==3.0.3\n")
    assert pinned.torch
    assert [(problem.requirement, problem.nearest) for problem in pinned.problems] == [
        ("imageai==3.0.3", "imageai==2.1.6")
    ]
    assert "--torch 1.12" in pinned.problems[0].why
    bare = choice("tensorflow==2.10.0\nimageai\ntorch\n")
    assert (bare.selection.version, bare.torch) == ("2.10.0", True)
    assert "pip takes ImageAI 3" in bare.problems[0].why
    assert not choice("tensorflow==2.10.0\nimageai==2.1.6\ntorch\n").torch


@pytest.mark.parametrize(
    "text",
    [
        "imageai==3.0.3\n",
        "imageai>=3\n",
        "imageai==3.0.2\n",
        "imageai\ntorch\n",
        "imageai>=2\ntorchvision\n",
        "imageai\npytorch\n",
        "torch==1.13.1\ntorchvision==0.14.1\n",
        "tensorflow==2.10.0\nimageai==3.0.3\ntorch\n",  # ImageAI 3 is what runs
        "tensorflow-gpu==2.10.0\nimageai==3.0.3\ntorch\nnvidia-cudnn-cu11\n",
    ],
)
def test_who_wants_imageai_3_gets_it(text: str) -> None:
    found = choice(text)
    assert (found.selection.template.name, found.selection.variant) == ("imageai3", "cpu")
    assert str(found.selection.release) == "PyTorch 1.12.1"
    assert not found.torch
    assert bool(found.note) == ("tensorflow" in text)


@pytest.mark.parametrize("text", ["imageai\n", "imageai==2.1.6\ntorch\n", "imageai<3\ntorch\n", "six\n"])
def test_who_does_not_say_so_gets_what_create_takes(text: str) -> None:
    assert choice(text).selection.template.name == "tf2.10"


def test_an_installation_with_both_frameworks_ran_imageai_3_only_with_torchvision() -> None:
    pins = "tensorflow==2.10.0\nastunparse==1.6.3\ngast==0.4.0\nopt-einsum==3.3.0\nimageai==3.0.3\ntorch==1.12.1\n"
    assert choice(pins).selection.template.name == "tf2.10"
    assert choice(f"{pins}torchvision==0.13.1\n").selection.template.name == "imageai3"


@pytest.mark.parametrize(
    ("text", "template", "nearest", "why"),
    [
        ("imageai==2.1.5\ntensorflow==1.15.2\n", "tf1.15", {"imageai==2.1.5 with releases of its own time"}, "today"),
        ("imageai==2.1.5\n", "tf1.15", {"imageai==2.1.5 with releases of its own time"}, "declares neither"),
        ("tensorflow\nimageai==2.1.5\n", "tf1.15", {"imageai==2.1.5 with releases of its own time"}, "bounds nothing"),
        ("tensorflow==1.15.5\nimageai==2.1.5\nkeras==2.3.1\nh5py<3\nprotobuf<4\n", "tf1.15", set(), ""),
        ("tensorflow==1.14.0\nimageai==2.1.0\n", "tf1.15", {"tensorflow==1.15.5", "imageai==2.1.5"}, "was measured"),
        ("tensorflow>=1.4\nimageai==2.0.2\n", "tf1.15", {"imageai==2.1.5"}, "only 2.1.5 was measured"),
        ("tensorflow==1.15.5\nimageai==2.1.6\n", "tf1.15", {"imageai==2.1.5"}, "written for TensorFlow 2"),
        ("tensorflow==1.15.5\nimageai==3.0.3\n", "tf1.15", {"imageai==2.1.5"}, "runs on PyTorch"),
        ("tensorflow==2.4.1\nimageai==2.1.5\n", "tf2.4", {"imageai==2.1.6"}, "convert_all_kernels_in_model"),
        ("tensorflow-gpu==1.15.0\n", "tf1.15", {"tensorflow==1.15.0"}, "no gpu variant"),
        (
            "tensorflow-gpu==1.13.1\n",
            "tf1.15",
            {"tensorflow==1.15.5"},
            "measured, with ImageAI 2.1.5 on Python 3.6 and 3.7. templ",
        ),
    ],
)
def test_old_imageais(text: str, template: str, nearest: set[str], why: str) -> None:
    found = choice(text)
    assert found.selection.template.name == template
    assert {problem.nearest for problem in found.problems} == nearest
    assert all(why in problem.why for problem in found.problems)


def test_what_cannot_work_of_imageai_3() -> None:
    found = choice("imageai==3.0.2\ntorch==1.13.1\ntorchvision==0.15.2\nopencv-python-headless\nscipy\ntqdm\n")
    assert [(problem.place, problem.nearest) for problem in found.problems] == [
        ("line 2", "torch==1.12.1"),
        ("line 3", "torchvision==0.13.1"),
        ("line 1", "imageai==3.0.3"),
    ]
    assert "that of 1.13.1 is 0.14" in found.problems[1].why
    (lacking,) = choice("imageai\ntorch==1.12.1\ntorchvision==0.13.1\nopencv-python-headless\n").problems
    assert lacking.why.endswith("scipy, tqdm.")
    (built,) = choice("torch==1.12.1+cu113\ntorchvision==0.13.1+cu113\n").problems
    assert "+cu113 are on download.pytorch.org only" in built.why


def test_own_wishes_overrule_what_is_asked_for() -> None:
    both = "tensorflow==2.10.0\nimageai==3.0.3\ntorch==2.1.0\n"
    forced = choice(both, options=RescueOptions(tensorflow="2.10"))
    assert (forced.selection.template.name, forced.torch) == ("tf2.10", True)
    assert choice("tensorflow==2.10.0\n", options=RescueOptions(torch="1.12")).selection.template.name == "imageai3"
    assert (
        choice("tensorflow-gpu==2.10.0\n", options=RescueOptions(template="imageai3")).selection.template.name
        == "imageai3"
    )
    assert choice(both, options=RescueOptions(template="tf2.8")).selection.version == "2.8.4"
    for options in (
        RescueOptions(torch="2.1"),
        RescueOptions(tensorflow="2.10", torch="1.12"),
        RescueOptions(template="imageai3", variant="gpu"),
    ):
        with pytest.raises(RequestError):
            choice(both, options=options)


def test_two_builds_of_tensorflow() -> None:
    found = choice("tensorflow==2.10.0\ntensorflow-cpu==2.9.0\n")
    assert found.selection.version == "2.10.0"
    assert ["overwrite each other" in problem.why for problem in found.problems] == [True]


def test_an_own_wish_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RequestError):
        choice("tensorflow==2.10.0\n", options=RescueOptions(tensorflow="2.99"))


# The ladder


def test_the_ladder_of_a_requirement() -> None:
    from packaging.requirements import Requirement

    steps = ["pandas[x]==1.5.3; python_version > '3'"]
    requirement: Requirement | None = Requirement(steps[0])
    while requirement is not None:
        requirement = looser(requirement)
        steps.append(str(requirement))
    assert steps[1:] == [
        'pandas[x]~=1.5.3; python_version > "3"',
        'pandas[x]; python_version > "3"',
        "None",
    ]
    assert str(looser(Requirement("pandas<2"))) == "pandas"
    assert str(looser(Requirement("pandas==2"))) == "pandas"


# Resolved


def test_what_the_index_has(index: Index, tmp_path: Path) -> None:
    found = releases(["opencv-python", "keras-resnet", "no-such-thing"], MINOR, Log(tmp_path / "log"))
    opencv, resnet, none = found["opencv-python"], found["keras-resnet"], found["no-such-thing"]
    assert opencv is not None
    assert resnet is not None
    assert none is not None
    assert [str(version) for version in opencv.usable] == ["4.7.0.72", "4.11.0.86"]
    assert (resnet.usable, [str(version) for version in resnet.others]) == ((), ["0.2.0"])
    assert (none.usable, none.others) == ((), frozenset())


def test_an_index_that_fails_leaves_it_unknown(index: Index, tmp_path: Path) -> None:
    index.faults["opencv"] = "500"
    assert releases(["opencv-python"], MINOR, Log(tmp_path / "log")) == {"opencv-python": None}


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_the_recipe_that_people_copy(index: Index, template: Path, engine: str) -> None:
    plan = rescued(SEED, RescueOptions(engine=engine))
    assert [(problem.place, problem.nearest) for problem in plan.problems] == [
        ("line 2", "imageai==2.1.6 with its own pins set aside"),
        ("line 3", "opencv-python==4.7.0.72"),
    ]
    assert "no release 4.7.0 of opencv-python" in plan.problems[1].why
    assert plan.request.extras == ("opencv-python==4.7.0.72",)
    assert plan.selection.version == "2.10.0"
    assert actions(plan)["tensorflow"] == ("changed", "tensorflow-cpu==2.10.0")
    assert actions(plan)["opencv-python"] == ("changed", "opencv-python==4.7.0.72")
    assert actions(plan)["imageai"] == ("kept", "imageai==2.1.6")
    assert actions(plan)["numpy"] == ("added", "numpy==1.23.5")
    assert plan.runs == 2
    assert plan.create_command == "imageai-env create NAME --tf 2.10.0 --with opencv-python==4.7.0.72"
    assert plan.lock is not None
    assert plan.lock.header.requires == plan.request.extras


def test_what_works_is_kept_in_one_run(index: Index, template: Path) -> None:
    plan = rescued("tensorflow-cpu==2.10.0\npandas==1.5.3\nsix\npillow<12.3\n")
    assert (plan.problems, plan.runs) == ((), 1)
    assert plan.request.extras == ("pandas==1.5.3", "six", "pillow<12.3")
    kept = {name: after for name, (action, after) in actions(plan).items() if action == "kept"}
    assert kept["pandas"] == "pandas==1.5.3"
    assert kept["pillow"] == "pillow==12.2.0"
    assert kept["tensorflow-cpu"] == "tensorflow-cpu==2.10.0"


def test_what_clashes_gives_way_only_as_far_as_it_must(index: Index, template: Path) -> None:
    plan = rescued(
        "tensorflow==2.10.0\nnumpy==2.0.2\nneeds-new-numpy==1.0\npandas==1.5.3\nkeras==2.4.3\nno-such-thing==1.0\n"
    )
    after = actions(plan)
    assert after["numpy"] == ("changed", "numpy==1.23.5")
    assert after["needs-new-numpy"] == ("dropped", "")
    assert after["pandas"] == ("kept", "pandas==1.5.3")
    assert after["keras"] == ("changed", "keras==2.10.0")
    assert after["no-such-thing"] == ("dropped", "")
    assert plan.request.extras == ("pandas==1.5.3",)
    reasons = {problem.requirement: problem.why for problem in plan.problems}
    assert "no attribute 'float'" in reasons["numpy==2.0.2"]  # the cap's own reason
    assert "numpy" in reasons["needs-new-numpy==1.0"]
    assert "TensorFlow 2.10.0 needs keras 2.10.0" in reasons["keras==2.4.3"]
    assert "the index has no no-such-thing" in reasons["no-such-thing==1.0"]


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_imageai_3_with_a_torch_that_is_not_its_own(index: Index, torch_template: Path, engine: str) -> None:
    plan = rescued(
        "imageai==3.0.3\ntorch==1.13.1\ntorchvision==0.15.2\nnumpy==2.0.2\ntorchaudio==0.13.1\n"
        "nvidia-cublas-cu12==12.1.3.1\ntriton==2.1.0\npandas==1.5.3\n",
        RescueOptions(engine=engine),
    )
    assert plan.lock is not None, plan.unchecked
    after = actions(plan)
    assert after["torch"] == ("changed", "torch==1.12.1")
    assert after["torchvision"] == ("changed", "torchvision==0.13.1")
    assert after["imageai"] == ("kept", "imageai==3.0.3")
    assert after["numpy"] == ("changed", "numpy==1.24.4")
    assert after["torchaudio"] == ("changed", "torchaudio==0.12.1")
    assert after["pandas"] == ("kept", "pandas==1.5.3")
    assert after["nvidia-cublas-cu12"] == after["triton"] == ("dropped", "")
    whys = {change.name: change.why for change in plan.changes}
    assert whys["triton"] == "another PyTorch brought it; PyTorch 1.12.1 does not need it"
    assert whys["torchvision"] == "PyTorch 1.12.1 decides its version"
    reasons = {problem.requirement: problem.why for problem in plan.problems}
    assert "Numpy is not available" in reasons["numpy==2.0.2"]  # the cap's own reason
    assert "torchvision::nms" in reasons["torchvision==0.15.2"]
    assert "--torch 1.12.1" in plan.create_command
    assert after["tqdm"] == ("added", "tqdm==4.67.1")


def test_a_torchvision_that_is_not_its_torchs(index: Index, torch_template: Path) -> None:
    plan = rescued("imageai==3.0.3\ntorch\ntorchvision==0.15.2\n")
    assert actions(plan)["torch"] == ("kept", "torch==1.12.1")
    assert "compiled for one PyTorch" in {one.requirement: one.why for one in plan.problems}["torchvision==0.15.2"]


def test_tensorflow_beside_imageai_3_is_a_package_like_any_other(index: Index, torch_template: Path) -> None:
    plan = rescued("tensorflow-cpu==2.10.0\nimageai==3.0.3\ntorch\nkeras==2.4.3\n")
    after = actions(plan)
    assert after["tensorflow-cpu"] == ("kept", "tensorflow-cpu==2.10.0")
    assert after["keras"] == ("changed", "keras==2.10.0")
    assert after["torch"] == ("kept", "torch==1.12.1")
    assert "For .h5 models: --tf 2.10" in plan.source.notes[0]


def test_a_freeze_of_pytorch(index: Index, torch_template: Path) -> None:
    plan = rescued(
        "imageai==3.0.3\nmpmath==1.3.0\nnumpy==2.0.2\nnvidia-cublas-cu12==12.1.3.1\nnvidia-cudnn-cu12==8.9.2.26\n"
        "opencv-python==4.7.0.72\npandas==1.5.3\nsympy==1.12\ntorch==1.13.1\ntorchvision==0.14.1\ntriton==2.1.0\n"
    )
    assert plan.source.kind == "freeze"
    assert plan.request.extras == ("pandas==1.5.3", "sympy==1.12")
    after = actions(plan)
    assert after["nvidia-cudnn-cu12"] == after["triton"] == ("dropped", "")
    assert after["opencv-python"] == ("kept", "opencv-python==4.7.0.72")
    assert [problem.requirement for problem in plan.problems] == ["torch==1.13.1"]


def test_lines_that_ask_for_nothing_are_told(index: Index, template: Path) -> None:
    plan = rescued(
        "tensorflow==2.10.0\n-e .\nwhat is this?\nopencv-python-headless\nopencv-python\npkg-resources==0.0.0\n"
    )
    dropped = {change.before: change.why for change in plan.changes if change.action == "dropped"}
    assert sorted(dropped) == ["-e .", "opencv-python-headless", "pkg-resources==0.0.0", "what is this?"]
    assert "install it afterwards" in dropped["-e ."]
    assert any("overwrite each other" in problem.why for problem in plan.problems)


@pytest.mark.parametrize(
    ("own", "other"), [("opencv-python", "opencv-python-headless"), ("opencv-python-headless", "opencv-python")]
)
def test_of_several_opencvs_the_templates_own_stays(template: Path, own: str, other: str) -> None:
    text = template.read_text(encoding="utf-8")
    assert text.count('"opencv-python"') == 1
    template.write_text(text.replace('"opencv-python"', f'"{own}"'), encoding="utf-8")
    found = choice(f"tensorflow==2.10.0\n{other}\n{own}\n")
    sorting = sort_lines(read_source(Path("requirements.txt")), found)
    assert [line.name for line in sorting.wanted] == [own]
    assert sorting.aside[1] == f"template tiny has {own}, and both hold the package cv2"
    assert [problem.nearest for problem in sorting.problems] == [own]


def test_a_freeze_carries_only_what_nobody_requires(index: Index, template: Path) -> None:
    freeze = (
        "absl-py==2.5.1\nastunparse==1.6.3\ngast==0.4.0\nkeras==2.15.0\nml-dtypes==0.2.0\nnumpy==1.26.4\n"
        "opencv-python==4.7.0.72\npandas==1.5.3\npython-dateutil==3.0.0\npytz==2025.2\nsix==1.17.0\n"
        "tensorflow==2.10.0\ntensorflow-estimator==2.10.0\npillow==12.2.0\ncertifi==2020.1.1\n"
    )
    plan = rescued(freeze)
    assert plan.source.kind == "freeze"
    assert plan.request.extras == ("pandas==1.5.3",)
    after = actions(plan)
    assert after["pillow"] == ("kept", "pillow==12.2.0")  # although 12.3.0 is newer
    assert after["opencv-python"] == ("kept", "opencv-python==4.7.0.72")
    assert after["numpy"] == ("changed", "numpy==1.23.5")
    assert after["ml-dtypes"] == ("dropped", "")
    assert after["certifi"][0] == "changed"
    assert after["scipy"][0] == "added"
    assert plan.lock is not None
    again = {pin.name: pin.version for pin in plan.lock.pins}
    assert again["pytz"] == "2025.2"


def site_of(root: Path) -> Path:
    return root / "lib" / f"python{MINOR}" / "site-packages"


def install(site: Path, *projects: Project) -> None:
    for project in projects:
        info = site / f"{project.stem}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(project.metadata(), encoding="utf-8")


BROKEN = (
    Project("tensorflow", "2.10.0", ("numpy>=1.20", "keras>=2.10.0,<2.11", "astunparse")),
    Project("astunparse", "1.6.3"),
    Project("keras", "3.0.0"),
    Project("numpy", "2.0.2"),
    Project("imageai", "3.0.3"),
    Project("pandas", "1.5.3", ("pytz", "numpy")),
    Project("pytz", "2025.2"),
    Project("torch", "2.1.0", ("sympy",)),
    Project("sympy", "1.12"),
)


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_broken_environment(index: Index, template: Path, tmp_path: Path, engine: str) -> None:
    root = tmp_path / "old"
    install(site_of(root), *BROKEN)
    before = sorted(root.rglob("*"))
    plan = plan_rescue(root, Context(home(), Silent()), RescueOptions(engine=engine))
    assert plan.selection.version == "2.10.0"
    assert plan.request.extras == ("pandas==1.5.3",)
    assert plan.request.python == MINOR
    after = actions(plan)
    assert after["python"] == ("kept", f"Python {MINOR}")
    assert after["pandas"] == ("kept", "pandas==1.5.3")
    assert after["keras"] == ("changed", "keras==2.10.0")
    assert after["imageai"] == ("changed", "imageai==2.1.6")
    assert after["torch"] == after["sympy"] == ("dropped", "")
    assert any(problem.requirement == "imageai==3.0.3" for problem in plan.problems)
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_broken_environment_of_imageai_3(index: Index, torch_template: Path, tmp_path: Path, engine: str) -> None:
    root = tmp_path / "old"
    install(
        site_of(root), Project("imageai", "3.0.3"), Project("numpy", "2.0.2"), Project("pandas", "1.5.3", ("numpy",)),
        Project("torch", "1.12.1", ("typing-extensions",)), Project("torchvision", "0.15.2", ("torch==2.0.1",)),
        Project("typing-extensions", "4.16.0"), Project("nvidia-cublas-cu12", "12.1.3.1"),
    )  # fmt: skip
    plan = plan_rescue(root, Context(home(), Silent()), RescueOptions(engine=engine))
    assert str(plan.selection.release) == "PyTorch 1.12.1"
    assert plan.request.extras == ("pandas==1.5.3",)
    after = actions(plan)
    assert after["torch"] == ("kept", "torch==1.12.1")
    assert after["torchvision"] == ("changed", "torchvision==0.13.1")
    assert after["numpy"] == ("changed", "numpy==1.24.4")
    assert after["nvidia-cublas-cu12"] == ("dropped", "")
    assert [problem.requirement for problem in plan.problems] == ["torchvision==0.15.2"]


def test_what_a_global_python_has(index: Index, template: Path, tmp_path: Path) -> None:
    install(tmp_path, *BROKEN)
    plan = plan_rescue_of(
        distributions_in(tmp_path), "/usr/bin/python3", "3.13", Context(home(), Silent()), RescueOptions(engine="uv")
    )
    assert plan.source.label == "/usr/bin/python3"
    assert plan.request.extras == ("pandas==1.5.3",)


def test_of_two_copies_the_one_that_is_imported_counts(tmp_path: Path) -> None:
    install(tmp_path / "a", Project("pandas", "1.5.3"))
    install(tmp_path / "b", Project("pandas", "2.0.0"))
    source = read_distributions([*distributions_in(tmp_path / "a"), *distributions_in(tmp_path / "b")], "x")
    assert [line.text for line in source.lines] == ["pandas==1.5.3"]


def test_without_an_index_the_plan_says_that_it_was_not_checked(index: Index, template: Path) -> None:
    index.faults["."] = "500"
    plan = rescued(SEED)
    assert plan.lock is None
    assert plan.unchecked
    assert plan.request.extras == ("opencv-python==4.7.0",)
    assert [problem.place for problem in plan.problems] == ["line 2"]
    assert actions(plan)["tensorflow"] == ("changed", "tensorflow-cpu==2.10.0")
    assert actions(plan)["opencv-python"] == ("kept", "opencv-python==4.7.0")


def test_without_an_index_the_pair_of_torch_is_known_all_the_same(index: Index, torch_template: Path) -> None:
    index.faults["."] = "500"
    plan = rescued("imageai==3.0.3\ntorch==1.13.1\ntorchvision==0.15.2\nnumpy==2.0.2\n")
    assert plan.unchecked
    after = actions(plan)
    assert after["torch"] == ("changed", "torch==1.12.1")
    assert after["torchvision"] == ("changed", "torchvision==0.13.1")
    assert after["numpy"][0] == "changed"


def test_without_a_python_too(index: Index, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = template.read_text(encoding="utf-8")
    template.write_text(
        text.replace('requires = ">=3.8"', 'requires = ">=3.99"').replace(
            f'preferred = ["{MINOR}"]', 'preferred = ["3.99"]'
        ),
        encoding="utf-8",
    )
    plan = rescued("tensorflow==2.10.0\nnumpy==2.0.2\n", RescueOptions(engine="uv", download=False))
    assert plan.interpreter is None
    assert "No Python" in plan.unchecked
    assert actions(plan)["numpy"] == ("changed", "numpy")
    assert plan.problems[0].requirement == "numpy==2.0.2"


def test_a_python_that_is_not_here_is_replaced_by_one_that_is(index: Index, template: Path) -> None:
    plan = rescued(
        f"dependencies: [python=3.{98}, tensorflow=2.10]", RescueOptions(engine="uv", download=False), "environment.yml"
    )
    assert plan.interpreter is not None
    assert plan.problems[0].requirement == "Python 3.98"
    assert actions(plan)["python"] == ("changed", f"Python {plan.interpreter.target.python_version}")
