"""How the app is started and what it meets there (P-80 to P-96, P-302, P-306 to P-308)."""

import re
import socket

import pytest
from building import files

from helpers.interpreters import patch_version

BODY = "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'hello']\n"
FUNCTION = "def application(environ, start_response):\n" + BODY
SHAPES = {
    "function": FUNCTION,
    "object": "class App(object):\n    def __call__(self, environ, start_response):\n"
              + BODY.replace("    ", "        ") + "application = App()\n",
    "class": "class application(object):\n    def __init__(self, environ, start_response):\n"
             "        self.start = start_response\n    def __iter__(self):\n"
             "        self.start('200 OK', [])\n        yield b'hello'\n",
    "variable": "from server import app as application\n",
}
# A server of the standard library for `run`: python serve.py HOST PORT, 2.7 too.
SERVE = """
import sys
try:
    from http.server import HTTPServer, BaseHTTPRequestHandler
except ImportError:
    from BaseHTTPServer import HTTPServer, BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '5')
        self.end_headers()
        self.wfile.write(b'hello')

class Server(HTTPServer):
    def server_bind(self):  # without asking for the host's name
        import socket
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address

def serve(host, port):
    Server((host, port), Handler).serve_forever()

if __name__ == '__main__':
    serve(sys.argv[1], int(sys.argv[2]))
"""


def passes(run, root, *options):
    done = run("verify", root, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def refused(run, root, *options, **more):
    done = run("verify", root, *options, timeout=60, **more)
    assert done.returncode == 1, done.stdout + done.stderr
    return done


# ---- the default: wsgi.py is imported ----

@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.contract("P-80", "P-94")
def test_application_may_be_a_function_an_object_or_a_class(project, run, shape):
    done = passes(run, project(files(wsgi_py="") | {
        "wsgi.py": SHAPES[shape], "server.py": FUNCTION.replace("application", "app")}))
    assert "实例启动成功：hello" in done.stdout


@pytest.mark.parametrize("wsgi, words", [
    ("app = lambda environ, start_response: []\n", 'It has "app"'),
    ("application = 3\n", "cannot be called"),
    ("x = 1\n", 'has no "application"')])
@pytest.mark.contract("P-80")
def test_what_is_no_application_is_named(project, run, wsgi, words):
    assert words in refused(run, project(files(**{"wsgi.py": wsgi}))).stdout


@pytest.mark.contract("P-81", "P-82")
def test_the_main_block_is_the_tools_and_not_the_clouds(project, run):
    wsgi = FUNCTION + ("print('name %s' % __name__)\n"
                       "if __name__ == '__main__':\n    from serve import serve\n"
                       "    print('main block')\n    serve('0.0.0.0', 3000)\n")
    root = project(files(**{"wsgi.py": wsgi, "serve.py": SERVE}))
    imported = passes(run, root)
    assert "out name wsgi" in imported.stdout and "main block" not in imported.stdout
    (root / "leanengine.yaml").write_text("run: python wsgi.py\n")  # as P-84's templates
    executed = passes(run, root)
    assert "out name __main__" in executed.stdout and "out main block" in executed.stdout


# ---- run ----

TEMPLATE = SERVE + """
    import os
    environment = os.environ.get('LEANCLOUD_APP_ENV')
    host = 'localhost' if environment == 'development' else '0.0.0.0'
    serve('127.0.0.1' if host == 'localhost' else host, int(os.environ['LEANCLOUD_APP_PORT']))
"""


@pytest.mark.contract("P-83", "P-84", "P-105")
def test_the_templates_main_block(project, up, run):
    """On localhost in development, which is served with a warning; on all addresses in the cloud. The older one
    was on localhost always."""
    newer = TEMPLATE.replace("    serve(sys.argv[1], int(sys.argv[2]))\n", "    pass\n")
    root = project(files(yaml="run: python wsgi.py\n", **{"wsgi.py": newer}))
    instance = up(root)
    instance.wait_line(r"listens on 127\.0\.0\.1:3000 only; in the cloud this deploy would fail")
    instance.wait_healthy()
    assert instance.http("/") == (200, b"hello")
    passes(run, root)
    (root / "wsgi.py").write_text(newer.replace("else '0.0.0.0'", "else 'localhost'"))
    assert "it asked for 127.0.0.1:3000" in refused(run, root).stdout


RUNS = {
    "python serve.py 0.0.0.0 $LEANCLOUD_APP_PORT": "3000",
    "python serve.py 0.0.0.0 ${LEANCLOUD_APP_PORT}": "3000",
    "cd sub && python ../serve.py '' $(cat port)": "3000",
    "PORT=3000; exec python -u serve.py 0.0.0.0 $PORT": "3000",
    "false || python serve.py 0.0.0.0 3000 # as written": "3000",
}


@pytest.mark.parametrize("command", RUNS)
@pytest.mark.contract("P-21", "P-37", "P-91", "P-92")
def test_run_is_a_line_of_a_shell(project, run, command):
    passes(run, project(files(yaml="run: %r\n" % command if "'" not in command else
                              'run: "%s"\n' % command, **{
                                  "serve.py": SERVE, "sub/port": "3000"})))


@pytest.mark.slow
@pytest.mark.contract("P-91", "P-92", "P-103")
def test_another_port_than_the_clouds_is_told_at_once_and_in_the_end(project, run):
    done = refused(run, project(files(yaml="run: python serve.py 0.0.0.0 8000\nstartupTimeout: 15\n",
                                      **{"serve.py": SERVE})), env={"LEANLOCAL_HEALTH": "second-ms=400"})
    assert "the app listens on port 8000; the cloud reaches port 3000 only" in done.stdout
    assert "web1 listened on port 8000, and not on port 3000 within 15 s" in done.stdout
    assert "P-91" in done.stdout


# Like uWSGI with --http: a router on port 3000 and workers on free ports of loopback, which the router reaches by
# the number that getsockname() told; as many workers as LEANCLOUD_AVAILABLE_CPUS says.
ROUTER = """
import os, socket, sys, threading
count = int(sys.argv[1])
workers = []
for number in range(count):
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(100)
    workers.append(listener.getsockname()[1])
    if os.fork() == 0:
        while True:
            link, _ = listener.accept()
            link.recv(65536)
            link.sendall(('HTTP/1.0 200 OK\\r\\n\\r\\nworker %d of %d' % (number, count)).encode())
            link.close()
router = socket.socket()
router.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
router.bind(('', 3000))
router.listen(100)

def relay(client, port):
    upstream = socket.create_connection(('127.0.0.1', port))
    upstream.sendall(client.recv(65536))
    data = upstream.recv(65536)
    while data:
        client.sendall(data)
        data = upstream.recv(65536)
    client.close()

turn = 0
while True:
    client, _ = router.accept()
    threading.Thread(target=relay, args=(client, workers[turn % count])).start()
    turn += 1
"""


@pytest.mark.contract("P-86", "P-93")
def test_a_router_reaches_its_workers_over_loopback(project, up, run):
    root = project(files(yaml="run: exec python router.py ${LEANCLOUD_AVAILABLE_CPUS}\n",
                         **{"router.py": ROUTER}))
    shown = run("env", root, "--format", "dotenv").stdout
    cpus = int(re.search(r"(?m)^LEANCLOUD_AVAILABLE_CPUS=[\"']?(\d+)", shown).group(1))
    assert cpus >= 1 and "AVAILABLE_MEMORY" not in shown
    instance = up(root)
    instance.wait_healthy()
    assert instance.http("/") and b"of %d" % cpus in instance.http("/").body
    assert "the app listens on port" not in instance.text  # its inner ports are nobody's business


@pytest.mark.slow
@pytest.mark.needs_index
@pytest.mark.contract("P-85", "P-86", "P-93")
def test_the_documented_uwsgi_line(project, up):
    """The vendor's own sample, by the letter, with the real uWSGI."""
    root = project(files("pyuwsgi\ngevent\ngunicorn>=21,<26\n", "run: uwsgi --gevent 5000 --http :3000 --wsgi-file wsgi.py "
                         "--master --process=${LEANCLOUD_AVAILABLE_CPUS} --disable-log\n",
                         **{"wsgi.py": FUNCTION, ".python-version": patch_version("3.11") + "\n"}))
    instance = up(root)
    instance.wait_line(r"running gevent loop engine", limit=300)
    instance.wait_healthy()
    assert instance.http("/") == (200, b"hello")
    instance.stop()


# ---- what the vendor's SDK does ----

SDK = """
import json
def application(environ, start_response):
    path = environ['PATH_INFO']
    if environ['REQUEST_METHOD'] == 'OPTIONS':  # P-89
        start_response('200 OK', [('Access-Control-Allow-Origin', '*')])
        return ['']
    if path == '/__engine/1/ping':  # P-87: twice, and no exc_info
        start_response('200 OK', [('Content-Type', 'application/json; charset=utf-8')])
        start_response('200 OK', [('Content-Type', 'text/plain; charset=utf-8')])
        return [json.dumps({'version': '3.0.2', 'runtime': 'cpython-3.8.18'}).encode()]
    start_response('302 Found', [('Location', 'https://example.com/login')])  # P-302
    return [b'']
"""


@pytest.mark.parametrize("wanted", ["2.7", "3.8", "3.13"])
@pytest.mark.contract("P-87", "P-88", "P-89", "P-114", "P-302")
def test_healthy_through_a_ping_that_a_strict_server_refuses(project, up, wanted):
    instance = up(project(files(**{"wsgi.py": SDK, ".python-version": patch_version(wanted)})))
    instance.wait_healthy()
    instance.wait_line(r"/__engine/1/ping 200")
    ping = instance.http("/__engine/1/ping")
    assert ping.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert ping.json()["runtime"].startswith("cpython-")
    answer = instance.http("/1.1/call", method="OPTIONS")
    assert answer == (200, b"") and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert instance.http("/").status == 302


# ---- what the app sees ----

@pytest.mark.contract("P-96")
def test_tls_ends_before_the_app(project, up):
    instance = up(project(files(**{"wsgi.py": (
        "def application(e, s):\n    s('200 OK', [])\n"
        "    return [('%s %s' % (e['wsgi.url_scheme'], e.get('HTTP_X_FORWARDED_PROTO'))).encode()]\n")})))
    instance.wait_healthy()
    scheme, _, forwarded = instance.http("/").text.partition(" ")
    assert scheme == "http" and forwarded in ("http", "https")


@pytest.mark.contract("P-306", "P-308")
def test_files_beside_the_code(project, run):
    """Read relative to the working directory, which is the app's root; written beside the code while importing."""
    done = passes(run, project(files(**{
        "wsgi.py": "import pkg\n" + FUNCTION.replace("b'hello'", "open('templates/a.txt', 'rb').read()"),
        "pkg/__init__.py": "import os\nwith open(os.path.join(os.path.dirname(__file__), 'parsetab.py'), 'w')"
                           " as f:\n    f.write('TABLE = 1')\nfrom pkg import parsetab\nassert parsetab.TABLE\n",
        "templates/a.txt": "from a template"})))
    assert "实例启动成功：from a template" in done.stdout


@pytest.mark.contract("P-214", "P-216")
def test_a_service_of_this_machine_is_reached_and_told_of(project, up, run):
    """In `up` a word, once however often is saved; verify warns and says by which rule."""
    with socket.socket() as service:
        service.bind(("127.0.0.1", 0))
        service.listen(50)
        place = "127.0.0.1:%d" % service.getsockname()[1]
        wsgi = FUNCTION + "import socket\nsocket.create_connection(%r).close()\n" % (service.getsockname(),)
        words = "the app uses %s of this machine; in the cloud nothing listens there" % place
        root = project(files(**{"wsgi.py": wsgi}))
        done = passes(run, root)
        assert words in done.stdout and "P-216" in done.stdout
        instance = up(root)
        instance.wait_healthy()
        (root / "wsgi.py").write_text(wsgi.replace("b'hello'", "b'again'"))
        instance.wait_body(b"again")
        assert instance.text.count(words) == 1


RELOADER = SERVE.replace("    serve(sys.argv[1], int(sys.argv[2]))\n", """\
    import os, signal, subprocess
    if os.environ.get('WERKZEUG_RUN_MAIN') != 'true':
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
        while True:
            code = subprocess.call([sys.executable, __file__], env=dict(os.environ, WERKZEUG_RUN_MAIN='true'))
            if code != 3:
                sys.exit(code)
    serve('0.0.0.0', 3000)
""")


@pytest.mark.contract("P-307")
def test_an_apps_own_reloader_is_harmless(project, up):
    """The process that listens is a grandchild, and its parent ends with 0 at SIGTERM."""
    root = project(files(yaml="run: python serve.py\n", **{"serve.py": RELOADER}))
    instance = up(root)
    instance.wait_healthy()
    (root / "serve.py").write_text(RELOADER.replace("b'hello'", "b'HELLO'"))
    instance.wait_body(b"HELLO")
    assert instance.stop() == 0  # and nothing is left
