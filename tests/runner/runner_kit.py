"""Interpreters to try, and a runner at work whose output is collected.

The tests themselves are Python 3; what they test runs on each interpreter that the host has."""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(HERE, '..', '..', 'emulator', 'instance', 'runner.py')
WANTED = ['2.7', '3.6', '3.7', '3.8', '3.9', '3.10', '3.11', '3.12', '3.13', '3.14', 'system']


def find_interpreter(wanted):
    if wanted == 'system':
        return '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else None
    root = os.environ.get('PYENV_ROOT') or os.path.expanduser('~/.pyenv')
    for path in sorted(glob.glob(os.path.join(root, 'versions', wanted + '.*', 'bin', 'python'))):
        if re.match(r'\d', os.path.basename(os.path.dirname(os.path.dirname(path)))):
            return path
    found = shutil.which('python' + wanted)
    return found if found and 'shims' not in found else None


def wait_until(condition, what, limit_s=10):
    end = time.monotonic() + limit_s
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, 'waited %s s: %s' % (limit_s, what)
        time.sleep(0.02)


def free_port():
    with socket.socket() as sock:
        sock.bind(('0.0.0.0', 0))
        return sock.getsockname()[1]


class Running:
    """A runner at work; what it prints is collected as it comes."""

    def __init__(self, python, directory, env=None):
        self.port = free_port()
        full = {'PATH': '/usr/bin:/bin', 'LEANCLOUD_APP_PORT': str(self.port), 'LANG': 'C.UTF-8',
                'PYTHONDONTWRITEBYTECODE': '1'}
        full.update(env or {})
        command = [python, '-u', os.path.abspath(RUNNER)]
        self.process = subprocess.Popen(command, cwd=str(directory), env=full,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.out, self.err = [], []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out),
                                     (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, pieces):
        while True:
            data = os.read(stream.fileno(), 65536)
            if not data:
                return
            pieces.append(data)

    @property
    def stdout(self):
        return b''.join(self.out).decode('utf-8', 'replace')

    @property
    def stderr(self):
        return b''.join(self.err).decode('utf-8', 'replace')

    def accepts(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return True
        except OSError:
            assert self.process.poll() is None, 'it ended:\n' + self.stderr
            return False

    def wait_ready(self):
        wait_until(self.accepts, 'no listener\n' + self.stderr, 20)
        return self

    def wait_exit(self, limit_s=15):
        code = self.process.wait(limit_s)
        for reader in self.readers:
            reader.join(5)
        return code

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait_exit()
        self.process.stdout.close()
        self.process.stderr.close()
