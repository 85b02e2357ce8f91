"""What these tests say in one word: up(), run(), and an instance to ask."""

import os
import pathlib

import pytest

from helpers.place import Place
from helpers.running import Running


@pytest.fixture
def up(place):
    return lambda directory, *options, env=None: Running(place, directory, options, env)


@pytest.fixture
def run(place):
    def call(*arguments, timeout=90, close_stdin=False, env=None, **more):
        if close_stdin:
            more["preexec_fn"] = lambda: [os.close(fd) for fd in (0,)]
            more["stdin"] = None
        if "input" in more:
            more["stdin"] = None
        return place.run(*arguments, limit_s=timeout, env=env,
                         **{k: v for k, v in more.items() if v is not None})
    return call


@pytest.fixture
def project(place):
    return lambda files, name="project": pathlib.Path(place.project(files, name))


@pytest.fixture
def copy_project(place):
    return lambda path: place.sample(os.path.normpath(path))


@pytest.fixture
def address(place):
    return place.address


@pytest.fixture
def index(index_trouble):
    return not index_trouble


@pytest.fixture
def other_place(leanlocal, cache):
    made = Place(leanlocal, cache)
    yield made
    made.leave()
