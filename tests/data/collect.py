"""Write ``metadata.json``: the real metadata of the releases that the local test index is made of.

Run by hand with a Python 3.10 (``python3.10 tests/data/collect.py``) when a release is added to ``WANTED``; the
tests only read the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

# What TensorFlow 2.10 + ImageAI 2.1.6 resolve to, and neighbours that a resolver must avoid.
WANTED = """
absl-py==2.5.1 astunparse==1.6.3 certifi==2026.10.18 cffi==2.1.1 charset-normalizer==3.5.2 contourpy==1.3.2
cryptography==50.0.2 cycler==0.12.1 flatbuffers==25.12.19 fonttools==4.65.0 gast==0.4.0 google-auth==2.62.2
google-auth-oauthlib==0.4.6 google-pasta==0.2.0 grpcio==1.85.1 h5py==3.16.0 idna==3.20 imageai==2.1.6
imageai==3.0.3 keras==2.4.3 keras==2.10.0 keras==2.11.0 keras-preprocessing==1.1.2 keras-resnet==0.2.0
kiwisolver==1.5.1 libclang==18.1.1 markdown==3.10.3 markupsafe==3.0.4 matplotlib==3.5.3 matplotlib==3.10.9
numpy==1.23.5 numpy==1.24.4 numpy==2.0.2 oauthlib==4.0.1 opencv-python==4.7.0.72 opencv-python==4.11.0.86
opt-einsum==3.4.0 packaging==26.3 pandas==1.5.3 pandas==2.3.3 pillow==12.2.0 pillow==12.3.0 protobuf==3.19.6
protobuf==3.20.3 protobuf==4.25.9 pyasn1==0.6.5 pyasn1-modules==0.4.2 pycparser==3.11 pyparsing==3.3.3
python-dateutil==3.0.0 pytz==2025.2 requests==2.34.2 requests-oauthlib==2.0.0 scipy==1.15.3 six==1.17.0
tensorboard==2.10.1 tensorboard-data-server==0.6.1 tensorboard-plugin-wit==1.8.1 tensorflow-cpu==2.10.0
tensorflow-cpu==2.10.1 tensorflow-cpu==2.16.2 tensorflow-estimator==2.10.0
tensorflow-io-gcs-filesystem==0.37.1 termcolor==3.3.0 typing-extensions==4.16.0 tzdata==2026.6 urllib3==2.8.0
werkzeug==3.1.9 wrapt==2.5.2
""".split()  # noqa: SIM905 - a list literal is a line per release


def main() -> None:
    """Ask pip for each release: its report holds the metadata, and fast-deps reads that without the wheel."""
    releases = []
    for pin in WANTED:
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            subprocess.run(
                [
                    sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
                    "--no-deps", "--use-feature=fast-deps", "--report", report.name, pin,
                ],
                check=True,
            )  # fmt: skip
            metadata = json.loads(Path(report.name).read_text(encoding="utf-8"))["install"][0]["metadata"]
        releases.append(
            {
                "name": pin.split("==")[0],
                "version": metadata["version"],
                "requires_dist": metadata.get("requires_dist", []),
                "requires_python": metadata.get("requires_python"),
            }
        )
    text = json.dumps(releases, indent=1, sort_keys=True)
    Path(__file__).with_name("metadata.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
