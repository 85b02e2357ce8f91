"""A program on a pty whose other end is the test: typed bytes in, what it writes out, at the test's own pace."""

import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios

from helpers.waiting import wait_for


class PtyRun:
    """place.command(...) with stdin, stdout and stderr on a terminal of its own."""

    def __init__(self, place, *arguments, size=(80, 24), env=None, stderr=None, stdout=None):
        self.master, slave = os.openpty()
        self.resize(*size)
        os.set_blocking(self.master, False)
        self.output = b""

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen(
            place.command(*arguments), stdin=slave, stdout=slave if stdout is None else stdout,
            stderr=slave if stderr is None else stderr,
            env={**place.env, "TERM": "xterm-256color", **(env or {})}, preexec_fn=own_terminal)
        os.close(slave)
        place.running.append(self)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, data):
        assert os.write(self.master, data) == len(data)

    def type_until_full(self, data):
        """As much as anybody takes within half a second; reads nothing meanwhile. How many bytes."""
        typed = 0
        while select.select([], [self.master], [], 0.5)[1]:
            typed += os.write(self.master, data)
        return typed

    def read(self, limit_s=0.02, size=65536):
        if not select.select([self.master], [], [], limit_s)[0]:
            return b""
        try:
            got = os.read(self.master, size)
        except OSError as error:
            if error.errno == errno.EIO:  # the last user of the terminal has gone
                return b""
            raise
        self.output += got
        return got

    def wait_output(self, wanted, limit=30):
        def look():
            self.read()
            return wanted in self.output
        wait_for(look, "%r on the terminal" % wanted, limit, lambda: self.output[-2000:])

    def attributes(self):
        return termios.tcgetattr(self.master)

    def wait_exit(self, limit=30):
        def look():
            self.read()
            return self.process.poll() is not None
        wait_for(look, "its end", limit, lambda: self.output[-2000:])
        while self.read(0.1):
            pass
        return self.process.returncode

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(5)
        os.close(self.master)
