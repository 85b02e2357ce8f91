"""`leanlocal up` in plain mode as a child: its lines as they come, its gateway over HTTP, its processes."""

import os
import pathlib
import re
import signal
import subprocess
import threading

from helpers import census, http
from helpers.waiting import wait_for

PORT = 3000
READY = r"^\S* *ready\b"
INSTANCES = "127.77."  # where apps are bound (DESIGN 6)


class Up:
    def __init__(self, place, root, address, options, env):
        self.place, self.root = place, pathlib.Path(root)
        self.address, self.port, self.env = address, PORT, env
        self.lines = []  # (stream, text) in the order they came
        command = place.command("up", root, "--plain", "--host", address, "--port", PORT, *options)
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            self.lines.append((name, line.decode("utf-8", "replace").rstrip("\n")))
        stream.close()

    def _join(self):
        for reader in self.readers:
            reader.join(5)

    @property
    def pid(self):
        return self.process.pid

    # ---- what it says ----

    @property
    def text(self):
        return "\n".join(text for _, text in list(self.lines))

    def output(self):
        return self.text

    def position(self):
        """For wait_line(since=...), which looks only at what comes after it."""
        return len(self.lines)

    def _find(self, pattern, since):
        for _, text in list(self.lines)[since:]:
            found = re.search(pattern, text)
            if found:
                return found
        return None

    def wait_line(self, pattern, limit=30, since=0):
        """The match of the first line that the pattern is found in."""
        def look():
            ended = self.process.poll() is not None
            if ended:
                self._join()
            found = self._find(pattern, since)
            assert found or not ended, "it ended with %s before /%s/\n%s" % (
                self.process.returncode, pattern, self.text)
            return found
        return wait_for(look, "a line with /%s/" % pattern, limit, lambda: self.text)

    def wait_healthy(self, limit=90):
        self.wait_line(READY, limit)
        return self.remember()

    wait_ready = wait_healthy

    def remember(self):
        """Takes down the processes there are now, for the census."""
        self.place.census.look()
        return self

    def wait_until(self, condition, limit=10):
        return wait_for(condition, "the condition", limit, lambda: self.text)

    # ---- what it serves ----

    def http(self, path="/", **keywords):
        """(status, body); OSError when nothing answers."""
        return http.ask(self.address, self.port, path, **keywords)

    def open(self, path, limit=10):
        return http.Stream(self.address, self.port, path, limit)

    def client(self):
        return http.Client(self.address, self.port)

    def wait_body(self, wanted, path="/", limit=30):
        """Until these bytes are in the answer: the new version serves."""
        last = []

        def look():
            last[:] = [self.http(path)]
            return last[0] if wanted in last[0].body else None
        return wait_for(look, "%r in the answer to %s" % (wanted, path), limit,
                        lambda: "%r\n%s" % (last, self.text))

    def never_again(self, unwanted, path="/", times=50):
        for _ in range(times):
            assert unwanted not in self.http(path).body, self.text

    def wait_connections(self, count, limit=10):
        """Until the engine has that many connections to instances open: requests under way."""
        def look():
            return len(census.connections(self.engine_pid(), INSTANCES)) >= count
        wait_for(look, "%d connections to instances" % count, limit, lambda: self.text)

    # ---- its processes ----

    def _named(self, argument):
        """Processes of ours with this first argument, ancestors first."""
        found = [pid for pid in self.place.census.look()
                 if census.arguments(pid)[1:2] == [argument] and census.alive(pid)]
        return [pid for pid in found if census.parent(pid) not in found]

    def engine_pid(self):
        found = [pid for pid in self._named("@engine")
                 if census.parent(pid) == self.pid or self.process.poll() is not None]
        assert found, "no engine among %s" % self.place.census.look()
        return found[0]

    def helper_pid(self, argument):
        """Of the helper with that private argument, such as "@tree"; None: it is not there."""
        engine = self.engine_pid()
        found = [pid for pid in self._named(argument) if census.parent(pid) == engine]
        return found[0] if found else None

    def init_pid(self):
        """PID 1 of the instance that runs an app."""
        engine = self.engine_pid()
        found = [pid for pid in census.children(engine)
                 if census.name(pid) == "leanlocal-init" and census.children(pid)]
        assert found, "no instance among %s" % self.place.census.look()
        return found[-1]

    def run_directories(self):
        return self.place.run_directories()

    def run(self, *arguments, **keywords):
        return self.place.run(*arguments, **keywords)

    # ---- its end ----

    def wait_exit(self, limit=10):
        wait_for(lambda: self.process.poll() is not None, "its end", limit, lambda: self.text)
        self._join()
        return self.process.returncode

    def assert_gone(self, within=3, files=True):
        """No process, no mount, the port free; and nothing in its run directories unless files=False."""
        def gone():
            return (self.process.poll() is not None and not self.place.census.look()
                    and census.is_port_free(self.address, self.port))

        def show():
            return "alive: %s\nport free: %s\n%s" % (
                self.place.census.look(), census.is_port_free(self.address, self.port), self.text)
        wait_for(gone, "nothing to be left", within, show)
        assert self.place.census.left_mounts() == []
        if files:
            # A census between the engine's end and the remover's start sees neither of them.
            wait_for(lambda: self.run_directories() == [], "the run directories to go", within,
                     self.run_directories)
            self.place.assert_no_group_left(within)

    def stop(self, number=signal.SIGINT, limit=10):
        """Ends it as a user would; its exit code, after the census."""
        self.place.census.look()
        self.process.send_signal(number)
        code = self.wait_exit(limit)
        self.assert_gone()
        return code

    def end(self):
        """At the end of a test, whatever state it is in."""
        self.place.census.look()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, signal.SIGKILL)
                self.process.wait(5)
        self._join()
