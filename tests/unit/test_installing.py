"""What is looked at after an installation, with an engine that puts files as it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from imageai_envs.base.context import Context
from imageai_envs.base.errors import InstallError
from imageai_envs.base.paths import METADATA, Home
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.building import beside_lock
from imageai_envs.building.install import Installer
from imageai_envs.environments import additions
from imageai_envs.installed.known_files import hash_file
from imageai_envs.installed.local_wheel import LocalWheel
from imageai_envs.locks.lockfile import Header, Lock, Pin
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.request import Request
from imageai_envs.request.target import Target
from imageai_envs.templates.catalog import select
from tests.support.context import recording
from tests.support.installed import install

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imageai_envs.engines.base import Engine

TARGET = Target((3, 10), "linux", "x86_64")
LOCK = Lock(
    Header(
        "tiny",
        Release(TENSORFLOW, "2.10.1"),
        "2.1.6",
        "cpu",
        TARGET,
        "uv",
        (),
        True,
        (),
        (),
        inputs="sha256:" + "d" * 64,
    ),
    (Pin("imageai", "2.1.6", ("sha256:" + "a" * 64,)), Pin("six", "1.0", ("sha256:" + "b" * 64,))),
)
NAMES = {"imageai": "2.1.6", "six": "1.0"}


@dataclass(frozen=True)
class Fake:
    """Installs tiny distributions; ``cached`` alters what comes from its cache, ``fresh`` what does not."""

    site: Path
    cached: Callable[[Path], object] = lambda _site: None
    fresh: Callable[[Path], object] = lambda _site: None
    cleaned: bool = True
    is_apart: bool = False
    did: list[str] = field(default_factory=list)
    name: str = "uv"

    def apart(self, cache: Path) -> Fake:
        cache.mkdir()
        return replace(self, is_apart=True)

    def install(
        self,
        _python: Path,
        lock: Lock,
        _work: Path,
        _context: Context,
        only: frozenset[str] | None = None,
        beside: Sequence[LocalWheel] = (),
    ) -> None:
        names = [pin.name for pin in lock.pins if only is None or pin.name in only]
        for name in [*names, *(["pip"] if beside else [])]:
            install(self.site, name, NAMES.get(name, "26.0"))
        self._done(f"install {' '.join(names)}")

    def install_wheel(self, *_arguments: object) -> None:
        install(self.site, "pip", "26.0")
        self._done("install pip")

    def distrust(self, names: frozenset[str], *_arguments: object) -> bool:
        self.did.append(f"distrust {' '.join(sorted(names))}")
        return self.cleaned

    def _done(self, what: str) -> None:
        self.did.append(("apart: " if self.is_apart else "") + what)
        (self.fresh if self.is_apart else self.cached)(self.site)


class Listening(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "env" / METADATA).mkdir(parents=True)
    site = tmp_path / "env" / "lib" / "python3.10" / "site-packages"
    site.mkdir(parents=True)
    return site


def installed(
    fake: Fake,
    only: frozenset[str] | None = None,
    beside: Sequence[LocalWheel] = (),
    misrecorded: dict[str, str] | None = None,
) -> tuple[dict[str, str], list[str]]:
    base = fake.site.parents[3]
    home = Home(base / "data", base / "cache", base / "config")
    reporter = Listening()
    installer = Installer(cast("Engine", fake), base / "env", LOCK, Context(home, reporter, Log(base / "log")))
    return installer.install(base, only, beside, misrecorded), reporter.warnings


def append(name: str) -> Callable[[Path], object]:
    def edit(site: Path) -> None:
        with (site / name).open("a", encoding="utf-8") as stream:
            stream.write("# edited\n")

    return edit


def test_a_good_installation_is_left_alone(site: Path) -> None:
    fake = Fake(site)
    assert installed(fake) == ({}, [])
    assert fake.did == ["install imageai six"]


@pytest.mark.parametrize("name", ["six/__init__.py", "imageai/__init__.py", "six-1.0.dist-info/WHEEL"])
def test_an_altered_file_is_installed_anew_past_the_cache_and_then_the_cache_cleaned(site: Path, name: str) -> None:
    fake = Fake(site, cached=append(name))
    misrecorded, warnings = installed(fake)
    who = name.partition("/")[0].partition("-")[0]
    assert fake.did == ["install imageai six", f"apart: install {who}", f"distrust {who}"]
    assert misrecorded == {}
    assert len(warnings) == 1
    assert f"{who} ({name})" in warnings[0]
    assert "# edited" not in (site / name).read_text(encoding="utf-8")
    assert list((site.parents[2] / METADATA).iterdir()) == []


def test_what_people_edit_is_shared_with_no_cache(site: Path, tmp_path: Path) -> None:
    """Neither after the first installation nor after the second."""
    mine = site / "imageai" / "__init__.py"

    def link(_site: Path) -> None:
        (tmp_path / "cached").unlink(missing_ok=True)
        (tmp_path / "cached").hardlink_to(mine)

    installed(Fake(site, cached=link))
    assert mine.stat().st_nlink == 1
    installed(Fake(site, cached=append("imageai/__init__.py"), fresh=link))
    assert mine.stat().st_nlink == 1


def test_a_file_that_the_cache_lost_is_installed_anew(site: Path) -> None:
    fake = Fake(site, cached=lambda site: (site / "six" / "__init__.py").unlink())
    assert installed(fake)[0] == {}
    assert (site / "six" / "__init__.py").exists()


def test_metadata_that_record_is_wrong_about_is_left_to_additions(site: Path) -> None:
    fake = Fake(site, cached=append("six-1.0.dist-info/METADATA"))
    assert installed(fake) == ({}, [])
    assert fake.did == ["install imageai six"]


def test_a_repair_looks_at_what_it_installs(site: Path) -> None:
    fake = Fake(site)
    installed(fake)
    append("imageai/__init__.py")(site)
    assert installed(fake, only=frozenset({"six"})) == ({}, [])
    assert fake.did == ["install imageai six", "install six"]


def test_a_repair_knows_which_metadata_was_wrong_before(site: Path) -> None:
    metadata = "six-1.0.dist-info/METADATA"
    fake = Fake(site, cached=append(metadata))
    assert installed(fake, only=frozenset({"six"}), misrecorded={})[0] == {}
    assert fake.did == ["install six", "apart: install six", "distrust six"]
    fake = Fake(site, cached=append(metadata))
    Fake(site).install(site, LOCK, site, recording(Log(site)))
    append(metadata)(site)
    known = hash_file(str(site / metadata))
    assert installed(fake, only=frozenset({"six"}), misrecorded={metadata: known}) == ({}, [])
    assert fake.did == ["install six"]


def test_a_wheel_at_hand_is_installed_anew_from_its_file(site: Path) -> None:
    fake = Fake(site, cached=append("pip/__init__.py"))
    installed(fake, beside=[LocalWheel(Path("pip-26.0-py3-none-any.whl"), "pip==26.0 --hash=sha256:0")])
    assert fake.did == ["install imageai six", "apart: install pip", "distrust pip"]


def test_what_comes_again_from_the_locked_file_is_what_the_wheel_says(site: Path) -> None:
    fake = Fake(site, cached=append("six/__init__.py"), fresh=append("six/__init__.py"))
    misrecorded, warnings = installed(fake)
    assert list(misrecorded) == ["six/__init__.py"]
    assert "though its RECORD says otherwise: six (six/__init__.py)" in warnings[1]


def test_what_is_recorded_so_is_right_for_check(site: Path, template: Path) -> None:
    fake = Fake(site, cached=append("six/__init__.py"), fresh=append("six/__init__.py"))
    misrecorded, _ = installed(fake)
    root = site.parents[2]
    home = Home(root / "data", root / "cache", root / "config")
    variant = select(Request(template="tiny"), home).template.variants["cpu"]
    beside_lock.add(root, variant, TARGET, Silent(), misrecorded)
    assert additions.read(root).misrecorded == misrecorded
    assert json.loads((root / METADATA / "additions.json").read_text(encoding="utf-8"))["misrecorded"] == misrecorded


def test_what_is_another_file_each_time_is_an_error(site: Path) -> None:
    def twice(site: Path) -> None:
        append("six/__init__.py")(site)
        append("six/__init__.py")(site)

    with pytest.raises(InstallError) as caught:
        installed(Fake(site, cached=append("six/__init__.py"), fresh=twice))
    assert caught.value.code == "altered-again"
    assert "six (six/__init__.py)" in caught.value.message


def test_without_a_network_the_cache_is_not_cleaned(site: Path) -> None:
    def fail(_site: Path) -> None:
        raise InstallError("The index cannot be reached.", hint="Check the connection.", code="network")

    fake = Fake(site, cached=append("six/__init__.py"), fresh=fail)
    with pytest.raises(InstallError) as caught:
        installed(fake)
    assert (caught.value.code, caught.value.hint) == ("altered-cache", "Check the connection.")
    assert "six (six/__init__.py)" in caught.value.message
    assert "The index cannot be reached." in caught.value.message
    assert fake.did == ["install imageai six", "apart: install six"]


def test_a_cache_that_is_in_use_is_said(site: Path) -> None:
    _, warnings = installed(Fake(site, cached=append("six/__init__.py"), cleaned=False))
    assert "uv cache clean six" in warnings[1]
