"""./dev: usage, and what it says on a machine that lacks things (shown by an empty PATH, as nobody)."""

import os
import subprocess

import pytest

from sources import ROOT

DEV = os.path.join(ROOT, "dev")
TOOLS = ["sh", "cat", "cut", "dirname", "id", "sed", "sort", "tr", "grep", "dpkg-query"]


def dev(*arguments, **keywords):
    keywords.setdefault("env", {"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    return subprocess.run([DEV, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False, **keywords)


def test_help():
    done = dev("--help")
    assert done.returncode == 0
    for word in ("run DIR", "test", "build", "bench", "simulate", "fuzz", "mutate", "fidelity", "soak"):
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run"], ["run", "--plain"], ["build", "fast"],
                                       ["test", "--nonsense"], ["run", "no/such/directory"]])
def test_wrong_usage(arguments):
    if arguments[:1] == ["test"]:
        pytest.skip("would first install what the tests need")
    assert dev(*arguments).returncode == 2


@pytest.mark.parametrize("name", ["bench", "soak", "simulate"])
def test_not_yet_is_said(name):
    if os.path.exists(os.path.join(ROOT, "tests", name, "run")):
        pytest.skip("it is there")
    done = dev(name)
    assert done.returncode == 3 and "not yet" in done.stderr


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with the shell's tools alone."""
    for name in TOOLS:
        for directory in ("/usr/bin", "/bin"):
            if os.path.exists(os.path.join(directory, name)):
                (tmp_path / name).symlink_to(os.path.join(directory, name))
                break
    os.chmod(tmp_path, 0o755)
    return tmp_path


def test_without_apt_it_names_what_is_missing(bare_path):
    done = dev("build", env={"PATH": str(bare_path)})
    assert done.returncode == 3
    assert "no apt-get here" in done.stderr
    assert "program cmake" in done.stderr and "ninja-build" in done.stderr


@pytest.mark.parametrize("works", [True, False])
def test_sanitizers_of_clang_are_looked_for_by_linking(bare_path, works):
    for name in ("mktemp", "rm"):
        (bare_path / name).symlink_to("/bin/" + name)
    (bare_path / "clang").symlink_to("/bin/true" if works else "/bin/false")
    done = dev("needs", "sanitizers", env={"PATH": str(bare_path)})
    assert ("libclang-rt-dev" in done.stdout) == (not works), done.stdout + done.stderr


def test_an_ordinary_user_gets_the_command(bare_path):
    (bare_path / "apt-get").symlink_to("/bin/false")
    (bare_path / "id").unlink()
    (bare_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (bare_path / "id").chmod(0o755)
    done = dev("build", env={"PATH": str(bare_path)})
    assert done.returncode == 3
    line = [each for each in done.stderr.split("\n") if "sudo apt-get install" in each][0]
    assert "--no-remove" in line and "cmake" in line
    assert line.count("libcurl4-") <= 1


def test_apt_that_fails_is_said(bare_path):
    if os.geteuid() != 0:
        pytest.skip("not root: apt is never called")
    (bare_path / "apt-get").symlink_to("/bin/false")
    done = dev("build", env={"PATH": str(bare_path)})
    assert done.returncode == 3
    assert "could not install" in done.stderr
