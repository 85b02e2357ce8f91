"""Every fuzz target has a corpus, which the units replay, and a row in fuzz.py."""

import os
import subprocess
import sys

import pytest

from sources import ROOT, all_files

sys.path.insert(0, os.path.join(ROOT, "tests", "fuzz"))

import fuzz  # noqa: E402

FILES = {os.path.basename(name)[5:-2] for name in all_files()
         if name.startswith("tests/fuzz/fuzz_") and name.endswith(".c")}


def test_every_target_has_a_row():
    assert set(fuzz.TARGETS) == FILES


@pytest.mark.parametrize("target", sorted(FILES))
def test_its_parser_and_its_corpus_are_there(target):
    parsers, longest = fuzz.TARGETS[target]
    assert all(os.path.isfile(os.path.join(ROOT, name)) for name in parsers)
    inputs = [name for name in all_files() if name.startswith("tests/fuzz/corpus/%s/" % target)]
    assert 10 <= len(inputs) <= 150, "./dev fuzz %s --distill" % target
    assert max(os.path.getsize(os.path.join(ROOT, name)) for name in inputs) <= max(longest, 4096)


def test_an_unknown_target_is_wrong_usage():
    done = subprocess.run([os.path.join(ROOT, "tests", "fuzz", "run"), "nonsense"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "yaml" in done.stderr
