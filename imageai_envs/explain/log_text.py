r"""Bring any log into the form that the rules are written for: decoded, without colours, with plain quotes.

What people have is what PowerShell redirected (UTF-16), what a notebook stored (colours as ``\u001b[31m``), what a
chat program made of the quotes, or not text at all. It is read in pieces, so that its size does not matter.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 1 << 20
"""Bytes, or characters, that are read at once."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),  # before UTF-16: the marks begin alike
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"),
)  # fmt: skip
# ECMA-48 control sequences and operating system commands (titles, links), and colours as JSON and repr write them.
_COLOURS = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,999}(?:\x07|\x1b\\))")
_WRITTEN_COLOURS = re.compile(r"\\(?:u001b|x1b|033)\[[0-9;]{0,32}m")
# GCC, uv and chat programs write quotes that no keyboard has.
_QUOTES = (("‘", "'"), ("’", "'"), ("“", '"'), ("”", '"'), ("`", "'"))  # noqa: RUF001


def pieces(source: str | bytes | BinaryIO) -> Iterator[str]:
    """Yield the text in pieces, decoded and cleaned.

    Raises:
        OSError: the stream cannot be read.
    """
    if isinstance(source, str):
        for start in range(0, len(source), PIECE):
            yield clean(source[start : start + PIECE])
        return
    if isinstance(source, bytes):
        parts = iter([source[start : start + PIECE] for start in range(0, len(source), PIECE)])
    else:
        parts = iter(lambda: source.read(PIECE), b"")
    first = next(parts, b"")
    decoder = codecs.getincrementaldecoder(encoding_of(first))(errors="replace")
    yield clean(decoder.decode(first))
    for part in parts:
        yield clean(decoder.decode(part))
    yield clean(decoder.decode(b"", final=True))


def encoding_of(head: bytes) -> str:
    """Return the encoding by its mark, or by the zeros between the letters of unmarked UTF-16; else UTF-8."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    sample = head[:4096]
    half = len(sample) // 2
    if half:
        if sample[1::2].count(0) > 0.6 * half and sample[::2].count(0) < 0.1 * half:
            return "utf-16-le"
        if sample[::2].count(0) > 0.6 * half and sample[1::2].count(0) < 0.1 * half:
            return "utf-16-be"
    return "utf-8"


def clean(text: str) -> str:
    """Return ``text`` without colours and with plain quotes. The number of its lines stays."""
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    if "[" in text and ("\\u001b[" in text or "\\x1b[" in text or "\\033[" in text):
        text = _WRITTEN_COLOURS.sub("", text)
    if "`" in text or not text.isascii():
        for odd, plain in _QUOTES:
            text = text.replace(odd, plain)
    return text
