"""What people keep their requirements in, read: every format, and everything that can be wrong with it."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from imageai_envs.base.errors import RequestError
from imageai_envs.request.requirements import MAX_BYTES
from imageai_envs.rescue.conda import read_conda_file
from imageai_envs.rescue.installed import read_environment
from imageai_envs.rescue.reading import read_line, read_source
from imageai_envs.rescue.releases import nearest
from tests.support.wheels import Project

if TYPE_CHECKING:
    from imageai_envs.rescue.source import Source


def reading(text: str | bytes, name: str = "requirements.txt") -> Source:
    path = Path(name)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_source(path)


def asked(source: Source) -> list[str]:
    return [str(line.requirement) for line in source.lines if line.requirement is not None]


def refused(text: str | bytes, name: str = "requirements.txt") -> RequestError:
    with pytest.raises(RequestError) as caught:
        reading(text, name)
    assert caught.value.exit_code == 3
    return caught.value


def test_everything_that_pip_allows_in_a_requirements_file() -> None:
    Path("more").mkdir()
    Path("more/base.txt").write_text("six\n-r deeper.txt\n", encoding="utf-8")
    Path("more/deeper.txt").write_text("wrapt>=1\n", encoding="utf-8")
    Path("bounds.txt").write_text("numpy<1.24\n", encoding="utf-8")
    source = reading(
        "# a comment\n"
        "--index-url https://robot:s3cret@pypi.example.com/T0KEN/simple?key=k3y\n"
        "tensorflow==2.10.0 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n"
        "pandas>=1.5,<2; python_version >= '3.7'  # why\n"
        "requests[socks]\n"
        "-r more/base.txt\n"
        "-cbounds.txt\n"
        "-e .\n"
        "git+https://t0k3n@github.com/me/private.git#egg=private\n"
        "tensorflow-io @ https://example.com/tensorflow_io-0.27.0-cp310-cp310-manylinux2014_x86_64.whl\n"
        "https://github.com/OlafenwaMoses/ImageAI/releases/download/2.0.2/imageai-2.0.2-py3-none-any.whl\n"
    )
    assert source.kind == "requirements"
    assert not source.complete
    assert asked(source) == [
        "tensorflow==2.10.0", 'pandas<2,>=1.5; python_version >= "3.7"', "requests[socks]", "six", "wrapt>=1",
        "numpy<1.24", "tensorflow-io==0.27.0", "imageai==2.0.2",
    ]  # fmt: skip
    assert [line.place for line in source.lines if line.name in ("tensorflow", "wrapt")] == [
        "line 3",
        "deeper.txt, line 1",
    ]
    assert [line.name for line in source.lines if line.constraint] == ["numpy"]
    everything = repr(source)
    for secret in ("s3cret", "T0KEN", "k3y", "t0k3n", "abc"):
        assert secret not in everything
    assert all(line.why_not for line in source.lines if line.requirement is None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pip install numpy==1.19.3", "numpy==1.19.3"),
        ("!pip3 install -U imageai --upgrade", "imageai"),
        ("numpy=1.19", "numpy==1.19"),
        ("numpy 1.19.3", "numpy==1.19.3"),
        ('"pandas>=1"', "pandas>=1"),
        ("pandas,", "pandas"),
        ("git+https://github.com/OlafenwaMoses/ImageAI.git#egg=imageai", "imageai"),
        ("numpy @ file:///croot/numpy_and_numpy_base_1682520569166/work", "numpy"),
    ],
)
def test_what_people_write_and_pip_refuses(written: str, meant: str) -> None:
    assert str(read_line(written, "line 1").requirement) == meant


@pytest.mark.parametrize(
    "written", ["this is not a line!", "==1.0", "numpy==not a version", "\x1b[31mnumpy == =", "<html>"]
)
def test_a_line_that_is_not_understood_says_so_and_hides_no_other(written: str) -> None:
    source = reading(f"six\n{written}\nwrapt\n")
    assert asked(source) == ["six", "wrapt"]
    bad = next(line for line in source.lines if line.requirement is None)
    assert bad.place == "line 2"
    assert bad.why_not.startswith("not understood: ")
    assert "\x1b" not in bad.text + bad.why_not


@given(st.text(max_size=200))
def test_no_line_raises(written: str) -> None:
    line = read_line(written, "line 1")
    assert line.requirement is not None or line.why_not
    assert "\n" not in line.text


FREEZE = "absl-py==2.1.0\nastunparse==1.6.3\ngast==0.4.0\nnumpy @ file:///croot/numpy/work\npandas==1.5.3\ntensorflow==2.10.0\n"


def test_a_freeze_is_told_from_a_list_that_somebody_wrote() -> None:
    freeze = reading(FREEZE)
    assert (freeze.kind, freeze.complete) == ("freeze", True)
    seed = reading("tensorflow==2.10.0\nimageai==2.1.6\nopencv-python==4.7.0\n")
    assert (seed.kind, seed.complete) == ("requirements", False)


def test_a_freeze_that_powershell_wrote() -> None:
    source = reading(codecs.BOM_UTF16_LE + FREEZE.replace("\n", "\r\n").encode("utf-16-le"))
    assert [line.name for line in source.lines][:2] == ["absl-py", "astunparse"]


def test_pip_list() -> None:
    source = reading("Package    Version\n---------- -------\nnumpy      1.23.5\ntensorflow 2.10.0\n")
    assert asked(source) == ["numpy==1.23.5", "tensorflow==2.10.0"]
    assert [line.place for line in source.lines] == ["line 3", "line 4"]
    assert source.complete


def test_conda_environment_file() -> None:
    source = reading(
        "name: detect\nchannels: [conda-forge]\ndependencies:\n"
        "  - python=3.8\n  - conda-forge::tensorflow=2.4\n  - opencv=4.5.1=py38h578d9bd_0\n  - numpy>=1.19,<1.20\n"
        "  - pandas==1.2.0\n  - scipy 1.6.*\n  - libgcc-ng=9\n  - librosa\n  - cudatoolkit=11.0\n"
        "  - pip\n  - pip:\n    - imageai==2.1.6\n    - --extra-index-url https://u:s3cret@example.com/simple\n",
        "environment.yml",
    )
    assert source.kind == "conda"
    assert source.python == "==3.8.*"
    assert asked(source) == [
        "tensorflow==2.4.*", "opencv-python==4.5.1", "numpy<1.20,>=1.19", "pandas==1.2.0", "scipy==1.6.*", "librosa",
        "cudatoolkit", "pip", "imageai==2.1.6",
    ]  # fmt: skip
    assert [line.place for line in source.lines if line.name == "imageai"] == ["dependency 11, pip 1"]
    assert "s3cret" not in repr(source)
    assert not source.complete


def test_conda_list_export_called_requirements_txt() -> None:
    source = reading(
        "# This file may be used to create an environment using:\n# platform: linux-64\n_libgcc_mutex=0.1=main\n"
        "numpy=1.21.5=py39h6c91a56_3\npython=3.9.12=h12debd9_0\nimageai=2.1.6=pypi_0\n"
        "tensorflow=2.9.1=gpu_py39h1234_0\n"
    )
    assert (source.kind, source.complete, source.python) == ("conda", True, "==3.9.*")
    assert asked(source) == ["numpy==1.21.5", "imageai==2.1.6", "tensorflow[and-cuda]==2.9.1"]


@given(
    st.lists(
        st.one_of(st.text(), st.none(), st.integers(), st.dictionaries(st.sampled_from(["pip", "x"]), st.text())),
        min_size=1,
    )
)
def test_no_entry_of_a_conda_file_raises(entries: list[object]) -> None:
    source = read_conda_file(json.dumps({"dependencies": entries}), "environment.yml", read_line)
    assert all(line.requirement is not None or line.why_not for line in source.lines)
    assert SpecifierSet(source.python) is not None


def test_a_python_that_is_no_specifier_is_not_taken_for_one() -> None:
    source = reading('[project]\nrequires-python = "^3.9"\ndependencies = ["six"]\n', "pyproject.toml")
    assert source.python == ""


def test_pyproject() -> None:
    source = reading(
        '[project]\nname = "x"\nrequires-python = ">=3.9"\ndependencies = ["tensorflow~=2.8.0", "imageai"]\n'
        '[project.optional-dependencies]\ndev = ["pytest"]\n',
        "pyproject.toml",
    )
    assert asked(source) == ["tensorflow~=2.8.0", "imageai"]
    assert source.python == ">=3.9"
    assert source.notes == ("optional dependencies were not read",)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (bytes(range(256)), "requirements.txt", "not a text file"),
        (b"numpy\0six", "requirements.txt", "not a text file"),
        (b"", "requirements.txt", "is empty"),
        (b" \n\n", "requirements.txt", "is empty"),
        (b"# only a comment\n", "requirements.txt", "has no requirements"),
        (b"numpy\n" * (MAX_BYTES // 6 + 1), "requirements.txt", "it is longer than 2 MB, which is all that is read"),
        (b"-r requirements.txt\n", "requirements.txt", "includes itself"),
        (b"-r gone.txt\n", "requirements.txt", "no file gone.txt"),
        (b"dependencies: [a: b: c", "environment.yml", "not valid YAML"),
        (b"name: x\n", "environment.yml", "no list of dependencies"),
        (b"!!python/object/apply:os.system [echo]\n", "environment.yml", "not valid YAML"),
        (b"[project\n", "pyproject.toml", "not valid TOML"),
        (b"[tool.poetry]\n", "pyproject.toml", "no [project] dependencies"),
    ],
)
def test_what_is_no_list_of_requirements(text: bytes, name: str, words: str) -> None:
    assert words in refused(text, name).message


def test_a_cycle_over_two_files() -> None:
    Path("a.txt").write_text("-r requirements.txt\n", encoding="utf-8")
    assert "includes itself" in refused("-r a.txt\n").message


def test_without_pyyaml_the_answer_is_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    error = refused("dependencies: []\n", "environment.yml")
    assert error.code == "no-yaml"
    assert "pip install" in (error.hint or "")


# Environments


def installed(site: Path, *projects: Project, **direct: str) -> None:
    for project in projects:
        info = site / f"{project.stem}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(project.metadata(), encoding="utf-8")
        if project.name in direct:
            data = {"url": direct[project.name], "vcs_info": {"vcs": "git"}}
            (info / "direct_url.json").write_text(json.dumps(data), encoding="utf-8")


def test_a_broken_environment_is_read_without_its_python(tmp_path: Path) -> None:
    root = tmp_path / "venv"
    site = root / "lib" / "python3.9" / "site-packages"
    installed(
        site,
        Project("pandas", "1.5.3", ("numpy>=1.20", "python-dateutil", "pytest ; extra == 'test'")),
        Project("python-dateutil", "2.8.2", ("six",)),
        Project("six", "1.16.0"),
        Project("pytest", "8.0"),
        Project("numpy", "1.26.4"),
        Project("~umpy", "1.20.0"),
        Project("mine", "0.1"),
        mine="https://t0k3n@example.com/mine.git",
    )
    (root / "pyvenv.cfg").write_text("home = /gone/bin\nversion = 3.9.18\n", encoding="utf-8")
    source = read_environment(root)
    assert source.python == "==3.9.*"
    assert source.complete
    assert sorted(source.top or ()) == ["mine", "pandas", "pytest"]
    assert "umpy" not in {line.name for line in source.lines if line.name != "numpy"}
    mine = next(line for line in source.lines if line.requirement is None)
    assert "https://****@example.com" in mine.why_not
    assert "t0k3n" not in repr(source)


def test_a_directory_without_an_environment_and_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n", encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        read_environment(tmp_path)
    assert caught.value.hint == f"imageai-env rescue {tmp_path / 'requirements.txt'}"


# The nearest release

OPENCV = [Version(text) for text in ("4.5.1.48", "4.6.0.66", "4.7.0.68", "4.7.0.72", "4.8.0.74", "5.0.0.93")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("4.7.0", "4.7.0.72"), ("4.7.9", "4.7.0.72"), ("4.9", "4.8.0.74"), ("4.1.0", "4.5.1.48"), ("9", "5.0.0.93")],
)
def test_the_nearest_release(wanted: str, found: str) -> None:
    assert nearest(wanted, OPENCV) == found


def test_of_nothing_nothing_is_near() -> None:
    assert nearest("1.0", []) == ""


def test_files_that_include_each_other_often_are_read_once() -> None:
    for number in range(9):
        Path(f"{number}.txt").write_text(f"-r {number + 1}.txt\n" * 50, encoding="utf-8")
    Path("9.txt").write_text("numpy\n", encoding="utf-8")
    assert [line.text for line in read_source(Path("0.txt")).lines] == ["numpy"]


def test_anchors_that_name_each_other() -> None:
    anchors = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
    Path("environment.yml").write_text(f"a0: &a0 [x]\n{anchors}dependencies: [*a29, numpy]\n", encoding="utf-8")
    odd, numpy = read_source(Path("environment.yml")).lines
    assert (odd.why_not, numpy.name) == ("not understood", "numpy")


@pytest.mark.parametrize("version", ["1" * 5000, "1." * 5000 + "1"])
@pytest.mark.parametrize("name", ["requirements.txt", "environment.yml", "pyproject.toml"])
def test_versions_that_are_no_numbers_any_more(name: str, version: str) -> None:
    text = {
        "requirements.txt": f"tensorflow=={version}\nnumpy\n",
        "environment.yml": f"dependencies:\n  - tensorflow=={version}\n  - numpy\n",
        "pyproject.toml": f'[project]\ndependencies = ["tensorflow=={version}", "numpy"]\n',
    }[name]
    Path(name).write_text(text, encoding="utf-8")
    odd, numpy = read_source(Path(name)).lines
    assert ("characters" in odd.why_not, numpy.name) == (True, "numpy")
    Path("pyproject.toml").write_text(f"[project]\nversion = {'1' * 5000}\n", encoding="utf-8")
    with pytest.raises(RequestError, match="not valid TOML"):
        read_source(Path("pyproject.toml"))
