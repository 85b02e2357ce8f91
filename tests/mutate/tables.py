"""What: the tables whose rows ./dev mutate takes out or changes, and which tests are to notice.
Order: how a row is changed (below), then one Table for each .def file; EXCEPTIONS says why some have none.
Not: nothing here runs anything (mutate.py)."""

import collections
import re

# path, macro: where the rows are; macros of several kinds are separated by '|'. changes: functions of a row's arguments that give [(what, arguments or None)];
# None takes the row out. units: ctest's names, a regular expression; these are run first. pytest: tests to be run
# when no unit has turned red, for what is seen from outside only. name: arguments that name a row.
Table = collections.namedtuple("Table", "path macro changes units pytest name")


def table(path, macro, changes, units, pytest=(), name=1):
    return Table(path, macro, changes, units, list(pytest), name)


def remove(_):
    return [("taken out", None)]


def changed(column, to, what):
    """A change of one column; to(old) is the new text, None for none."""
    def change(arguments):
        if column >= len(arguments) or to(arguments[column]) is None:
            return []
        new = to(arguments[column])
        shown = [re.sub(r"\s+", " ", each) for each in (arguments[column], new)]
        return [("%s: %s -> %s" % (what, *[each if len(each) < 32 else each[:28] + " ..." for each in shown]),
                 arguments[:column] + [new] + arguments[column + 1:])]
    return change


def unless(word, change):
    """Not where the row's name holds a word by which the program knows the same anyway."""
    return lambda arguments: [] if word in arguments[0] else change(arguments)


def one_more(text):
    return str(int(text) + 1)


def other_text(text):
    return '"x%s' % text[1:] if len(text) > 2 else None


def swap(*pairs):
    return dict(pairs).get


SECRECY = swap(("SECRET", "PUBLIC"), ("PUBLIC", "SECRET"))
TREATMENT = swap(("REFUSE", "KEEP"), ("KEEP", "REFUSE"), ("DROP", "KEEP"))
NOISE = swap(("NEVER", "PASSING"), ("PASSING", "QUIET"), ("QUIET", "NEVER"))
WHEN = swap(("ALWAYS", "START"), ("START", "LOCAL"), ("LOCAL", "ALWAYS"), ("LEGACY", "ALWAYS"))
BRAND = swap(("LEANCLOUD", "TAPTAP"), ("TAPTAP", "LEANCLOUD"))


def other_status(text):
    return "431" if text == "400" else "400"


TABLES = {
    "keys": table("emulator/formats/leanengine_yaml.def", "YAML_KEY",
                  [remove, changed(0, other_text, "key")], "test_leanengine_yaml"),
    "limits": table("emulator/limits/limits.def", "LIMIT", [changed(1, one_more, "value")], "test_limits"),
    "variables": table("emulator/environment/variables.def", "VARIABLE",
                       [remove, changed(2, WHEN, "when"), changed(3, SECRECY, "secrecy")], "test_variables"),
    "system": table("emulator/system/system_dependencies.def", "SYSTEM_DEPENDENCY",
                    [remove, changed(2, other_text, "proof"), changed(3, other_text, "packages")],
                    "test_system_dependencies|test_system_packages|test_leanengine_yaml"),
    "databases": table("emulator/environment/databases.def", "DATABASE",
                       [remove, unless("PASSWORD", changed(2, SECRECY, "secrecy"))], "test_variables"),
    "sizes": table("emulator/limits/sizes.def", "SIZE",
                   [remove, changed(1, one_more, "memory"), changed(2, one_more, "processors"),
                    changed(5, swap(("true", "false"), ("false", "true")), "sleeps")], "test_variables"),
    "regions": table("emulator/environment/regions.def", "REGION",
                     [remove, changed(1, other_text, "code"), changed(3, other_text, "zone"),
                      changed(6, other_text, "API host"), changed(8, BRAND, "brand")], "test_variables|test_environment"),
    "detection": table("emulator/project/detection.def", "DETECT", [remove], "test_project|test_detection", name=3),
    "commands": table("tui/verbs.def", "VERB", [remove], "test_command_line",
                      ["tests/e2e/test_commands.py::test_help_of_every_command"]),
    "options": table("tui/options.def", "OPTION", [remove], "test_options|test_command_line|test_project_options"),
    "bindings": table("tui/keys.def", "KEY", [changed(1, other_text, "key")], "test_keymap|test_pane_screens|test_screen_script", name=3),
    "events": table("emulator/control/events.def", "EVENT",
                    [changed(1, other_text, "wire name"), changed(2, other_text, "prefix")],
                    "test_wire_names|test_protocol|test_plain"),
    "protocol": table("emulator/control/commands.def", "COMMAND", [changed(1, other_text, "wire name")],
                      "test_wire_names|test_protocol"),
    "noise": table("emulator/watch/noise.def", "NOISE", [remove, changed(0, NOISE, "rule")], "test_noise", name=2),
    "bounds": table("emulator/blame/bounds.def", "GONE|OBJECT|CALL|SAYS|CRASH|WANTS", [remove], "test_known|test_blame",
                    name=3),
    "standard": table("emulator/blame/standard.def", "MODULE_GONE|NAME_GONE|MODULE_NEW|NAME_NEW", [remove],
                      "test_known|test_blame", name=2),
    "modules": table("emulator/blame/modules.def", "MODULE|COMMAND", [remove], "test_known|test_blame"),
    "troubles": table("emulator/build/troubles.def", "TROUBLE", [remove], "test_build_log"),
    "causes": table("emulator/doctor/causes.def", "CAUSE",
                    [remove, changed(1, other_text, "name"), changed(3, other_text, "commands")], "test_doctor"),
    "doctor": table("emulator/doctor/checks.def", "FEATURE|CHECK", [remove], "test_doctor"),
    "explain": table("emulator/engine/explain.def", "SECTION", [remove], "test_explain",
                     ["tests/e2e/test_explain.py"]),
    "functions": table("emulator/functions/kinds.def", "CLASS_HOOK|ONE_HOOK|REALTIME_HOOK",
                       [remove, changed(2, other_text, "listed")], "test_functions"),
    "http": table("emulator/formats/http1_rules.def", "RULE",
                  [changed(1, TREATMENT, "client"), changed(2, TREATMENT, "lenient"),
                   changed(3, TREATMENT, "app"), changed(4, other_status, "status")], "test_http1_rules|test_http1|test_http1_chunks|test_http1_write"),
}

EXCEPTIONS = {
    "sandbox/operations.def": "each row is a case of the printed plan: a golden without it differs, and a kind that is "
                              "gone does not compile",
    "tui/panes.def": "a pane that is gone does not compile",
}

Row = collections.namedtuple("Row", "macro name arguments start end")


def arguments_of(text):
    """The arguments of a macro's call, split at the commas that are neither in quotes nor in parentheses."""
    parts, depth, current = [], 0, ""
    for token in re.findall(r'"(?:\\.|[^"\\])*"|[(),]|[^(),"]+', text):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += token
    return parts + [current.strip()]


def rows_of(text, macro, name=1):
    """[Row]; start and end are offsets into the text. A row that is not alone of its name gets its number."""
    found, seen = [], collections.Counter()
    for begin in re.finditer(r"^(%s)\(" % macro, text, re.MULTILINE):
        depth, at = 1, begin.end()
        tokens = re.compile(r'"(?:\\.|[^"\\])*"|[()]')
        while depth:
            token = tokens.search(text, at)
            depth += {"(": 1, ")": -1}.get(token.group(0), 0)
            at = token.end()
        arguments = arguments_of(text[begin.end():at - 1])
        title = " ".join(each.strip('"') for each in arguments[:name] if each.strip('"'))
        seen[title] += 1
        found.append(Row(begin.group(1), title if seen[title] == 1 else "%s#%d" % (title, seen[title]), arguments,
                         begin.start(), at))
    return found


def mutants_of(one, text):
    """[(row's name, what is changed, the table's new text)]; lines keep their numbers."""
    found = []
    for row in rows_of(text, one.macro, one.name):
        for change in one.changes:
            for what, arguments in change(row.arguments):
                lines = text.count("\n", row.start, row.end)
                new = "" if arguments is None else "%s(%s)" % (row.macro, ", ".join(arguments))
                new += "\n" * (lines - new.count("\n"))
                found.append((row.name, what, text[:row.start] + new + text[row.end:]))
    return found
