"""A ledger that many processes write, and some are killed while they do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from imageai_envs.installed.known_files import Ledger, hash_files
from tests.unit.test_known_files import write


def test_many_processes_and_kills_leave_a_whole_ledger(tmp_path: Path) -> None:
    directory = tmp_path / "known"
    paths = [write(tmp_path / f"{number}", b"x" * number) for number in range(200)]
    code = "import sys; from pathlib import Path; from imageai_envs.installed.known_files import Ledger\n"
    code += "ledger = Ledger(Path(sys.argv[1]))\n"
    code += "while True:\n    for path in sys.argv[2:]:\n        ledger._add(dict([(path.encode()[-32:].ljust(32), "
    code += "b'sha256=' + b'x' * 43)]))\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    children = [subprocess.Popen([sys.executable, "-c", code, directory, *paths], env=environment) for _ in range(3)]
    ledger = Ledger(directory)
    end = time.monotonic() + 2
    reads = 0
    while time.monotonic() < end or not ledger._read():
        found = ledger._read()
        assert all(len(key) == 32 and value == b"sha256=" + b"x" * 43 for key, value in found.items())
        reads += bool(found)
        assert time.monotonic() < end + 30
    for child in children:
        child.kill()
        child.wait()
    assert reads
    assert ledger._read()
    assert ledger.hashes(paths) == hash_files(paths)
