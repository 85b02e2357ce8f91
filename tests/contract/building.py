"""What the tests of install and build have in common: small projects, and the lines of a build by their word."""

import json
import re

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"


def files(requirements="", yaml=None, **more):
    """A project that starts; more: wsgi_py="..." stands for wsgi.py."""
    made = {"wsgi.py": OK, "requirements.txt": requirements}
    if yaml is not None:
        made["leanengine.yaml"] = yaml
    made.update(more)
    return made


def steps(key, *commands):
    """A list of shell commands as a line of leanengine.yaml, whatever is in them."""
    return "%s: %s\n" % (key, json.dumps(commands))


def lines(done, word):
    """What stands behind that word, such as "install", in the order it was printed."""
    found = re.findall(r"(?m)^\d\d:\d\d:\d\d (\S+) +(.*)$", done.stdout)
    return [text for name, text in found if name == word]


def cloud(done):
    return lines(done, "cloud")


def build(run, root, *options, code=0, **more):
    """`leanlocal build --build-logs`, which must end with that code."""
    done = run("build", root, "--build-logs", *options, **more)
    assert done.returncode == code, done.stdout + done.stderr
    return done
