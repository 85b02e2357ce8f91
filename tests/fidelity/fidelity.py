"""What: the list of the platform's rules (tests/contract/rules.txt) joined with the tests that show them.
   fidelity.py page      writes docs/fidelity.md
   fidelity.py list      prints rule -> tests, by number
Why: which rules are reproduced is nobody's memory: marks are read from the tests' source, so that a test that goes
   takes its rule with it, and the lint says so (tests/lint/test_fidelity.py).
Order: rules() and marks() read; state() joins; page() and listing() print.
Not: it runs no test and imports none; a mark is read by its literal strings."""

import ast
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = "tests/contract/rules.txt"
PAGE = "docs/fidelity.md"
STATES = ("deviation", "not reproduced", "later", "pending")

Section = collections.namedtuple("Section", "number title state")
Rule = collections.namedtuple("Rule", "name sentence states section line")
Mark = collections.namedtuple("Mark", "rule test file line")


class Trouble(Exception):
    """Says file, line and what is wrong with it."""


def parse_state(text, line):
    kind, colon, why = text.partition(":")
    if kind not in STATES or not colon or not why.strip():
        raise Trouble("%s:%d: a state is one of %s, a colon and a reason: %r"
                      % (RULES, line, ", ".join(STATES), text))
    return kind, why.strip()


def parse_rules(text):
    """[Rule] in the order of the file"""
    found, section = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            head = re.fullmatch(r"\[(\d+)\] ([^|]+?)(?: \| (.+))?", line)
            if not head:
                raise Trouble("%s:%d: not [N] Title | state: %r" % (RULES, number, line))
            state = parse_state(head.group(3), number) if head.group(3) else None
            section = Section(int(head.group(1)), head.group(2), state)
        elif line.startswith(" "):
            if not found:
                raise Trouble("%s:%d: a state before any rule" % (RULES, number))
            found[-1].states.append(parse_state(line.strip(), number))
        else:
            row = re.fullmatch(r"(P-\d+[a-z]?)\s*(.*)", line)
            if not row or not section:
                raise Trouble("%s:%d: neither a section, a rule nor a state: %r" % (RULES, number, line))
            found.append(Rule(row.group(1), row.group(2), [], section, number))
    return found


def rules():
    with open(os.path.join(ROOT, RULES), encoding="utf-8") as file:
        return parse_rules(file.read())


def is_contract(node):
    """pytest.mark.contract(...)"""
    return (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            and node.func.attr == "contract" and isinstance(node.func.value, ast.Attribute)
            and node.func.value.attr == "mark")


def literal(node, file):
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        raise Trouble("%s:%d: a contract mark takes P-numbers as plain strings" % (file, node.lineno))
    return node.value


def marks_of(text, file):
    """[Mark] of one test file. A mark belongs to the function or class whose decorators hold it; elsewhere, such as
    in a table of parameters or in pytestmark, it belongs to the whole file."""
    found = []

    def visit(node, owner):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name = node.name if owner == "" else owner + "::" + node.name
            for child in node.decorator_list:
                visit(child, name)
            for child in node.body:
                visit(child, name)
            return
        if is_contract(node):
            test = file + "::" + owner if owner else file
            found.extend(Mark(literal(each, file), test, file, node.lineno) for each in node.args)
        for child in ast.iter_child_nodes(node):
            visit(child, owner)

    visit(ast.parse(text, file), "")
    return found


def marks():
    found = []
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "**", "test_*.py"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "mark.contract" in text:
            found += marks_of(text, os.path.relpath(path, ROOT))
    return found


def by_rule(found):
    tests = collections.OrderedDict()
    for mark in found:
        names = tests.setdefault(mark.rule, [])
        if mark.test not in names:
            names.append(mark.test)
    return tests


def states(rule, tests):
    """What is to be said of a rule besides its tests: its own states, else its section's when it has no test."""
    if rule.states or tests or not rule.section.state:
        return rule.states
    return [rule.section.state]


def kind(rule, tests):
    """One word for the counts."""
    if tests:
        return "tested"
    said = states(rule, tests)
    return said[0][0] if said else "missing"


def complaints(all_rules, found):
    """What the lint refuses, one line each."""
    known = {rule.name for rule in all_rules}
    tests = by_rule(found)
    said = ["%s:%d: %s is no rule of %s" % (mark.file, mark.line, mark.rule, RULES)
            for mark in found if mark.rule not in known]
    seen = set()
    for rule in all_rules:
        where = "%s:%d: %s" % (RULES, rule.line, rule.name)
        own = tests.get(rule.name, [])
        if rule.name in seen:
            said.append(where + " stands twice")
        seen.add(rule.name)
        if len(rule.sentence) < 10:
            said.append(where + " has no sentence")
        if own and any(state == "not reproduced" for state, _ in rule.states):
            said.append("%s is said not to be reproduced, and is tested by %s" % (where, own[0]))
        if kind(rule, own) == "missing":
            said.append(where + " has no test (a mark), no deviation and no \"not reproduced: because\"")
    return said


# ---- the page ----

HEAD = """# What is reproduced

Made by `./dev fidelity` from `tests/contract/rules.txt` and the marks of the tests; do not edit.
The numbers are those that comments and messages cite. A rule counts as tested when a test with the real program, or with
the part of it that the rule is about, fails once the rule is no longer reproduced.

"""


def cell(text):
    return text.replace("|", "\\|")


def counts(group, tests):
    sums = collections.Counter(kind(rule, tests.get(rule.name, [])) for rule in group)
    order = ("tested",) + STATES + ("missing",)
    deviating = sum(1 for rule in group if tests.get(rule.name) and rule.states)
    also = {"tested": " (%d with a deviation that is named)" % deviating if deviating else ""}
    return ", ".join("%d %s%s" % (sums[name], name, also.get(name, "")) for name in order if sums[name])


def row(rule, tests):
    said = ["%s: %s" % (state, why) for state, why in states(rule, tests)]
    shown = ["`%s`" % test for test in tests]
    return "| %s | %s | %s |\n" % (rule.name, cell(rule.sentence), cell("<br>".join(shown + said)))


def page(all_rules, found):
    tests = by_rule(found)
    text = HEAD + "%d rules: %s.\n" % (len(all_rules), counts(all_rules, tests))
    for section in dict.fromkeys(rule.section for rule in all_rules):
        group = [rule for rule in all_rules if rule.section == section]
        text += "\n## %d. %s\n\n%s.\n\n| rule | in our words | shown by |\n|---|---|---|\n" % (
            section.number, section.title, counts(group, tests))
        text += "".join(row(rule, tests.get(rule.name, [])) for rule in group)
    return text


def listing(all_rules, found):
    tests = by_rule(found)
    text = ""
    for rule in all_rules:
        own = tests.get(rule.name, [])
        said = own or ["%s: %s" % each for each in states(rule, own)] or ["missing"]
        text += "".join("%-7s %s\n" % (rule.name if i == 0 else "", each) for i, each in enumerate(said))
    return text + "%d rules: %s\n" % (len(all_rules), counts(all_rules, tests))


def main(arguments):
    try:
        all_rules, found = rules(), marks()
    except (Trouble, SyntaxError) as trouble:
        print("fidelity: %s" % trouble, file=sys.stderr)
        return 1
    if arguments == ["list"]:
        sys.stdout.write(listing(all_rules, found))
        return 0
    if arguments not in ([], ["page"]):
        print("usage: ./dev fidelity; ./dev test --list-contract", file=sys.stderr)
        return 2
    with open(os.path.join(ROOT, PAGE), "w", encoding="utf-8") as file:
        file.write(page(all_rules, found))
    print("%s: %d rules: %s" % (PAGE, len(all_rules), counts(all_rules, by_rule(found))), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
