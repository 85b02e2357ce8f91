"""Can pip download here? Asked once a session, by doing it."""

import glob
import os
import subprocess
import tempfile

PROBE = "six"


def _pip_commands():
    yield ["/usr/bin/python3", "-m", "pip"]
    yield ["python3", "-m", "pip"]
    for wheel in glob.glob("/usr/share/python-wheels/pip-*.whl"):
        yield ["/usr/bin/python3", wheel + "/pip"]


def why_no_index():
    """"" when a download works, else the reason."""
    reason = "no pip on this host"
    for command in _pip_commands():
        with tempfile.TemporaryDirectory() as directory:
            try:
                done = subprocess.run(
                    command + ["download", "--quiet", "--no-deps", "--dest", directory, PROBE],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                reason = str(error)
                continue
            if done.returncode == 0 and os.listdir(directory):
                return ""
            if "No module named pip" not in done.stderr:
                reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    return reason
