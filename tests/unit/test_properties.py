"""Hostile inputs: names, templates, locks. Our errors or a right answer, nothing else, nothing outside."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from imageai_envs.base.context import Context
from imageai_envs.base.errors import ImageAIEnvError, LockFileError, RequestError, TemplateError
from imageai_envs.base.paths import Home, shipped_templates
from imageai_envs.base.progress import Silent
from imageai_envs.environments.store import Store, validate_name
from imageai_envs.locks.lockfile import Header, Lock, Pin, parse_lock, read_lock
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.requirements import parse_requirement, read_requirements
from imageai_envs.request.target import Target
from imageai_envs.templates.template_file import load_template

NAMES = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="ab./\\~-_: \0\n%$", max_size=12),
    st.sampled_from(
        ["..", ".", "../x", "a/../../b", "con", "NUL.txt", "x" * 65, "-rf", "~", "a\nb", "a/", "\u202eabc"]
    ),
)
SHIPPED = (shipped_templates() / "tf2.6.toml").read_text(encoding="utf-8")


@given(NAMES)
def test_names_stay_in_the_store(name: str) -> None:
    store = Store(Context(Home(Path("/store"), Path("/cache"), Path("/config")), Silent()))
    try:
        accepted = validate_name(name)
    except RequestError as error:
        assert error.hint
        return
    root = store.root_for(accepted)
    assert root.parent == Path("/store/envs")
    assert root.name == name
    assert not root.name.startswith(".")
    assert Path(str(root)).resolve() == root


def _mutated(text: str, cuts: list[tuple[int, int, str]]) -> str:
    for position, length, insert in cuts:
        at = position % (len(text) + 1)
        text = text[:at] + insert + text[at + length :]
    return text


CUTS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 40),
        st.one_of(
            st.text(max_size=10),
            st.sampled_from(
                ["\n[x]\n", '"', "= 3", "[[caps]]", "true", "\\", "{", "\ud800".encode("utf-8", "replace").decode()]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(CUTS)
def test_damaged_templates(cuts: list[tuple[int, int, str]]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "t.toml"
        path.write_text(_mutated(SHIPPED, cuts), encoding="utf-8", errors="replace")
        try:
            template = load_template(path)
        except TemplateError as error:
            assert str(path) in error.message
            return
    assert template.newest
    assert template.imageai.version


@given(st.binary(max_size=400))
def test_binary_files(data: bytes) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "f"
        path.write_bytes(data)
        for read in (load_template, read_lock, read_requirements):
            try:
                read(path)
            except ImageAIEnvError as error:  # noqa: PERF203 - each reader is judged
                assert error.message


HASH = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
PIN = st.builds(
    Pin,
    st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True),
    st.from_regex(r"[1-9][0-9]?(\.[1-9]?[0-9]){0,3}(rc[1-9]|\.post[1-9]|\+cpu)?", fullmatch=True),
    st.lists(HASH, min_size=1, max_size=3, unique=True).map(lambda values: tuple(sorted(values))),
    st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), max_size=3, unique=True).map(lambda v: tuple(sorted(v))),
)
LOCK = st.builds(
    lambda pins, variant, minor, requires: Lock(
        Header(
            "tf2.10",
            Release(TENSORFLOW, "2.10.1"),
            "2.1.6",
            variant,
            Target((3, minor), "linux", "x86_64"),
            "uv 0.9.1",
            tuple(requires),
            replaced=True,
            built=("keras-resnet",),
            dropped=(),
            inputs="sha256:" + "0" * 64,
        ),
        tuple(sorted({pin.name: pin for pin in pins}.values(), key=lambda pin: pin.name)),
    ),
    st.lists(PIN, max_size=6),
    st.sampled_from(["cpu", "gpu"]),
    st.integers(7, 13),
    st.lists(st.sampled_from(["pandas<2", "six", "x>=1; python_version > '3.7'"]), max_size=2, unique=True),
)


@given(LOCK, CUTS)
def test_damaged_locks(lock: Lock, cuts: list[tuple[int, int, str]]) -> None:
    try:
        damaged = parse_lock(_mutated(lock.render(), cuts))
    except (LockFileError, RequestError) as error:
        assert error.message
        return
    assert all(pin.hashes for pin in damaged.pins)


@given(st.text(max_size=60))
def test_requirements(text: str) -> None:
    try:
        assert parse_requirement(text, "--with")
    except RequestError as error:
        assert error.message.startswith("--with")
