"""The program as it was built, the languages, the scripts."""

import os
import re
import shutil
import subprocess

import pytest

from sources import ROOT, all_files, files, text

# The five packages of the mission and what else DESIGN 15 names.
LINKED = ["libncursesw.so", "libcurl", "libyaml", "libinotifytools.so", "libcjson.so", "libnettle.so", "libz.so"]


@pytest.fixture(scope="module")
def needed(leanlocal):
    if not shutil.which("readelf"):
        pytest.skip("readelf is not installed")
    said = subprocess.run(["readelf", "-d", leanlocal], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", said)


@pytest.mark.parametrize("library", LINKED)
def test_packages_are_linked(needed, library):
    assert [name for name in needed if name.startswith(library)], needed


def test_loop_is_linked(needed):
    assert [name for name in needed if name.startswith(("libsystemd.so", "libelogind.so"))]


def test_packages_are_used(leanlocal):
    """A linked library whose functions nobody calls would be a pretence."""
    said = subprocess.run(["nm", "-D", "--undefined-only", leanlocal], capture_output=True, text=True,
                          check=True).stdout
    for function in ("curl_multi_", "yaml_parser_parse", "inotifytools_", "cJSON_Parse", "sd_event_",
                     "nettle_sha256"):
        assert function in said, function
    assert re.search(r"\b(initscr|newterm|wadd\w*wstr|wadd_wch)", said)


def test_program_exports_nothing_that_could_clash(leanlocal):
    said = subprocess.run(["nm", "-D", "--defined-only", leanlocal], capture_output=True, text=True,
                          check=True).stdout
    assert not re.search(r" [TD] (?!_|environ|program_invocation)", said), said


@pytest.mark.parametrize("po", [name for name in all_files() if name.endswith(".po")])
def test_translations_are_complete(po):
    if not shutil.which("msgfmt"):
        pytest.skip("msgfmt is not installed")
    done = subprocess.run(["msgfmt", "--check", "--statistics", "-o", os.devnull, os.path.join(ROOT, po)],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    assert "untranslated" not in done.stderr and "fuzzy" not in done.stderr, done.stderr


@pytest.mark.parametrize("script", ["dev", ".ci/run", "po/update", "tests/bare/run", "tests/bare/visit"])
def test_scripts_parse(script):
    path = os.path.join(ROOT, script)
    assert os.access(path, os.X_OK)
    shell = "bash" if "bash" in text(script).split("\n")[0] else "sh"
    assert subprocess.run([shell, "-n", path], stdin=subprocess.DEVNULL, check=False).returncode == 0


def test_every_unit_is_built():
    """tests/unit/test_<module>.c has main(); the build takes each by itself."""
    for name in files(".c", below=("tests",)):
        if name.startswith("tests/unit/test_"):
            assert "int main(" in text(name), name


def test_ci_calls_dev():
    assert re.search(r"/dev\"? test", text(".ci/run"))


def test_names_of_test_files_are_unique():
    """pytest imports them by their base names: of two with one name the second is an error of collection."""
    seen = {}
    for folder, _, names in os.walk(os.path.join(ROOT, "tests")):
        for name in names:
            if name.startswith("test_") and name.endswith(".py"):
                seen.setdefault(name, []).append(os.path.relpath(folder, ROOT))
    assert {name: folders for name, folders in seen.items() if len(folders) > 1} == {}
