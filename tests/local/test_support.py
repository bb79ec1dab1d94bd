"""The test ground itself: valid wheels, an index that real resolvers use, the failures it names."""

from __future__ import annotations

import base64
import csv
import hashlib
import http.client
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from imageai_envs.templates.template_file import load_template
from tests.conftest import tiny_template
from tests.support import tool as tool_module
from tests.support.catalogue import projects
from tests.support.report import write_section
from tests.support.tool import started_tool, tool
from tests.support.wheels import Project, write_sdist, write_wheel

if TYPE_CHECKING:
    from tests.support.index import Index

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NUMPY_WHEEL = "/files/numpy-1.23.5-py3-none-any.whl"
SAMPLE = Project("a-sample", "1.2", ("six>=1",), ">=3.8", {"a_sample/__init__.py": "", "a_sample/deep/x.py": "x = 1\n"})


def get(index: Index, path: str, **headers: str) -> tuple[int, bytes]:
    """Ask the index without any client's cleverness: no proxy, no retry."""
    connection = http.client.HTTPConnection("127.0.0.1", index.port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def compile_with_uv(requirements: str, cache: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Resolve with the real uv and a cache of this test alone."""
    return subprocess.run(
        [
            uv.find_uv_bin(),
            "pip",
            "compile",
            "-",
            "--no-header",
            "--no-annotate",
            "--python",
            sys.executable,  # else uv takes the first on PATH, for which the pins may differ
            *options,
        ],
        input=requirements,
        env={**os.environ, "UV_CACHE_DIR": str(cache), "UV_HTTP_RETRIES": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pins(text: str) -> dict[str, str]:
    return dict(line.split(" ")[0].split("==") for line in text.splitlines() if "==" in line)


@pytest.fixture
def request_of_tf210(tmp_path: Path) -> str:
    """What the template asks of a resolver: TensorFlow, ImageAI's real dependencies and the caps."""
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_template(), encoding="utf-8")
    template = load_template(path)
    lines = [
        "tensorflow-cpu==2.10.1",
        *template.imageai.dependencies,
        *(cap.requirement for cap in template.caps),
    ]
    return "\n".join(lines) + "\n"


# --- wheels and sdists


def test_wheels_are_valid_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    wheel = write_wheel(tmp_path, SAMPLE)
    assert wheel.read_bytes() == write_wheel(tmp_path / "again", SAMPLE).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        rows = list(csv.reader(io.StringIO(archive.read("a_sample-1.2.dist-info/RECORD").decode())))
        assert sorted(row[0] for row in rows) == sorted(archive.namelist())
        for name, digest, size in rows:
            if name.endswith("/RECORD"):
                assert (digest, size) == ("", "")
                continue
            body = archive.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={expected}", len(body))


def test_sdists_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    sdist = write_sdist(tmp_path, SAMPLE)
    assert sdist.read_bytes() == write_sdist(tmp_path / "again", SAMPLE).read_bytes()
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert {"a-sample-1.2/setup.py", "a-sample-1.2/PKG-INFO", "a-sample-1.2/a_sample/deep/x.py"} <= set(names)


def test_stubs_import(index: Index) -> None:
    # Wheels of pure Python are importable as they are.
    stems = (
        "tensorflow_cpu-2.10.1",
        "opencv_python-4.11.0.86",
        "imageai-2.1.6",
        "numpy-1.23.5",
        "keras-2.10.0",
    )
    wheels = [str(index.directory / f"{stem}-py3-none-any.whl") for stem in stems]
    modules = "tensorflow, cv2, numpy, keras, imageai.Detection, imageai.Detection.Custom"
    modules += ", imageai.Classification, imageai.Classification.Custom"
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}; print(tensorflow.__version__)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(wheels)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2.10.1"


def test_the_catalogue_has_what_it_must_tempt_with() -> None:
    known = {(project.name, project.version): project for project in projects()}
    assert {version for name, version in known if name == "numpy"} >= {"1.23.5", "1.24.4", "2.0.2"}
    assert "keras (==2.4.3)" in known["imageai", "2.1.6"].requires
    assert known["imageai", "3.0.3"].requires == ()
    assert not any("<" in (project.requires_python or "") for project in known.values())


# --- real resolvers


@pytest.mark.parametrize("python", PYTHONS)
def test_uv_finds_the_expected_pins(index: Index, tmp_path: Path, request_of_tf210: str, python: str) -> None:
    done = compile_with_uv(request_of_tf210, tmp_path / "uv", "--python-version", python)
    assert done.returncode == 0, done.stderr
    found = pins(done.stdout)
    expected = {"tensorflow-cpu": "2.10.1", "keras": "2.10.0", "numpy": "1.23.5", "matplotlib": "3.5.3"}
    assert expected.items() <= found.items()
    assert found["protobuf"] == "3.19.6"
    # The newer one requires numpy>=1.26 from Python 3.12 on.
    assert found["opencv-python"] == ("4.11.0.86" if python in ("3.10", "3.11") else "4.7.0.72")
    assert found["keras-resnet"] == "0.2.0"


def test_without_caps_the_resolver_is_led_astray(index: Index, tmp_path: Path) -> None:
    done = compile_with_uv("tensorflow-cpu==2.10.1\nmatplotlib\n", tmp_path / "uv", "--python-version", "3.10")
    found = pins(done.stdout)
    assert found.get("numpy") == "2.0.2", done.stderr
    assert found["matplotlib"].startswith("3.10.")


def test_imageai_as_published_does_not_resolve(index: Index, tmp_path: Path) -> None:
    done = compile_with_uv("tensorflow-cpu==2.10.1\nimageai==2.1.6\n", tmp_path / "uv")
    assert done.returncode != 0
    assert "imageai==2.1.6" in done.stderr


def test_pip_finds_the_same_pins_as_uv(index: Index, tmp_path: Path, request_of_tf210: str) -> None:
    wanted = tmp_path / "in.txt"
    wanted.write_text(request_of_tf210, encoding="utf-8")
    report = tmp_path / "report.json"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
            "--report", str(report), "-r", str(wanted),
        ],
        env={**os.environ, "PIP_CACHE_DIR": str(tmp_path / "pip")},
        check=True,
        timeout=300,
    )  # fmt: skip
    by_pip = {
        item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"]
        for item in json.loads(report.read_text(encoding="utf-8"))["install"]
    }
    by_uv = pins(compile_with_uv(request_of_tf210, tmp_path / "uv").stdout)
    assert by_pip == by_uv
    assert by_pip["numpy"] == "1.23.5"


def test_resolving_reads_metadata_and_no_wheel(index: Index, tmp_path: Path) -> None:
    done = compile_with_uv("tensorflow-cpu==2.10.1\n", tmp_path / "uv", "--python-version", "3.10")
    assert done.returncode == 0, done.stderr
    asked = [path for path in index.requests if path.startswith("/files/")]
    assert any("tensorflow_cpu-2.10.1" in path for path in asked)
    assert [path for path in asked if not path.endswith(".metadata")] == []


# --- the index's pages


def test_pages_tell_the_truth(index: Index) -> None:
    status, body = get(index, "/simple/numpy/", Accept="application/vnd.pypi.simple.v1+json")
    assert status == 200
    for entry in json.loads(body)["files"]:
        _, wheel = get(index, entry["url"])
        assert hashlib.sha256(wheel).hexdigest() == entry["hashes"]["sha256"]
        assert len(wheel) == entry["size"]
        _, metadata = get(index, f"{entry['url']}.metadata")
        assert hashlib.sha256(metadata).hexdigest() == entry["core-metadata"]["sha256"]
        assert f"Requires-Python: {entry['requires-python']}".encode() in metadata
    assert get(index, "/simple/no-such-project/")[0] == 404
    assert get(index, "/files/none-1.0-py3-none-any.whl")[0] == 404


# --- failures


@pytest.mark.parametrize("status", ["404", "500"])
def test_fault_of_a_status(index: Index, status: str) -> None:
    index.faults["numpy-1.23.5.*whl$"] = status
    assert get(index, NUMPY_WHEEL)[0] == int(status)
    assert get(index, f"{NUMPY_WHEEL}.metadata")[0] == 200
    assert get(index, NUMPY_WHEEL.replace("1.23.5", "1.24.4"))[0] == 200


def test_fault_truncated(index: Index) -> None:
    _, whole = get(index, NUMPY_WHEEL)
    index.faults["numpy-"] = "truncated"
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(index, NUMPY_WHEEL)
    assert whole.startswith(caught.value.partial)
    assert caught.value.expected == len(whole) - len(caught.value.partial)


def test_fault_altered(index: Index) -> None:
    _, whole = get(index, NUMPY_WHEEL)
    index.faults["numpy-"] = "altered"
    status, other = get(index, NUMPY_WHEEL)
    assert status == 200
    assert other != whole
    with zipfile.ZipFile(io.BytesIO(other)) as archive:  # only its hash can tell
        assert archive.testzip() is None


def test_fault_reset(index: Index) -> None:
    index.faults["numpy-"] = "reset"
    with pytest.raises(ConnectionError):
        get(index, NUMPY_WHEEL)


def test_reset_heals_and_forgets(index: Index) -> None:
    index.faults["numpy-"] = "404"
    index.password = "word"
    assert get(index, NUMPY_WHEEL)[0] == 401
    assert index.requests == [NUMPY_WHEEL]
    index.reset()
    assert index.requests == []
    assert get(index, NUMPY_WHEEL)[0] == 200


def test_a_password_is_needed(index: Index, tmp_path: Path) -> None:
    index.password = "word"
    assert get(index, "/simple/six/")[0] == 401
    for password, expected in (("wrong", False), ("word", True)):
        done = compile_with_uv("six\n", tmp_path / password, "--default-index", index.url_with(password))
        assert (done.returncode == 0) is expected, done.stderr


# --- isolation


def test_nothing_of_the_machine_leaks(tmp_path: Path) -> None:
    pip = {"PIP_CACHE_DIR", "PIP_CONFIG_FILE", "PIP_DISABLE_PIP_VERSION_CHECK"}
    allowed = pip | {"UV_CACHE_DIR", "UV_NO_CONFIG"}
    leaking = ("PIP_", "UV_", "CONDA_", "PYENV_", "VIRTUAL_ENV")
    ours = {name for name in os.environ if name.startswith(leaking)}
    assert ours <= allowed
    for place in (Path.home(), Path.cwd(), Path(os.environ["IMAGEAI_ENV_HOME"])):
        assert tmp_path in place.parents


def test_the_internet_is_out_of_reach() -> None:
    for scheme in ("http", "https"):
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(f"{scheme}://example.org/", timeout=30)


def test_the_tool_is_a_process_of_its_own() -> None:
    answer = tool("--version")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.strip()


def test_the_tiny_template_fits_the_running_python(template: Path) -> None:
    loaded = load_template(template)
    assert loaded.name == "tiny"
    assert loaded.allows_python(sys.version_info[:2])
    assert loaded.python_preferred == (f"{sys.version_info[0]}.{sys.version_info[1]}",)


def test_each_session_writes_its_own_section(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_section(page, "Chaos", ["one"])
    write_section(page, "Hostile inputs", ["two", "", "three"])
    assert page.read_text(encoding="utf-8") == "# Reliability\n\n## Chaos\n\none\n\n## Hostile inputs\n\ntwo\n\nthree\n"
    write_section(page, "Chaos", ["four"])
    assert (
        page.read_text(encoding="utf-8") == "# Reliability\n\n## Chaos\n\nfour\n\n## Hostile inputs\n\ntwo\n\nthree\n"
    )


# The command line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [(), ("--version",), ("list", "--json"), ("nope",), ("show", "x"), ("gc", "--dry-run", "--json")]
)
def test_a_forked_command_is_like_one_that_is_started(words: tuple[str, ...]) -> None:
    assert tool(*words) == started_tool(*words)


def test_a_forked_command_has_the_directory_the_mask_and_the_environment_of_the_test(tmp_path: Path) -> None:
    Path("here.toml").write_text(tiny_template("here"), encoding="utf-8")
    cache = tmp_path / "cache"
    mask = os.umask(0o027)
    try:
        assert tool("python", "list", IMAGEAI_ENV_CACHE=str(cache)).code == 0
    finally:
        os.umask(mask)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o750
    assert tool("templates", "validate", "here.toml").code == 0
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert tool("--version") == started_tool("--version")


def test_a_command_of_a_test_that_is_interrupted_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tool("--version").code == 0
    children: list[int] = []

    def interrupted() -> int:
        if children:
            raise TimeoutError
        children.append(number())
        return children[0]

    number = tool_module._STARTER._number
    with monkeypatch.context() as patch:
        patch.setattr(tool_module._STARTER, "_number", interrupted)
        with pytest.raises(TimeoutError):
            tool("list")
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)
    assert tool("--version").code == 0
