"""./dev mutate knows every table, and changes what it says it changes."""

import os
import re
import subprocess
import sys

import pytest

from sources import ROOT, files, lines, text

sys.path.insert(0, os.path.join(ROOT, "tests", "mutate"))

import tables  # noqa: E402


def test_every_table_is_mutated_or_excused():
    known = {each.path for each in tables.TABLES.values()} | set(tables.EXCEPTIONS)
    missing = set(files(".def")) - known
    assert not missing, "a row in TABLES of tests/mutate/tables.py for each of: " + lines(sorted(missing))
    assert known <= set(files(".def"))
    assert all(len(why) > 20 for why in tables.EXCEPTIONS.values())


@pytest.mark.parametrize("name", sorted(tables.TABLES))
def test_rows_are_found(name):
    """As many as the file has lines that begin with the macro; each is changed, alone, and lines keep their place."""
    one = tables.TABLES[name]
    whole = text(one.path)
    rows = tables.rows_of(whole, one.macro, one.name)
    assert len(rows) == len(re.findall(r"^(?:%s)\(" % one.macro, whole, re.MULTILINE)) > 0
    assert len({row.name for row in rows}) == len(rows)
    mutants = tables.mutants_of(one, whole)
    assert {row for row, _, _ in mutants} == {row.name for row in rows}
    for _, _, new in mutants:
        assert new != whole and new.count("\n") == whole.count("\n")


def test_arguments():
    assert tables.arguments_of('"a, (b", C, N_("d, \\"e\\""), 4') == ['"a, (b"', "C", 'N_("d, \\"e\\"")', "4"]


def test_list():
    done = subprocess.run([os.path.join(ROOT, "tests", "mutate", "run"), "limits", "--list"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "STARTUP_TIMEOUT_MIN_S" in done.stdout and "15 -> 16" in done.stdout
    done = subprocess.run([os.path.join(ROOT, "tests", "mutate", "run"), "nonsense"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
