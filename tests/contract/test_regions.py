"""The region's clock and code (P-140 to P-142), whatever the developer's own are."""

import json
import os
import subprocess

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
FILES = {"wsgi.py": OK, "requirements.txt": ""}
# What Python sees, what a child of another language sees, and what an app sees that sets TZ itself (P-306).
LOOK = """
import datetime, json, os, subprocess, time
shown = datetime.datetime.now() - datetime.datetime.utcnow()
seen = {"code": os.environ["LEANCLOUD_REGION"], "variable": os.environ.get("TZ"), "name": time.tzname[0],
        "now": round(shown.total_seconds() / 60) * 60, "offset": -time.timezone, "summer": time.daylight, "epoch": time.strftime("%H:%M", time.localtime(0)),
        "date": subprocess.check_output(["date", "-d", "@0", "+%H:%M %Z"]).decode().strip()}
os.environ["TZ"] = "XYZ+3"
time.tzset()
seen["own"] = -time.timezone
print(json.dumps(seen))
"""
BEIJING = {"name": "CST", "offset": 8 * 3600, "now": 8 * 3600, "epoch": "08:00", "date": "08:00 CST"}
UTC = {"name": "UTC", "offset": 0, "now": 0, "epoch": "00:00", "date": "00:00 UTC"}


@pytest.mark.contract("P-140", "P-141", "P-142", "P-306")
@pytest.mark.parametrize("region, code, clock", [
    ("cn-n1", "CN", BEIJING), ("cn-e1", "CN", BEIJING), ("us-w1", "US", UTC), ("cn-tds1", "CN", BEIJING),
    ("ap-sg", "AP", UTC)])
def test_clock_and_code_of_each_region(project, run, region, code, clock):
    done = run("exec", project(FILES), "--region", region, "--", "python", "-c", LOOK,
               env={"TZ": "America/New_York"})
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["code"] == code
    assert {name: seen[name] for name in clock} == clock
    assert seen["variable"] is None and seen["summer"] == 0
    assert seen["own"] == -3 * 3600


# Before a command: the host's time zones are covered.
WITHOUT_TZDATA = ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c",
                  'mount -t tmpfs none /usr/share/zoneinfo && exec "$@"', "sh"]
if os.geteuid() == 0:
    WITHOUT_TZDATA[1:3] = []


@pytest.mark.skipif(not os.path.isdir("/usr/share/zoneinfo"), reason="this host has no tzdata, so all tests show it")
@pytest.mark.contract("P-140")
@pytest.mark.parametrize("denied", ["", "mount"])
def test_the_clock_is_right_on_a_host_without_tzdata(place, project, denied):
    """Also where a variable stands in for /etc/localtime."""
    root = project(FILES)
    for region, clock in (("cn-n1", BEIJING), ("us-w1", UTC)):
        done = subprocess.run(WITHOUT_TZDATA + place.command("exec", root, "--region", region, "--", "python", "-c", LOOK),
                              env={**place.env, "TZ": "America/New_York", "LEANLOCAL_SANDBOX_DENY": denied},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert {name: seen[name] for name in clock} == clock
        assert seen["own"] == -3 * 3600 and seen["variable"] != "America/New_York"


@pytest.mark.contract("P-141")
def test_there_are_no_other_regions(project, run):
    done = run("exec", project(FILES), "--region", "eu-w1", "--", "true")
    assert done.returncode == 2
    for name in ("cn-n1", "cn-e1", "us-w1", "cn-tds1", "ap-sg"):
        assert name in done.stderr
