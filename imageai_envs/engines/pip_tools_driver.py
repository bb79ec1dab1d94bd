"""Run pip-tools without its downloads. Executed by the helper environment's Python (3.7 or newer), never imported.

Two things, measured with TensorFlow 2.10 on an index without PyPI's JSON API (a mirror, devpi, Artifactory):

* pip-compile hashes every file of every release by downloading it: 3.5 minutes and gigabytes. The index already
  tells each file's sha256 in its link (PEP 503, PEP 691); pip trusts the same value when it downloads.
* older pips (23.1.2 and 25.0.1 do, 26.0.1 does not) download every resolved file (TensorFlow: 145-580 MB) at the
  end of a resolution, though only metadata was needed (PEP 658, or range requests).

Both patches fall back to what pip-tools does by itself when a name is not there.
"""

import sys


def use_hashes_of_links():
    """Take a file's hash from its link when the index gives one."""
    from piptools.repositories.pypi import PyPIRepository

    download_and_hash = getattr(PyPIRepository, "_get_file_hash", None)
    if download_and_hash is None or not hasattr(PyPIRepository, "_get_hashes_from_pypi"):
        return

    def file_hash(self, link):
        if link.hash_name == "sha256" and link.hash:
            return "sha256:" + link.hash
        return download_and_hash(self, link)

    PyPIRepository._get_file_hash = file_hash
    PyPIRepository._get_hashes_from_pypi = lambda self, ireq: {}


def skip_final_downloads():
    """Leave files undownloaded after a resolution, in a pip that downloads them inside its resolver."""
    from pip import __version__

    if int(__version__.split(".")[0]) >= 26:
        return
    from pip._internal.operations.prepare import RequirementPreparer

    if hasattr(RequirementPreparer, "prepare_linked_requirements_more"):
        RequirementPreparer.prepare_linked_requirements_more = lambda self, reqs, parallel_builds=False: None


if __name__ == "__main__":
    use_hashes_of_links()
    skip_final_downloads()
    from piptools.__main__ import cli

    sys.exit(cli(prog_name="pip-tools"))
