"""The project's sessions. ``nox`` runs what must be green; ``nox -l`` lists the rest."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests", "real"]
nox.options.error_on_missing_interpreters = True

# A worker a core; each has caches and an index of its own. `-- -n 0` runs in one process, for a debugger.
PARALLEL = ("-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")
PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))


def install(session: nox.Session, *groups: str) -> None:
    """Install this package with its fast engine and the named dependency groups."""
    project = nox.project.load_toml("pyproject.toml")
    session.install(".[uv]", *nox.project.dependency_groups(project, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the direction of imports."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Run unit, CLI and integration tests against a local index of tiny wheels."""
    install(session, "test")
    session.run("pytest", "-m", "not real", *PARALLEL, *session.posargs)


@nox.session(python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """Run the tests on every supported Python."""
    install(session, "test")
    session.run("pytest", "-m", "not real", *PARALLEL, *session.posargs)


@nox.session
def real(session: nox.Session) -> None:
    """Do the main job: create TensorFlow environments from the real index and let ImageAI classify in them."""
    install(session, "test")
    session.run("pytest", "-m", "real", "-n", "2", "--dist", "worksteal", "--durations=0", *session.posargs)


@nox.session
def matrix(session: nox.Session) -> None:
    """Prove all of ImageAI for every template on every Python that is here (an hour and a half); keep the locks."""
    install(session)
    session.run("python", "benchmarks/matrix.py", *session.posargs)


@nox.session
def relock(session: nox.Session) -> None:
    """Resolve every verified lock again, show what moved, and prove that (an hour and a half)."""
    install(session)
    session.run("python", "benchmarks/matrix.py", "--upgrade", *session.posargs)


@nox.session
def gpu(session: nox.Session) -> None:
    """Build real GPU environments and open their CUDA libraries; writes docs/gpu-proof.md (ten minutes, 15 GB)."""
    install(session)
    session.run("python", "benchmarks/gpu.py", *session.posargs)


@nox.session
def headless(session: nox.Session) -> None:
    """Show in a Debian without libGL that tf2.10 fails and tf2.10-headless works (debootstrap, root, five minutes)."""
    install(session)
    session.run("python", "benchmarks/headless.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against raw uv and pip in the same run."""
    install(session)
    session.run("python", "benchmarks/create.py", *session.posargs)
    session.run("python", "benchmarks/maintain.py", *session.posargs)
    session.run("python", "benchmarks/doctor.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel."""
    session.install("build")
    session.run("python", "-m", "build")


@nox.session(name="doctor-zoo")
def doctor_zoo(session: nox.Session) -> None:
    """Build broken environments for real; doctor must name each cause first, explain each error (twenty minutes)."""
    install(session, "test")
    session.run("python", "-m", "tests.zoo.animals", *session.posargs)


@nox.session
def hostile(session: nox.Session) -> None:
    """Let the command line meet hostile inputs; writes its section of docs/reliability.md (fifteen minutes)."""
    install(session, "test")
    session.run("python", "-m", "tests.hostile.session", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Play sequences with faults and kills; kill, crowd and starve the command line (an hour; docs/reliability.md)."""
    install(session, "test")
    session.run("python", "-m", "tests.chaos.experiments", *session.posargs)
