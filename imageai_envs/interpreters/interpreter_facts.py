"""What an interpreter says of itself; with the argument ``imports``, what it would import too. Python 2.7 and 3.x.

Nothing is imported that is not in the standard library; where a module would come from is asked, not tried. Only
_tkinter is tried: many Pythons have the file and not the libraries of the system that it needs.
"""

import sys

sys.path[:] = [entry for entry in sys.path if entry]  # `-c` puts the working directory there: no json.py of that

import json
import os
import platform
import sysconfig

MARK = "@@imageai-env@@"
MODULES = (
    "tensorflow", "keras", "imageai", "numpy", "cv2", "torch", "torchvision", "matplotlib", "PIL", "h5py", "scipy",
    "keras_resnet", "google", "tkinter", "pip",
)  # fmt: skip


def identity():
    """Return which Python this is."""
    variable = sysconfig.get_config_var
    return {
        "executable": sys.executable,
        "version": list(sys.version_info[:3]),
        "level": sys.version_info[3],
        "implementation": platform.python_implementation(),
        "sys_platform": sys.platform,
        "machine": platform.machine(),
        "wide": sys.maxsize > 2**32,
        "threaded": bool(variable("Py_GIL_DISABLED")),
        "musl": "musl" in "%s %s" % (variable("HOST_GNU_TYPE"), variable("SOABI")),
        "no_tkinter": without_tkinter(),
    }


def imports():
    """Return what this Python would import, and from where."""
    import site

    try:
        user_site = site.getusersitepackages()
    except Exception:
        user_site = None
    return {
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "real_prefix", getattr(sys, "base_prefix", sys.prefix)),
        "path": list(sys.path),
        "purelib": sysconfig.get_paths()["purelib"],
        "user_site": user_site,
        "user_site_enabled": bool(getattr(site, "ENABLE_USER_SITE", False)),
        "libc": list(platform.libc_ver()),
        "modules": {name: location(name) for name in MODULES},
    }


def location(name):
    """Return the file that `import name` would load, a directory for a namespace package, None if there is none."""
    try:
        if sys.version_info[0] == 2:
            import imp

            found = imp.find_module(name)[1]
            return os.path.join(found, "__init__.py") if os.path.isdir(found) else found
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is None:
            return None
        if spec.origin and spec.origin != "namespace":
            return spec.origin
        return list(spec.submodule_search_locations or [None])[0]
    except Exception:  # a broken .pth hook or finder must not hide the rest
        return None


def without_tkinter():
    """Return why tkinter cannot be imported, empty when it can."""
    try:
        import _tkinter  # noqa: F401
    except Exception as error:
        return str(error) or "no reason was given"
    return ""


def main():
    """Print one line of JSON."""
    facts = identity()
    if "imports" in sys.argv[1:]:
        facts.update(imports())
    print(MARK + json.dumps(facts))


if __name__ == "__main__":
    main()
