"""Cloud functions as the cloud calls them (P-190 to P-204), with a stub that plays the SDK's protocol; the SDK itself is
in the last test."""

import pytest

from helpers.functions_app import FILES
from helpers.waiting import wait_for


def status(running):
    return running.run("status", running.root).stdout


def wait_listed(running, word):
    wait_for(lambda: word in status(running), "the list of functions", 20, lambda: status(running))


@pytest.mark.contract("P-106", "P-112", "P-190", "P-196")
def test_functions_are_asked_for_after_a_start(project, up):
    running = up(project(FILES), ready=True)
    wait_listed(running, "hello")
    text = status(running)
    assert "function   echo" in text
    assert "hook       Comment.beforeSave" in text
    assert "hook       _User.onAuthData" in text
    plain = "def application(environ, start_response):\n" \
            "    found = environ['PATH_INFO'] == '/'\n" \
            "    start_response('200 OK' if found else '404 Not Found', [])\n" \
            "    return [b'plain']\n"
    (running.root / "wsgi.py").write_text(plain)
    running.wait_body(b"plain")
    wait_listed(running, "functions  none")
    (running.root / "leanengine.yaml").write_text("functionsMode: disabled\n")
    wait_listed(running, "functions  disabled")
