"""docs/http.md is what tests/differential/http_cases.py says, and every difference from nginx has its reason there."""

import collections
import os
import re
import sys

from sources import ROOT, lines, text

sys.path.insert(0, os.path.join(ROOT, "tests", "differential"))

import http_cases  # noqa: E402
import http_page  # noqa: E402
import http_rows  # noqa: E402


def test_the_page_is_up_to_date():
    assert text(http_page.PAGE) == http_page.page(), "./dev fidelity writes it anew"


def test_a_reason_where_they_differ_and_nowhere_else():
    found = ["%s: %s" % (case.name, "no reason" if not case.why else "a reason, and no difference")
             for case in http_cases.CASES if (http_cases.alike(case.we) != case.nginx) != bool(case.why)]
    assert not found, lines(found)


def test_no_case_stands_twice():
    counts = collections.Counter((case.section, case.name) for case in http_cases.CASES)
    assert [each for each, count in counts.items() if count > 1] == []


def test_every_source_of_a_rule_is_among_the_cases():
    """A rule of the lexer that no case meets would be one that nobody set beside nginx."""
    rules = re.findall(r'^RULE\((\w+),.*?"((?:RFC|P-|\[I\])[^"]*)"', text("emulator/formats/http1_rules.def"), re.MULTILINE)
    assert len(rules) > 30
    said = " ".join(case.we for case in http_cases.CASES)
    missing = ["%s (%s)" % rule for rule in rules if rule[1] not in said]
    assert not missing, lines(missing)


def test_the_tests_that_are_named_are_there():
    named = [test for rows in http_rows.ROWS.values() for _, tests in rows for test in tests]
    missing = [test for test in named for file, name in [test.split("::")]
               if not re.search(r"(static void|^def) %s\(" % name, text("tests/" + file), re.MULTILINE)]
    assert named and not missing, lines(missing)
