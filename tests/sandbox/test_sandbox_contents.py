"""Binds, files, links and versions: what the spec asks for is there, read-only unless said otherwise."""

import os

import pytest

LEVELS = ["", "overlay", "mount"]  # overlaid, copied inside, copied without namespaces


def test_bind_read_only_and_writable(full):
    full.write("layer/module.py", "x = 1\n")
    os.makedirs(full.path("persist"))
    full.give(full.path("persist"))
    result = full.shell("cat /opt/layer/module.py; echo y > /opt/layer/module.py; "
                        "echo kept > /home/leanengine/data/file; ls -d /home/leanengine/data",
                        options=["--bind", full.path("layer") + ":/opt/layer",
                                 "--bind", full.path("persist") + ":/home/leanengine/data:w"])
    assert "x = 1" in result.stdout and "Read-only file system" in result.stderr, result
    with open(full.path("persist", "file")) as file:
        assert file.read() == "kept\n"


def test_bind_shows_nothing_else_of_a_home(full):
    full.write("home/alice/.pyenv/versions/3.99/bin/python", "")
    full.write("home/alice/secret", "s")
    prefix = full.path("home/alice/.pyenv/versions/3.99")
    result = full.shell("find %s -type f" % full.path("home"), options=["--bind", "%s:%s" % (prefix, prefix)])
    assert result.stdout.split() == [prefix + "/bin/python"]


@pytest.mark.environments("root")  # an ordinary user cannot enter it outside either
def test_bind_through_a_closed_directory_as_root(full):
    full.write("closed/layer/file", "inside\n", 0o644)
    os.chown(full.path("closed"), 4242, 4242)
    os.chmod(full.path("closed"), 0o700)
    result = full.shell("cat /opt/layer/file", options=["--bind", full.path("closed/layer") + ":/opt/layer"])
    assert result.stdout == "inside\n", result


def test_bind_of_a_source_below_tmp(full):
    assert full.directory.startswith("/tmp/")
    full.write("file", "seen\n", 0o644)
    assert full.shell("cat /tmp/inside", options=["--bind", full.path("file") + ":/tmp/inside"]).stdout == "seen\n"


def test_missing_sources(full):
    optional = full.run("/bin/true", options=["--bind", "/nonexistent:/x:o"])
    assert optional.returncode == 0, optional
    required = full.run("/bin/true", options=["--bind", "/nonexistent:/x"])
    assert required.returncode == 125
    failed = full.events("failed")[0]
    assert "/nonexistent" in failed["message"] and "No such file" in failed["message"]
    assert failed["where"].startswith("open-sources") and full.events()[-1]["event"] == "exited"


def test_absolute_links_of_the_host_are_followed_outside(full):
    full.write("real", "resolved\n", 0o644)
    os.symlink(full.path("real"), full.path("link"))
    assert full.shell("cat /etc/piece", options=["--bind", full.path("link") + ":/etc/piece"]).stdout == "resolved\n"


def test_files_and_links(full):
    options = ["--file", "/etc/localtime=TZ", "--file", "/home/leanengine/.profile=hello",
               "--symlink", "/opt/current=/usr", "--file", "/etc/hosts=127.0.0.1 only"]
    result = full.shell("cat /etc/localtime ~/.profile /etc/hosts; stat -c %U ~/.profile; readlink /opt/current; "
                        "echo x > /etc/localtime; echo more >> ~/.profile && echo writable", options=options)
    assert result.stdout.startswith("TZhello127.0.0.1 only"), result
    assert "leanengine\n/usr\nwritable\n" in result.stdout and "Read-only" in result.stderr


def make_version(box):
    box.write("base/app.py", "old\n")
    box.write("base/pkg/module.py", "kept\n")
    box.write("base/pkg/gone.py", "gone\n")
    box.write("base/dropped/file", "x")
    os.symlink("pkg/module.py", box.path("base/link"))
    box.write("delta/app.py", "new\n")
    os.makedirs(box.path("delta/pkg"), exist_ok=True)
    if os.geteuid() == 0:
        os.mknod(box.path("delta/pkg/gone.py"), 0o600 | 0o020000, 0)
        os.mknod(box.path("delta/dropped"), 0o600 | 0o020000, 0)
    os.utime(box.path("base/pkg/module.py"), (1000000000, 1000000000))
    for name in ("base", "delta"):
        box.give(box.path(name))
    return ["--lower", box.path("delta"), "--lower", box.path("base")]


@pytest.mark.parametrize("deny", LEVELS)
def test_version(box, deny):
    options = make_version(box)
    result = box.shell("cat app.py link; stat -c %Y pkg/module.py; find . | sort | tr '\\n' ' '",
                       options=options, deny=deny)
    assert result.stdout.splitlines()[:3] == ["new", "kept", "1000000000"], result
    if os.geteuid() == 0:
        assert result.stdout.splitlines()[3].split() == [".", "./app.py", "./link", "./pkg", "./pkg/module.py"]


@pytest.mark.parametrize("deny", LEVELS)
def test_version_is_writable_and_the_source_untouched(box, deny):
    options = make_version(box)
    result = box.shell("echo changed > app.py && rm -rf pkg && mkdir pkg && echo n > pkg/new && mv pkg moved && "
                       "echo all written && cat app.py moved/new", options=options, deny=deny)
    assert result.stdout == "all written\nchanged\nn\n", result
    with open(box.path("delta/app.py")) as file:
        assert file.read() == "new\n"
    assert os.path.exists(box.path("base/pkg/module.py"))


@pytest.mark.parametrize("deny", LEVELS)
def test_single_lower_and_odd_path(box, deny):
    box.write("a:b,c \\d/file", "odd\n")
    box.give(box.path("a:b,c \\d"))
    assert box.shell("cat file && touch new", options=["--lower", box.path("a:b,c \\d")], deny=deny).stdout == "odd\n"


@pytest.mark.parametrize("deny", LEVELS)
def test_many_lowers(box, deny):
    options = []
    for i in range(20):
        box.write("layer%d/f%d" % (i, i), "")
        box.write("layer%d/common" % i, "%d\n" % i)
        box.give(box.path("layer%d" % i))
        options += ["--lower", box.path("layer%d" % i)]
    assert box.shell("cat common; ls | wc -l", options=options, deny=deny).stdout == "0\n21\n"


def test_version_from_binds(full):
    full.write("built/app.py", "bound\n")
    result = full.shell("cat app.py; touch x", options=["--from-binds", "--bind", full.path("built") + ":/home/leanengine/app"])
    assert result.stdout == "bound\n" and "Read-only" in result.stderr


def test_bind_below_the_version(full):
    options = make_version(full)
    full.write("db", "rows\n")
    full.give(full.path("db"))
    result = full.shell("cat db.sqlite3 app.py; echo more >> db.sqlite3",
                        options=options + ["--bind", full.path("db") + ":/home/leanengine/app/db.sqlite3:w"])
    assert result.stdout == "rows\nnew\n", result
    with open(full.path("db")) as file:
        assert file.read() == "rows\nmore\n"


@pytest.mark.parametrize("deny", ["", "mount"])
def test_missing_version(box, deny):
    result = box.run("/bin/true", options=["--lower", box.path("nothing")], deny=deny)
    assert result.returncode == 125 and "nothing" in result.stderr
