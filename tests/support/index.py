"""An index on this machine (PEP 503, 658, 691) that can fail in every way a real one does."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import re
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"
_TAMPERED = b"tampered"
KINDS = ("404", "500", "truncated", "altered", "reset", "slow", "no hash")
_TOO_LONG = 5  # seconds; clients under test give up after one


@dataclass
class Index:
    """A running index.

    Attributes:
        directory: its files.
        requests: paths that were asked for.
        faults: pattern of a path to the kind of failure (see :data:`KINDS`).
        password: when set, every request needs it, with the user ``robot``.
        token: when set, all is below a directory of this name, and nothing elsewhere.
    """

    directory: Path
    requests: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    password: str | None = None
    token: str | None = None
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    @property
    def port(self) -> int:
        """The port."""
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Address for ``PIP_INDEX_URL``."""
        return f"http://127.0.0.1:{self.port}/simple/"

    def url_with(self, password: str) -> str:
        """Address with credentials."""
        return f"http://robot:{password}@127.0.0.1:{self.port}/simple/"

    def reset(self) -> None:
        """Be healthy again and forget what was asked."""
        self.requests.clear()
        self.faults.clear()
        self.password = None
        self.token = None

    def files_of(self, project: str) -> list[Path]:
        """Return the files of a project."""
        return [f for f in sorted(self.directory.iterdir()) if _project(f.name) == project]


@functools.cache
def _project(filename: str) -> str:
    name = filename.split("-")[0] if filename.endswith(".whl") else re.sub(r"-\d[^-]*\.tar\.gz$", "", filename)
    return canonicalize_name(name)


@functools.cache  # the files of an index do not change
def _metadata(path: Path) -> bytes | None:
    if path.suffix != ".whl":
        return None
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return archive.read(name)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@functools.cache
def _sha256_of(path: Path) -> str:
    return _sha256(path.read_bytes())


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one small class
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that was killed
                super().handle()

        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            index.requests.append(self.path)
            if index.password and not self._authorized(index.password):
                self._send(401, b"who are you?", "text/plain")
                return
            path = self.path.partition("?")[0]
            if index.token and not path.startswith(f"/{index.token}/"):
                self._send(404, b"nothing here", "text/plain")
                return
            path = path.removeprefix(f"/{index.token}")
            fault = next((kind for pattern, kind in index.faults.items() if re.search(pattern, self.path)), None)
            if fault == "slow":
                time.sleep(_TOO_LONG)
            if fault in ("404", "500"):
                self._send(int(fault), b"no", "text/plain")
            elif fault == "reset":
                self.close_connection = True
                self.connection.close()
            elif path.startswith("/simple/"):
                self._page(path.removeprefix("/simple/").strip("/"), hashes=fault != "no hash")
            else:
                self._file(path.removeprefix("/files/"), fault)

        def _authorized(self, password: str) -> bool:
            expected = base64.b64encode(f"robot:{password}".encode()).decode()
            return self.headers.get("Authorization") == f"Basic {expected}"

        def _page(self, project: str, *, hashes: bool = True) -> None:
            files = index.files_of(project)
            if not files:
                self._send(404, b"no such project", "text/plain")
                return
            entries = []
            for file in files:
                metadata = _metadata(file)
                requires = re.search(rb"^Requires-Python: (.+)$", metadata or b"", re.MULTILINE)
                entries.append(
                    {
                        "filename": file.name,
                        "url": f"{f'/{index.token}' if index.token else ''}/files/{file.name}",
                        "hashes": {"sha256": _sha256_of(file)} if hashes else {},
                        "requires-python": requires[1].decode() if requires else None,
                        "core-metadata": {"sha256": _sha256(metadata)} if metadata else False,
                        "size": file.stat().st_size,
                        "yanked": False,
                    }
                )
            page = {"meta": {"api-version": "1.1"}, "name": project, "files": entries, "versions": []}
            self._send(200, json.dumps(page).encode(), JSON)

        def _file(self, name: str, fault: str | None) -> None:
            path = index.directory / name.removesuffix(".metadata")
            if not path.is_file():
                self._send(404, b"no such file", "text/plain")
                return
            body = (_metadata(path) or b"") if name.endswith(".metadata") else path.read_bytes()
            length = len(body)
            if fault == "altered":
                # Still a valid zip (its comment differs), so that only the hash can tell.
                body = body[:-2] + len(_TAMPERED).to_bytes(2, "little") + _TAMPERED
                length = len(body)
            if fault == "truncated":
                body = body[: length // 2]
                self.close_connection = True
            self._send(200, body, "application/octet-stream", length, lasting=fault is None)

        def _send(
            self, status: int, body: bytes, kind: str, length: int | None = None, *, lasting: bool = False
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            if lasting:  # as PyPI says of files: what was built of an sdist stays good, too
                self.send_header("Cache-Control", "max-age=365000000, immutable, public")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
