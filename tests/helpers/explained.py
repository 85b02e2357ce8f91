"""`leanlocal explain --format json` as the tests look at it: the quickest way to ask the real program what it
makes of a project (some 30 ms)."""

import json


class Explained:
    def __init__(self, done, section):
        self.code, self.stderr = done.returncode, done.stderr
        found = [each for each in json.loads(done.stdout) if each["name"] == section] if done.stdout else []
        tree = found[0] if found else {}
        self.rows = {row["name"]: row["value"] for row in tree.get("rows", ())}
        self.notices = tree.get("notices", [])
        self.error = tree.get("error", {})

    @property
    def message(self):
        return self.error.get("message", "")

    @property
    def rule(self):
        return self.error.get("rule", "")

    @property
    def hint(self):
        return self.error.get("hint", "")

    @property
    def cloud(self):
        return self.error.get("cloud", "")

    def place(self, notice):
        """FILE:LINE:COLUMN of a notice."""
        return ":".join(str(notice[name]) for name in ("file", "line", "column") if name in notice)

    @property
    def warnings(self):
        """[(place, text, rule, what mends it)] in order."""
        return [(self.place(each), each["text"], each.get("rule", ""), each.get("mend", ""))
                for each in self.notices]

    def __repr__(self):
        return "%s %s %s %s" % (self.code, self.rows, self.error, self.notices) + self.stderr


def explain(run, root, *options, section="project", **keywords):
    return Explained(run("explain", root, "--section", section, "--format", "json", *options, **keywords), section)
