"""`leanlocal up` of one project, as the end-to-end tests look at it."""

import os
import pathlib

from helpers.census import children, command_line
from helpers.http import Stream
from helpers.waiting import wait_for


class Running:
    """`leanlocal up` of one project."""

    def __init__(self, place, directory, options, env):
        self.place, self.root = place, pathlib.Path(directory)
        self.address, self.port = place.address, place.port
        self.up = place.up(directory, *options, ready=False, env=env)
        self.pid = self.up.process.pid
        self.seen = set()

    @property
    def text(self):
        return self.up.output()

    def wait_line(self, pattern, limit=20):
        return self.up.wait_line(pattern, limit)

    def wait_healthy(self, limit=90):
        verdict = self.wait_line(r"^\S* *(ready|failed)\b", limit).group(1)
        assert verdict == "ready", self.text

    def http(self, path="/", data=None, headers=None):
        answer = self.up.http(path, data=data, headers=headers)
        return answer.status, answer.body

    def open(self, path):
        return Stream(self.address, self.port, path)

    def wait_body(self, body, limit=20):
        def look():
            try:
                status, got = self.http("/")
            except OSError:
                return False
            return status == 200 and got == body
        wait_for(look, "%r to be answered" % body, limit, lambda: self.text)

    def wait_until(self, condition, limit=20):
        wait_for(condition, "the condition", limit, lambda: self.text)

    def engine_pid(self):
        return self.up.engine_pid()

    def helper_pid(self, name):
        for pid in children(self.engine_pid()):
            if name in command_line(pid):
                return pid
        return None

    def init_pid(self):
        """A sandbox's first process names itself so."""
        for pid in children(self.engine_pid()):
            if pathlib.Path("/proc/%d/comm" % pid).read_text().strip() == "leanlocal-init":
                return pid
        raise AssertionError("no init below the engine")

    def run_directories(self):
        runs = os.path.join(self.place.env["XDG_CACHE_HOME"], "leanlocal", "run")
        return sorted(name for name in os.listdir(runs) if not name.startswith("."))

    def run(self, *arguments):
        return self.place.run(*arguments)

    def wait_exit(self, limit):
        return self.up.wait_exit(limit)

    def stop(self):
        return self.up.stop()

    def assert_gone(self, within, files=True):
        self.place.assert_nothing_left(within)
        if files:
            mine = "-%d" % self.engine
            wait_for(lambda: not [name for name in self.run_directories() if name.endswith(mine)],
                     "the run directory to go", within, self.run_directories)

    def remember(self):
        self.engine = self.engine_pid()
        self.place.census.look()
        return self
