"""Which Python a project gets (P-40 to P-53, P-309)."""

import os
import shutil

import pytest

from helpers.interpreters import need_interpreter, patch_version, pyenv_root

EMPTY = {"requirements.txt": ""}


def version(report):
    return report.starting("python")[0].split()[0]


@pytest.mark.parametrize("text", ["{0}", "# why\r\n\r\n{0} 3.6\r\n", "python-{0}", "{1}\n",
                                  "3.99\n{0}\n", "{1}.999"])
@pytest.mark.contract("P-40", "P-50")
def test_python_version_file(builds, text):
    exact = patch_version("3.12")
    builds.write(dict(EMPTY, **{".python-version": text.format(exact, "3.12")}))
    report = builds.run()
    assert version(report) == exact
    other = "3.99" in text or "999" in text
    assert any("P-40" in line for line in report.starting("deviation")) == other


@pytest.mark.parametrize("text, said", [
    ("pypy3.10-7.3.12\n", ".python-version:1: pypy3.10-7.3.12: the cloud has CPython only"),
    ("\n../../bin\n", ".python-version:2: ../../bin: is a path"),
    ("system", "means this computer's Python"),
    ("myenv", "is not a CPython version"),
])
@pytest.mark.contract("P-41")
def test_python_version_file_refused(builds, text, said):
    builds.write(dict(EMPTY, **{".python-version": text}))
    failed = builds.run(check=1)
    assert said in failed.text and "error project P-41" in failed.text
    assert failed.states("python") == ["running", "failed"]


@pytest.mark.contract("P-52")
def test_missing_python_names_the_command(builds):
    builds.write(dict(EMPTY, **{".python-version": "3.99\n"}))
    failed = builds.run(check=3)
    assert ".python-version:1: Python 3.99 is not installed here (found: " in failed.text
    assert "pyenv install 3.99" in failed.starting("hint")[0]


@pytest.mark.contract("P-51")
def test_one_prefix_is_not_another(builds):
    """P-51: 3.1 never means 3.10."""
    builds.write(dict(EMPTY, **{".python-version": "3.1\n"}))
    assert "Python 3.1 is not installed" in builds.run(check=3).text


@pytest.mark.contract("P-42")
def test_no_file_takes_the_newest_and_says_so(builds):
    builds.write(EMPTY)
    report = builds.run()
    newest = version(report)
    assert tuple(map(int, newest.split("."))) >= (3, 6)
    if tuple(map(int, newest.split(".")))[:2] < (3, 14):
        assert any("P-42" in line for line in report.starting("deviation"))


@pytest.mark.contract("P-42")
def test_legacy_default(builds):
    need_interpreter("2.7")
    builds.write(EMPTY)
    assert version(builds.run("--legacy")).startswith("2.7.")


def test_shims_are_bypassed(builds):
    """A directory of shims first on PATH is never run."""
    shims = os.path.join(builds.root, "shims")
    os.mkdir(shims)
    for name in ("python", "python3", "python3.11"):
        path = os.path.join(shims, name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\ntouch %s/ran\nexit 1\n" % builds.root)
        os.chmod(path, 0o755)
    builds.write(EMPTY)
    builds.run(env={"PATH": shims + ":/usr/bin:/bin"})
    assert not os.path.exists(os.path.join(builds.root, "ran"))


def test_broken_interpreter_is_passed_over(builds):
    """A version directory that does not work does not stop the search."""
    need_interpreter("system")
    root = os.path.join(builds.root, "pyenv")
    os.makedirs(os.path.join(root, "versions/3.99.1/bin"))
    path = os.path.join(root, "versions/3.99.1/bin/python")
    with open(path, "w") as file:
        file.write("#!/bin/sh\nexit 1\n")
    os.chmod(path, 0o755)
    builds.write(EMPTY)
    report = builds.run(env={"PYENV_ROOT": root, "HOME": builds.root, "PATH": "/usr/bin:/bin"})
    assert report.starting("python")[0].split()[1].startswith("/usr/bin/python3")


@pytest.mark.skipif(not pyenv_root(), reason="no pyenv on this host")
@pytest.mark.contract("P-309")
def test_borrowed_pip(builds):
    """P-309: an interpreter without pip uses another's that supports it; with none the error says so."""
    source = os.path.dirname(os.path.dirname(need_interpreter("3.12")))
    lender = os.path.dirname(os.path.dirname(need_interpreter("3.13")))
    root = os.path.join(builds.root, "pyenv")
    copy = os.path.join(root, "versions", os.path.basename(source))
    shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(
        "pip", "ensurepip", "test", "*.a", "config-3*", "idlelib"))
    builds.house.add("one", "1.0")
    builds.write({"requirements.txt": "one\n", ".python-version": "3.12\n"})
    env = {"PYENV_ROOT": root, "HOME": builds.root, "PATH": "/nowhere"}
    if not os.path.exists("/usr/bin/python3.12"):  # Debian's pip there could be lent as well
        failed = builds.run(env=env, check=3)
        assert "error host P-309" in failed.text and "ensurepip" in failed.starting("hint")[0]
    os.symlink(lender, os.path.join(root, "versions", os.path.basename(lender)))
    report = builds.run(command=["python", "-c", "import one, sys; print(sys.prefix)"], env=env)
    assert report.app == ["/opt/env"]
