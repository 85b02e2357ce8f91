"""No number of the platform appears outside the table of limits (DESIGN 12)."""

import re

from sources import code, files, lines, text

TABLE = "emulator/limits/limits.def"
# Values that are also everyday numbers of a program (buffers, percent, milliseconds): only looked for where a
# comment on the same line names the platform's rule.
EVERYDAY_BELOW = 60001
EVERYDAY = {65536, 1 << 20}
# (file, number): why it is not the platform's
ALLOWED = {}


def rows():
    found = re.findall(r"^LIMIT\((\w+), (\d+), \"([^\"]*)\"", text(TABLE), re.MULTILINE)
    return [(name, int(value), source) for name, value, source in found]


def sources():
    return [name for name in files(".c", ".h") if not name.startswith("emulator/limits/")]


def numbers(line):
    return {int(each) for each in re.findall(r"(?<![\w.])(\d+)[uUlL]*(?![\w.])", line)}


def test_table_reads():
    assert len(rows()) >= 20
    assert all(source for _, _, source in rows())


def test_special_values_stand_in_the_table_only():
    special = {value: name for name, value, _ in rows()
               if value >= EVERYDAY_BELOW and value not in EVERYDAY}
    found = []
    for name in sources():
        for number, line in enumerate(code(name).split("\n"), 1):
            for value in numbers(line) & set(special):
                if (name, value) not in ALLOWED:
                    found.append("%s:%d: %d is %s" % (name, number, value, special[value]))
    assert not found, lines(found)


def test_lines_that_cite_a_rule_take_their_number_from_the_table():
    """`#define LINE_MAX 4096 // P-120` is a second place for a fact."""
    values = {value: name for name, value, _ in rows() if value > 9}
    found = []
    for name in sources():
        whole = text(name).split("\n")
        for number, bare in enumerate(code(name).split("\n"), 1):
            if "P-" not in whole[number - 1]:
                continue
            for value in numbers(bare) & set(values):
                if (name, value) not in ALLOWED:
                    found.append("%s:%d: %d is %s" % (name, number, value, values[value]))
    assert not found, lines(found)
