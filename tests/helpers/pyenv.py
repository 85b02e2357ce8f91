"""A pyenv of the test's own: the real pyenv's commands where this host has them, versions that are invented.

An invented version answers as an interpreter would when it is asked what it is, and can do nothing else."""

import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading

from helpers.interpreters import need_interpreter, patch_version, pyenv_root
from helpers.waiting import wait_for

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


def small_prefix(minor, directory):
    """A prefix that works, made of this host's own Python: its binary copied, its library linked."""
    real = os.path.dirname(os.path.dirname(need_interpreter(minor)))
    name = "python" + minor
    for part in ("bin", "lib"):
        os.makedirs(os.path.join(directory, part), exist_ok=True)
    shutil.copy(os.path.join(real, "bin", name), os.path.join(directory, "bin", name))
    os.symlink(os.path.join(real, "lib", name), os.path.join(directory, "lib", name))
    os.symlink(name, os.path.join(directory, "bin", "python"))


# ---- installing ----

CONFIGURE = """#!/bin/sh
for each; do case $each in --prefix=*) prefix=${each#*=};; esac; done
echo "checking for a compiler... none is needed"
sed "s|@prefix@|$prefix|g" Makefile.in > Makefile
"""

# A gate is a named pipe: whoever reads it waits until the test has something to say ("go" or "fail").
# The prefix is made of this host's own Python: its binary copied, its library linked.
MAKEFILE = """all:
\t@echo "compiling %(version)s"
\t@%(gate)s
install:
\t@mkdir -p @prefix@/bin @prefix@/lib
\t@echo half > @prefix@/half
\t@%(late)s
\t@cp %(real)s/bin/python%(minor)s @prefix@/bin/python%(minor)s
\t@ln -s %(real)s/lib/python%(minor)s @prefix@/lib/python%(minor)s
\t@rm @prefix@/half
\t@ln -s python%(minor)s @prefix@/bin/python3
\t@ln -s python%(minor)s @prefix@/bin/python
"""

DEFINITION = 'install_package "Python-%s" "https://www.python.org/ftp/python/%s/Python-%s.tgz#%s" standard\n'

# What `pyenv install` does, as far as leanlocal relies on it; for hosts without pyenv, and in the place of
# one that a package has put elsewhere than its versions.
STAND_IN = """#!/bin/sh
set -e
[ "$1" = install ]; for version; do :; done
prefix=$PYENV_ROOT/versions/$version
[ ! -d "$prefix/bin" ] || exit 0
[ -e "%(definitions)s/$version" ] || { echo "definition not found: $version"; exit 2; }
cd "$TMPDIR"
echo "Downloading Python-$version.tar.gz..."
curl -sSf -o source.tgz "$PYTHON_BUILD_MIRROR_URL/$(cat %(definitions)s/sums/$version)"
tar xzf source.tgz; cd "Python-$version"
./configure --prefix="$prefix"; make
make install || { rm -rf "$prefix"; exit 1; }
"""


def _gate(path):
    return 'read answer < %s && echo "the gate says $$answer" && [ "$$answer" = go ]' % path if path else "true"


class Mirror(http.server.ThreadingHTTPServer):
    """Sources by their checksums, as PYTHON_BUILD_MIRROR_URL has them, on 127.0.0.1."""

    daemon_threads = True

    def __init__(self):
        self.files, self.asked = {}, []
        super().__init__(("127.0.0.1", 0), _Asked)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class _Asked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.command + " " + self.path)
        body = self.server.files.get(self.path.rpartition("/")[2])  # a proxy is asked for a whole URL
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body and self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


class Source:
    """A pyenv without versions that can install some: a mirror, definitions, tiny source trees."""

    def __init__(self, place, stand_in=None):
        self.directory = place.directory("pyenv-kit")
        self.pyenv = Pyenv(os.path.join(self.directory, "root"))
        self.definitions = os.path.join(self.directory, "definitions")
        os.makedirs(os.path.join(self.definitions, "sums"))
        self.mirror = Mirror()
        self.stand_in = stand_in if stand_in is not None else not real_pyenv()
        self.env = {**self.pyenv.env, "PYTHON_BUILD_DEFINITIONS": self.definitions,
                    "PYTHON_BUILD_MIRROR_URL": self.mirror.url}
        if self.stand_in:
            self._make_stand_in(place)
        os.chmod(self.directory, 0o755)

    def _make_stand_in(self, place):
        for name in os.listdir(self.pyenv.root):
            if name != "versions":
                os.unlink(os.path.join(self.pyenv.root, name))
        package = os.path.join(self.directory, "package", "libexec")
        os.makedirs(package)
        path = os.path.join(package, "pyenv")
        with open(path, "w") as file:
            file.write(STAND_IN % {"definitions": self.definitions})
        os.chmod(path, 0o755)
        self.env["PATH"] = package + ":" + place.env["PATH"]

    def gate(self, name="gate"):
        path = os.path.join(self.directory, name)
        os.mkfifo(path)
        return path

    def answer(self, gate, word):
        """To who waits at the gate; waits until somebody does."""
        def say():
            try:
                fd = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return False
            os.write(fd, word.encode() + b"\n")
            os.close(fd)
            return True
        wait_for(say, "somebody at the gate", 30)

    def add(self, minor, gate=None, late=None):
        """This host's version of that minor becomes one that can be installed; its whole version.
        gate: before `make` is done; late: when half of the prefix is made."""
        executable = need_interpreter(minor)
        real = os.path.dirname(os.path.dirname(executable))
        version = patch_version(minor)
        values = {"version": version, "minor": minor, "real": real, "gate": _gate(gate),
                  "late": _gate(late)}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as out:
            for name, text, mode in (("configure", CONFIGURE, 0o755),
                                     ("Makefile.in", MAKEFILE % values, 0o644)):
                entry = tarfile.TarInfo("Python-%s/%s" % (version, name))
                entry.size, entry.mode = len(text.encode()), mode
                out.addfile(entry, io.BytesIO(text.encode()))
        body = archive.getvalue()
        checksum = hashlib.sha256(body).hexdigest()
        self.mirror.files[checksum] = body
        for path, text in ((version, DEFINITION % (version, version, version, checksum)),
                           (os.path.join("sums", version), checksum)):
            with open(os.path.join(self.definitions, path), "w") as file:
                file.write(text)
        return version

    def installed(self):
        return sorted(os.listdir(self.pyenv.path()))

    def end(self):
        self.mirror.end()
