"""What real projects do (P-300 to P-309) and an emulator stumbles over."""

import os

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'%s']\n"


@pytest.mark.contract("P-308", "P-135")
def test_importing_may_write_beside_the_code(project, run):
    root = project({
        "wsgi.py": "import pack\n" + OK % "x", "requirements.txt": "",
        "pack/__init__.py": "import os\nhere = os.path.dirname(os.path.abspath(__file__))\n"
                            "with open(os.path.join(here, 'compiled.tab'), 'w') as file:\n    file.write('x')\n"})
    done = run("verify", root)
    assert done.returncode == 0, done.stdout
    assert sorted(os.listdir(root)) == ["pack", "requirements.txt", "wsgi.py"]  # the project is as it was
    assert os.listdir(os.path.join(root, "pack")) == ["__init__.py"]


# As Werkzeug's: the parent only starts the program again; the child is who listens.
RELOADER = """
import http.server, os, signal, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%s")

if os.environ.get("RUN_MAIN"):
    http.server.HTTPServer(("0.0.0.0", int(os.environ["LEANCLOUD_APP_PORT"])), Handler).serve_forever()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
sys.exit(subprocess.call([sys.executable] + sys.argv, env=dict(os.environ, RUN_MAIN="1")))
"""


@pytest.mark.contract("P-307")
def test_a_reloader_of_the_app_s_own_is_replaced_whole(project, up):
    """Its listening process is a grandchild and outlives the one that got SIGTERM: it must go too."""
    files = {"wsgi.py": "", "requirements.txt": "", "serve.py": RELOADER % "old",
             "leanengine.yaml": "run: python serve.py\n"}
    root = project(files)
    instance = up(root)
    instance.wait_healthy()
    instance.wait_body(b"old")
    with open(os.path.join(root, "serve.py"), "w") as file:
        file.write(RELOADER % "new")
    instance.wait_body(b"new")
    instance.never_again(b"old")
    assert instance.stop() == 0  # and the census finds nobody
    instance.assert_gone()


@pytest.mark.contract("P-302", "P-104")
def test_a_login_page_is_healthy_through_the_ping_alone(project, run):
    """/ answers 302; the SDK's ping is there: the shape of most apps."""
    app = """
def application(environ, start_response):
    if environ["PATH_INFO"] == "/__engine/1/ping":
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"runtime": "cpython-3.10.0", "version": "2.9.12"}']
    start_response("302 Found", [("Location", "/login")])
    return [b""]
"""
    done = run("verify", project({"wsgi.py": app, "requirements.txt": ""}))
    assert done.returncode == 0, done.stdout
    assert '"version": "2.9.12"' in done.stdout or "2.9.12" in done.stdout


@pytest.mark.contract("P-306")
def test_manifests_of_other_systems(project, run):
    """CRLF everywhere, no final newline, a template that is read relative to the working directory."""
    root = project({
        "wsgi.py": ("TEXT = open('templates/page.html').read()\n" + OK % "x").replace("\n", "\r\n"),
        "templates/page.html": "<p>page</p>", "requirements.txt": "# nothing\r\n\r\n",
        ".leanignore": "*.bak\r\nnotes/\r\n", "junk.bak": "", "notes/a": "", ".env": "A=1\r\nB=two",
        "leanengine.yaml": "startupTimeout: 20\r\n"})
    done = run("exec", root, "--", "sh", "-c", "ls; printf '%s|%s|' \"$A\" \"$B\"; python -c 'import wsgi; print(wsgi.TEXT)'")
    assert done.returncode == 0, done.stderr
    assert "junk.bak" not in done.stdout and "notes" not in done.stdout
    assert done.stdout.endswith("1|two|<p>page</p>\n")


@pytest.mark.contract("P-305")
def test_a_file_named_like_a_standard_module(project, run):
    """email.py breaks what imports email, unless it is not uploaded."""
    files = {"wsgi.py": "import email.message\n" + OK % "x", "requirements.txt": "", "email.py": "X = 1\n"}
    done = run("verify", project(files))
    assert done.returncode == 1 and "email" in done.stdout
    done = run("verify", project(dict(files, **{".leanignore": "email.py\n"}), name="second"))
    assert done.returncode == 0, done.stdout


# An old template: the main block is for the laptop.
TEMPLATE = """
from wsgiref.simple_server import make_server
import os

def application(environ, start_response):
    start_response("200 OK", [])
    return [__name__.encode()]

if __name__ == "__main__":
    print("the main block runs")
    make_server("localhost", int(os.environ["LEANCLOUD_APP_PORT"]), application).serve_forever()
"""


@pytest.mark.contract("P-82", "P-83", "P-105")
def test_the_main_block_of_an_old_template_is_not_what_serves(project, run):
    files = {"wsgi.py": TEMPLATE, "requirements.txt": ""}
    done = run("verify", project(files))
    assert done.returncode == 0 and "the main block runs" not in done.stdout, done.stdout
    done = run("verify", project(dict(files, **{"leanengine.yaml": "run: python wsgi.py\nstartupTimeout: 15\n"}),
                                 name="second"))
    assert done.returncode == 1 and "the main block runs" in done.stdout
    assert "127.0.0.1:3000" in done.stdout
