"""Credentials of index addresses do not survive, and everything else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageai_envs.redaction import redact


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
        "http://127.0.0.1:9/a?b=c@d",
        "",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert redact(text) == text


_secrets = st.text(
    st.characters(codec="ascii", categories=["L", "N"], include_characters="-._~!$&()*+,;=:@%"), min_size=1
)


@given(_secrets.map(lambda text: f"S3CRET{text}"), st.text(max_size=20))
def test_no_password_survives(secret: str, around: str) -> None:
    shown = redact(f"{around} https://robot:{secret}@127.0.0.1/simple/ {around}")
    assert "S3CRET" not in shown
    assert "****@127.0.0.1/simple/" in shown
