"""`leanlocal up` in plain mode as a child: its lines as they come, its gateway over HTTP."""

import os
import re
import signal
import subprocess
import threading

from helpers import http
from helpers.waiting import wait_for

READY = r"\bready\b"


class Up:
    def __init__(self, place, directory, options, env, stdin=subprocess.DEVNULL):
        self.place, self.directory = place, directory
        self.lines = []  # (stream, text) in the order they came
        command = place.command("up", directory, "--plain", "--host", place.address,
                                "--port", place.port, *options)
        self.process = subprocess.Popen(command, env=env, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True)
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            self.lines.append((name, line.decode("utf-8", "replace").rstrip("\n")))
        stream.close()

    # ---- what it says ----

    def output(self, stream=None):
        return "\n".join(text for name, text in list(self.lines) if stream in (None, name))

    def mark(self):
        """A position: wait_line(since=...) looks only at what comes after it."""
        return len(self.lines)

    def wait_line(self, pattern, limit_s=20, since=0):
        """The match of the first line that the pattern is found in."""
        def look():
            for _, text in list(self.lines)[since:]:
                found = re.search(pattern, text)
                if found:
                    return found
            if self.process.poll() is not None:
                for reader in self.readers:
                    reader.join(5)
                for _, text in list(self.lines)[since:]:
                    found = re.search(pattern, text)
                    if found:
                        return found
                raise AssertionError("it ended with %d before /%s/\n%s" % (
                    self.process.returncode, pattern, self.output()))
            return None
        return wait_for(look, "a line with /%s/" % pattern, limit_s, self.output)

    def wait_ready(self, limit_s=90):
        self.wait_line(READY, limit_s)
        return self

    # ---- what it serves ----

    def http(self, path="/", **keywords):
        return http.ask(self.place.address, self.place.port, path, **keywords)

    def client(self, **keywords):
        return http.Client(self.place.address, self.place.port, **keywords)

    def wait_answer(self, text, path="/", limit_s=20):
        """Until the body holds the text: the new version answers."""
        last = []

        def look():
            answer = self.http(path)
            last[:] = [answer]
            return answer if text in answer.text else None
        return wait_for(look, "%r in the answer to %s" % (text, path), limit_s,
                        lambda: "%r\n%s" % (last, self.output()))

    def save(self, name, content):
        """As an editor does that writes a new file and renames it."""
        path = os.path.join(self.directory, name)
        with open(path + ".new~", "w", encoding="utf-8") as file:
            file.write(content)
        self.place.give(path + ".new~")
        os.rename(path + ".new~", path)

    # ---- its end ----

    def engine_pid(self):
        """The engine is the client's child that names itself so."""
        for pid, command in self.place.census.look().items():
            if "@engine" in command:
                return pid
        raise AssertionError("no engine among %s" % self.place.census.look())

    def signal(self, number):
        self.place.census.look()
        self.process.send_signal(number)

    def wait_exit(self, limit_s=10):
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError("it did not end in %g s\n%s" % (limit_s, self.output())) from None
        for reader in self.readers:
            reader.join(5)
        return code

    def stop(self, number=signal.SIGINT, limit_s=10):
        """Ends it as a user would; its exit code, after the census."""
        self.signal(number)
        code = self.wait_exit(limit_s)
        self.place.assert_nothing_left()
        return code

    def end(self):
        """At the end of a test, whatever state it is in."""
        if self.process.poll() is None:
            self.place.census.look()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        for reader in self.readers:
            reader.join(5)
