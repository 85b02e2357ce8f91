"""What: writes docs/http.md from http_cases.py: each case, what we do, what nginx does, and why where that differs.
   Called by ./dev fidelity; tests/lint/test_http_page.py compares.
Not: it measures nothing; that the columns are true is test_http_differential.py's."""

import os
import sys

import http_cases
import http_rows

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = "docs/http.md"
HEAD = """\
# The gateway's HTTP beside nginx

Made by `./dev fidelity` from `tests/differential/http_cases.py`; do not edit. Each case is bytes that the tests send to
the gateway and to the packaged nginx %s in front of the same app; both columns are what came of it.

An outcome: the statuses of the answers in order, the rule by which we refused in parentheses, *close* when the
connection ended before another request could be answered, *app* with the requests that reached it (fields that every
request gets are left out), and for answers of the app what the client got of fields and body, and the rules that were
reported. Bytes beyond ASCII and controls are written as escapes; `...` stands for more of the same, with the whole length.
"""
ELSEWHERE = """
## What no bytes on one connection can show

From `tests/differential/http_rows.py`.
"""


def cell(text):
    return "`%s`" % text.replace("|", "\\|") if text else ""


def row(case):
    return "| %s | %s | %s | %s |\n" % (
        case.name.replace("|", "\\|").replace("*", "\\*"), cell(case.we),
        "the same" if http_cases.alike(case.we) == case.nginx else cell(case.nginx), case.why)


def page():
    differ = [case for case in http_cases.CASES if http_cases.alike(case.we) != case.nginx]
    text = HEAD % http_cases.NGINX
    text += "\n%d cases; in %d of them the two differ.\n" % (len(http_cases.CASES), len(differ))
    for section in dict.fromkeys(case.section for case in http_cases.CASES):
        text += "\n## %s\n\n| case | we | nginx %s | why |\n|---|---|---|---|\n" % (section, http_cases.NGINX)
        text += "".join(row(case) for case in http_cases.CASES if case.section == section)
    text += ELSEWHERE
    for title, rows in http_rows.ROWS.items():
        text += "\n### %s\n\n| what | shown by |\n|---|---|\n" % title
        text += "".join("| %s | %s |\n" % (what, "<br>".join("`tests/%s`" % each for each in tests)) for what, tests in rows)
    return text


if __name__ == "__main__":
    with open(os.path.join(ROOT, PAGE), "w", encoding="utf-8") as file:
        file.write(page())
    print("%s: %d cases" % (PAGE, len(http_cases.CASES)), file=sys.stderr)
