"""The shipped templates say what was measured; the validator finds what is wrong in anybody's template."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from imageai_envs.base.errors import RequestError, TemplateError
from imageai_envs.base.paths import Home, shipped_templates
from imageai_envs.base.printable import is_visible
from imageai_envs.installed.cuda_needs import needs_of
from imageai_envs.request.framework import TENSORFLOW
from imageai_envs.request.request import Request
from imageai_envs.request.stack import TENSORFLOWS
from imageai_envs.request.target import Target
from imageai_envs.templates.catalog import select
from imageai_envs.templates.defaults import DEFAULTS, load_defaults
from imageai_envs.templates.template_file import load_template
from imageai_envs.templates.unsupported import Reasons, Unsupported, explain, load_unsupported

if TYPE_CHECKING:
    from collections.abc import Collection

    from imageai_envs.templates.template import Template

LIST = "unsupported.toml"
# Every file is a template, but for the two lists.
SHIPPED = {
    path.stem: load_template(path) for path in shipped_templates().glob("*.toml") if path.name not in (LIST, DEFAULTS)
}
TENSORFLOW_2 = [one for one in SHIPPED.values() if one.framework is TENSORFLOW and Version(one.minor).major == 2]
LINUX = "cp38-linux-x86_64"
# What the index has; tensorflow-macos skips most patches.
MACOS_RELEASES = {"2.7": {"2.7.0"}, "2.8": {"2.8.0"}, "2.9": {"2.9.0", "2.9.1", "2.9.2"}, "2.10": {"2.10.0"}}


def each(templates: Collection[Template]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("template", templates, ids=lambda template: template.name)


def of(tensorflow: str) -> Template:
    """The one that answers for a release: of the plain name."""
    return SHIPPED[f"tf{tensorflow.rpartition('.')[0]}"]


def named(lines: tuple[str, ...], distribution: str) -> list[str]:
    return [line for line in lines if Requirement(line).name == distribution]


# The shipped templates


@each(SHIPPED.values())
def test_names_agree(template: Template) -> None:
    assert template.name == template.path.stem
    if template.framework is TENSORFLOW:
        assert re.fullmatch(rf"tf{re.escape(template.minor)}(-[a-z0-9-]+)?", template.name)


@each(SHIPPED.values())
def test_every_minor_is_answered_without_a_guess(tmp_path: Path, template: Template) -> None:
    option = "tensorflow" if template.framework is TENSORFLOW else "torch"
    home = Home(tmp_path, tmp_path, tmp_path)
    for variant in template.variants:
        found = select(Request(variant=variant, **{option: template.minor}), home).template  # type: ignore[arg-type]
        assert (found.framework, found.minor) == (template.framework, template.minor)


def test_defaults_are_shipped_templates_of_their_framework() -> None:
    defaults = load_defaults(shipped_templates() / DEFAULTS)
    assert {one.name: name for one, name in defaults.items()} == {"tensorflow": "tf2.10", "torch": "imageai3"}
    for framework, name in defaults.items():
        assert load_template(shipped_templates() / f"{name}.toml").framework is framework


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('schema = 2\ntensorflow = "a"\ntorch = "b"', "reads schema 1"),
        ('schema = 1\ntensorflow = "a"', "torch: missing"),
        ('schema = 1\ntensorflow = "a"\ntorch = "b"\njax = "c"', "jax (line 4): unknown key"),
    ],
)
def test_a_wrong_list_of_defaults(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / DEFAULTS).write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        load_defaults(tmp_path / DEFAULTS)
    assert words in caught.value.message


@each(TENSORFLOW_2)
def test_no_patch_is_left_out(template: Template) -> None:
    micros = [Version(patch).micro for patch in template.patches]
    assert micros == list(range(micros[0], micros[-1] + 1))
    first = 1 if template.minor == "2.16" else 0  # 2.16.0 never was on the index
    assert micros[0] == first or template.name != f"tf{template.minor}"


@each(SHIPPED.values())
def test_the_newest_is_last(template: Template) -> None:
    assert list(template.patches) == sorted(template.patches, key=Version)


@each(SHIPPED.values())
def test_every_allowed_python_is_tried_newest_first(template: Template) -> None:
    """But 3.10 before 3.11: there ImageAI imports with a matplotlib that is made for it, without the hook."""
    allowed = [f"3.{minor}" for minor in range(20, 0, -1) if template.allows_python((3, minor))]
    if allowed[0] == "3.11" and template.framework is TENSORFLOW:
        allowed[:2] = ["3.10", "3.11"]

    assert list(template.python_preferred) == allowed


@pytest.mark.parametrize(
    ("minor", "words"),
    [
        ("2.4", "3.6 to 3.8"),
        ("2.5", "3.6 to 3.9"),
        ("2.6", "3.6 to 3.9"),
        ("2.7", "3.7 to 3.9"),
        ("2.8", "3.7 to 3.10"),
        ("2.9", "3.7 to 3.10"),
        ("2.10", "3.7 to 3.10"),
        ("2.11", "3.7 to 3.10"),
        ("2.12", "3.8 to 3.11"),
        ("2.13", "3.8 to 3.11"),
        ("2.14", "3.9 to 3.11"),
        ("2.15", "3.9 to 3.11"),
        ("2.16", "3.9 to 3.12"),
        ("2.17", "3.9 to 3.12"),
        ("2.18", "3.9 to 3.12"),
        ("2.19", "3.9 to 3.12"),
        ("2.20", "3.9 to 3.13"),
        ("2.21", "3.10 to 3.13"),
    ],
)
def test_pythons_are_those_with_wheels(minor: str, words: str) -> None:
    assert SHIPPED[f"tf{minor}"].python_words() == words


@each(SHIPPED.values())
def test_every_decision_has_a_source_that_can_be_checked(template: Template) -> None:
    sources = [
        *([template.imageai.source] if template.imageai.replaces_dependencies else []),
        *(cap.source for cap in template.caps),
    ]
    sources += [item.source for group in (template.source_only, template.dropped) for item in group]

    assert [s for s in sources if not s.startswith(("https://", "measured ", "resolved "))] == []


@each(SHIPPED.values())
def test_every_cap_bounds_what_follows_from_the_release(template: Template) -> None:
    decided = {"imageai", "torch", *TENSORFLOWS}  # their releases are what is asked for
    for cap in template.caps:
        requirement = Requirement(cap.requirement)
        assert requirement.specifier, cap
        assert not requirement.extras, cap
        assert cap.distribution not in decided, cap
        assert any(cap.releases.contains(patch) for patch in template.patches), f"no patch needs {cap}"


@each(TENSORFLOW_2)
@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_requirements_are_evaluated_for_every_patch_and_python(template: Template, variant: str) -> None:
    if variant not in template.variants:
        return
    for patch in template.patches:
        for python in template.python_preferred:
            target = Target.parse(f"cp{python.replace('.', '')}-linux-x86_64")
            for line in template.requirements(variant, patch, target):
                requirement = Requirement(line)
                assert requirement.marker is None
                if requirement.name.startswith("tensorflow"):
                    assert str(requirement.specifier) == f"=={patch}"


@pytest.mark.parametrize(
    ("tensorflow", "target", "distribution", "expected"),
    [
        ("2.4.0", LINUX, "protobuf", ["protobuf<4"]),
        ("2.4.4", LINUX, "protobuf", ["protobuf<4"]),
        ("2.5.3", LINUX, "protobuf", ["protobuf<4"]),
        ("2.6.3", LINUX, "protobuf", ["protobuf<4"]),
        ("2.6.4", LINUX, "protobuf", ["protobuf<4"]),
        ("2.6.5", LINUX, "protobuf", []),
        ("2.7.2", LINUX, "protobuf", ["protobuf<4"]),
        ("2.7.3", LINUX, "protobuf", []),
        ("2.7.4", "cp39-darwin-arm64", "protobuf", ["protobuf<4"]),
        ("2.8.1", LINUX, "protobuf", ["protobuf<4"]),
        ("2.8.2", LINUX, "protobuf", []),
        ("2.8.4", "cp39-darwin-arm64", "protobuf", ["protobuf<4"]),
        ("2.9.0", LINUX, "protobuf", ["protobuf<4"]),
        ("2.9.1", LINUX, "protobuf", []),
        ("2.10.0", LINUX, "protobuf", []),
        ("2.6.1", LINUX, "keras", ["keras<2.7"]),
        ("2.6.2", LINUX, "keras", []),
        ("2.6.0", LINUX, "tensorflow-estimator", ["tensorflow-estimator<2.7"]),
        ("2.6.1", LINUX, "tensorflow-estimator", []),
        ("2.4.4", LINUX, "keras", ["keras==2.4.3"]),
        ("2.5.0", LINUX, "keras", ["keras==2.4.3"]),
        ("2.6.5", LINUX, "numpy", []),
        ("2.7.0", LINUX, "numpy", ["numpy<1.24"]),
        ("2.10.1", LINUX, "numpy", ["numpy<1.24"]),
        ("2.4.4", LINUX, "matplotlib", ["matplotlib<3.6"]),
        ("2.10.1", LINUX, "matplotlib", ["matplotlib<3.6"]),
    ],
)
def test_caps_apply_to_the_patches_that_need_them(
    tensorflow: str, target: str, distribution: str, expected: list[str]
) -> None:
    lines = of(tensorflow).constraints(tensorflow, Target.parse(target))

    assert named(lines, distribution) == expected


@each(TENSORFLOW_2)
def test_what_is_left_out_is_what_would_share_files(template: Template) -> None:
    """keras-nightly beside keras, and the `tensorflow` that tf-keras asks for beside tensorflow-cpu."""
    with_tf_keras = ("tensorflow",) if Version(template.minor) >= Version("2.16") else ()
    expected = ("keras-nightly",) if template.minor == "2.5" else with_tf_keras

    assert {template.left_out(patch) for patch in template.patches} == {expected}


@each(TENSORFLOW_2)
def test_keras_is_asked_for_where_tensorflow_does_not(template: Template) -> None:
    lines = template.requirements("cpu", template.newest, Target.parse(LINUX))

    assert named(lines, "keras") == (["keras==2.4.3"] if template.minor in {"2.4", "2.5"} else [])


@pytest.mark.parametrize(
    ("minor", "expected"),
    [
        ("2.4", {"keras-resnet", "termcolor", "wrapt"}),
        ("2.5", {"keras-resnet", "termcolor", "wrapt"}),
        ("2.6", {"keras-resnet", "termcolor", "wrapt", "clang"}),
        ("2.7", {"keras-resnet"}),
        ("2.8", {"keras-resnet"}),
        ("2.9", {"keras-resnet"}),
        ("2.10", {"keras-resnet"}),
        ("2.12", {"keras-resnet"}),
        ("2.15", {"keras-resnet"}),
    ],
)
def test_nothing_else_is_built_from_source(minor: str, expected: set[str]) -> None:
    template = SHIPPED[f"tf{minor}"]
    for patch in template.patches:
        for python in template.python_preferred:
            target = Target.parse(f"cp{python.replace('.', '')}-linux-x86_64")
            jax = {"jax"} if (minor, python) == ("2.12", "3.8") else set()
            assert set(template.sources_built(patch, target)) == expected | jax


def test_a_python_without_wheels_of_the_newest_patch_gets_the_one_before() -> None:
    template = SHIPPED["tf2.11"]
    newest = {python: template.newest_on((3, python)) for python in (7, 8, 9, 10)}
    assert newest == {7: "2.11.0", 8: "2.11.1", 9: "2.11.1", 10: "2.11.1"}
    assert [SHIPPED[f"tf2.{n}"].newest_on((3, 6)) for n in (4, 5, 6)] == ["2.4.4", "2.5.2", "2.6.2"]
    assert template.of("2.11.1").python_words() == "3.8 to 3.10"
    assert template.of("2.11.0").python_words() == "3.7 to 3.10"


# Platforms


@pytest.mark.parametrize(
    ("tensorflow", "variant", "target", "expected"),
    [
        ("2.10.1", "cpu", "cp310-linux-x86_64", {"tensorflow-cpu==2.10.1"}),
        ("2.10.1", "cpu", "cp310-win32-x86_64", {"tensorflow-cpu==2.10.1"}),
        ("2.10.1", "cpu", "cp310-darwin-x86_64", {"tensorflow-cpu==2.10.1"}),
        ("2.10.1", "cpu", "cp310-darwin-arm64", {"tensorflow-macos==2.10.0"}),
        ("2.10.0", "cpu", "cp310-linux-aarch64", {"tensorflow==2.10.0"}),
        ("2.10.1", "gpu", "cp310-linux-x86_64", {"tensorflow==2.10.1"}),
        ("2.10.1", "gpu", "cp310-win32-x86_64", {"tensorflow==2.10.1"}),
        ("2.10.1", "gpu", "cp310-darwin-arm64", {"tensorflow-macos==2.10.0", "tensorflow-metal==0.6.0"}),
        ("2.9.3", "cpu", "cp310-linux-aarch64", {"tensorflow-cpu-aws==2.9.1"}),
        ("2.11.1", "cpu", "cp310-linux-aarch64", {"tensorflow-cpu-aws==2.11.0"}),
        ("2.12.0", "cpu", "cp310-linux-aarch64", {"tensorflow-cpu-aws==2.12.0"}),
        ("2.12.1", "gpu", "cp310-darwin-arm64", {"tensorflow-macos==2.12.0", "tensorflow-metal==0.8.0"}),
        ("2.15.1", "gpu", "cp310-darwin-arm64", {"tensorflow==2.15.1", "tensorflow-metal==1.1.0"}),
        ("2.15.1", "gpu", "cp310-linux-x86_64", {"tensorflow==2.15.1"}),
        ("2.9.3", "gpu", "cp310-darwin-arm64", {"tensorflow-macos==2.9.2", "tensorflow-metal==0.5.0"}),
        ("2.8.4", "gpu", "cp39-darwin-arm64", {"tensorflow-macos==2.8.0", "tensorflow-metal==0.4.0"}),
        ("2.7.4", "gpu", "cp39-darwin-arm64", {"tensorflow-macos==2.7.0", "tensorflow-metal==0.3.0"}),
        ("2.4.4", "cpu", "cp38-win32-x86_64", {"tensorflow-cpu==2.4.4"}),
    ],
)
def test_each_platform_gets_its_tensorflow(tensorflow: str, variant: str, target: str, expected: set[str]) -> None:
    lines = of(tensorflow).requirements(variant, tensorflow, Target.parse(target))

    assert {line for line in lines if line.startswith("tensorflow")} == expected


@each([one for one in TENSORFLOW_2 if "gpu" in one.variants])
@pytest.mark.parametrize("target", ["cp38-linux-x86_64", "cp38-win32-x86_64"])
def test_cuda_wheels_are_for_linux_x86_64(template: Template, target: str) -> None:
    if "win32" in target and Version(template.minor) > Version("2.10"):
        with pytest.raises(RequestError, match="the last with a GPU on Windows") as caught:
            template.requirements("gpu", template.newest, Target.parse(target))
        assert "WSL2" in str(caught.value.hint)
        return
    lines = template.requirements("gpu", template.newest, Target.parse(target))

    cuda = [Requirement(line) for line in lines if line.startswith("nvidia-")]
    needs = needs_of(template.newest)
    assert needs is not None
    wanted = {Requirement(line).name for line in needs.wheels}
    assert wanted <= {line.name for line in cuda} if "linux" in target else not cuda
    assert all(str(line.specifier).startswith("==") for line in cuda)


@each(TENSORFLOW_2)
def test_what_tensorflow_cannot_do_itself_is_done_for_it(template: Template) -> None:
    needs = needs_of(template.newest)
    assert needs is not None
    new_optimizers = Version(template.minor) >= Version("2.11")
    for name, variant in template.variants.items():
        assert (variant.cuda_links is not None) == (name == "gpu" and needs.finder == "links")
        assert variant.hook == (new_optimizers or (name == "gpu" and needs.xla_flags))


@pytest.mark.parametrize(
    ("minor", "variant", "target"),
    [
        ("2.4", "cpu", "cp38-darwin-arm64"),
        ("2.5", "cpu", "cp39-darwin-arm64"),
        ("2.6", "gpu", "cp39-darwin-arm64"),
        ("2.8", "cpu", "cp310-linux-aarch64"),
        ("2.10", "gpu", "cp310-linux-aarch64"),
        ("2.10", "gpu", "cp310-darwin-x86_64"),
    ],
)
def test_a_platform_without_tensorflow_is_refused(minor: str, variant: str, target: str) -> None:
    template = SHIPPED[f"tf{minor}"]

    with pytest.raises(RequestError) as caught:
        template.requirements(variant, template.newest, Target.parse(target))

    assert caught.value.code == "no-such-target"
    assert template.name in caught.value.message
    assert variant in caught.value.message


@pytest.mark.parametrize("minor", MACOS_RELEASES)
@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_tensorflow_macos_exists_for_every_patch(minor: str, variant: str) -> None:
    template = SHIPPED[f"tf{minor}"]
    for patch in template.patches:
        (line,) = named(template.requirements(variant, patch, Target.parse("cp39-darwin-arm64")), "tensorflow-macos")
        assert line.partition("==")[2] in MACOS_RELEASES[minor]


@pytest.mark.parametrize(
    ("name", "target", "requirements", "constraints"),
    [
        (
            "tf1.15",
            "cp37-linux-x86_64",
            {"tensorflow==1.15.5", "keras==2.3.1", "h5py"},
            {"protobuf<4", "h5py<3", "keras==2.3.1"},
        ),
        ("imageai3", "cp310-linux-x86_64", {"torch==1.12.1", "torchvision==0.13.1", "tqdm"}, {"numpy<2"}),
    ],
)
def test_other_imageais(name: str, target: str, requirements: set[str], constraints: set[str]) -> None:
    template = SHIPPED[name]
    assert requirements <= set(template.requirements("cpu", template.newest, Target.parse(target)))
    assert set(template.constraints(template.newest, Target.parse(target))) == constraints


# The validator

VALID = """\
schema = 1
name = "mine"
summary = "words"

[tensorflow]
minor = "2.10"
patches = ["2.10.0", "2.10.1"]

[python]
requires = ">=3.7,<3.11"
preferred = ["3.10"]
reason = "wheels"

[imageai]
version = "2.1.6"
replaces-dependencies = true
dependencies = ["numpy"]
reason = "pins"
source = "seen"

[variants.cpu]
requirements = ["tensorflow-cpu=={tensorflow}"]
disk-mb = 1391

[[caps]]
requirement = "matplotlib<3.6"
tensorflow = "<2.10.1"
reason = "breaks"
source = "seen"

[[source-only]]
distribution = "Keras_ResNet"
reason = "no wheel"
source = "seen"
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(directory: Path, text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        load_template(write(directory, text))
    return caught.value.message


def changed(old: str, new: str, text: str = VALID) -> str:
    assert text.count(old) == 1, f"{old!r} must stand once in the template"
    return text.replace(old, new)


TORCH = (
    VALID.replace("[tensorflow]", "[torch]")
    .replace('tensorflow = "<2.10.1"', 'torch = "<2.10.1"')
    .replace("tensorflow-cpu=={tensorflow}", "torch=={torch}")
    .replace("[python]", '[python]\nmodules = ["tkinter"]')
)


def test_a_template_of_pytorch(tmp_path: Path) -> None:
    template = load_template(write(tmp_path, TORCH))
    assert str(template.release(template.newest)) == "PyTorch 2.10.1"
    assert template.python_modules == ("tkinter",)
    assert template.requirements("cpu", "2.10.0", Target.parse(LINUX)) == ("torch==2.10.0", "numpy")
    assert template.constraints("2.10.0", Target.parse(LINUX)) == ("matplotlib<3.6",)
    assert template.constraints("2.10.1", Target.parse(LINUX)) == ()


# A template in a clone is a stranger's.
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "mine"', 'name = "../../x"', "name (line 2): '../../x' is none"),
        ('name = "mine"', 'name = "a/b"', "name (line 2)"),
        ('name = "mine"', 'name = "x.toml"', "name (line 2)"),
        ('name = "mine"', 'name = "--help"', "name (line 2)"),
        ('name = "mine"', f'name = "{"x" * 65}"', "name (line 2)"),
        ('name = "mine"', 'name = "mine\\u001b[2J"', "name (line 2): must not have control characters"),
        ('summary = "words"', 'summary = "\\u001b]0;x\\u0007"', "summary (line 3): must not have control characters"),
        ('summary = "words"', 'summary = "\\u202ewords"', "summary (line 3): must not have control characters"),
        ('summary = "words"', 'summary = "two\\nlines"', "summary (line 3): must be one line"),
        ('summary = "words"', f'summary = "{"x" * 3000}"', "more than 2000 characters"),
        ('reason = "breaks"', 'reason = "\\u009b2J"', "caps[0].reason: must not have control characters"),
        ('minor = "2.10"', 'minor = "2"', "'2' is not valid: not a minor"),
        ('minor = "2.10"', 'minor = "../2.10"', "not a minor"),
        ('minor = "2.10"', f'minor = "{"1" * 5000}.0"', "minor"),
        ('"2.10.0", "2.10.1"', f'"2.10.{"1" * 5000}"', "patches"),
        ('"2.10.0", "2.10.1"', ", ".join(['"2.10.0"'] * 501), "more than 500 entries"),
        ('preferred = ["3.10"]', 'preferred = ["3.10.1"]', "not a minor"),
        ('requires = ">=3.7,<3.11"', f'requires = ">={"1" * 5000}"', "python.requires"),
        ("disk-mb = 1391", "disk-mb = -1", "must be between 0 and 1000000000000000"),
        ("disk-mb = 1391", "disk-mb = 99999999999999999", "must be between 0 and 1000000000000000"),
        ('"numpy"', '"--index-url=http://evil.invalid"', "not a PEP 508 requirement"),
        ('"numpy"', '"numpy @ https://evil.invalid/x.whl"', "direct references"),
        ('"numpy"', f'"numpy=={"1" * 1900}"', "no number any more"),
        ('"numpy"', """ "numpy; os_name == '\\u001b'" """, "must not have control characters"),
        ('"matplotlib<3.6"', '"matplotlib<3.6 --no-binary :all:"', "not a PEP 508 requirement"),
        ('"Keras_ResNet"', '":all:"', "':all:' is not valid: not the name of a distribution"),
        ('"Keras_ResNet"', '"--index-url=http://evil.invalid"', "not the name of a distribution"),
        (
            "[[caps]]",
            '[variants.cpu.cuda-links]\n"../../x" = "a.so"\n[[caps]]',
            "'../../x' is not valid: not a plain file",
        ),
        ("[[caps]]", '[variants.cpu.cuda-links]\n"a.so" = "/etc/passwd"\n[[caps]]', "'/etc/passwd' is not valid"),
        ("[[caps]]", '[variants.cpu.cuda-links]\n".." = "a.so"\n[[caps]]', "'..' is not valid"),
        ("schema = 1", 'schema = 1\n"key\\u001b[2J\\n  - x" = 1', "key\\x1b[2J\\n  - x: unknown key"),
        ("schema = 1", f"schema = {'1' * 5000}", "is not valid TOML"),
        ("schema = 1", f"schema = {'[' * 5000}", "is not valid TOML"),
    ],
)
def test_hostile_templates(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = VALID.replace(old, new, 1)
    assert text != VALID
    message = complaint(tmp_path, text)
    assert words in message
    assert is_visible(message)
    assert len(message) < 3000


def test_a_file_that_is_wrong_all_over(tmp_path: Path) -> None:
    text = VALID + "".join(f"[[caps]]\nx{n} = 1\n" for n in range(5000)) + "".join(f"y{n} = 1\n" for n in range(5000))
    assert complaint(tmp_path, text).count("\n") == 100


def test_what_is_no_file_is_no_template(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    (tmp_path / "long.toml").write_text("#" * 1_100_000, encoding="utf-8")
    for name, words in (("pipe", "nothing came out"), ("endless", "it is a device"), ("long", "longer than 1 MB")):
        with pytest.raises(TemplateError, match=words) as caught:
            load_template(tmp_path / f"{name}.toml")
        assert caught.value.path == tmp_path / f"{name}.toml"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[torch]", '[tensorflow]\nminor = "2.10"\npatches = ["2.10.1"]\n[torch]', "unknown key"),
        ("torch=={torch}", "torch=={tensorflow}", "not a PEP 508 requirement"),
        ('torch = "<2.10.1"', 'tensorflow = "<2.10.1"', "caps[0].tensorflow"),
        ('"tkinter"', '"curses"', "'curses' is not known; interpreters are asked for tkinter"),
    ],
)
def test_what_is_wrong_with_a_template_of_pytorch(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in complaint(tmp_path, changed(old, new, TORCH))


def test_a_valid_template_is_read(tmp_path: Path) -> None:
    template = load_template(write(tmp_path, VALID))

    assert (template.name, template.newest) == ("mine", "2.10.1")
    assert template.sources_built("2.10.1", Target.parse(LINUX)) == ("keras-resnet",)
    assert template.constraints("2.10.0", Target.parse(LINUX)) == ("matplotlib<3.6",)
    assert template.constraints("2.10.1", Target.parse(LINUX)) == ()
    assert template.requirements("cpu", "2.10.1", Target.parse(LINUX)) == ("tensorflow-cpu==2.10.1", "numpy")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # Types
        ("schema = 1", 'schema = "1"', "schema (line 1): must be an integer, not a string"),
        ("schema = 1", "schema = true", "schema (line 1): must be an integer, not true or false"),
        (
            "disk-mb = 1391",
            "disk-mb = true",
            "variants.cpu.disk-mb (line 23): must be an integer, not true or false",
        ),
        (
            "disk-mb = 1391",
            "disk-mb = 1.5",
            "variants.cpu.disk-mb (line 23): must be an integer, not a float",
        ),
        ('name = "mine"', "name = 2.10", "name (line 2): must be a string, not a float"),
        ('summary = "words"', "summary = 2022-09-01", "summary (line 3): must be a string, not a date"),
        (
            "replaces-dependencies = true",
            "replaces-dependencies = 1",
            "imageai.replaces-dependencies (line 16): must be true or false, not an integer",
        ),
        (
            'preferred = ["3.10"]',
            "preferred = [3.10]",
            "python.preferred[0] (line 11): must be a string, not a float",
        ),
        (
            'preferred = ["3.10"]',
            'preferred = "3.10"',
            "python.preferred (line 11): must be an array, not a string",
        ),
        ("[tensorflow]", "[[tensorflow]]", "tensorflow: must be a table, not an array"),
        ("[[source-only]]", "[source-only]", "source-only (line 31): must be an array, not a table"),
        # Missing and empty
        ('summary = "words"\n', "", "summary: missing; it must be a string"),
        ('name = "mine"', 'name = " "', "name (line 2): must not be empty"),
        ('version = "2.1.6"\n', "", "imageai.version: missing; it must be a string"),
        (
            'patches = ["2.10.0", "2.10.1"]',
            "patches = []",
            "tensorflow.patches (line 7): must name at least one release",
        ),
        ('reason = "no wheel"\n', "", "source-only[0].reason: missing; it must be a string"),
        ('reason = "pins"\n', "", "imageai.reason: missing; it must be a string"),
        (
            '[variants.cpu]\nrequirements = ["tensorflow-cpu=={tensorflow}"]\ndisk-mb = 1391',
            "[variants]",
            "variants (line 21): must have at least one of cpu, gpu",
        ),
        # Unknown keys
        (
            'requirement = "matplotlib<3.6"',
            'requirment = "matplotlib<3.6"',
            "caps[0].requirment (line 26): unknown key; did you mean 'requirement'?",
        ),
        ("[[caps]]", "[[cap]]", "cap (line 25): unknown key; did you mean 'caps'?"),
        ("[variants.cpu]", "[variants.tpu]", "variants.tpu (line 21): unknown key; did you mean 'gpu'?"),
        (
            'minor = "2.10"',
            'minor = "2.10"\nzzz = 0',
            "tensorflow.zzz (line 7): unknown key; known keys: minor, patches",
        ),
        # Values
        ("schema = 1", "schema = 2", "schema (line 1): this version reads schema 1, the file says 2"),
        ('"2.10.1"]', '"2.1.0"]', "tensorflow.patches (line 7): 2.1.0 is not a release of TensorFlow 2.10"),
        (
            '"2.10.1"]',
            '"2.10.x"]',
            "tensorflow.patches (line 7): '2.10.x' is not valid: not a PEP 440 version",
        ),
        (
            'preferred = ["3.10"]',
            'preferred = ["3.11"]',
            "python.preferred (line 11): 3.11 is not in >=3.7,<3.11",
        ),
        (
            'preferred = ["3.10"]',
            'preferred = ["3.10"]\nreleases = { "2.10.2" = ">=3.8" }',
            "python.releases (line 12): 2.10.2 is not among the patches",
        ),
        (
            'preferred = ["3.10"]',
            'preferred = ["3.10"]\nreleases = { "2.10.1" = "3.8" }',
            "python.releases (line 12): '3.8' is not valid: not a PEP 440 specifier",
        ),
        (
            'distribution = "Keras_ResNet"',
            'distribution = "Keras_ResNet"\nmarker = "python < 3"',
            "source-only[0].marker (line 33): 'python < 3' is not valid: not a PEP 508 marker",
        ),
        (
            'requires = ">=3.7,<3.11"',
            'requires = "3.7 to 3.10"',
            "python.requires (line 10): '3.7 to 3.10' is not valid: not a PEP 440 specifier",
        ),
        (
            'tensorflow = "<2.10.1"',
            'tensorflow = "older"',
            "caps[0].tensorflow: 'older' is not valid: not a PEP 440 specifier",
        ),
        ('"matplotlib<3.6"', '"matplotlib"', "caps[0].requirement (line 26): 'matplotlib' bounds nothing"),
        (
            '"matplotlib<3.6"',
            '"matplotlib<<3.6"',
            "caps[0].requirement (line 26): 'matplotlib<<3.6' is not valid",
        ),
        (
            'dependencies = ["numpy"]',
            'dependencies = ["numpy @ https://example.com/numpy.whl"]',
            "direct references cannot be locked with hashes",
        ),
        (
            '"tensorflow-cpu=={tensorflow}"',
            '"tensorflow-cpu=={tf}"',
            "variants.cpu.requirements (line 22): 'tensorflow-cpu=={tf}' is not valid: not a PEP 508",
        ),
    ],
)
def test_one_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(tmp_path, changed(old, new))


def test_a_misspelt_key_is_the_missing_one_too(tmp_path: Path) -> None:
    message = complaint(tmp_path, changed('reason = "breaks"', 'raeson = "breaks"'))

    assert "caps[0].reason: missing" in message
    assert "caps[0].raeson (line 28): unknown key; did you mean 'reason'?" in message
    assert "has 2 problems:" in message


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = changed('"2.10.1"]', '"2.1.0"]', changed("disk-mb = 1391", 'disk-mb = "1.4 GB"', changed("name =", "nam =")))

    message = complaint(tmp_path, text)

    assert "has 4 problems:" in message
    assert [line for line in message.splitlines() if line.startswith("  - ")] == [
        "  - name: missing; it must be a string",
        "  - tensorflow.patches (line 7): 2.1.0 is not a release of TensorFlow 2.10",
        "  - variants.cpu.disk-mb (line 23): must be an integer, not a string",
        "  - nam (line 2): unknown key; did you mean 'name'?",
    ]


def test_one_problem_is_not_called_problems(tmp_path: Path) -> None:
    path = write(tmp_path, changed('name = "mine"', 'name = ""'))

    with pytest.raises(TemplateError) as caught:
        load_template(path)

    assert caught.value.message == f"Template {path} has 1 problem:\n  - name (line 2): must not be empty"
    assert caught.value.hint == f"imageai-env templates validate {path}"
    assert caught.value.exit_code == 3


def test_no_line_is_named_for_a_key_that_stands_more_than_once(tmp_path: Path) -> None:
    message = complaint(tmp_path, changed('reason = "wheels"', "reason = 3"))

    assert "  - python.reason: must be a string, not an integer" in message


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    assert "is not valid TOML" in (message := complaint(tmp_path, changed('name = "mine"', 'name = "mine')))
    assert "line 2" in message


def test_absurd_nesting_is_an_error_not_a_crash(tmp_path: Path) -> None:
    assert "is not valid TOML" in complaint(tmp_path, "a = " + "[" * 20_000)


def test_a_key_of_very_many_parts_is_an_error_at_once(tmp_path: Path) -> None:
    """The parser took minutes for one line, with the square of its parts."""
    for text in (
        ".".join("a" * 200_000) + " = 1",
        f"[{'.'.join('a' * 100_000)}]",
        ("x={" + "a." * 900 + "a=1}\n") * 500,
    ):
        path = tmp_path / "x.toml"
        path.write_text(text, encoding="utf-8")
        begun = time.monotonic()
        with pytest.raises(TemplateError, match="keys of thousands of parts"):
            load_template(path)
        assert time.monotonic() - begun < 5


def test_a_file_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "caf\xe9"')

    with pytest.raises(TemplateError, match=r"is not UTF-8 text \(byte 11\)"):
        load_template(path)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(TemplateError) as caught:
            load_template(path)
        assert caught.value.message.startswith(f"Cannot read template {path}: ")


def test_dependencies_may_stay_with_imageai(tmp_path: Path) -> None:
    kept = 'dependencies = ["numpy"]\nreason = "pins"\nsource = "seen"\n'
    text = changed(kept, "", changed("replaces-dependencies = true\n", ""))

    imageai = load_template(write(tmp_path, text)).imageai

    assert (imageai.replaces_dependencies, imageai.dependencies, imageai.reason) == (False, (), "")


KEYS = ("schema", "name", "tensorflow", "python", "imageai", "variants", "caps", "source-only", "dropped")


@pytest.mark.parametrize("value", ["1", "true", "nan", '"x"', "2022-09-01", "[]", "[1]", "[{}]", "{}", "{a = [{}]}"])
@pytest.mark.parametrize("key", KEYS)
def test_any_value_anywhere_is_a_template_error(tmp_path: Path, key: str, value: str) -> None:
    missing = [other for other in KEYS[:6] if other != key]

    message = complaint(tmp_path, f"{key} = {value}\n")

    assert [other for other in missing if f"- {other}: missing" not in message] == []


# The documentation


def examples() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
    return re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_examples_in_the_documentation_are_valid(tmp_path: Path) -> None:
    template, defaults, reasons = examples()

    assert load_template(write(tmp_path, template)).newest == "2.10.1"
    assert load_defaults(write(tmp_path, defaults)) == load_defaults(shipped_templates() / DEFAULTS)
    assert len(load_unsupported(write(tmp_path, reasons)).tensorflow) == 1


# The list of what is not offered


def shipped_list() -> Reasons:
    return load_unsupported(shipped_templates() / LIST)


@pytest.mark.parametrize(
    ("version", "words", "instead"),
    [
        ("2.22", "the newest that was is 2.21", "--tf 2.21"),
        ("2.22.1", "not measured", "--tf 2.21"),
        ("2.22.0rc0", "not measured", "--tf 2.21"),
        ("2.99", "not measured", "--tf 2.21"),
        ("2.0", "not measured", "--tf 2.4"),
        ("2.3.4", "not measured", "--tf 2.4"),
        ("1.14.0", "only 1.15 was measured", "--tf 1.15"),
    ],
)
def test_a_tensorflow_that_is_not_offered_is_explained(version: str, words: str, instead: str) -> None:
    found = explain(shipped_list().tensorflow, version)

    assert found is not None
    assert words in found.reason
    assert found.instead == instead


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.0.3", "PyTorch"),
        ("3.0.0rc1", "PyTorch"),
        ("2.1.5", "convert_all_kernels_in_model"),
        ("2.0.3", "import"),
    ],
)
def test_an_imageai_that_is_not_offered_is_explained(version: str, words: str) -> None:
    found = explain(shipped_list().imageai_on_tensorflow, version)

    assert found is not None
    assert words in found.reason
    assert found.instead == "--imageai 2.1.6"


@each(SHIPPED.values())
def test_what_is_offered_is_not_explained_away(template: Template) -> None:
    reasons = shipped_list()

    if template.framework is TENSORFLOW:
        assert not any(explain(reasons.tensorflow, version) for version in (template.minor, *template.patches))
    assert explain(reasons.imageai, template.imageai.version) is None


@pytest.mark.parametrize("entry", shipped_list().tensorflow, ids=lambda entry: str(entry.versions))
def test_what_is_recommended_instead_is_offered(entry: Unsupported) -> None:
    assert entry.instead.replace("--tf ", "tf") in SHIPPED


def test_the_first_entry_that_fits_answers(tmp_path: Path) -> None:
    entry = '[[tensorflow]]\nversions = "{}"\nreason = "{}"\nsource = "s"\ninstead = "i"\n'
    path = write(tmp_path, "schema = 1\n" + entry.format(">=2", "first") + entry.format(">=1", "second"))

    reasons = load_unsupported(path)

    assert [found.reason for version in ("2.5", "1.5") if (found := explain(reasons.tensorflow, version))] == [
        "first",
        "second",
    ]
    assert explain(reasons.tensorflow, "0.9") is None
    assert reasons.imageai == reasons.imageai_on_tensorflow == ()


def test_explain_takes_versions_only() -> None:
    with pytest.raises(InvalidVersion):
        explain((), "newest")


def test_every_problem_of_the_list_is_reported(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'schema = 2\n[[tensorflow]]\nversions = "new"\nreasons = "r"\nsource = "s"\ninstead = 7\n'
        '[[imageai]]\nversions = ""\nreason = "r"\nsource = "s"\ninstead = "i"\n'
        '[[imageai]]\nversions = ">=3"\nreason = "r"\nsource = "s"\ninstead = "i"\n[[torch]]\n',
    )

    with pytest.raises(TemplateError) as caught:
        load_unsupported(path)

    assert [line[4:] for line in caught.value.message.splitlines()[1:]] == [
        "schema (line 1): this version reads schema 1, the file says 2",
        "tensorflow[0].versions: 'new' is not valid: Invalid specifier: 'new'",
        "tensorflow[0].reason: missing; it must be a string",
        "tensorflow[0].instead: must be a string, not an integer",
        "tensorflow[0].reasons (line 4): unknown key; did you mean 'reason'?",
        "imageai[0].versions: must not be empty",
        "torch (line 17): unknown key; known keys: schema, tensorflow, imageai, imageai-on-tensorflow-2",
    ]
