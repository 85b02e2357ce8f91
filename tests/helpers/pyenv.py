"""A pyenv of the test's own: the real pyenv's commands where this host has them, versions that are invented.

An invented version answers as an interpreter would when it is asked what it is, and can do nothing else."""

import json
import os
import subprocess

from helpers.interpreters import pyenv_root

NUMBERS = "0123456789."


def real_pyenv():
    """The directory of this host's pyenv with its commands, or None."""
    root = pyenv_root()
    return root if root and os.access(os.path.join(root, "libexec", "pyenv"), os.X_OK) else None


class Pyenv:
    def __init__(self, root):
        self.root = str(root)
        os.makedirs(os.path.join(self.root, "versions"), exist_ok=True)
        os.chmod(self.root, 0o755)
        real = real_pyenv()
        for name in ("bin", "libexec", "plugins", "pyenv.d", "completions") if real else ():
            os.symlink(os.path.join(real, name), os.path.join(self.root, name))

    @property
    def env(self):
        return {"PYENV_ROOT": self.root, "PYENV_VERSION": ""}

    def path(self, *names):
        return os.path.join(self.root, "versions", *names)

    def link(self, name, target):
        """versions/<name> is a link, as to an interpreter that stands elsewhere."""
        os.symlink(target, self.path(name))

    def invent(self, *names):
        for name in names:
            self._script(name, "echo '%s'\n" % json.dumps(self._facts(name)))

    def hang(self, name):
        """A version that never answers."""
        self._script(name, "kill -STOP $$\n")

    def _facts(self, name):
        version = "".join(each for each in name.split("rc")[0].split("-")[0] if each in NUMBERS)
        numbers = [int(each) for each in version.split(".")]
        final = name.strip(NUMBERS) == ""
        return {"version": ".".join(map(str, (numbers + [0, 0])[:3])), "major": numbers[0],
                "minor": (numbers + [0])[1], "executable": self.path(name, "bin", "python"),
                "prefix": self.path(name), "mounts": [self.path(name)], "implementation": "CPython",
                "final": final, "has_venv": True, "pip_dir": "/nowhere", "pip_version": "24.0"}

    def _script(self, name, text):
        os.makedirs(self.path(name, "bin"))
        path = self.path(name, "bin", "python")
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)

    def run(self, *arguments, cwd, env=None):
        """The real pyenv with this root: (exit status, its output without the final newline)."""
        program = os.path.join(real_pyenv(), "libexec", "pyenv")
        done = subprocess.run([program, *arguments], cwd=cwd, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False,
                              env={**os.environ, **self.env, **(env or {})})
        return done.returncode, done.stdout.rstrip("\n")
