"""What packages.py makes of a layer's metadata, with every Python of this host: no install needed."""

import json
import os
import subprocess

import pytest

from builds_kit import ROOT
from helpers.interpreters import ALL, need_interpreter

SOURCE = os.path.join(ROOT, "emulator", "blame")
DRIVER = """
import sys
sys.path[:0] = [%r, %r]
import packages
packages.write(%r, %r, %r, %r)
"""
STEPS = "def tell(word, text):\n    print('%s: %s' % (word, text))\n"


class Layer:
    """A directory that looks like a layer; no module of it is ever imported."""

    def __init__(self, root, python):
        self.root, self.python = str(root), python
        self.site = os.path.join(self.root, "lib", "site-packages")
        self.work = os.path.join(self.root, "work")
        self.write("own/steps.py", STEPS)
        self.write("work/requirements.txt", "")
        os.makedirs(self.site)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def add(self, info, metadata, **more):
        base = os.path.join("lib/site-packages", info)
        if not metadata.endswith("\n\n"):
            metadata += "\n"
        self.write(os.path.join(base, "METADATA" if info.endswith(".dist-info") else "PKG-INFO"), metadata)
        for name, text in more.items():
            self.write(os.path.join(base, name.replace("_txt", ".txt")), text)

    def read(self, check=False, flags=()):
        script = DRIVER % (SOURCE, os.path.join(self.root, "own"), self.root, self.site, self.work, check)
        done = subprocess.run([self.python, "-B", "-E", "-s", *flags, "-c", script], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        self.output = done.stdout
        with open(os.path.join(self.root, ".packages.json")) as file:
            facts = json.load(file)
        return facts, {package["name"]: package for package in facts["packages"]}


@pytest.fixture(params=ALL)
def layer(request, tmp_path):
    return Layer(tmp_path, need_interpreter(request.param))


def test_wheels_eggs_and_what_is_broken(layer):
    layer.add("Flask-1.0.4.dist-info", "Metadata-Version: 2.1\nName: Flask\nVersion: 1.0.4\n"
              "Requires-Python: >=2.7\nRequires-Dist: Jinja2 (>=2.10)\n\nVersion: 9 of the description\n\n",
              RECORD="flask/__init__.py,,\nflask/json.py,,\n../../bin/flask,,\nFlask-1.0.4.dist-info/RECORD,,\n")
    layer.add("old-2.0-py2.7.egg-info", "Name: old\nVersion: 2.0\n", top_level_txt="old\n_old\n",
              requires_txt="six>=1\n\n[extra]\nnever\n\n[:python_version<\"3\"]\nfutures\n")
    layer.add("google_x-1.dist-info", "Name: google-x\nVersion: 1\n",
              RECORD="google/x/__init__.py,,\ngoogle/x/deep/a.py,,\n")
    layer.write("lib/site-packages/one-3.egg-info", "Name: one\nVersion: 3\n")
    layer.add("broken-1.dist-info", "no header at all\n")
    layer.write("lib/site-packages/bytes-1.dist-info/METADATA", b"Name: bytes\nVersion: 1\nAuthor: \xff\xfe\n")
    os.makedirs(os.path.join(layer.site, "empty-1.dist-info"))
    facts, found = layer.read()
    assert sorted(found) == ["Flask", "bytes", "google-x", "old", "one"]
    assert found["Flask"] == {"name": "Flask", "version": "1.0.4", "python": ">=2.7",
                              "requires": ["Jinja2 (>=2.10)"], "modules": ["flask"]}
    assert found["old"]["modules"] == ["_old", "old"]
    assert found["old"]["requires"] == ["six>=1", 'futures; python_version<"3"']
    assert found["google-x"]["modules"] == ["google.x"]
    assert facts["python"].count(".") == 2


def test_the_standard_library_is_this_pythons(layer):
    facts, _ = layer.read()
    standard = set(facts["standard"])
    assert {"email", "json", "sys", "collections", "random"} <= standard
    major, minor = map(int, facts["python"].split(".")[:2])
    assert ("urllib2" in standard) == (major == 2)
    assert ("imp" in standard) == ((major, minor) < (3, 12))
    assert not standard & {"flask", "site-packages", "lib-dynload", "pip"}


def test_requirements_with_their_lines(layer):
    layer.write("work/requirements.txt", (
        "\ufeff# head\r\nflask[async]>=1.0 ; python_version > '3'  # why\r\n-r more/dev.txt\r\n--no-index\n"
        "-e git+https://example.com/x.git@1#egg=Egg-Name\nhttps://example.com/y.zip\n"
        "name @ https://example.com/z.whl\n./local.whl\n-r requirements.txt\n"))
    layer.write("work/more/dev.txt", "pytest\n-r ../requirements.txt\n-r absent.txt\n")
    facts, _ = layer.read()
    rows = [(row["name"], row["file"], row["line"]) for row in facts["requirements"]]
    assert rows == [("flask", "requirements.txt", 2), ("pytest", "more/dev.txt", 1),
                    ("Egg-Name", "requirements.txt", 5), ("name", "requirements.txt", 7)]
    assert facts["requirements"][0]["text"] == "flask[async]>=1.0 ; python_version > '3'"


def test_without_pip_nothing_is_said_of_contradictions(layer):
    layer.add("user-1.dist-info", "Name: user\nVersion: 1\nRequires-Dist: base<2\n")
    _, found = layer.read(check=True, flags=["-S"])
    assert layer.output == "" and list(found) == ["user"]
