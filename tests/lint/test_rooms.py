"""Arrows point down only (DESIGN 3): tui -> emulator -> sandbox -> sandbox/base."""

from sources import code, files, hits, includes, lines

# What of the emulator the screen's room may see, and why.
TUI_SEES = {
    "emulator/control/project_options.h": "the rules of option values, and those a project sets",
    "emulator/control/protocol.h": "all that crosses: commands, events, snapshot",
    "emulator/control/request_wire.h": "requests as they cross, beside protocol.h",
    "emulator/logs/access_log.h": "the reader, as of the journal",
    "emulator/logs/journal.h": "the reader: log lines come from files, not through the socket",
    "emulator/limits/limits.h": "the table of the platform's numbers, for what is drawn dim",
    "emulator/helpers.h": "main.c alone: the executable is its own helpers",
}
ONLY_IN = {"emulator/helpers.h": {"tui/main.c"}}


def room(path):
    return "sandbox/base" if path.startswith("sandbox/base/") else path.split("/")[0]


ALLOWED = {
    "sandbox/base": {"sandbox/base"},
    "sandbox": {"sandbox/base", "sandbox"},
    "emulator": {"sandbox/base", "sandbox", "emulator"},
    "tui": {"sandbox/base", "tui"},
}


def wrong(name, target):
    if room(target) in ALLOWED[room(name)]:
        return False
    return room(name) != "tui" or target not in TUI_SEES


def test_includes_point_down():
    found = ["%s:%d: includes %s" % (name, line, target)
             for name in files(".c", ".h", ".def") for line, target, quoted in includes(name)
             if quoted and wrong(name, target)]
    assert not found, lines(found)


def test_a_wrong_include_would_be_seen():
    assert wrong("sandbox/plan.c", "emulator/loop.h")
    assert wrong("sandbox/base/buf.c", "sandbox/plan.h")
    assert wrong("emulator/loop.c", "tui/app.h")
    assert wrong("tui/app.c", "emulator/engine/engine.h")
    assert not wrong("tui/app.c", "emulator/control/protocol.h")


def test_what_few_may_include():
    found = ["%s:%d: only %s may include %s" % (name, line, sorted(ONLY_IN[target]), target)
             for name in files(".c", ".h", below=("tui",)) for line, target, _ in includes(name)
             if target in ONLY_IN and name not in ONLY_IN[target]]
    assert not found, lines(found)


def test_every_exception_is_used():
    used = {target for name in files(".c", ".h", below=("tui",)) for _, target, _ in includes(name)}
    unused = set(TUI_SEES) - used - {"emulator/limits/limits.h"}
    assert not unused


def test_project_includes_are_written_from_the_root():
    found = ["%s:%d: %s" % (name, line, target) for name in files(".c", ".h", ".def")
             for line, target, quoted in includes(name)
             if quoted and target.split("/")[0] not in ("sandbox", "emulator", "tui")]
    assert not found, lines(found)


def test_own_header_comes_first():
    found = []
    for name in files(".c"):
        own = name[:-2] + ".h"
        if own in files(".h") and includes(name) and includes(name)[0][1] != own:
            found.append("%s: its first include is not %s" % (name, own))
    assert not found, lines(found)


def test_only_the_screen_knows_curses():
    found = ["%s:%d" % (name, line) for name in files(".c", ".h") for line, target, _ in includes(name)
             if "curses" in target and name != "tui/screen.c"]
    assert not found, lines(found)


def test_only_the_loop_knows_systemd():
    found = ["%s:%d" % (name, line) for name in files(".c", ".h") for line, target, _ in includes(name)
             if target.startswith(("systemd/", "elogind/")) and name != "emulator/loop.c"]
    found += hits(r"\bsd_\w", [name for name in files(".c", ".h") if name != "emulator/loop.c"])
    assert not found, lines(found)


def test_only_the_watcher_knows_libinotifytools():
    names = {name for name in files(".c", ".h") for _, target, _ in includes(name)
             if "inotifytools" in target}
    assert len(names) <= 1 and all(name.startswith("emulator/watch/") for name in names)


def test_only_json_knows_cjson():
    found = ["%s:%d" % (name, line) for name in files(".c", ".h") for line, target, _ in includes(name)
             if "cJSON" in target and name != "sandbox/base/json.c"]
    assert not found, lines(found)


def test_no_header_includes_everything():
    for name in files(".h"):
        assert len([1 for _, _, quoted in includes(name) if quoted]) <= 12, name


def test_no_exit_below_the_screen():
    """Errors are returned. _exit() is a forked child's; abort() is a bug's."""
    found = hits(r"(?<![_\w.>])exit\(", files(".c", below=("sandbox", "emulator")))
    assert not found, lines(found)


def test_comments_and_strings_are_not_code():
    assert "//" not in code("sandbox/sandbox.h")
