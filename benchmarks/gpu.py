"""Build real GPU environments and prove that a bare Python of theirs finds CUDA. Run by ``nox -s gpu``.

Every library that TensorFlow opens is opened by ``create`` itself. Then TensorFlow is asked for GPUs from an empty
process environment: with the driver of this machine where it has one, otherwise with a small fake driver
(``fake_cuda.c``), which shows that all libraries are found and says nothing about computing. Writes docs/gpu-proof.md.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from matrix import tool

# Where what is built in or where libraries are looked for changes, and every minor that has a GPU newer than CUDA 11.
MINORS = ["2.4", "2.8", "2.10", "2.12", "2.14", "2.15", "2.16", "2.17", "2.18", "2.19", "2.20", "2.21"]
HEAD = """\
# GPU environments that were built

Each row is one real `imageai-env create --gpu`. Every library that this TensorFlow opens was opened by the
environment's own Python, which started without any variable set (`env -i`). "GPU listed" is what TensorFlow answers to
`list_physical_devices("GPU")` there, {driver}. "Built for" is what TensorFlow says of itself: CUDA, cuDNN, and the
compute capabilities for which it has machine code (`sm_`), or code that the driver compiles at first use (`compute_`).
Written by `nox -s gpu` on {date}, {system}.

| TensorFlow | Python | built for | libraries opened | links | GPU listed | XLA_FLAGS points to | computed | s | MB |
|---|---|---|---|---|---|---|---|---|---|
"""
ASK = """\
import json, os, tensorflow as tf
gpus = [gpu.name for gpu in tf.config.list_physical_devices("GPU")]
built = {key: str(value) for key, value in tf.sysconfig.get_build_info().items() if "cu" in key}
capabilities = list(tf.sysconfig.get_build_info().get("cuda_compute_capabilities", []))
print("@@" + json.dumps({
    "gpus": gpus, "xla": os.environ.get("XLA_FLAGS", ""), "built": built, "capabilities": capabilities}))
"""


def has_driver() -> bool:
    """Tell whether this machine has NVIDIA's driver."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def compile_driver(directory: Path) -> None:
    """Compile the fake driver, under the names of both libraries that TensorFlow opens."""
    source = Path(__file__).with_name("fake_cuda.c")
    for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
        subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", directory / name, source], check=True)


def built_for(told: dict[str, Any]) -> str:
    """Return what a TensorFlow was built for, in words."""
    built = told["built"]
    versions = f"CUDA {built.get('cuda_version', '?')}, cuDNN {built.get('cudnn_version', '?')}"
    return f"{versions}; {' '.join(told['capabilities'])}"


def run_row(tensorflow: str, driver: Path | None) -> str:
    """Create, ask and remove one environment; return its row."""
    name = f"gpu-{tensorflow}"
    code, answer = tool("create", name, "--tf", tensorflow, "--gpu", "--force")
    if code:
        reason = str(answer["errors"][0]["message"]).splitlines()[0]
        return f"| {tensorflow} | | **failed ({code})**: {reason} | | | | | | | |"
    state = answer["data"]["environment"]
    cuda = answer["data"]["verification"]["answer"]["cuda"]
    root = Path(state["root"])
    additions = json.loads((root / ".imageai-env" / "additions.json").read_text(encoding="utf-8"))
    variables = {"LD_LIBRARY_PATH": str(driver)} if driver else {}
    done = subprocess.run(
        [root / "bin" / "python", "-c", ASK], env=variables, capture_output=True, text=True, check=False
    )
    failed = '{"gpus": [], "xla": "failed", "built": {}, "capabilities": []}'
    told = json.loads(done.stdout.rpartition("@@")[2] if done.returncode == 0 else failed)
    _, shown = tool("show", name)
    size = shown["data"]["bytes"] // 1_000_000
    tool("remove", name, "--yes")
    xla = "nvidia/cuda_nvcc" if told["xla"].endswith("nvidia/cuda_nvcc") else told["xla"] or "nothing (not needed)"
    computed = f"product differs by {cuda['computed']['matmul_difference']:.0e}" if cuda["computed"] else "no GPU here"
    return (
        f"| {state['tensorflow']} | {state['python_version']} | {built_for(told)} | {len(cuda['libraries'])} | "
        f"{len(additions['links'])} | {', '.join(told['gpus']) or '**none**'} | {xla} | {computed} | "
        f"{sum(state['seconds'].values()):.0f} | {size} |"
    )


def main() -> int:
    """Run all rows; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tensorflow", nargs="*", default=MINORS)
    parser.add_argument("--output", type=Path, default=Path("docs/gpu-proof.md"))
    arguments = parser.parse_args()
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    with tempfile.TemporaryDirectory() as directory:
        driver = None if has_driver() else Path(directory)
        if driver:
            compile_driver(driver)
        rows = []
        for tensorflow in arguments.tensorflow:
            rows.append(run_row(tensorflow, driver))
            print(rows[-1], flush=True)
    head = HEAD.format(
        driver="with a fake driver: this machine has no GPU" if driver else "with the driver of this machine",
        date=datetime.now(timezone.utc).date(),
        system=f"{platform.system()} {platform.machine()}",
    )
    arguments.output.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return int(any("**" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
