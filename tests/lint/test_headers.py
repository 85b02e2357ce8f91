"""Each header compiles alone, and opens with its manual."""

import concurrent.futures
import os
import shutil
import subprocess

import pytest

from sources import ROOT, files, lines, text

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-I" + ROOT, "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
HEADERS = files(".h")


def compile_header(name):
    done = subprocess.run(["gcc", *FLAGS, "-x", "c", os.path.join(ROOT, name)], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, check=False)
    return "" if done.returncode == 0 else done.stderr


def test_headers_compile_alone():
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    assert HEADERS
    with concurrent.futures.ThreadPoolExecutor() as pool:
        trouble = [each for each in pool.map(compile_header, HEADERS) if each]
    assert not trouble, lines(trouble)


def test_headers_open_with_their_manual():
    found = [name for name in HEADERS if not text(name).startswith("// What:")]
    assert not found, lines(found)


def test_headers_are_guarded_by_their_path():
    found = []
    for name in HEADERS:
        path = name[len("sandbox/"):] if name.startswith("sandbox/base/") else name
        if "#ifndef " + path.upper().replace("/", "_").replace(".", "_") + "\n" not in text(name):
            found.append(name)
    assert not found, lines(found)
