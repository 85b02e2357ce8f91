"""Every rule of the platform has a test, a deviation or a reason; docs/fidelity.md says what is true."""

import os
import subprocess
import sys

import pytest

from sources import ROOT, lines, text

sys.path.insert(0, os.path.join(ROOT, "tests", "fidelity"))

import fidelity  # noqa: E402

LIST = """\
[1] Detection
P-1 Both files are needed.
P-2 This one is not.
    not reproduced: because it cannot be
[2] Else | later: not now
P-3 Something else there is.
"""


def mark(rule, test="tests/x/test_x.py::test_a"):
    return fidelity.Mark(rule, test, test.split("::")[0], 7)


def test_every_rule_has_an_answer():
    found = fidelity.complaints(fidelity.rules(), fidelity.marks())
    assert not found, lines(found)


def test_the_page_is_up_to_date():
    page = fidelity.page(fidelity.rules(), fidelity.marks())
    assert text(fidelity.PAGE) == page, "./dev fidelity writes it anew"


def test_the_list_is_whole():
    """Sections 1 to 20, in order; rules ascend."""
    rules = fidelity.rules()
    assert list(dict.fromkeys(rule.section.number for rule in rules)) == list(range(1, 21))
    assert len(rules) >= 244


@pytest.mark.parametrize("change, marks, expected", [
    ("", ["P-1"], None),
    ("", [], "P-1 has no test"),
    ("", ["P-1", "P-4"], "P-4 is no rule"),
    ("", ["P-1", "P-2"], "said not to be reproduced, and is tested"),
    ("P-5\n", ["P-1"], "P-5 has no sentence"),
    ("P-1 Both files are needed again.\n", ["P-1"], "P-1 stands twice"),
])
def test_what_is_refused(change, marks, expected):
    found = fidelity.complaints(fidelity.parse_rules(LIST + change), [mark(rule) for rule in marks])
    assert [expected in each for each in found] == ([] if expected is None else [True])


@pytest.mark.parametrize("text_, expected", [
    ("P-1 A rule without a section.\n", ":1: neither"),
    ("[1] A\nP-1 A rule.\n  perhaps: maybe\n", ":3: a state is one of"),
    ("[1] A\nP-1 A rule.\n  later:\n", ":3: a state is one of"),
    ("[1] A\n  later: x\n", ":2: a state before any rule"),
    ("[x] A\n", ":1: not [N] Title"),
])
def test_a_list_that_cannot_be_read(text_, expected):
    with pytest.raises(fidelity.Trouble) as caught:
        fidelity.parse_rules(text_)
    assert expected in str(caught.value)


def test_marks_are_found_wherever_they_stand():
    source = '''
pytestmark = pytest.mark.contract("P-1")
TABLE = [pytest.param(1, marks=pytest.mark.contract("P-2"))]
@pytest.mark.contract("P-3", "P-4")
@pytest.mark.parametrize("x", [pytest.param(1, marks=[pytest.mark.contract("P-5")])])
def test_a(x): pass
class TestB:
    @pytest.mark.contract("P-6")
    def test_c(self): pass
'''
    found = fidelity.by_rule(fidelity.marks_of(source, "t.py"))
    assert found == {"P-1": ["t.py"], "P-2": ["t.py"], "P-3": ["t.py::test_a"], "P-4": ["t.py::test_a"],
                     "P-5": ["t.py::test_a"], "P-6": ["t.py::TestB::test_c"]}


def test_a_computed_mark_is_refused():
    with pytest.raises(fidelity.Trouble):
        fidelity.marks_of("@pytest.mark.contract(RULE)\ndef test_a(): pass\n", "t.py")


def test_the_list_by_number():
    done = subprocess.run([os.path.join(ROOT, "dev"), "test", "--list-contract"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "P-80    tests/" in done.stdout
