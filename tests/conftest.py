"""Fixtures of the end-to-end tests. LEANLOCAL names the program (build/dev/leanlocal without it).

    def test_it(place, project):
        up = place.up(project({"wsgi.py": WSGI, "requirements.txt": ""}))
        assert up.http("/").status == 200
        assert up.stop() == 0

A place is private: directories, address (port 3000 on 127.x.y.z), environment, census at the end. Only the cache
of built layers is shared, by all tests of a session."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from helpers.index import why_no_index  # noqa: E402
from helpers.interpreters import ALL, need_interpreter, patch_version  # noqa: E402
from helpers.place import Place  # noqa: E402
from helpers.wheels import Wheelhouse  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ORDINARY_UID = 12345


@pytest.fixture(scope="session")
def leanlocal():
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
    path = shared / "cache"
    path.mkdir(exist_ok=True)
    return str(path)


@pytest.fixture
def place(leanlocal, cache):
    made = Place(leanlocal, cache)
    yield made
    made.leave()


@pytest.fixture
def ordinary(leanlocal, cache):
    """A place whose programs run as an ordinary user; the same as `place` when the tests do."""
    made = Place(leanlocal, cache, uid=ORDINARY_UID if os.geteuid() == 0 else None)
    yield made
    made.leave()


@pytest.fixture
def project(place):
    """project({"wsgi.py": text, ...}, name="project") -> its directory"""
    return place.project


@pytest.fixture
def sample(place):
    """sample("flask") -> a copy of samples/flask that the test may write into"""
    return lambda name: place.sample(os.path.join(ROOT, "samples", name))


@pytest.fixture
def wheelhouse(place):
    """An empty one; pip sees nothing else in this test."""
    house = Wheelhouse(place.directory("wheelhouse"))
    place.env.update(house.pip_environment())
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


@pytest.fixture(autouse=True)
def _needs_index(request):
    if request.node.get_closest_marker("needs_index"):
        trouble = request.getfixturevalue("index_trouble")
        if trouble:
            pytest.skip("needs a package index: " + trouble)
