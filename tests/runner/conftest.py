"""Fixtures of the runner's tests; what can be imported is in runner_kit.py. The files have names of
their own, so that pytest may collect this folder together with others."""
import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from runner_kit import WANTED, Running, find_interpreter  # noqa: E402


def pytest_generate_tests(metafunc):
    if 'python' in metafunc.fixturenames:
        metafunc.parametrize('python', WANTED, indirect=True, scope='module')


@pytest.fixture(scope='module')
def python(request):
    found = find_interpreter(request.param)
    if found is None:
        pytest.skip('no Python %s on this host' % request.param)
    return found


@pytest.fixture
def start(python, tmp_path):
    """start({'wsgi.py': text, ...}) -> Running. Ended after the test."""
    running = []

    def go(files, **options):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        running.append(Running(python, tmp_path, **options))
        return running[-1]

    yield go
    for each in running:
        each.stop()


@pytest.fixture(scope='module')
def everything(python, tmp_path_factory):
    """One runner per interpreter on runner_app.py; tests ask it side by side."""
    directory = tmp_path_factory.mktemp('everything')
    shutil.copy(os.path.join(HERE, 'runner_app.py'), str(directory / 'wsgi.py'))
    running = Running(python, directory)
    yield running.wait_ready()
    running.stop()
