"""check, repair, recreate, sync, upgrade, clone, rename, diff, gc: real damage, really fixed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import REPOSITORY, tool
from tests.support.wheels import Project, write_wheel

if TYPE_CHECKING:
    from tests.support.index import Index

MADE = ("--template", "tiny", "--verify", "imports", "-q")
Damage = Callable[[Path, Path], None]


def envs() -> Path:
    return Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs"


def site(root: Path) -> Path:
    return next((root / "lib").glob("python3*/site-packages"))


@pytest.fixture
def root(index: Index, template: Path) -> Path:
    """An environment called ``x``."""
    made = tool("create", "x", *MADE)
    assert made.code == 0, made.err
    return envs() / "x"


def findings(name: str = "x") -> dict[str, str]:
    answer = tool("check", name, "--json")
    found = answer.json()["data"]["environments"][0]["findings"]
    assert answer.code == (1 if found else 0)
    return {item["id"]: item["evidence"] for item in found}


def replace_file(path: Path, text: str) -> None:
    """Alter a file as an editor does that writes a new one: the cache's hardlink keeps the old content."""
    path.unlink()
    path.write_text(text, encoding="utf-8")


def write_through(path: Path) -> None:
    """Alter a file in place: with hardlinks, uv's cache is altered with it."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write("# mine\n")


def other_numpy(root: Path, _site: Path) -> None:
    subprocess.run([root / "bin" / "python", "-m", "pip", "install", "-q", "numpy==1.24.4"], check=True)


def by_hand(root: Path, _site: Path) -> None:
    subprocess.run([root / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "pytz"], check=True)


def uninstalled(root: Path, _site: Path) -> None:
    subprocess.run([root / "bin" / "python", "-m", "pip", "uninstall", "-q", "-y", "scipy"], check=True)


def dangling(root: Path, _site: Path) -> None:
    for name in ("python", "python3"):
        link = root / "bin" / name
        link.unlink()
        link.symlink_to("/nowhere/bin/python3")


def second_record(_root: Path, site: Path) -> None:
    shutil.copytree(site / "numpy-1.23.5.dist-info", site / "numpy-1.20.0.dist-info")


def conda(root: Path, site: Path) -> None:
    (root / "conda-meta").mkdir()
    (root / "conda-meta" / "six-1.17.0.json").write_text("{}", encoding="utf-8")
    replace_file(site / "six-1.17.0.dist-info" / "INSTALLER", "conda\n")


def system_packages(root: Path, _site: Path) -> None:
    path = root / "pyvenv.cfg"
    text = path.read_text(encoding="utf-8").replace("system-site-packages = false", "system-site-packages = true")
    path.write_text(text, encoding="utf-8")


DAMAGES: dict[str, tuple[str, Damage]] = {
    "deleted file": ("file-missing", lambda _r, s: (s / "numpy" / "__init__.py").unlink()),
    "deleted package": ("file-missing", lambda _r, s: shutil.rmtree(s / "keras")),
    "altered file": ("file-altered", lambda _r, s: replace_file(s / "cv2" / "__init__.py", "broken(")),
    "emptied file": ("file-altered", lambda _r, s: replace_file(s / "scipy" / "__init__.py", "")),
    "removed dist-info": ("missing", lambda _r, s: shutil.rmtree(s / "pillow-12.3.0.dist-info")),
    "removed RECORD": ("record-missing", lambda _r, s: (s / "h5py-3.16.0.dist-info" / "RECORD").unlink()),
    "removed METADATA": ("file-missing", lambda _r, s: (s / "six-1.17.0.dist-info" / "METADATA").unlink()),
    "uninstalled": ("missing", uninstalled),
    "other version by hand": ("other-version", other_numpy),
    "extra by hand": ("extra", by_hand),
    "second dist-info": ("duplicate", second_record),
    "conda in it": ("conda-meta", conda),
    "dangling python": ("python-missing", dangling),
    "deleted python": ("python-missing", lambda r, _s: (r / "bin" / "python").unlink()),
    "python not executable": ("python-missing", lambda r, _s: _unexecutable(r)),
    "pyvenv.cfg deleted": ("pyvenv-cfg", lambda r, _s: (r / "pyvenv.cfg").unlink()),
    "system site packages": ("system-site-packages", system_packages),
    "site-packages deleted": ("site-packages-missing", lambda _r, s: shutil.rmtree(s)),
    "state deleted": ("state-missing", lambda r, _s: (r / ".imageai-env" / "state.json").unlink()),
    "state damaged": ("state-missing", lambda r, _s: replace_file(r / ".imageai-env" / "state.json", "{")),
    "lib deleted": ("site-packages-missing", lambda r, _s: shutil.rmtree(r / "lib")),
    "bin deleted": ("python-missing", lambda r, _s: shutil.rmtree(r / "bin")),
    "RECORD is a directory": ("record-missing", lambda _r, s: _into_directory(s / "gast-0.4.0.dist-info" / "RECORD")),
    "file became a directory": ("file-missing", lambda _r, s: _into_directory(s / "cv2" / "__init__.py")),
    "dist-info of another": ("other-version", lambda _r, s: _rename(s, "idna-3.20", "idna-3.10")),
    "pip deleted": ("file-missing", lambda _r, s: shutil.rmtree(s / "pip")),
    "half an uninstallation": ("file-missing", lambda _r, s: _empty(s / "scipy-1.15.3.dist-info")),
    "built distribution deleted": ("file-missing", lambda _r, s: shutil.rmtree(s / "keras_resnet")),
}


def _into_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _rename(site: Path, old: str, new: str) -> None:
    (site / f"{old}.dist-info").rename(site / f"{new}.dist-info")


def _empty(info: Path) -> None:
    for entry in info.iterdir():
        if entry.name != "RECORD":
            entry.unlink()


def _unexecutable(root: Path) -> None:
    link = root / "bin" / "python"
    link.unlink()
    link.symlink_to("missing-python")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_mended(root: Path, damage: str) -> None:
    assert findings() == {}
    expected, harm = DAMAGES[damage]
    harm(root, site(root))
    assert expected in findings()
    # The level is part of the state; where that is gone, the default would be more than these tiny wheels can do.
    repaired = tool("repair", "x", "--json", *(("--verify", "imports") if "state" in damage else ()))
    assert repaired.code == 0, repaired.out
    assert findings() == {}
    assert tool("run", "x", "--", "python", "-c", "import imageai.Detection, cv2, numpy, keras_resnet").code == 0


def test_an_edit_through_a_hardlink_is_mended_with_the_cache(
    index: Index, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    for name in ("x", "y"):
        assert tool("create", name, *MADE).code == 0
    write_through(site(envs() / "x") / "scipy" / "__init__.py")
    assert "file-altered" in findings("x")
    assert "file-altered" in findings("y")  # the same inode
    for name in ("x", "y"):
        assert tool("repair", name).code == 0
        assert findings(name) == {}
    assert tool("create", "z", *MADE).code == 0
    assert findings("z") == {}


def test_a_moved_environment(root: Path) -> None:
    moved = envs() / "y"
    root.rename(moved)
    assert "moved" in findings("y")
    assert tool("repair", "y", "-q").code == 0
    assert findings("y") == {}


def test_a_damaged_lock_is_named(root: Path) -> None:
    replace_file(root / ".imageai-env" / "requirements.txt", "nonsense\n")
    assert "lock-missing" in findings()
    answer = tool("repair", "x")
    assert answer.code == 3
    assert tool("run", "x", "--", "python", "-c", "import imageai.Detection").code == 0


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_each_engine_repairs(root: Path, engine: str) -> None:
    (site(root) / "numpy" / "__init__.py").unlink()
    by_hand(root, site(root))
    assert tool("repair", "x", "--engine", engine).code == 0
    assert findings() == {}


def test_run_repairs_when_asked(root: Path) -> None:
    uninstalled(root, site(root))
    warned = tool("run", "x", "--", "python", "-c", "print(1)")
    assert (warned.code, warned.out) == (0, "1\n")
    assert "imageai-env repair x" in warned.err
    fixed = tool("run", "--repair", "x", "--", "python", "-c", "import scipy; print(2)")
    assert (fixed.code, fixed.out) == (0, "2\n")
    assert findings() == {}


def test_no_wait(root: Path) -> None:
    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import home
    from imageai_envs.base.progress import Silent
    from imageai_envs.environments.transaction import locked

    with locked(root, Context(home(), Silent())):
        answer = tool("recreate", "x", "--no-wait")
    assert answer.code == 9
    assert tool("recreate", "x", "--no-wait", "-q").code == 0


def test_list_shows_the_state_and_runs_nothing(root: Path) -> None:
    dangling(root, site(root))
    listed = tool("list", "--json").json()["data"]["environments"]
    assert listed[0]["status"] == "python-missing"
    answer = tool("run", "x", "--", "python", "-c", "pass")
    assert answer.code == 4
    assert "imageai-env" in answer.err
    assert tool("remove", "x", "--yes").code == 0


def test_recreate_keeps_the_old_when_the_index_fails(root: Path, index: Index, tmp_path: Path) -> None:
    (root / "note").write_text("mine", encoding="utf-8")
    index.faults["whl$"] = "500"
    cold = {"UV_CACHE_DIR": str(tmp_path / "cold"), "UV_HTTP_RETRIES": "0"}
    assert tool("recreate", "x", **cold).code == 6
    assert (root / "note").read_text(encoding="utf-8") == "mine"
    index.faults.clear()
    before = (root / ".imageai-env" / "requirements.txt").read_bytes()
    assert tool("recreate", "x").code == 0
    assert not (root / "note").exists()
    assert (root / ".imageai-env" / "requirements.txt").read_bytes() == before


def test_sync(root: Path) -> None:
    again = tool("sync", "x", "--json")
    assert (again.code, again.json()["data"]["changes"]) == (0, [])
    (root / "note").touch()
    by_hand(root, site(root))
    changed = tool("sync", "x", "--json").json()["data"]["changes"]
    assert [item["name"] for item in changed] == ["pytz"]
    assert findings() == {}
    assert tool("lock", "--template", "tiny", "--with", "pandas<2", "-o", "more.txt").code == 0
    changed = tool("sync", "x", "more.txt", "--json").json()["data"]["changes"]
    assert {item["name"] for item in changed} == {"pandas", "pytz"}
    assert tool("diff", "x", "more.txt").code == 0


def test_upgrade(root: Path, tmp_path: Path) -> None:
    assert tool("upgrade", "x", "--json").json()["data"]["changes"] == []
    lock = root / ".imageai-env" / "requirements.txt"
    assert tool("lock", "--template", "tiny", "--with", "pillow<12.3", "-o", "old.txt").code == 0
    assert tool("create", "y", "--lock", "old.txt", "--verify", "none", "-q").code == 0
    assert tool("diff", "x", "y").out.splitlines() == ["~ pillow 12.3.0 -> 12.2.0"]
    added = tool("upgrade", "x", "--with", "pytz", "--json").json()["data"]["changes"]
    assert [item["name"] for item in added] == ["pytz"]
    text = lock.read_text(encoding="utf-8")
    failed = tool("upgrade", "x", "--with", "needs-new-numpy")
    assert failed.code == 5
    assert lock.read_text(encoding="utf-8") == text
    assert findings() == {}
    assert tool("upgrade", "x", "no-such").code == 3


def test_clone_and_rename(root: Path) -> None:
    assert tool("clone", "x", "y", "-q").code == 0
    assert tool("diff", "x", "y").code == 0
    assert tool("rename", "y", "z", "-q").code == 0
    assert sorted(path.name for path in envs().iterdir()) == ["x", "z"]
    assert findings("z") == {}
    assert tool("clone", "x", "z").code == 3
    assert tool("clone", "x", "../z").code == 3


def test_gc(root: Path) -> None:
    assert tool("create", "gone", *MADE).code == 0
    rest = (envs() / "gone").rename(envs() / ".gone.imageai-env-rest-0123abcd")
    foreign = envs() / ".other.imageai-env-rest-4567abcd"
    foreign.mkdir()
    copied = envs() / ".copied.imageai-env-rest-89abcdef"
    shutil.copytree(root / ".imageai-env", copied / ".imageai-env")
    planned = tool("gc", "--dry-run", "--json").json()["data"]
    assert [item["path"] for item in planned["items"] if item["kind"] == "rest"] == [str(rest)]
    assert rest.exists()
    assert tool("gc").code == 0
    assert not rest.exists()
    assert foreign.exists()
    assert copied.exists()  # its marker is another environment's
    assert findings() == {}


def test_gc_keeps_the_logs_of_environments_outside_of_the_store(index: Index, template: Path, tmp_path: Path) -> None:
    assert tool("create", "outside", "--path", tmp_path / "place" / ".venv", *MADE).code == 0
    assert tool("create", "gone", *MADE).code == 0
    assert tool("remove", "gone", "--yes").code == 0
    logs = envs().parent / "logs"
    assert list((logs / "gone").iterdir())
    assert tool("gc").code == 0
    assert list((logs / "outside").iterdir())
    assert not (logs / "gone").exists()


def test_what_a_kill_leaves_of_a_command_goes_with_the_next(root: Path, tmp_path: Path) -> None:
    """The directory in which it worked is in our cache, is seen by gc, and is swept by the next create."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with tempfile.TemporaryDirectory(prefix="c-") as cache:  # pytest's directories may be too long for sockets
        places = {"IMAGEAI_ENV_CACHE": cache, "TMPDIR": str(temporary)}
        killed = subprocess.Popen(
            [sys.executable, "-m", "imageai_envs", "create", "y", *MADE],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **places}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        scratch = Path(cache) / "scratch"
        end = time.monotonic() + 60
        while not list(scratch.glob("install-*[0-9a-f]")) and time.monotonic() < end:
            time.sleep(0.002)
        killed.send_signal(signal.SIGSTOP)  # so that it does not go on to another directory
        busy = tool("gc", "--json", **places).json()["data"]
        assert busy["busy"] is True
        assert not [item for item in busy["items"] if item["kind"] in ("scratch", "helper", "cache", "log")]
        killed.kill()
        killed.wait()
        (left,) = scratch.glob("install-*[0-9a-f]")
        assert list(temporary.glob("imageai-env-*")) == []
        planned = tool("gc", "--dry-run", "--json", **places).json()["data"]
        assert str(left) in [item["path"] for item in planned["items"] if item["kind"] == "scratch"]
        assert planned["busy"] is False
        assert left.exists()
        assert tool("create", "y", *MADE, **places).code == 0
        assert [path.name for path in scratch.iterdir()] == [".gate"]
        assert list(temporary.glob("imageai-env-*")) == []


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_wheel_that_is_wrong_about_its_own_metadata(
    index: Index, template: Path, tmp_path: Path, engine: str
) -> None:
    """PyTorch's RECORDs have the hash of another METADATA; that is no damage, and what happens to it later is."""
    (tmp_path / "own").mkdir()
    write_wheel(tmp_path / "own", Project("repack", "1.0", modules={"repack.py": ""}, repacked=True))
    links = {"UV_FIND_LINKS": str(tmp_path / "own"), "PIP_FIND_LINKS": str(tmp_path / "own")}
    made = tool("create", "x", *MADE, "--with", "repack", "--engine", engine, **links)
    assert made.code == 0, made.err
    assert findings() == {}
    metadata = site(envs() / "x") / "repack-1.0.dist-info" / "METADATA"
    text = metadata.read_text(encoding="utf-8")
    replace_file(metadata, text + "by hand\n")
    assert findings() == {"file-altered": "altered: repack-1.0.dist-info/METADATA"}
    fixed = tool("repair", "x", "--engine", engine, **links)
    assert fixed.code == 0, fixed.err
    assert metadata.read_text(encoding="utf-8") == text
    assert findings() == {}
