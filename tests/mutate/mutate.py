"""What: takes one row at a time out of a table (or changes a number in it) and shows that a test turns red.
   ./dev mutate [TABLE [ROW...]] [--list] [--again]
Why: a row that nothing would miss is a rule that nothing tests.
Order: a copy of the tree in build/mutate/tree (only what differs is copied, so that little is compiled); the tests of a
   table must be green before; then mutant by mutant: build, units, and where these stay green the pytests that the table
   names. What turned red is remembered until the row or its tests change; --again asks anew.
Owns: build/mutate. The tree itself is never changed.
Not: which table, which change, which tests: tables.py."""

import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

from tables import TABLES, mutants_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.path.join(ROOT, "build", "mutate")
TREE = os.path.join(PLACE, "tree")
BUILD = os.path.join(TREE, "build", "dev")
REMEMBERED = os.path.join(PLACE, "red.json")
UNIT_LIMIT_S = 60
PYTEST_LIMIT_S = 180


def say(text):
    print("mutate: " + text, file=sys.stderr, flush=True)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def sources():
    listed = subprocess.run(["git", "-c", "safe.directory=" + ROOT, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                            check=True).stdout.decode()
    return [name for name in listed.split("\0")[:-1] if os.path.isfile(os.path.join(ROOT, name))]


def copy_tree():
    """What has the same bytes keeps its time, so that ninja leaves it alone."""
    names = set(sources())
    for directory, directories, files in os.walk(TREE):
        directories[:] = [each for each in directories if os.path.join(directory, each) != os.path.join(TREE, "build")]
        for name in files:
            path = os.path.join(directory, name)
            if os.path.relpath(path, TREE) not in names:
                os.unlink(path)
    for name in names:
        source, target = os.path.join(ROOT, name), os.path.join(TREE, name)
        if not os.path.exists(target) or read(source) != read(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
        shutil.copymode(source, target)


def configure():
    """Always: a test that is new has no name yet."""
    environment = dict(os.environ)
    if shutil.which("ccache"):
        environment.setdefault("CMAKE_C_COMPILER_LAUNCHER", "ccache")
    subprocess.run(["cmake", "--preset", "dev"], cwd=TREE, env=environment, check=True,
                   stdout=subprocess.DEVNULL)


def unit_names(table):
    listed = subprocess.run(["ctest", "--test-dir", BUILD, "-N", "-R", "^(%s)$" % table.units],
                            capture_output=True, text=True, check=True).stdout
    return re.findall(r"Test +#\d+: (\S+)", listed)


def build(targets):
    done = subprocess.run(["cmake", "--build", BUILD, "--target"] + targets, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode == 0, done.stdout


def failing_unit(names):
    """The first unit that fails, or None."""
    for name in names:
        try:
            done = subprocess.run([os.path.join(BUILD, "tests", name)], cwd=BUILD, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=UNIT_LIMIT_S,
                                  check=False)
            if done.returncode != 0:
                return name
        except subprocess.TimeoutExpired:
            return name
    return None


def failing_pytest(tests):
    environment = dict(os.environ, LEANLOCAL=os.path.join(BUILD, "leanlocal"), LEANLOCAL_BUILD=BUILD,
                       LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
    try:
        done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-x"] + tests, cwd=TREE, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=PYTEST_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return tests[0]
    if done.returncode == 0:
        return None
    failed = [line.split()[1] for line in done.stdout.split("\n") if line.startswith("FAILED ")]
    return failed[0] if failed else tests[0]


def turns_red(table, units):
    """Who notices the tree as it is now: a unit, a pytest, the compiler, or nobody (None)."""
    good, _ = build(units) if units else (True, "")
    if not good:
        return "the compiler"
    red = failing_unit(units)
    if red or not table.pytest:
        return red
    good, _ = build(["leanlocal", "translations"])
    return failing_pytest(table.pytest) if good else "the compiler"


def fingerprint(table, units, text):
    """Of a mutant and of the tests that judge it."""
    digest = hashlib.sha256(text.encode())
    files = [os.path.join(ROOT, "tests", "unit", name + ".c") for name in units]
    files += [os.path.join(ROOT, test.split("::")[0]) for test in table.pytest]
    if any(word in table.units for word in ("screens", "plain", "known")):
        files += sorted(glob.glob(os.path.join(ROOT, "tests", "golden", "**"), recursive=True))
    for path in files:
        digest.update(read(path) if os.path.isfile(path) else b"")
    return digest.hexdigest()


def remembered():
    try:
        return json.loads(read(REMEMBERED))
    except (OSError, ValueError):
        return {}


class Counts:
    def __init__(self):
        self.red, self.compiler, self.survivors = 0, 0, []

    def add(self, name, who):
        if who is None:
            self.survivors.append(name)
        elif who == "the compiler":
            self.compiler += 1
        else:
            self.red += 1


def mutate_table(name, rows, again, counts):
    table = TABLES[name]
    path = os.path.join(TREE, table.path)
    original = read(path).decode()
    units = unit_names(table)
    if not units and not table.pytest:
        say("%s: no test is named %s" % (name, table.units))
        return False
    known = {} if again else remembered()
    mutants = [each for each in mutants_of(table, original) if not rows or each[0] in rows]
    fresh = [each for each in mutants if fingerprint(table, units, each[2]) not in known]
    if fresh:
        before = turns_red(table, units)
        if before:
            say("%s: %s is red without any change" % (name, before))
            return False
    try:
        for row, what, text in mutants:
            key = fingerprint(table, units, text)
            who = known.get(key)
            if who is None:
                write(path, text.encode())
                who = turns_red(table, units)
            if who:
                known[key] = who
                write(REMEMBERED, json.dumps(dict(remembered(), **{key: who}), indent=1).encode())
            counts.add("%s %s (%s)" % (name, row, what), who)
            print("%-10s %-34s %-44s %s" % (name, row, what, "red: " + who if who else "SURVIVES"), flush=True)
    finally:
        write(path, original.encode())
    return True


def main():
    parser = argparse.ArgumentParser(prog="./dev mutate", description="Does a test miss a row that is gone?")
    parser.add_argument("tables", nargs="?", metavar="TABLE[,TABLE...]", help=", ".join(TABLES) + "; all without it")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows of this table only")
    parser.add_argument("--list", action="store_true", help="name the rows and what is done to them")
    parser.add_argument("--again", action="store_true", help="also what has turned red before")
    asked = parser.parse_args()
    names = asked.tables.split(",") if asked.tables else list(TABLES)
    for name in names:
        if name not in TABLES:
            parser.error("no table %s: %s" % (name, ", ".join(TABLES)))
    known = {row for name in names
             for row, _, _ in mutants_of(TABLES[name], read(os.path.join(ROOT, TABLES[name].path)).decode())}
    for row in asked.rows:
        if row not in known:
            parser.error("no row %s in %s; --list names them" % (row, asked.tables))
    if asked.list:
        for name in names:
            text = read(os.path.join(ROOT, TABLES[name].path)).decode()
            for row, what, _ in mutants_of(TABLES[name], text):
                print("%-10s %-34s %s" % (name, row, what))
        return 0
    os.makedirs(TREE, exist_ok=True)
    copy_tree()
    configure()
    counts, good = Counts(), True
    for name in names:
        good = mutate_table(name, asked.rows, asked.again, counts) and good
    print("%d rows changed: %d turned a test red, %d did not compile, %d survived" % (
        counts.red + counts.compiler + len(counts.survivors), counts.red, counts.compiler, len(counts.survivors)))
    for each in counts.survivors:
        print("    " + each)
    return 0 if good and not counts.survivors else 1


if __name__ == "__main__":
    sys.exit(main())
