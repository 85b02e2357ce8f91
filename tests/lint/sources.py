"""The files of the tree, and their text with comments and strings taken out."""

import functools
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOMS = ("sandbox", "emulator", "tui")
OUTSIDE = {"build", ".git", "__pycache__", ".leancloud"}


@functools.lru_cache(maxsize=None)
def all_files():
    """Everything that is or would be in the repository, relative to the root."""
    try:
        listed = subprocess.run(
            ["git", "-c", "safe.directory=" + ROOT, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        names = listed.stdout.decode().split("\0")[:-1]
        return sorted({name for name in names if os.path.isfile(os.path.join(ROOT, name))})
    except (OSError, subprocess.CalledProcessError):
        pass
    found = []  # no git, or an unpacked archive
    for directory, directories, names in os.walk(ROOT):
        directories[:] = [name for name in directories if name not in OUTSIDE]
        found += [os.path.relpath(os.path.join(directory, name), ROOT) for name in names]
    return sorted(found)


def files(*endings, below=ROOMS):
    return [name for name in all_files() if name.endswith(endings) and name.split("/")[0] in below]


@functools.lru_cache(maxsize=None)
def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


_TOKENS = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def _blank(match):
    token = match.group(0)
    if token[0] in "\"'":
        return token[0] + token[0]
    return "\n" * token.count("\n")


@functools.lru_cache(maxsize=None)
def code(name):
    """Without comments and without what stands in quotes; line numbers stay."""
    kept = [line for line in text(name).split("\n")]
    return _TOKENS.sub(_blank, "\n".join(kept))


def includes(name):
    """[(line, path, quoted)]"""
    found = re.finditer(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', text(name), re.MULTILINE)
    return [(text(name).count("\n", 0, each.start()) + 1, each.group(2), each.group(1) == '"')
            for each in found]


def lines(found):
    """For an assertion's message: all of them, one a line."""
    return "\n" + "\n".join(found)


def hits(pattern, names, of=code):
    """"file:line: text" of each line that the pattern is found in."""
    compiled = re.compile(pattern)
    return ["%s:%d: %s" % (name, number, line.strip()[:100])
            for name in names for number, line in enumerate(of(name).split("\n"), 1)
            if compiled.search(line)]
