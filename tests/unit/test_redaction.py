"""Credentials of index addresses do not survive, and everything else does."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import imageai_envs
from imageai_envs.base.known_secrets import known_secrets
from imageai_envs.base.redaction import redact, redact_data


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@example.org/simple", "https://****@example.org/simple"),
        ("https://token@example.org", "https://****@example.org"),
        ("HTTPS://user:secret@example.org", "HTTPS://****@example.org"),
        ("git+ssh://git:secret@example.org/x.git", "git+ssh://****@example.org/x.git"),
        ("socks5h://user:secret@proxy:1080", "socks5h://****@proxy:1080"),
        ("https://user:se%40cret@example.org/", "https://****@example.org/"),
        # Not what RFC 3986 allows, yet what clients accept: the host begins after the last "@".
        ("https://user:s@cret@example.org/", "https://****@example.org/"),
        ("a https://u:one@x/ b 'https://u:two@y/' c", "a https://****@x/ b 'https://****@y/' c"),
        ("name=https://user:secret@example.org/", "name=https://****@example.org/"),
        ("https://user:****@example.org/", "https://****@example.org/"),
    ],
)
def test_userinfo_goes(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/simple/",
        "https://example.org/@scope/package",
        "mail me@example.org",
        "x @ file:///srv/x.whl",
        "http://127.0.0.1:9/a@d",
        "http://[::1]:8080/a@b",
        "git+https://github.com/me/x.git@v1#egg=x&subdirectory=y",
        "https://files.pythonhosted.org/packages/a1/b2/" + "0af" * 20 + "/x-1.whl#sha256=" + "0a" * 32,
        "https://example.org: mail me@example.org",
        "https://docs.python.org/3/library/venv.html#how-venvs-work",
        "Collecting numpy==1.23.5 (from -r wheels.txt (line 3))",
        "$ uv pip install --hash=sha256:" + "0a" * 32,
        "",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # A password with what must be escaped in one.
        ("https://user:se/cret@example.org/x/", "https://****@example.org/x/"),
        ("https://user:s@c/ret@example.org/x/", "https://****@example.org/x/"),
        ("https://user:s#c?ret@example.org/x/", "https://****@example.org/x/"),
        ("https://user:123/4@example.org/x/", "https://****@example.org/x/"),
        ("https://user:sec ret@example.org/x/ yes", "https://****@example.org/x/ yes"),
        ("'https://user:sec'ret@example.org/x/' yes", "'https://****@example.org/x/' yes"),
        ("https://sec/ret@example.org/x/", "https://****@example.org/x/"),
        ("https:/user:secret@example.org/x/", "https:/****@example.org/x/"),
        ("https://a/,https://user:secret@b/", "https://a/,https://****@b/"),
        ("git+https://user:se/cret@github.com/a/b.git@v1", "git+https://****@github.com/a/b.git@v1"),
        # Without a scheme, as proxies may be given.
        ("HTTPS_PROXY=user:secret@proxy:3128", "HTTPS_PROXY=****@proxy:3128"),
        ("user:se/cr@et@proxy.example.org", "****@proxy.example.org"),
        # Tokens elsewhere.
        ("https://example.org/simple/?token=secret", "https://example.org/simple/?token=****"),
        ("(https://example.org/?a=secret&b=secret)", "(https://example.org/?a=****&b=****)"),
        ("https://example.org/?secret", "https://example.org/?****"),
        ("https://example.org/?token=sec#ret", "https://example.org/?token=****#****"),
        ("https://example.org/x.whl#egg=x&token=secret", "https://example.org/x.whl#egg=x&token=****"),
        ("https://example.org/s3cr3tS3CR3Ts3cr3t/simple/", "https://example.org/****/simple/"),
        ("https://example.org/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f/x/", "https://example.org/****/x/"),
        (
            "Max retries exceeded with url: /simple/?token=secret (",
            "Max retries exceeded with url: /simple/?token=**** (",
        ),
    ],
)
def test_malformed_addresses_and_tokens(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


def test_our_own_addresses_stay() -> None:
    """Links and commands in rules, templates and code are shown as they are written."""
    root = Path(imageai_envs.__file__).parent
    files = [*root.rglob("*.toml"), *(root.parent / "templates").rglob("*.toml"), *root.rglob("*.py")]
    addresses = {found for file in files for found in re.findall(r"https?://[^\s\"'`<>)]+", file.read_text("utf-8"))}
    assert len(addresses) > 100
    assert [address for address in addresses if redact(address) != address and "robot:" not in address] == []


_CONFIGURED = {
    "PIP_INDEX_URL": "https://robot:hunt/er-two@example.org/m1rror/simple/",
    "PIP_EXTRA_INDEX_URL": "https://example.org/simple?key=QueryTok https://t0ken-alone@example.com/root/pypi/+simple/",
    "UV_INDEX": "corp=https://example.net/p4th-tok/simple",
    "UV_FIND_LINKS": "/srv/wheels/first,https://example.net/fl-t0ken",
    "UV_INDEX_CORP_PASSWORD": "pass%word w0rd",
    "UV_INDEX_CORP_USERNAME": "robot",
    "HTTPS_PROXY": "robot:pr0xy@proxy.example.org:3128",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nonnumeric port: 'hunt'", "nonnumeric port: '****'"),
        ("host='robot:hunt', port=443", "host='****', port=443"),
        ("the password is hunt%2Fer%2dtwo, hunt%252Fer-two", "the password is ****, ****"),
        ("QueryTok", "****"),
        ("https://example.org/m1rror/simple/numpy/", "https://example.org/****/simple/numpy/"),
        ("with url: /m1rror/simple/numpy/ (", "with url: /****/simple/numpy/ ("),
        ("GET /p4th-tok/simple/ 200", "GET /****/simple/ 200"),
        ("https://example.net/fl-t0ken/x.whl", "https://example.net/****/x.whl"),
        ("t0ken-alone", "****"),
        ("pass%25word%20w0rd", "****"),
        ("pr0xy", "****"),
        # Parts that are no secrets.
        ("/home/robot/root/pypi/+simple/first", "/home/robot/root/pypi/+simple/first"),
        ("/srv/wheels/first/x.whl", "/srv/wheels/first/x.whl"),
    ],
)
def test_what_is_configured_goes_wherever_it_is(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _CONFIGURED.items():
        monkeypatch.setenv(name, value)
    known_secrets.cache_clear()
    assert redact(text) == shown
    assert redact(shown) == shown


def test_what_configuration_files_hold_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip, uv, netrc = tmp_path / "pip.conf", tmp_path / "uv.toml", tmp_path / "netrc"
    pip.write_text(
        "[global]\nindex-url = https://robot:in/pip@example.org/x/\nextra-index-url =\n"
        "    https://example.org/simple/\n    https://u:c0ntinued@example.org/simple/\nproxy = me:by-proxy@proxy:1\n"
    )
    uv.write_text('[[index]]\nname = "x"\nurl = "https://example.org/simple/?key=in-the-toml"\n', encoding="utf-8")
    netrc.write_text('machine example.org login robot password in-netrc\nmachine b password "with \\"quote"\n')
    monkeypatch.setenv("PIP_CONFIG_FILE", str(pip))
    monkeypatch.setenv("UV_CONFIG_FILE", str(uv))
    monkeypatch.setenv("NETRC", str(netrc))
    known_secrets.cache_clear()
    for secret in ("in/pip", "c0ntinued", "by-proxy", "in-the-toml", "in-netrc", 'with "quote', r"with \"quote"):
        assert redact(f"a {secret} b") == "a **** b"


def test_settings_that_cannot_be_read_hide_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")  # opening it would wait for ever
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "fifo"))
    monkeypatch.setenv("NETRC", str(tmp_path))
    known_secrets.cache_clear()
    assert redact("as it was") == "as it was"


def test_data() -> None:
    address = "https://user:se/cret@example.org/"
    data = {"a": [address, 1, None, True], "b": {address: Path("x")}, "c": (1.5,)}
    hidden = "https://****@example.org/"
    assert redact_data(data) == {"a": [hidden, 1, None, True], "b": {hidden: "x"}, "c": [1.5]}


_secrets = st.text(
    st.characters(codec="ascii", categories=["L", "N"], include_characters="-._~!$&()*+,;=:@%/?#[]<>|^{}\\"), min_size=1
)


@given(_secrets.map(lambda text: f"S3CRET{text}S3CRET"), st.text(max_size=20))
def test_no_password_survives(secret: str, around: str) -> None:
    shown = redact(f"{around} https://robot:{secret}@127.0.0.1/simple/ {around}")
    assert "S3CRET" not in shown
    assert "****@127.0.0.1/simple/" in shown


@given(st.text("ab1:/@?#&=.,'\" \n*%-[]", max_size=60), st.sampled_from(["", "https://", "git+ssh://u:", "a:"]))
@example("/@@", "git+ssh://u:")
def test_twice_is_once_and_lines_stay(text: str, before: str) -> None:
    once = redact(before + text)
    assert redact(once) == once
    assert once.count("\n") == (before + text).count("\n")


@given(st.text("a1:/@?# .'", max_size=12), st.sampled_from(["https://u:p@h/", "user:pw@proxy:1", "x ", ")", "https:/"]))
def test_long_lines_take_no_time(part: str, other: str) -> None:
    begin = time.perf_counter()
    redact((part + other) * 2000)
    assert time.perf_counter() - begin < 2
