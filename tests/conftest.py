"""Fixtures of the end-to-end tests. LEANLOCAL names the program (build/dev/leanlocal without it).

    def test_it(project, up):
        instance = up(project({"wsgi.py": WSGI, "requirements.txt": ""}))
        instance.wait_healthy()
        assert instance.http("/") == (200, b"hi")
        assert instance.stop() == 0

Each test has a place of its own: directories, addresses (port 3000 on 127.x.y.z), environment, census at the end
(helpers/place.py). Only the cache of built layers is shared, by all tests of a session."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from helpers.environments import (  # noqa: E402,F401
    pytest_runtest_makereport, pytest_terminal_summary)
from helpers.index import why_no_index  # noqa: E402
from helpers.interpreters import ALL, need_interpreter, patch_version  # noqa: E402
from helpers.place import Place, new_address  # noqa: E402
from helpers.wheels import Wheelhouse  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ORDINARY_UID = 12345


@pytest.fixture(scope="session")
def leanlocal():
    """Path of the program."""
    path = os.path.abspath(os.environ.get("LEANLOCAL", os.path.join(ROOT, "build/dev/leanlocal")))
    if not os.access(path, os.X_OK):
        pytest.fail("not built: %s (./dev build dev, or set LEANLOCAL)" % path)
    return path


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A directory that all workers of this session have in common."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def cache(shared):
    return str(shared / "cache")


@pytest.fixture
def place(leanlocal, cache):
    made = Place(leanlocal, cache)
    yield made
    made.leave()


@pytest.fixture
def ordinary(leanlocal, cache):
    """A place whose programs run as an ordinary user; the same as `place` when the tests do."""
    made = Place(leanlocal, cache, ORDINARY_UID if os.geteuid() == 0 else None)
    yield made
    made.leave()


@pytest.fixture
def project(place):
    """project({"wsgi.py": text, ...}, name="project") -> its directory (pathlib)"""
    return place.project


@pytest.fixture
def copy_project(place):
    """copy_project("samples/flask") -> a copy that the test may write into"""
    return place.copy_project


@pytest.fixture
def up(place):
    """up(directory, *options, env={}) -> helpers.up.Up, which has begun"""
    return place.up


@pytest.fixture
def run(place):
    """run("verify", directory, ..., env={}, input=None, timeout=120) -> returncode, stdout, stderr"""
    return place.run


@pytest.fixture
def run_as_user(ordinary):
    """The same as an ordinary user."""
    return ordinary.run


@pytest.fixture
def screen(place):
    """screen("up", directory, ..., size=(80, 24), env={}) -> helpers.screen.Screen"""
    return place.screen


@pytest.fixture
def address():
    """An address of 127/8 for this test alone."""
    return new_address()


@pytest.fixture
def wheelhouse(place):
    """Empty; pip sees nothing else in this test."""
    house = Wheelhouse(place.directory("wheelhouse"))
    os.chmod(house.directory, 0o755)  # root's pip runs as another user
    place.env.update(house.env)
    return house


@pytest.fixture(params=ALL)
def interpreter(request):
    """(name, path, what .python-version says) of each Python that this host has."""
    return request.param, need_interpreter(request.param), patch_version(request.param)


@pytest.fixture(scope="session")
def index_trouble(shared):
    """Why pip cannot download here, "" if it can; asked once for all workers."""
    answer = shared / "index"
    if not answer.exists():
        part = shared / ("index.%d" % os.getpid())
        part.write_text(why_no_index())
        part.rename(answer)
    return answer.read_text()


@pytest.fixture
def index(index_trouble):
    """True where pip can download."""
    return index_trouble == ""


@pytest.fixture(autouse=True)
def _needs_index(request):
    if request.node.get_closest_marker("needs_index"):
        trouble = request.getfixturevalue("index_trouble")
        if trouble:
            pytest.skip("needs a package index: " + trouble)
