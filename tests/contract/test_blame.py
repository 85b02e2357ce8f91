"""Why a start fails, named: packages that moved, what nobody asked for, variables, hidden modules (P-300 to P-305)."""

import pytest
from building import build, files, lines

from helpers.census import is_port_free
from helpers.interpreters import patch_version

CALLABLE = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"


def fails(run, root, *options):
    """What `verify` says of a start that fails: (its sentences, rule, mend)."""
    done = run("verify", root, *options, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    told = lines(done, "failed")
    rule = [text.split(None, 1)[1] for text in told if text.startswith("rule ")]
    mend = [text.split(None, 1)[1] for text in told if text.startswith("mend ")]
    return "\n".join(told), (rule + [""])[0], (mend + [""])[0]


@pytest.fixture
def old_flask(wheelhouse):
    """An old Flask, and the Jinja2 that came after it, as far as they matter."""
    wheelhouse.add("Flask", "1.0.4", {"flask/__init__.py": "from jinja2 import escape\n"},
                   requires=["Jinja2>=2.10"])
    wheelhouse.add("Jinja2", "2.11.3", {"jinja2/__init__.py": "def escape(text):\n    return text\n"})
    wheelhouse.add("Jinja2", "3.1.2", {"jinja2/__init__.py": ""})
    return wheelhouse


APP = {"wsgi.py": "from app import application\n", "app.py": "import flask\n" + CALLABLE}


@pytest.mark.parametrize("wanted", ["2.7", "3.8", "3.13"])
@pytest.mark.contract("P-300")
def test_both_packages_and_the_pin_are_named_and_the_pin_mends_it(project, run, old_flask, wanted):
    root = project(files("flask==1.0.4\n", **APP, **{".python-version": patch_version(wanted)}))
    told, rule, mend = fails(run, root)
    assert rule == "P-300"
    assert "Flask 1.0.4 uses jinja2.escape, which is gone since Jinja2 3.1; 3.1.2 is installed" in told
    assert mend == 'add "Jinja2<3.1" to requirements.txt, or take a newer Flask'
    (root / "requirements.txt").write_text("flask==1.0.4\nJinja2<3.1\n")
    assert run("verify", root).returncode == 0


@pytest.mark.contract("P-300", "P-301")
def test_a_pin_that_is_itself_the_trouble_is_found_by_its_line(project, run, old_flask):
    root = project(files("# of last year\nflask==1.0.4\njinja2\n", **APP))
    told, _, mend = fails(run, root)
    assert 'requirements.txt:3, "jinja2", lets pip take the newest' in told
    assert mend.startswith('write "Jinja2<3.1" in requirements.txt:3')


@pytest.mark.contract("P-300")
def test_the_cause_is_known_when_a_server_of_run_reports_it(project, run, old_flask):
    """A traceback among other lines, from a worker; the command itself stays and never listens."""
    root = project(files("flask==1.0.4\n", "run: python boot.py\n", **APP, **{"boot.py": (
        "import sys, traceback\nprint('[INFO] booting')\ntry:\n    import app\nexcept ImportError:\n"
        "    sys.stderr.write('[ERROR] Exception in worker process\\n')\n    traceback.print_exc()\n"
        "    sys.stderr.write('[INFO] Worker exiting\\n')\n    sys.exit(3)\n")}))
    told, rule, _ = fails(run, root)
    assert rule == "P-300" and "gone since Jinja2 3.1" in told


@pytest.mark.parametrize("wanted", ["2.7", "3.12"])
@pytest.mark.contract("P-301")
def test_contradictions_are_reported_whatever_pip_thinks(project, run, wheelhouse, wanted):
    """As "pip check" would; markers that do not hold and extras are no wishes. Told again from the cache."""
    wheelhouse.add("base", "1.0")
    wheelhouse.add("base", "2.0")
    wheelhouse.add("user", "1.0", requires=[
        "base<2", "absent; extra == 'more'", "other; python_version < '2'", "lost>=1"])
    root = project(files("base==2.0\n", "install: [{use: default}, 'pip install --no-deps user']\n",
                         **{".python-version": patch_version(wanted)}))
    for _ in range(2):
        warnings = [text for text in build(run, root).stdout.splitlines() if "contradict" in text]
        assert len(warnings) == 2, warnings
        assert "user 1.0 has requirement base<2, but you have base 2.0." in warnings[0]
        assert "user 1.0 requires lost, which is not installed." in warnings[1]


# ---- the vendor's SDK on a Python that it does not support ----

@pytest.mark.contract("P-42", "P-53")
def test_an_sdk_that_cannot_be_installed(project, run, wheelhouse):
    wheelhouse.add("leancloud", "3.0.2", requires_python="<3.12")
    done = run("build", project(files("leancloud>=3\n", **{".python-version": patch_version("3.12")})))
    assert done.returncode == 1 and "P-53" in lines(done, "failed")[-1] + done.stdout
    assert "write 3.11 or older into .python-version" in done.stdout


@pytest.mark.contract("P-53")
def test_an_sdk_that_cannot_be_imported(project, run, wheelhouse):
    wheelhouse.add("leancloud", "2.9.12", {"leancloud/__init__.py": "import old\n"}, requires=["old"])
    wheelhouse.add("old", "1.0", {"old.py": "import imp\n"})
    root = project(files("leancloud>=2.9.1,<3.0.0\n", **{
        "wsgi.py": "import leancloud\n" + CALLABLE, ".python-version": patch_version("3.12")}))
    told, rule, mend = fails(run, root)
    assert rule == "P-53" and "old 1.0 uses imp, which is gone since Python 3.12" in told
    assert "write 3.11 or older into .python-version" in mend
    (root / ".python-version").write_text(patch_version("3.11"))
    assert run("verify", root).returncode == 0


# ---- imports of the app ----

IMPORTS = [
    ("import yaml\n", "P-60", 'add "PyYAML" to requirements.txt'),
    ("import imp\n", "P-40", "write 3.11 into .python-version, or use importlib in wsgi.py:1"),
    ("from collections import Mapping\n", "P-40", "write 3.9 into .python-version, or use collections.abc."),
    ("import local_settings\n", "P-220", "leanlocal why local_settings.py"),
    ("import os\nos.environ['WECHAT_TOKEN']\n", "P-303", "put WECHAT_TOKEN=... into .env"),
    ("import os, sys\nif 'TOKEN' not in os.environ:\n    sys.stderr.write('set the environment variable "
     "TOKEN\\n')\n    sys.exit(1)\n", "P-303", "put TOKEN=... into .env"),
]


@pytest.mark.parametrize("text, rule, mend", IMPORTS, ids=[row[2][:24].strip() for row in IMPORTS])
@pytest.mark.contract("P-60", "P-303")
def test_what_the_app_asks_for_and_is_not_there(project, run, text, rule, mend):
    root = project(files(**{"wsgi.py": text + CALLABLE, ".python-version": patch_version("3.12"),
                            "local_settings.py": "", ".leanignore": "local_settings.py\n"}))
    _, got, how = fails(run, root)
    assert got == rule and mend in how
    if rule == "P-303":
        (root / ".env").write_text("TOKEN=x\nWECHAT_TOKEN=y\n")
        assert run("verify", root).returncode == 0


@pytest.mark.contract("P-305")
def test_a_file_that_hides_a_module_of_python(project, run, wheelhouse):
    """email.py breaks what imports the standard one, with a word that leads astray; not when it stays at home."""
    wheelhouse.add("fetch", "1.0", {"fetch.py": "import email.parser\n"})
    root = project(files("fetch\n", **{"wsgi.py": "import fetch\n" + CALLABLE, "email.py": "NAME = 1\n"}))
    told, rule, mend = fails(run, root)
    assert rule == "P-305" and "email.py of the project hides the module email" in told
    assert mend == "give email.py another name"
    (root / ".leanignore").write_text("email.py\n")
    assert run("verify", root).returncode == 0


@pytest.mark.contract("P-304")
def test_a_call_of_the_api_while_importing(project, run, wheelhouse):
    """With an id that was made up nothing is called but a closed door of this machine."""
    wheelhouse.add("leancloud", "2.9.12", {"leancloud/__init__.py": (
        "import os\nfrom urllib.request import urlopen, Request\n"
        "class LeanCloudError(Exception):\n    pass\n"
        "def get(path):\n    url = os.environ['LEANCLOUD_API_SERVER'] + path\n"
        "    print('calls ' + url)\n"
        "    try:\n        return urlopen(Request(url, headers={'X-LC-Id': 'x'}), timeout=5)\n"
        "    except Exception as error:\n        raise LeanCloudError(str(error))\n")})
    root = project(files("leancloud\n", **{
        "wsgi.py": "import leancloud\nCONFIG = leancloud.get('/1.1/classes/Config')\n" + CALLABLE,
        ".python-version": patch_version("3.8")}))
    told, rule, mend = fails(run, root)
    assert rule == "P-304" and "calls the platform's API while it is imported" in told
    assert "calls http://127." in run("verify", root).stdout


COMMANDS = [("gunicorn wsgi:application", 'add "gunicorn" to requirements.txt'),
            ("uwsgi --http :3000", 'add "uWSGI" to requirements.txt')]


@pytest.mark.parametrize("command, mend", COMMANDS)
@pytest.mark.contract("P-21")
def test_a_command_that_is_not_there(project, run, command, mend):
    _, rule, how = fails(run, project(files(yaml="run: %s\n" % command)))
    assert rule == "P-21" and mend in how


@pytest.mark.contract("P-300")
def test_a_save_that_follows_the_advice_is_served(project, up, old_flask):
    root = project(files("flask==1.0.4\n", **APP))
    instance = up(root)
    instance.wait_line(r"mend +add \"Jinja2<3\.1\" to requirements\.txt")
    (root / "requirements.txt").write_text("flask==1.0.4\nJinja2<3.1\n")
    instance.wait_healthy()


@pytest.mark.contract("P-300")
def test_the_screen_says_it(project, screen, old_flask):
    shown = screen("up", project(files("flask==1.0.4\n", **APP)), size=(120, 40))
    shown.wait_text(r"gone since Jinja2 3\.1", limit_s=60)
    shown.wait_text(r"mend +add \"Jinja2<3\.1\" to requirements\.txt")
    shown.send_keys("q")
    shown.wait_exit()


@pytest.mark.contract("P-214", "P-216")
def test_a_redis_that_is_looked_for_on_this_machine(project, run, wheelhouse):
    if not is_port_free("127.0.0.1", 6379):
        pytest.skip("a Redis runs on this host")
    wheelhouse.add("redis", "3.5.3", {"redis.py": (
        "import socket\nclass ConnectionError(Exception):\n    pass\n"
        "def get(host='127.0.0.1', port=6379):\n    try:\n        socket.create_connection((host, port))\n"
        "    except OSError as error:\n        raise ConnectionError('Error %s connecting to %s:%s. Connection '\n"
        "                              'refused.' % (error.errno, host, port))\n")})
    told, rule, mend = fails(run, project(files("redis\n", **{"wsgi.py": "import redis\nredis.get()\n" + CALLABLE})))
    assert rule == "P-216" and "wsgi.py:2 looks for Redis on this machine" in told
    assert "REDIS_URL_" in mend
