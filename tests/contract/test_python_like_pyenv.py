"""The same files and prefixes given to leanlocal and to pyenv itself, with the list of what differs and why."""

import json

import pytest

from helpers.pyenv import Pyenv, real_pyenv

pytestmark = pytest.mark.skipif(not real_pyenv(), reason="no pyenv on this host")

INVENTED = ("2.7.18", "3.9.9", "3.9.10", "3.10.2", "3.10.13", "3.12.1", "3.13.0", "3.13.0t", "3.13.1t",
            "3.14.0rc1", "3.14-dev")

CONTENTS = [
    "3.10.2\n", "3.10.2", "3.10.2\r\n", "3.10.2\r", "\n\n3.10.2\n", "# why\n3.10.2\n", "  # why\n3.10.2",
    "\t3.10.2\n", "3.10.2 # the old one\n", "3.10.2\tand more\n", "3.10\n", "3\n", "2\n", "2.7\n", "3.9\n",
    "3.13\n", "3.13t\n", "3.13.0t\n", "3.14.0rc1\n", "3.14-dev\n", "3.1\n", "3.14\n", "3.15\n", "3.10.5\n",
    "python-3.10\n", "python-3.10.2\n", "python-3.1\n", "3.12\n3.10\n", "3.8\n3.10\n", "3.10\r3.12\n",
    "\r3.10.2\n", " \r3.10.2\n3.12\n", "3.10.2\n# 3.12\n", "\r\n\r\n3.12\r\n", "3.10.2\n\n\n", "3.9.1\n3.8\n",
    "#3.12\n3.10.2\n", "# a\n#b\n", "", "\n \n", "3.10.2#x\n", "3.99\n", "system\n", "../../bin\n",
    "3.12/..\n3.10\n", "pypy3.10\n", "my-env\n", "3.10:3.12\n", "2.6\n", "\ufeff3.10.2\n", "V3.10\n", "3.10.\n",
]

# What differs on purpose. `None`: leanlocal refuses it (P-41) where pyenv would look for it in vain or take
# something that the cloud has not; "newest": no version is named; "nearest": a stand-in, told as a deviation.
REFUSED, NEWEST, NEAREST = "refused", "newest", "nearest"
DIFFERENT = {
    "system\n": (REFUSED, "the cloud has no Python of this computer"),
    "../../bin\n": (REFUSED, "pyenv passes over a path with a word on stderr; it can only be a mistake"),
    "3.12/..\n3.10\n": (REFUSED, "the same"),
    "pypy3.10\n": (REFUSED, "CPython only"),
    "my-env\n": (REFUSED, "the cloud has no virtual environments"),
    "3.10:3.12\n": (REFUSED, "pyenv joins versions by colons; nobody writes one, and :3.10 means nonsense"),
    "2.6\n": (REFUSED, "older than what the cloud has"),
    "\ufeff3.10.2\n": ("3.10.2", "a byte order mark is read over, with a warning"),
    "V3.10\n": (REFUSED, "no version of CPython"),
    "3.10.\n": (REFUSED, "no version of CPython"),
    "3.10.2#x\n": (REFUSED, "no version of CPython"),
    "# a\n#b\n": (NEWEST, "pyenv falls back on the system's Python, the cloud on the newest stable"),
    "": (NEWEST, "the same"),
    "\n \n": (NEWEST, "the same"),
    "3.10.5\n": (NEAREST, "a stand-in of the same minor, told as a deviation"),
    "3.9.1\n3.8\n": (NEAREST, "the same"),
}


@pytest.fixture
def pyenv(place):
    made = Pyenv(place.directory("pyenv"))
    made.invent(*INVENTED)
    return made


def ours(answer):
    """(the version, whether it is a stand-in) or why there is none."""
    if "python" not in answer:
        return (REFUSED if answer["error"]["kind"] == "project" else "missing"), False
    stand_in = any("takes its place" in each["text"] and each["line"] == 1
                   for each in answer["diagnostics"])
    return answer["python"]["executable"].split("/")[-3], stand_in


def pyenvs(pyenv, directory):
    """What `python` would be: the first version that is there, as the shims take it."""
    code, path = pyenv.run("which", "python", cwd=directory, env={"PATH": "/usr/bin:/bin"})
    if code == 0 and "/versions/" in path:
        return path.split("/")[-3]
    return "system" if pyenv.run("version-name", cwd=directory)[1] == "system" else "missing"


@pytest.mark.contract("P-50", "P-51", "P-52")
@pytest.mark.slow
def test_contents(place, run, pyenv):
    cache, found = place.directory("asked"), {}
    for text in CONTENTS:
        root = place.project({".python-version": text.encode()})
        answer = json.loads(run("@python", "find", root, cache, "0", "0",
                                env={**pyenv.env, "PATH": "/nowhere"}).stdout)
        found[text] = (ours(answer), pyenvs(pyenv, root))
    trouble = []
    for text, ((version, stand_in), theirs) in found.items():
        expected, why = DIFFERENT.get(text, (theirs, "as pyenv"))
        if expected == NEWEST:
            agreed = version == "3.13.0" and theirs == "system"
        elif expected == NEAREST:
            agreed = stand_in and theirs == "missing"
        else:
            agreed = version == expected and (text not in DIFFERENT or theirs != version)
        if not agreed:
            trouble.append("%r: ours %r, pyenv's %r, expected %r (%s)" % (text, version, theirs, expected, why))
    assert not trouble, "\n".join(trouble)
    assert len(CONTENTS) >= 40


KNOWN = ["3", "2", "2.7", "3.6", "3.9", "3.10", "3.12", "3.13", "3.13t", "3.14", "3.1", "3.10.13", "3.99",
         "3.14-dev", "3.14.0rc1", "3.13.0t"]


@pytest.mark.contract("P-51")
def test_what_would_be_installed(place, run):
    """A prefix without anything installed: the newest that pyenv's own list knows (`pyenv latest -k`)."""
    empty = Pyenv(place.directory("empty"))
    cache = place.directory("asked")
    for prefix in KNOWN:
        root = place.project({".python-version": prefix})
        answer = json.loads(run("@python", "find", root, cache, "0", "0",
                                env={**empty.env, "PATH": "/nowhere"}).stdout)
        code, theirs = empty.run("latest", "-k", prefix, cwd=root)
        if "python" in answer:  # the system's own Python is one of that minor
            continue
        offered = answer.get("offer", {}).get("version")
        assert offered == (theirs if code == 0 else None), prefix
