"""Turn the output of uv, pip and pip-tools into an error that says what happened and what to do.

Ranked: a refused connection makes pip end with "no matching distribution", so causes are looked for before effects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.errors import ImageAIEnvError, InstallError, UnsolvableError
from imageai_envs.base.redaction import redact
from imageai_envs.engines.index_settings import what_keeps_pip_offline, what_keeps_uv_offline

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.process import Finished


@dataclass(frozen=True)
class _Kind:
    code: str
    pattern: str
    words: str
    hint: str


_CHECK_INDEX = "Check the address in PIP_INDEX_URL or UV_DEFAULT_INDEX, then run the same command again."
_AGAIN = "Run the same command again; what was already downloaded is kept in the cache."

# Order matters: the first that matches names the cause.
_KINDS = (
    _Kind(
        "disk-full",
        r"No space left on device|os error 28|Disk quota exceeded|not enough space on the disk",
        "The disk is full.",
        "Free some space (df -h), then run the same command again.",
    ),
    _Kind(
        "not-writable",
        r"Permission denied|Read-only file system|os error (?:13|30)\b",
        "A directory that must be written cannot be.",
        "Set IMAGEAI_ENV_HOME (and UV_CACHE_DIR or PIP_CACHE_DIR) to directories that you may write.",
    ),
    _Kind(
        "bad-address",
        r"invalid port number|Port could not be cast to integer|Please check proxy URL|: Failed to parse: |InvalidURL"
        r"|relative URL without a base|empty host",
        "The address of an index or proxy is malformed.",
        "Write what is special in a password as %2F (/), %40 (@), %23 (#), %3F (?) or %25 (%): PIP_INDEX_URL, "
        "UV_DEFAULT_INDEX, HTTPS_PROXY.",
    ),
    _Kind(
        "hash-mismatch",
        r"Hash mismatch|DO NOT MATCH THE HASHES",
        "A downloaded file is not the one that the lock names: its sha256 differs.",
        "A mirror or proxy may have altered it, or the release was replaced. Try another index; if the release really "
        "changed, lock again: imageai-env lock --upgrade-package NAME",
    ),
    _Kind(
        "index-auth",
        r"\b401 (?:Client )?(?:Error|Unauthorized)|\b403 (?:Client )?(?:Error|Forbidden)|\((?:401|403) |authentication",
        "The index refused access.",
        "Give credentials in the index address (PIP_INDEX_URL, UV_DEFAULT_INDEX), in netrc, or by keyring.",
    ),
    _Kind(
        "index-error",
        r"HTTP status (?:server|client) error \((?!404)|\b5\d\d (?:Server )?Error|HTTP error 5\d\d|status code 5\d\d"
        r"|too many 5\d\d error responses|HTTP/1\.1\" 5\d\d|HTTP error 4\d\d|HTTP status client error",
        "The index answered with an error.",
        f"{_CHECK_INDEX} If it is the index's fault, wait and try again.",
    ),
    _Kind(
        "download-broken",
        r"IncompleteRead|incomplete-download|[Dd]ownload was interrupted|unexpected (?:end of file|EOF)|EOF while"
        r"|error decoding response body|end of file before message length|[Cc]onnection reset|ECONNRESET"
        r"|connection closed before message completed|connection was closed without a reply"
        r"|ChunkedEncodingError|ProtocolError|RemoteDisconnected|ZIP file contains|[Bb]ad (?:ZIP|zip)|BadZipFile"
        r"|Failed to extract|is not a (?:valid )?zip|(?:invalid|truncated) (?:wheel|zip)|wheel is invalid",
        "A download was interrupted or arrived damaged.",
        _AGAIN,
    ),
    _Kind(
        "network",
        r"operation timed out|[Rr]ead timed out|ReadTimeout|didn't respond within",
        "The index did not answer in time.",
        "Run the same command again; UV_HTTP_TIMEOUT and PIP_DEFAULT_TIMEOUT (seconds) let uv and pip wait longer.",
    ),
    _Kind(
        "network",
        r"NewConnectionError|Connection refused|ConnectTimeout|[Tt]emporary failure in name resolution|dns error"
        r"|failed to lookup address|Name or service not known|Network is unreachable|tunnel error|[Pp]roxyError"
        r"|Could not connect|Failed to connect|[Cc]onnect(?:ion)? error|error sending request|timed out"
        r"|Max retries exceeded|Failed to establish a new connection",
        "The index cannot be reached: there is no network, or a proxy or firewall stands between.",
        "Check the connection (and HTTPS_PROXY, PIP_INDEX_URL), then run the same command again.",
    ),
)
# What uv says, whatever told it; pip says only that there are no versions.
_OFFLINE = re.compile(r"Packages were unavailable because|Network connectivity is disabled")
_NO_VERSIONS = re.compile(r"No matching distribution found|Could not find a version that (?:satisfies|matches)")
_DRAWING = " │╰├─▶×"  # noqa: RUF001 - what uv draws its trees with
_BUILD = _Kind(
    "build-failed",
    r"[Ff]ailed to build|metadata-generation-failed|subprocess-exited-with-error|build backend returned an error",
    "A distribution without a wheel for this Python could not be built from source.",
    "Choose a Python that has wheels: imageai-env python list",
)


_TRACEBACK = "Traceback (most recent call last)"


def _end_of(text: str, limit: int = 12) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if _TRACEBACK in text:  # pip's own; its last line says what happened
        lines = [line for line in lines if not line.startswith(" ") and _TRACEBACK not in line]
    return "\n".join(lines[-limit:])


def _known(text: str, kinds: tuple[_Kind, ...]) -> tuple[_Kind, str] | None:
    for kind in kinds:
        match = re.search(kind.pattern, text)
        if match:
            return kind, _line_at(text, match)
    return None


def _line_at(text: str, match: re.Match[str]) -> str:
    line = text[text.rfind("\n", 0, match.start()) + 1 :].splitlines()[0].strip()
    return re.sub(r"^(?:cause|error|ERROR|Caused by): *", "", line)


def _error(kind: _Kind, evidence: str, log: Path) -> InstallError:
    return InstallError(redact(f"{kind.words}\n  {evidence[:400]}\n  Full log: {log}"), hint=kind.hint, code=kind.code)


def _offline(text: str, log: Path) -> InstallError | None:
    """Return the error for what the cache lacks and nothing may be fetched for: no clash, though it looks like one."""
    match, setting = _OFFLINE.search(text), what_keeps_uv_offline()
    if match is None:
        match, setting = _NO_VERSIONS.search(text), what_keeps_pip_offline()
        if match is None or setting is None:
            return None
    name, undo = setting or ("uv's configuration", "drop offline and no-index there")
    reason = _unsolvable_words(text) or _line_at(text, match)
    return InstallError(
        redact(
            f"The index may not be asked ({name}), and what is here already lacks something.\n{_indent(reason)}\n"
            f"  Full log: {log}"
        ),
        hint=f"With a network: {undo}, then run the same command again; what it fetches is kept for the next time.",
        code="offline",
    )


def install_failure(done: Finished, log: Path) -> ImageAIEnvError:
    """Return the error for an installation that failed."""
    text = f"{done.stdout}\n{done.stderr}"
    offline = _offline(text, log)
    if offline:
        return offline
    known = _known(text, (*_KINDS, _BUILD))
    if known:
        return _error(*known, log)
    return InstallError(
        redact(f"Installing failed:\n{_indent(_end_of(done.stderr or done.stdout))}\n  Full log: {log}")
    )


def resolution_failure(done: Finished, log: Path) -> ImageAIEnvError:
    """Return the error for a resolution that failed: no solution in words, or what kept it from ending."""
    text = f"{done.stdout}\n{done.stderr}"
    offline = _offline(text, log)
    if offline:
        return offline
    reason = _unsolvable_words(text)
    # When the index fails, both engines say in the end that nothing matches; then the index is the cause.
    known = _known(text, _KINDS)
    if known:
        return _error(*known, log)
    if reason:
        return UnsolvableError(
            redact(f"No set of versions satisfies all requirements.\n{_indent(reason)}\n  Full log: {log}"),
            hint="Loosen or drop one of the requirements named above (--with, -r).",
        )
    built = _known(text, (_BUILD,))
    if built:
        return _error(*built, log)
    return InstallError(redact(f"Resolving failed:\n{_indent(_end_of(done.stderr or done.stdout))}\n  Full log: {log}"))


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _unsolvable_words(text: str) -> str:
    """Return the resolver's own explanation, cleaned of its drawing, or ``""`` when it gave none."""
    solution = re.search(r"No solution found[^\n]*\n(?P<why>(?:.+\n?)+)", text)
    if solution:
        words = " ".join(line.strip(_DRAWING) for line in solution["why"].splitlines())
        return re.sub(r"\s+", " ", re.split(r"\s+hint:", words)[0]).strip().removeprefix("cause: ")
    conflict = re.search(r"The conflict is caused by:\n(?P<why>(?:[ \t]+\S.*\n?)+)", text)
    if conflict:
        return "\n".join(line.strip() for line in conflict["why"].splitlines())
    lines = [
        line.split("ERROR:")[-1].strip()
        for line in text.splitlines()
        if re.search(r"Could not find a version that (?:satisfies|matches)|No matching distribution found", line)
    ]
    return "\n".join(dict.fromkeys(line.split("exceptions.DistributionNotFound:")[-1].strip() for line in lines))
