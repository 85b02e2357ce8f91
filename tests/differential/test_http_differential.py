"""The same bytes to our gateway and to nginx: each is to do what the table says (http_cases.py, docs/http.md).

What differs and is not listed fails, and so does what is listed and does not differ: the two columns are what was
measured. nginx is a child of the test; where there is none, or another version, that half skips."""

import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

import http_cases
from helpers.place import new_address
from helpers.waiting import wait_for
from http_measure import NGINX_PLACES, App, Gateway, Nginx, Pair

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LEANLOCAL_BUILD", os.path.join(ROOT, "build", "dev"))
SECTIONS = list(dict.fromkeys(case.section for case in http_cases.CASES))


def cases_of(section, lenient=False):
    return [case for case in http_cases.CASES
            if case.section == section and bool(case.options.get("lenient")) == lenient]


def why_no_nginx(program):
    """None when the packaged nginx of the table's version is there."""
    if program is None:
        return "nginx is not installed: our half alone was tried"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    version = re.search(r"nginx/(\d+\.\d+)", said)
    if version is None:
        return "%s does not run: %s" % (program, said.strip())
    return None if version.group(1) == http_cases.NGINX else "nginx %s: the table is about %s" % (
        version.group(1), http_cases.NGINX)


@pytest.fixture(scope="module")
def app():
    made = App(new_address())
    yield made
    made.close()


@pytest.fixture(scope="module")
def ours(app):
    gateway = Gateway(os.path.join(BUILD, "tests", "tools", "gateway_run"), new_address(), app)
    yield Pair(gateway, app)
    gateway.close()


@pytest.fixture(scope="module")
def lenient(app):
    gateway = Gateway(os.path.join(BUILD, "tests", "tools", "gateway_run"), new_address(), app, "--lenient-http")
    yield Pair(gateway, app)
    gateway.close()


@pytest.fixture(scope="module")
def nginx(app):
    program = shutil.which("nginx", path=NGINX_PLACES)
    why = why_no_nginx(program)
    if why:
        pytest.skip(why)
    place = tempfile.mkdtemp(prefix="ll-nginx-")
    child = Nginx(program, new_address(), app, place)
    try:
        wait_for(child.answers, "nginx to listen", show=child.complaints)
        yield Pair(child, app)
    finally:
        child.close()
        shutil.rmtree(place)


def differences(pair, column, cases):
    found = []
    for case in cases:
        outcome = pair.outcome(case)
        if outcome != getattr(case, column):
            found.append("%s\n    is to be  %s\n    came out  %s" % (case.name, getattr(case, column), outcome))
    return found


@pytest.mark.parametrize("section", SECTIONS)
def test_ours(ours, lenient, section):
    found = differences(ours, "we", cases_of(section)) + differences(lenient, "we", cases_of(section, True))
    assert not found, "\n".join(found)


def alike_in_pieces(case, outcome):
    """What has been passed on before the fault was there to be seen cannot be taken back: the app may have got the
    beginning of a request, the client the head of an answer. Neither may look whole. How much of what is cut arrives,
    and whether bytes behind an answer are seen as such, is a matter of time."""
    answers, _, seen = outcome.partition("; app: ")
    wanted, _, whole = case.we.partition("; app: ")
    if case.kind == "request":
        return answers == wanted and (seen == whole or seen.endswith(" cut"))
    answers, wanted = [re.sub(r'"[^"]*" cut', "cut", http_cases.alike(each)) for each in (answers, wanted)]
    return answers == wanted or (wanted == "502" and " cut, close" in answers)


@pytest.mark.parametrize("step", [1, 7])
def test_ours_in_small_pieces(ours, step):
    found = []
    for case in http_cases.CASES:
        if len(case.sent) < 2000 and not case.options.get("lenient"):
            outcome = ours.outcome(case, step)
            if not alike_in_pieces(case, outcome):
                found.append("%s: %s" % (case.name, outcome))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("section", SECTIONS)
def test_nginx(nginx, section):
    found = differences(nginx, "nginx", cases_of(section) + cases_of(section, True))
    assert not found, "\n".join(found)
