"""clang-format decides how it looks. Versions differ: only the one that the style was written for compares."""

import os
import re
import shutil
import subprocess

import pytest

from sources import ROOT, files

VERSION = "14"


def formatter():
    for name in ("clang-format-" + VERSION, "clang-format"):
        path = shutil.which(name)
        said = path and subprocess.run([path, "--version"], capture_output=True, text=True,
                                       check=False).stdout
        if said and re.search(r"version %s\." % VERSION, said):
            return path
    pytest.skip("clang-format %s is not installed" % VERSION)


def test_sources_are_formatted():
    names = files(".c", ".h", below=("sandbox", "emulator", "tui", "tests"))
    done = subprocess.run([formatter(), "--dry-run", *names], cwd=ROOT, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, check=False)
    wrong = sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: \w+: code should be", done.stderr, re.MULTILINE)))
    assert wrong == [], "clang-format -i %s" % " ".join(wrong)
