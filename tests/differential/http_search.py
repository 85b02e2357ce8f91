"""What: sends what the fuzzer has found to the gateway and to nginx, and shows each request that we let pass and nginx
   does not: the direction in which a difference would hurt in the cloud. ./dev soak http [LIMIT]
Why: the table has what somebody thought of; these are the others. What is new here and no decision becomes a row.
Order: inputs of tests/fuzz/corpus/http1_request and of build/fuzz/corpus (./dev fuzz http1_request makes more).
Not: no verdict, and no test: most of what it shows is listed already (methods that are tokens, OPTIONS *)."""

import collections
import glob
import os
import shutil
import sys
import tempfile

import http_measure

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from helpers.place import new_address  # noqa: E402
from helpers.waiting import wait_for  # noqa: E402

CORPORA = ("tests/fuzz/corpus/http1_request", "build/fuzz/corpus/http1_request")
CONTROL = 2  # bytes of an input in front of the head


def inputs(limit):
    found = {}
    for directory in CORPORA:
        for path in sorted(glob.glob(os.path.join(ROOT, directory, "*"))):
            with open(path, "rb") as file:
                found.setdefault(file.read()[CONTROL:], os.path.relpath(path, ROOT))
    return list(found.items())[:limit]


def outcome(pair, sent):
    try:
        return pair.request(sent)
    except AssertionError:
        pair.app.seen()
        pair.proxy.notices()
        return "waits for more"


def compare(ours, nginx, limit):
    counts = collections.Counter()
    for sent, name in inputs(limit):
        we, other = outcome(ours, sent), outcome(nginx, sent)
        counts["%.3s, nginx %.3s" % (we, other)] += 1
        if we.startswith("200") and other[:1] in "45":
            print("%s\n    sent   %.300r\n    we     %.200s\n    nginx  %.200s" % (name, sent, we, other))
    for what, count in counts.most_common():
        print("%6d  we %s" % (count, what))


def main():
    program = shutil.which("nginx", path=http_measure.NGINX_PLACES)
    if not program:
        print("soak http: nginx is not here (./dev test brings it)", file=sys.stderr)
        return 3
    http_measure.LIMIT_S = 1  # half a request is no fault here
    place = tempfile.mkdtemp(prefix="ll-nginx-")
    apps = [http_measure.App(new_address()), http_measure.App(new_address())]
    tool = os.path.join(ROOT, "build", "dev", "tests", "tools", "gateway_run")
    gateway = http_measure.Gateway(tool, new_address(), apps[0])
    nginx = http_measure.Nginx(program, new_address(), apps[1], place)
    try:
        wait_for(nginx.answers, "nginx to listen", show=nginx.complaints)
        compare(http_measure.Pair(gateway, apps[0]), http_measure.Pair(nginx, apps[1]),
                int(sys.argv[1]) if len(sys.argv) > 1 else None)
    finally:
        for each in [gateway, nginx, *apps]:
            each.close()
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
