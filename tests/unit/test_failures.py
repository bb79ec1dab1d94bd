"""What uv and pip really print, and what becomes of it.

The samples were printed by uv 0.13.9, pip 26.3 and pip-tools 7.6.2 against the index of these tests and its faults,
with ``UV_HTTP_RETRIES=0`` and ``PIP_RETRIES=0``; full and read-only disks were small tmpfs mounts. Long runs of
lines that say nothing (tracebacks) are left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from imageai_envs.base.errors import ImageAIEnvError, InstallError, UnsolvableError
from imageai_envs.base.process import Finished
from imageai_envs.engines.failures import install_failure, resolution_failure

LOG = Path("/logs/x.log")


def failed(text: str) -> Finished:
    return Finished(("engine",), 1, "", text)


# Installing -------------------------------------------------------------------------------------------------------

UV_INSTALL_PAGE_500 = """\
Using CPython 3.11.7 interpreter at: venv/bin/python
error: Failed to fetch: http://127.0.0.1:39473/simple/keras/
  cause: HTTP status server error (500 Internal Server Error) for url (http://127.0.0.1:39473/simple/keras/)
"""
UV_INSTALL_FILE_404 = """\
Resolved 1 package in 5ms
error: Failed to download `keras==2.10.0`
  cause: Failed to fetch: http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl
  cause: HTTP status client error (404 Not Found) for url (http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl)
"""
PIP_INSTALL_FILE_404 = """\
Looking in indexes: http://127.0.0.1:39473/simple/
Collecting keras==2.10.0 (from -r k.txt (line 1))
  ERROR: HTTP error 404 while getting http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl (from http://127.0.0.1:39473/simple/keras/)
ERROR: Could not install requirement keras==2.10.0 from http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl (from -r k.txt (line 1)) because of HTTP error 404 Client Error: Not Found for url: http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl for URL http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl (from http://127.0.0.1:39473/simple/keras/)
"""
UV_INSTALL_FILE_500 = """\
Resolved 1 package in 7ms
error: Failed to download `keras==2.10.0`
  cause: Failed to fetch: http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl
  cause: HTTP status server error (500 Internal Server Error) for url (http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl)
"""
PIP_INSTALL_FILE_500 = """\
Collecting keras==2.10.0 (from -r k.txt (line 1))
ERROR: Could not install packages due to an OSError: HTTPConnectionPool(host='127.0.0.1', port=39473): Max retries exceeded with url: /files/keras-2.10.0-py3-none-any.whl (Caused by ResponseError('too many 500 error responses'))
"""
UV_INSTALL_TRUNCATED = """\
Resolved 1 package in 8ms
error: Failed to download `keras==2.10.0`
  cause: Failed to write to the distribution cache
  cause: error decoding response body
  cause: request or response body error
  cause: error reading a body from connection
  cause: end of file before message length reached
"""
PIP_INSTALL_TRUNCATED = """\
  WARNING: Connection interrupted while downloading.
  WARNING: Attempting to resume incomplete download (479 bytes/959 bytes, attempt 5)
  WARNING: Connection interrupted while downloading.
error: incomplete-download

× Download failed after 6 attempts because not enough bytes were received (479 bytes/959 bytes)
╰─> URL: http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl

note: This is an issue with network connectivity, not pip.
hint: Use --resume-retries to configure resume attempt limit.
"""
UV_INSTALL_ALTERED = """\
Resolved 1 package in 7ms
error: Failed to download `keras==2.10.0`
  cause: Hash mismatch for `keras==2.10.0`

         Expected:
           sha256:74dc8d700af47f4c98bc4f28215b516b1fb41f61900a4c93f6951cb3248621a1

         Computed:
           sha256:9899d6929113075d8b54517678cef386ce72c34977901b6b30fefa0b1f305dc7
"""
PIP_INSTALL_ALTERED = """\
Collecting keras==2.10.0 (from -r k.txt (line 1))
  Downloading keras-2.10.0-py3-none-any.whl (967 bytes)
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes. Otherwise, examine the package contents carefully; someone may have tampered with them.
    keras==2.10.0 from http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl (from -r k.txt (line 1)):
        Expected sha256 74dc8d700af47f4c98bc4f28215b516b1fb41f61900a4c93f6951cb3248621a1
             Got        9899d6929113075d8b54517678cef386ce72c34977901b6b30fefa0b1f305dc7
"""
UV_RESET = """\
error: Failed to download `keras==2.10.0`
  cause: Failed to fetch: http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl
  cause: error sending request for url (http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl)
  cause: client error (SendRequest)
  cause: connection closed before message completed
"""
PIP_INSTALL_RESET = """\
Collecting keras==2.10.0 (from -r k.txt (line 1))
error: connection-failed

× Failed to connect to 127.0.0.1 while fetching http://127.0.0.1:39473/files/keras-2.10.0-py3-none-any.whl
╰─> the connection was closed without a reply from the server.

hint: Are you connected to the Internet? If so, check whether your system can connect to 127.0.0.1 before trying again. There may be a firewall or proxy that's preventing the connection.
"""
UV_SLOW = """\
error: Failed to download `keras==2.10.0`
  cause: Failed to fetch: http://127.0.0.1:33047/files/keras-2.10.0-py3-none-any.whl
  cause: error sending request for url (http://127.0.0.1:33047/files/keras-2.10.0-py3-none-any.whl)
  cause: operation timed out
"""
PIP_INSTALL_SLOW = """\
Collecting keras==2.10.0 (from -r k.txt (line 1))
error: connection-timeout

× Unable to fetch http://127.0.0.1:33047/files/keras-2.10.0-py3-none-any.whl
╰─> 127.0.0.1 didn't respond within 1.0 seconds

hint: This is probably a temporary issue with the remote server or the network connection. If this error persists, check the network configuration. There may be a firewall or proxy that's preventing the connection.
"""
UV_OFFLINE = """\
error: Failed to fetch: http://127.0.0.1:9/simple/keras/
  cause: error sending request for url (http://127.0.0.1:9/simple/keras/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
UV_NO_DNS = """\
error: Failed to fetch: http://no-such-host.invalid/simple/keras/
  cause: error sending request for url (http://no-such-host.invalid/simple/keras/)
  cause: client error (Connect)
  cause: dns error
  cause: error resolving DNS
  cause: failed to lookup address information: Name or service not known
"""
UV_DISK_FULL = """\
Prepared 1 package in 2ms
warning: Failed to hardlink files; falling back to full copy. This may lead to degraded performance.
error: Failed to install: bigpkg-1.0-py3-none-any.whl (bigpkg==1.0)
  cause: Failed to copy to `/mnt/x/bigpkg/__init__.py`
  cause: failed to copy file from /cache/archive-v0/DBceEDD5Cy-OmbDN/bigpkg/__init__.py to /mnt/x/bigpkg/.tmprmfsJG: No space left on device (os error 28)
"""
UV_CACHE_FULL = """\
error: Failed to initialize cache at `/mnt/x/cache`
  cause: failed to write to file `/mnt/x/cache/CACHEDIR.TAG`: No space left on device (os error 28)
"""
PIP_DISK_FULL = """\
Installing collected packages: bigpkg
Successfully installed bigpkg-1.0
ERROR: Exception:
OSError: [Errno 18] Invalid cross-device link: '/tmp/pip-target-sbwj36of/lib/python/bigpkg' -> '/mnt/x/bigpkg'

During handling of the above exception, another exception occurred:

shutil.Error: [('/tmp/pip-target-sbwj36of/lib/python/bigpkg/__init__.py', '/mnt/x/bigpkg/__init__.py', "[Errno 28] No space left on device: '/tmp/pip-target-sbwj36of/lib/python/bigpkg/__init__.py' -> '/mnt/x/bigpkg/__init__.py'")]
"""
UV_READ_ONLY = """\
error: failed to create directory `/mnt/ro/t`: Read-only file system (os error 30)
"""
PIP_READ_ONLY = """\
Installing collected packages: keras
Successfully installed keras-2.10.0
ERROR: Exception:
OSError: [Errno 30] Read-only file system: '/mnt/ro/t2'
"""
UV_BUILD = """\
   Building breaks-build==1.0
error: Failed to build `breaks-build==1.0`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)

hint: Build failures usually indicate a problem with the package or the build environment
"""
PIP_BUILD = """\
  Getting requirements to build wheel: finished with status 'error'
  error: subprocess-exited-with-error

  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [1 lines of output]
      no compiler here
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
ERROR: Failed to build 'breaks-build' when getting requirements to build wheel
"""

INSTALLS = {
    "uv page 500": (UV_INSTALL_PAGE_500, "index-error", "500 Internal Server Error"),
    "uv file 404": (UV_INSTALL_FILE_404, "index-error", "404 Not Found"),
    "pip file 404": (PIP_INSTALL_FILE_404, "index-error", "404"),
    "uv file 500": (UV_INSTALL_FILE_500, "index-error", "500 Internal Server Error"),
    "pip file 500": (PIP_INSTALL_FILE_500, "index-error", "too many 500 error responses"),
    "uv truncated": (UV_INSTALL_TRUNCATED, "download-broken", "error decoding response body"),
    "pip truncated": (PIP_INSTALL_TRUNCATED, "download-broken", "incomplete-download"),
    "uv altered": (UV_INSTALL_ALTERED, "hash-mismatch", "keras==2.10.0"),
    "pip altered": (PIP_INSTALL_ALTERED, "hash-mismatch", "DO NOT MATCH"),
    "uv reset": (UV_RESET, "download-broken", "connection closed before message completed"),
    "pip reset": (PIP_INSTALL_RESET, "download-broken", "the connection was closed without a reply"),
    "uv slow": (UV_SLOW, "network", "operation timed out"),
    "pip slow": (PIP_INSTALL_SLOW, "network", "127.0.0.1 didn't respond within 1.0 seconds"),
    "uv offline": (UV_OFFLINE, "network", "127.0.0.1:9"),
    "uv no dns": (UV_NO_DNS, "network", "no-such-host.invalid"),
    "uv disk full": (UV_DISK_FULL, "disk-full", "os error 28"),
    "uv cache full": (UV_CACHE_FULL, "disk-full", "/mnt/x/cache"),
    "pip disk full": (PIP_DISK_FULL, "disk-full", "Errno 28"),
    "uv read-only": (UV_READ_ONLY, "not-writable", "/mnt/ro/t"),
    "pip read-only": (PIP_READ_ONLY, "not-writable", "/mnt/ro/t2"),
    "uv build": (UV_BUILD, "build-failed", "breaks-build"),
    "pip build": (PIP_BUILD, "build-failed", "subprocess-exited-with-error"),
}


@pytest.mark.parametrize("case", INSTALLS)
def test_installing(case: str) -> None:
    text, code, evidence = INSTALLS[case]
    error = install_failure(failed(text), LOG)
    assert isinstance(error, InstallError)
    assert (error.code, error.exit_code) == (code, 6)
    assert evidence in error.message
    assert str(LOG) in error.message
    assert error.hint


def test_an_unknown_failure_shows_the_end_of_the_output() -> None:
    error = install_failure(failed("\n".join(f"line {number}" for number in range(50))), LOG)
    assert error.code == "install-failed"
    assert "line 49" in error.message
    assert "line 20" not in error.message
    assert str(LOG) in error.message


def test_a_traceback_of_pip_is_not_shown() -> None:
    text = 'before\nTraceback (most recent call last):\n  File "x.py", line 1\n    raise ValueError\nValueError: odd\n'
    error = install_failure(failed(text), LOG)
    assert "before\n  ValueError: odd\n" in error.message
    assert "Traceback" not in error.message
    assert "x.py" not in error.message


def test_the_causes_line_is_shown_whole() -> None:
    error = install_failure(failed(UV_OFFLINE), LOG)
    assert "error sending request for url (http://127.0.0.1:9/simple/keras/)\n" in error.message


# Resolving --------------------------------------------------------------------------------------------------------

UV_PAGE_404 = """\
error: No solution found when resolving dependencies
  cause: Because keras was not found in the package registry and you require keras==2.10.0, we can conclude that your requirements are unsatisfiable.
"""
PIP_COMPILE_NO_PACKAGE = """\
  Looking in indexes: http://127.0.0.1:39473/simple/
  ERROR: Could not find a version that satisfies the requirement no-such-thing (from versions: none)
Traceback (most recent call last):
pip._vendor.resolvelib.resolvers.exceptions.ResolutionImpossible: [RequirementInformation(requirement=SpecifierRequirement('no-such-thing'), parent=None)]
pip._internal.exceptions.DistributionNotFound: No matching distribution found for no-such-thing
"""
UV_CLASH = """\
error: No solution found when resolving dependencies
  cause: Because all versions of needs-new-numpy depend on numpy>=1.26 and you require needs-new-numpy, we can conclude that you require numpy>=1.26.
         And because you require numpy<1.24, we can conclude that your requirements are unsatisfiable.
"""
PIP_COMPILE_CLASH = """\
  Collecting numpy<1.24 (from -r c.in (line 2))
  INFO: pip is looking at multiple versions of needs-new-numpy to determine which version is compatible with other requirements. This could take a while.

  The conflict is caused by:
      The user requested numpy<1.24
      needs-new-numpy 1.0 depends on numpy>=1.26

  Additionally, some packages in these conflicts have no matching distributions available for your environment:
      numpy

  To fix this you could try to:
  1. loosen the range of package versions you've specified
  2. remove package versions to allow pip to attempt to solve the dependency conflict

  ERROR: Cannot install -r c.in (line 1) and numpy<1.24 because these package versions have conflicting dependencies.
pip._internal.exceptions.DistributionNotFound: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/#dealing-with-dependency-conflicts
"""
UV_WRONG_PASSWORD = """\
error: No solution found when resolving dependencies
  cause: Because keras was not found in the package registry and you require keras==2.10.0, we can conclude that your requirements are unsatisfiable.

hint: An index URL (http://127.0.0.1:39473/simple/) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)
"""
PIP_WRONG_PASSWORD = """\
Looking in indexes: http://robot:****@127.0.0.1:39473/simple/
WARNING: 401 Error, Credentials not correct for http://127.0.0.1:39473/simple/keras/
ERROR: Could not find a version that satisfies the requirement keras==2.10.0 (from versions: none)
ERROR: No matching distribution found for keras==2.10.0
"""
UV_BAD_ADDRESS = """\
error: invalid value 'https://robot:se/cret@127.0.0.1/simple/' for '--default-index <DEFAULT_INDEX>': invalid port number

For more information, try '--help'.
"""
PIP_BAD_ADDRESS = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/urllib/parse.py", line 182, in port
    raise ValueError(f"Port could not be cast to integer value as {port!r}")
ValueError: Port could not be cast to integer value as 'se'
"""
PIP_BAD_PROXY = """\
Looking in indexes: https://127.0.0.1/simple
ERROR: Could not install packages due to an OSError: Failed to parse: http://robot:se/cret@127.0.0.1:9
"""
UV_FORBIDDEN = UV_WRONG_PASSWORD.replace("401 Unauthorized", "403 Forbidden")


def test_the_real_lines_of_a_clash_are_there() -> None:
    for text in (UV_CLASH, PIP_COMPILE_CLASH):
        error = resolution_failure(failed(text), LOG)
        assert isinstance(error, UnsolvableError)
        assert error.exit_code == 5
        assert "numpy<1.24" in error.message
        assert "numpy>=1.26" in error.message
        assert "Traceback" not in error.message
        assert "To fix this" not in error.message
        assert "--with" in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (UV_PAGE_404, "keras was not found"),
        (PIP_COMPILE_NO_PACKAGE, "No matching distribution found for no-such-thing"),
    ],
    ids=["uv", "pip"],
)
def test_what_no_index_has(text: str, words: str) -> None:
    error = resolution_failure(failed(text), LOG)
    assert isinstance(error, UnsolvableError)
    assert words in error.message
    assert "exceptions.DistributionNotFound" not in error.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (UV_WRONG_PASSWORD, "index-auth"),
        (UV_FORBIDDEN, "index-auth"),
        (PIP_WRONG_PASSWORD, "index-auth"),
        (UV_BAD_ADDRESS, "bad-address"),
        (PIP_BAD_ADDRESS, "bad-address"),
        (PIP_BAD_PROXY, "bad-address"),
        (UV_INSTALL_PAGE_500, "index-error"),
        (UV_OFFLINE, "network"),
        (UV_NO_DNS, "network"),
        (UV_RESET, "download-broken"),
        (UV_CACHE_FULL, "disk-full"),
        (UV_BUILD, "build-failed"),
        (f"{UV_OFFLINE}{UV_CLASH}", "network"),
        (f"{PIP_COMPILE_NO_PACKAGE}{PIP_INSTALL_FILE_500}", "index-error"),
    ],
)
def test_the_cause_comes_before_its_effect(text: str, code: str) -> None:
    error = resolution_failure(failed(text), LOG)
    assert isinstance(error, InstallError)
    assert error.code == code


def test_a_resolution_that_ends_in_the_unknown() -> None:
    error = resolution_failure(failed("first\n\nlast\n"), LOG)
    assert (error.code, error.exit_code) == ("install-failed", 6)
    assert "  first\n  last\n" in error.message


@pytest.mark.parametrize("answer", [install_failure, resolution_failure])
@pytest.mark.parametrize("text", [UV_INSTALL_PAGE_500, UV_CLASH, "unknown http://127.0.0.1:39473/"])
def test_no_secret_is_shown(answer: object, text: str) -> None:
    assert callable(answer)
    error = answer(failed(text.replace("http://127", "http://robot:hunter2@127") + "http://robot:hunter2@x/"), LOG)
    assert isinstance(error, ImageAIEnvError)
    assert "hunter2" not in f"{error.message} {error.hint}"
