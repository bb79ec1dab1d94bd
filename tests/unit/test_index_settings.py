"""One mirror for both engines, whichever of them was configured; and the engines' own words win."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageai_envs.engines.index_settings import for_pip, for_uv, options_for_uv, pip_setting

MIRROR = "https://mirror.invalid/simple"


@pytest.fixture
def own_files(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip's files of the (test's own) home count."""
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setenv("XDG_CONFIG_DIRS", "/nonexistent")
    return Path.home()


def conf(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_configured() -> None:
    assert for_uv() == {}
    assert for_pip() == {}
    assert pip_setting("index-url") == ""


# pip's settings for uv --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PIP_INDEX_URL", MIRROR, {"UV_DEFAULT_INDEX": MIRROR}),
        (
            "PIP_EXTRA_INDEX_URL",
            f"{MIRROR}/a\n{MIRROR}/b",
            {"UV_INDEX": f"{MIRROR}/a {MIRROR}/b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ("PIP_FIND_LINKS", "/srv/a /srv/b", {"UV_FIND_LINKS": "/srv/a,/srv/b"}),
        ("PIP_TRUSTED_HOST", "mirror.invalid", {"UV_INSECURE_HOST": "mirror.invalid"}),
        ("PIP_CERT", "/etc/ca.pem", {"SSL_CERT_FILE": "/etc/ca.pem"}),
    ],
)
def test_each_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: dict[str, str]) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(name, value)
    assert for_uv() == expected


@pytest.mark.parametrize("own", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"])
def test_uvs_own_index_wins(monkeypatch: pytest.MonkeyPatch, own: str) -> None:
    monkeypatch.setenv(own, "https://uv.invalid/simple")
    monkeypatch.setenv("PIP_INDEX_URL", MIRROR)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", MIRROR)
    monkeypatch.setenv("PIP_FIND_LINKS", "/srv/a")
    assert for_uv() == {"UV_FIND_LINKS": "/srv/a"}


def test_a_strategy_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", MIRROR)
    monkeypatch.setenv("UV_INDEX_STRATEGY", "first-index")
    assert for_uv()["UV_INDEX_STRATEGY"] == "first-index"


# pip's files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf"])
def test_pips_file(own_files: Path, place: str) -> None:
    conf(own_files / place, f"[global]\nindex-url = {MIRROR}\n")
    assert for_uv() == {"UV_DEFAULT_INDEX": MIRROR}


def test_a_file_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_files: Path) -> None:
    conf(own_files / ".config" / "pip" / "pip.conf", "[global]\nindex-url = https://weaker.invalid/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(conf(tmp_path / "named.conf", f"[install]\nindex-url = {MIRROR}\n")))
    assert pip_setting("index-url") == MIRROR
    monkeypatch.setenv("PIP_INDEX_URL", "https://strongest.invalid/")
    assert pip_setting("index-url") == "https://strongest.invalid/"


def test_several_lines_and_percent_signs(own_files: Path) -> None:
    conf(
        own_files / ".config" / "pip" / "pip.conf",
        f"[global]\nextra-index-url =\n    {MIRROR}/a%20b\n    {MIRROR}/c\n",
    )
    assert for_uv()["UV_INDEX"] == f"{MIRROR}/a%20b {MIRROR}/c"


@pytest.mark.parametrize("text", ["index-url = x\n", "[global\n", "[global]\nindex-url\n", "[a]\nx=1\n[a]\nx=1\n"])
def test_files_that_pip_would_refuse_are_pips_business(own_files: Path, text: str) -> None:
    conf(own_files / ".config" / "pip" / "pip.conf", text)
    assert for_uv() == {}


def test_a_file_in_another_encoding(own_files: Path) -> None:
    path = conf(own_files / ".config" / "pip" / "pip.conf", "")
    path.write_bytes(b"[global]\nindex-url = \xff\xfe\n")
    assert for_uv() == {}


# uv's settings for pip --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
@pytest.mark.parametrize("value", [MIRROR, f"ours={MIRROR}", f"{MIRROR}?a=b"])
def test_uvs_index(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert for_pip() == {"PIP_INDEX_URL": value.removeprefix("ours=")}


def test_uvs_further_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX", f"a={MIRROR}/a {MIRROR}/b?c=d")
    assert for_pip() == {"PIP_EXTRA_INDEX_URL": f"{MIRROR}/a {MIRROR}/b?c=d"}


def test_pips_own_index_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", MIRROR)
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.invalid/simple")
    assert for_pip() == {}


def test_no_index_reaches_uv_as_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no variable for it (uv 0.13.9)."""
    assert options_for_uv() == []
    monkeypatch.setenv("PIP_NO_INDEX", "false")
    assert options_for_uv() == []
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert options_for_uv() == ["--no-index"]
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.invalid/simple")
    assert options_for_uv() == []
