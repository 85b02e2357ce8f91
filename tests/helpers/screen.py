"""The program on a real terminal: tmux with a server of its own, a fixed size, and no user configuration."""

import itertools
import os
import re
import signal
import subprocess

from helpers.waiting import wait_for

_numbers = itertools.count(1)


class Screen:
    def __init__(self, place, arguments, size, env):
        self.place = place
        self.name = "ll-%d-%d" % (os.getpid(), next(_numbers))
        self.directory = place.directory("tmux")
        if place.uid is not None:
            os.chown(self.directory, os.getuid(), os.getgid())
        terminal = {name: value for name, value in env.items() if name != "TERM"}
        assignments = ["%s=%s" % pair for pair in {**terminal, "TERM": "tmux-256color"}.items()]
        command = ["env", "-i", *assignments, *place.command(*arguments)]
        self._tmux("start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";",
                   "set-option", "-g", "status", "off", ";", "set-option", "-s", "escape-time", "0", ";",
                   "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), *command)

    def _tmux(self, *arguments, check=True):
        env = {"PATH": os.environ["PATH"], "TMUX_TMPDIR": self.directory, "LANG": "C.UTF-8",
               "TERM": "xterm-256color", "HOME": self.directory}
        done = subprocess.run(["tmux", "-u", "-L", self.name, "-f", "/dev/null", *arguments],
                              env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=10, check=False)
        if check and done.returncode != 0:
            raise AssertionError("tmux %s: %s" % (arguments[0], done.stderr))
        return done.stdout

    # ---- what it shows ----

    def capture(self, attributes=False):
        """The screen's rows; with attributes: the escape sequences of colours too."""
        return self._tmux("capture-pane", "-p", *(["-e"] if attributes else []))

    def wait_text(self, pattern, limit_s=20):
        """The match of a pattern somewhere on the screen."""
        return wait_for(lambda: re.search(pattern, self.capture()), "/%s/ on the screen" % pattern,
                        limit_s, self.capture)

    def wait_gone(self, pattern, limit_s=20):
        wait_for(lambda: not re.search(pattern, self.capture()),
                 "/%s/ to leave the screen" % pattern, limit_s, self.capture)

    # ---- what is done to it ----

    def send_keys(self, *keys):
        """tmux's names: "Enter", "C-c", "Tab"; anything else as it is."""
        self._tmux("send-keys", *keys)

    def type(self, text):
        self._tmux("send-keys", "-l", text)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    # ---- its end ----

    def pid(self):
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def exit_status(self):
        """None while it runs; else its code, or minus the signal."""
        dead, status, signalled, server = self._tmux(
            "display-message", "-p", "#{pane_dead},#{pane_dead_status},#{pane_dead_signal},#{pid}").strip().split(",")
        if dead == "1" and not status + signalled:
            # The terminal's end is seen before the program's, and now and then tmux 3.3 misses the latter.
            os.kill(int(server), signal.SIGCHLD)
            return None
        return int(status) if status else -int(signalled) if signalled else None

    def wait_exit(self, limit_s=10):
        wait_for(lambda: self.exit_status() is not None, "the program to end", limit_s, self.capture)
        return self.exit_status()

    def end(self):
        self.place.census.look()
        self._tmux("kill-server", check=False)
