"""What must not be written, anywhere."""

import os
import re

from sources import all_files, code, files, hits, lines, text

# function: what to write instead
BANNED = {
    "strcpy": "str_dup, snprintf, memcpy with a length", "strcat": "a buf", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "gets": "getline", "strtok": "strsep or our splitter",
    "system": "base/process.h", "popen": "base/process.h", "tmpnam": "mkstemp", "mktemp": "mkstemp",
    "alloca": "mem.h", "sleep": "the loop's timers",
}


def test_banned_functions():
    pattern = r"(?<![\w.>])(%s)\(" % "|".join(BANNED)
    found = hits(pattern, files(".c", ".h"))
    assert not found, lines(found + ["instead: %s" % BANNED])


def test_handlers_are_set_by_sigaction():
    """signal() is for ignoring and restoring only: what else it does differs between systems."""
    found = hits(r"(?<![\w.>])signal\((?!.*, (SIG_(IGN|DFL)|\w+_before)\))", files(".c", ".h"))
    assert not found, lines(found)


def test_no_bare_todo():
    pattern = r"\b(%s)\b" % "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3])
    found = hits(pattern, files(".c", ".h", ".def", ".py"), of=text)
    assert not found, lines(found) + "\nNEEDSWORK: with the trigger that would make it matter"


def test_no_place_of_one_machine():
    """Paths and hosts of whoever wrote it; "home" of the app itself is the platform's."""
    pattern = r"(?<![\w.~*-])/(root|work|Users|home/(?!leanengine))/|" \
              r"https?://[^ /\"']*(pypi|debian|npmjs|golang|crates|maven)"
    own = "tests/lint/test_banned.py"
    names = [name for name in all_files() if name != own and name != "LICENSE"
             and not name.startswith("tests/fuzz/corpus")]
    found = hits(pattern, names, of=text)
    assert not found, lines(found)


def test_no_author_no_year():
    pattern = r"(?i)^\s*(//|#|\*)\s*(copyright|author|created|date:)"
    found = hits(pattern, files(".c", ".h", ".def", ".py", below=("sandbox", "emulator", "tui", "tests")),
                 of=text)
    assert not found, lines(found)


# ---- tests do not sleep ----

SLEEP = re.compile(r"(?<![\w.])(?:time\.)?sleep\(\s*([\d.]+)\s*\)|^\s*(?:.*[;&|]\s*)?sleep ([\d.]+)\b")
LONGEST_S = 0.05


def sleeps(source):
    """Seconds of each sleep that the test itself makes; one in a quoted program is that program's."""
    found = []
    for number, line in enumerate(source.split("\n"), 1):
        match = SLEEP.search(line)
        if match and float(match.group(1) or match.group(2)) > LONGEST_S:
            found.append((number, line.strip()))
    return found


def without_strings(source):
    """Python's string literals emptied."""
    pattern = r"('''|\"\"\").*?\1|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, lambda each: "''" + "\n" * each.group(0).count("\n"), source,
                  flags=re.DOTALL)


def test_tests_do_not_sleep():
    found = []
    for name in files(".py", below=("tests",)):
        found += ["%s:%d: %s" % (name, *hit) for hit in sleeps(without_strings(text(name)))]
    for name in [each for each in all_files() if each == "dev" or each.startswith(".ci/")
                 or (each.startswith("tests/") and "." not in os.path.basename(each))]:
        found += ["%s:%d: %s" % (name, *hit) for hit in sleeps(text(name))]
    assert not found, lines(found) + "\nwait for a condition: tests/helpers/waiting.py"


def test_a_sleep_would_be_seen():
    assert sleeps("time.sleep(1)") and sleeps("    sleep 0.5") and sleeps("true; sleep 2")
    assert not sleeps("time.sleep(0.02)") and not sleeps("# to sleep 5 minutes is bad")


def test_units_do_not_sleep():
    found = []
    for hit in hits(r"\b(sleep|usleep)\(", files(".c", below=("tests",))):
        short = re.search(r"usleep\((\d+)\)", hit)
        if "tests/tools/" not in hit and not (short and int(short.group(1)) <= LONGEST_S * 1e6):
            found.append(hit)
    assert not found, lines(found)


def test_nothing_is_killed_by_name():
    words = "|".join(["kill" + "all", "p" + "kill"])
    names = [name for name in all_files() if name.startswith(("tests/", "dev", ".ci/"))]
    found = hits(r"\b(%s)\b" % words, names, of=text)
    assert not found, lines(found)


def test_comment_stripping():
    assert "strcpy" not in code("tests/unit/unit.h")
