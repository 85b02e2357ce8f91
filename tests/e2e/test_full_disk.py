"""A disk that refuses (EDQUOT, ENOSPC): the error names the step, nothing hangs, nothing is left half-made.

A quota cannot be had on the build machine; a tmpfs that is too small takes the same way through the code."""

import os
import shutil
import subprocess

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"

needs_mount = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"),
                                 reason="needs root, to mount a small file system of its own")


def run_on_small_disk(place, megabytes, *arguments):
    """The program with a cache directory of that size, in a mount namespace of its own."""
    disk = place.directory("small")
    script = 'mount -t tmpfs -o size=%dm,mode=0755 tmpfs "$0" && exec "$@"' % megabytes
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, disk, *place.command(*arguments)],
        env={**place.env, "XDG_CACHE_HOME": disk}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False)


@needs_mount
def test_version_that_does_not_fit(place):
    root = place.project({"wsgi.py": OK, "requirements.txt": "", "big.bin": "x" * (12 << 20)})
    done = run_on_small_disk(place, 8, "build", root)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 1), said  # not the project's fault
    assert "No space left on device" in said
    assert "big.bin" in said


@needs_mount
def test_layer_that_does_not_fit(place):
    root = place.project({"wsgi.py": OK, "requirements.txt": ""})
    done = run_on_small_disk(place, 2, "build", root)
    said = done.stdout + done.stderr
    assert done.returncode == 3, said
    assert "make room" in said


def test_P_130_app_that_fills_its_disk_is_told(project, up):
    instance = up(project({
        "requirements.txt": "",
        "wsgi.py": "def application(e, s):\n    s('200 OK', [])\n"
                   "    if e['PATH_INFO'] != '/fill':\n        return [b'x']\n"
                   "    try:\n        with open('/tmp/full', 'wb') as f:\n"
                   "            f.seek((1 << 30) + (1 << 20))\n"
                   "            import os\n"
                   "            os.posix_fallocate(f.fileno(), 0, (1 << 30) + (1 << 20))\n"
                   "    except OSError as error:\n        return [error.strerror.encode()]\n"
                   "    return [b'it fitted']\n"}))
    instance.wait_healthy()
    assert instance.http("/fill")[1] in (b"No space left on device", b"Disk quota exceeded")
    assert instance.http("/")[1] == b"x"
