"""The Pythons of this host: pyenv's, those on PATH, the system's. Each is named; absent ones skip aloud."""

import glob
import os
import re
import shutil

import pytest

ALL = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "system"]


def pyenv_root():
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    return root if os.path.isdir(os.path.join(root, "versions")) else None


def find_interpreter(wanted):
    """Path of the interpreter, or None."""
    if wanted == "system":
        return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else None
    found = glob.glob(os.path.join(pyenv_root() or "/nowhere", "versions", wanted + ".*", "bin", "python"))
    exact = [path for path in found if re.fullmatch(r"[\d.]+", path.split("/")[-3])]
    if exact:
        return sorted(exact)[-1]
    on_path = shutil.which("python" + wanted)
    return on_path if on_path and "/shims/" not in on_path else None


def need_interpreter(wanted):
    path = find_interpreter(wanted)
    if not path:
        pytest.skip("no Python %s on this host" % wanted)
    return path


def patch_version(wanted):
    """What a `.python-version` has to say to get it: "3.8.18"."""
    path = need_interpreter(wanted)
    found = re.search(r"/versions/([\d.]+)/bin/", path)
    return found.group(1) if found else wanted
