"""Tiny pure wheels, made here, so that install tests need no index.

    house = Wheelhouse(directory)
    house.add("greeting", "1.0", {"greeting.py": "WORD = 'hi'"}, requires=["other>=2"])
    place.run("build", project, env=house.env)
"""

import base64
import hashlib
import os
import zipfile

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n" \
        "Tag: py2-none-any\nTag: py3-none-any\n"
NEVER = (1980, 1, 1, 0, 0, 0)  # the same bytes at each run


def _record_line(path, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d\n" % (path, digest, len(data))


def _metadata(name, version, requires, requires_python):
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
    lines += ["Requires-Dist: " + each for each in requires]
    if requires_python:
        lines.append("Requires-Python: " + requires_python)
    return "\n".join(lines) + "\n"


def build_wheel(directory, name, version, files, requires=(), scripts=None, requires_python=None):
    """files: {path in site-packages: text}; scripts: {"command": "module:function"}. The wheel's path."""
    stem = "%s-%s" % (name.replace("-", "_"), version)
    info = stem + ".dist-info"
    contents = {path: text.encode() for path, text in files.items()}
    contents[info + "/METADATA"] = _metadata(name, version, requires, requires_python).encode()
    contents[info + "/WHEEL"] = WHEEL.encode()
    if scripts:
        rows = ["%s = %s" % row for row in sorted(scripts.items())]
        contents[info + "/entry_points.txt"] = ("[console_scripts]\n" + "\n".join(rows) + "\n").encode()
    record = "".join(_record_line(path, data) for path, data in contents.items())
    contents[info + "/RECORD"] = (record + info + "/RECORD,,\n").encode()
    path = os.path.join(str(directory), stem + "-py2.py3-none-any.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for inner, data in contents.items():
            wheel.writestr(zipfile.ZipInfo(inner, NEVER), data)
    return path


class Wheelhouse:
    """A directory that pip takes for all the packages there are."""

    def __init__(self, directory):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)

    def add(self, name, version, files=None, **more):
        module = name.replace("-", "_") + ".py"
        return build_wheel(self.directory, name, version,
                           files or {module: "VERSION = %r\n" % version}, **more)

    @property
    def env(self):
        """pip sees this directory and nothing else."""
        return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.directory,
                "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
