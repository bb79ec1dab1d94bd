"""What an interpreter says of itself as its user would start it. Runs under Python 2.7 and 3.x.

Nothing is imported that is not in the standard library; where a module would come from is asked, not tried. Only
_tkinter is tried: many Pythons have the file and not the libraries of the system that it needs.
"""

import json
import os
import platform
import site
import struct
import sys
import sysconfig

MARK = "@@imageai-env@@"
MODULES = (
    "tensorflow", "keras", "imageai", "numpy", "cv2", "torch", "torchvision", "matplotlib", "PIL", "h5py", "scipy",
    "keras_resnet", "google", "tkinter", "pip",
)  # fmt: skip


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
        return str(error)
    return ""


def main():
    """Print one line of JSON. Who started us has taken the working directory from the path (`-c` puts it there)."""
    try:
        user_site = site.getusersitepackages()
    except Exception:
        user_site = None
    print(MARK + json.dumps({
        "version": list(sys.version_info[:3]),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "real_prefix", getattr(sys, "base_prefix", sys.prefix)),
        "path": list(sys.path),
        "purelib": sysconfig.get_paths()["purelib"],
        "user_site": user_site,
        "user_site_enabled": bool(getattr(site, "ENABLE_USER_SITE", False)),
        "sys_platform": sys.platform,
        "machine": platform.machine(),
        "bits": struct.calcsize("P") * 8,
        "libc": list(platform.libc_ver()),
        "no_tkinter": without_tkinter(),
        "modules": {name: location(name) for name in MODULES},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
