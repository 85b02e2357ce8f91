"""The cache of built layers: what is kept, who may remove it, and what is left of builds that do not end well."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from helpers import census
from helpers.waiting import wait_for

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"


@pytest.fixture
def own(place):
    """A place with a cache of its own."""
    place.cache = place.directory("own-cache")
    place.env["XDG_CACHE_HOME"] = place.cache
    return place


def files(word="one", **more):
    made = {"wsgi.py": OK, "requirements.txt": "", "leanengine.yaml": "install: echo %s\n" % word}
    made.update(more)
    return made


def room(place, name="layers"):
    return os.path.join(place.cache, "leanlocal", name)


def layers(place, name="layers"):
    found = os.listdir(room(place, name)) if os.path.isdir(room(place, name)) else []
    return sorted(each for each in found if os.path.isdir(os.path.join(room(place, name), each)))


def leftovers(place):
    return [name for each in ("layers", "built") for name in layers(place, each)
            if name.startswith(("tmp-", "home-", "dead-"))]


def listed(place, kind="layer"):
    done = place.run("cache", "ls", "--format", "json")
    assert done.returncode == 0, done.stderr
    return [entry for entry in json.loads(done.stdout)["entries"] if entry["kind"] == kind]


def build(place, root, *options, env=None, code=0):
    done = place.run("build", root, *options, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def age(place, hours):
    """All that is there was used that long ago."""
    for name in ("layers", "built"):
        for each in layers(place, name):
            path = os.path.join(room(place, name), each)
            old = os.stat(path).st_mtime - hours * 3600
            os.utime(path, (old, old))


# ---- ls ----

def test_ls_of_nothing(own):
    done = own.run("cache", "ls")
    assert done.returncode == 0 and "0B of 5.0G" in done.stdout


def test_ls_says_what_whose_how_large_and_when(own):
    root = own.project(files("list", **{"leanengine.yaml": "install: echo list\nbuild: head -c 100000 /dev/zero > big\n"}))
    build(own, root)
    layer, = listed(own)
    products, = listed(own, "products")
    assert layer["project"] == products["project"] == str(root)
    assert layer["bytes"] > 1000000 and 100000 <= products["bytes"] < 200000
    assert not layer["in_use"] and layer["detail"].startswith("Python 3")
    assert abs(layer["used_ms"] / 1000 - os.stat(root).st_mtime) < 600
    text = own.run("cache", "ls").stdout
    assert str(root) in text and "layer" in text and "products" in text and "of 5.0G" in text
    assert "of 1.0G" in own.run("cache", "ls", env={"LEANLOCAL_CACHE_BYTES": "1G"}).stdout


@pytest.mark.parametrize("arguments, env, word", [
    (("cache",), {}, "ls|prune"), (("cache", "list"), {}, "ls"),
    (("cache", "ls", "--all"), {}, "prune"), (("cache", "prune", "--all", "--max-size", "1G"), {}, "one of them"),
    (("cache", "prune", "--max-size", "5X"), {}, "--max-size"),
    (("cache", "ls"), {"LEANLOCAL_CACHE_BYTES": "much"}, "LEANLOCAL_CACHE_BYTES")])
def test_wrong_usage(own, arguments, env, word):
    done = own.run(*arguments, env=env)
    assert done.returncode == 2 and word in done.stderr


# ---- prune ----

def test_prune_takes_the_oldest_first(own):
    for word in ("old", "middle", "new"):
        build(own, own.project(files(word)))
        age(own, 1)
    before = listed(own)
    assert len(before) == 3
    keep = before[0]["bytes"] + before[1]["bytes"] + (1 << 20)  # pip's own cache is there too
    done = own.run("cache", "prune", "--max-size", str(keep))
    assert done.returncode == 0 and "1 removed" in done.stdout
    assert [entry["path"] for entry in listed(own)] == [entry["path"] for entry in before[:2]]
    assert own.run("cache", "prune", "--all").returncode == 0
    assert listed(own) == [] and layers(own) == [] and leftovers(own) == []
    assert [name for name in os.listdir(room(own)) if name.endswith((".use", ".salt"))] == []
    build(own, own.project(files("old")))


def test_prune_leaves_what_runs(own):
    """A layer in use stays, whatever is asked for; when its user ends it can go."""
    root = own.project(files("running", **{"requirements.txt": "# x\n"}))
    instance = own.up(root)
    instance.wait_healthy()
    build(own, own.project(files("idle")))
    assert sorted(entry["in_use"] for entry in listed(own)) == [False, True]
    done = own.run("cache", "prune", "--all")
    assert "1 removed" not in done.stdout or "left" in done.stdout
    layer, = listed(own)
    assert layer["in_use"] and layer["project"] == str(root)
    assert instance.http("/").body == b"x"
    shown = own.run("exec", root, "--", "python", "-c", "import pip; print(pip.__name__)")
    assert shown.stdout == "pip\n", "it is whole"
    assert instance.stop() == 0
    own.run("cache", "prune", "--all")
    assert listed(own) == []


def test_prune_leaves_the_old_layer_while_its_instance_serves(own):
    """A save that needs another layer and does not become healthy: the old version keeps serving on the old layer."""
    root = own.project(files("first"))
    instance = own.up(root)
    instance.wait_healthy()
    (root / "wsgi.py").write_text("raise RuntimeError('broken')\n")
    (root / "leanengine.yaml").write_text("install: echo second\n")
    instance.wait_line("keeps serving|RuntimeError")
    wait_for(lambda: len(listed(own)) == 2, "the second layer", 20, instance.output)
    own.run("cache", "prune", "--all")
    assert [entry["in_use"] for entry in listed(own)] == [True, True]
    assert instance.http("/").body == b"x"
    assert instance.stop() == 0


def test_prune_leaves_a_build_under_way(own):
    root = own.project(files("x", **{"leanengine.yaml": "install: echo begun; sleep 1; touch /opt/env/whole\n"}))
    building = subprocess.Popen(own.command("build", root, "--build-logs"), env=own.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, text=True)
    for line in building.stdout:
        if line.endswith(" begun\n"):
            break
    for _ in range(3):
        assert own.run("cache", "prune", "--all").returncode == 0
    rest = building.communicate(timeout=60)[0]
    assert building.returncode == 0, rest
    layer, = layers(own)
    assert os.path.exists(os.path.join(room(own), layer, "whole"))


def test_the_bound_is_kept_behind_a_build(own):
    """Pruned by age after publishing; what was used just now stays even when it is too much alone."""
    bound = {"LEANLOCAL_CACHE_BYTES": "1M"}
    build(own, own.project(files("old")), env=bound)
    old, = layers(own)
    age(own, 1)
    build(own, own.project(files("new")), env=bound)
    wait_for(lambda: old not in layers(own) and not leftovers(own), "the old layer to go", 10, lambda: layers(own))
    assert len(layers(own)) == 1


# ---- builds that do not end well ----

def test_killed_engine_leaves_nothing_that_could_be_used(own):
    """SIGKILL in the middle of install: its sandbox dies with it; the next build begins anew and clears away."""
    yaml = "install:\n - echo half > /opt/env/half; echo begun; [ -e /opt/env/go ] || sleep 1000\n"
    root = own.project(files("x", **{"leanengine.yaml": yaml}))
    instance = own.up(root, "--build-logs")
    instance.wait_line(r"install +begun")
    assert leftovers(own) != []
    own.census.look()
    os.kill(instance.engine_pid(), signal.SIGKILL)
    instance.wait_exit()
    own.assert_nothing_left()
    assert listed(own) == []
    (root / "leanengine.yaml").write_text("install: echo whole\n")
    build(own, root)
    wait_for(lambda: leftovers(own) == [], "the half layer to go", 10, lambda: leftovers(own))
    layer, = layers(own)
    assert not os.path.exists(os.path.join(room(own), layer, "half"))


def damage_record(layer):
    os.truncate(os.path.join(layer, ".leanlocal", "layer.json"), 10)


def damage_python(layer):
    os.unlink(os.path.join(layer, "bin", "python"))


def damage_key(layer):
    with open(os.path.join(layer, ".leanlocal", "layer.json"), "w") as file:
        file.write('{"key": "another"}')


def damage_to_nothing(layer):
    shutil.rmtree(layer)
    os.mkdir(layer)


@pytest.mark.parametrize("damage", [damage_record, damage_python, damage_key, damage_to_nothing])
def test_damaged_layer_is_made_anew(own, damage):
    root = own.project(files("damaged"))
    build(own, root)
    layer = os.path.join(room(own), layers(own)[0])
    damage(layer)
    done = build(own, root)
    # What has no record is garbage as well, and may just have been swept.
    assert "damaged or unfinished" in done.stdout or damage is damage_to_nothing
    assert "$ echo damaged" in done.stdout
    assert "install cached" in build(own, root).stdout
    assert os.path.exists(os.path.join(layer, "bin", "python"))
    wait_for(lambda: leftovers(own) == [], "the damaged one to go", 10, lambda: leftovers(own))


def test_two_builds_of_one_key_make_it_once(own):
    """The second waits, says for whom, and takes it from the cache."""
    yaml = "install: echo begun; sleep 1; echo ended\n"
    roots = [own.project(files("x", **{"leanengine.yaml": yaml})) for _ in range(2)]
    first = subprocess.Popen(own.command("build", roots[0], "--build-logs"), env=own.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for line in first.stdout:
        if line.endswith(" begun\n"):
            break
    second = build(own, roots[1], "--build-logs")
    assert first.wait(30) == 0
    first.stdout.close()
    assert "another build makes the same now (%s, pid " % roots[0] in second.stdout
    assert "install cached" in second.stdout and "ended" not in second.stdout
    assert len(layers(own)) == 1


def test_waiting_build_takes_over_from_a_dead_one(own):
    yaml = "install: echo begun; [ ! -e /opt/env/once ] && touch /opt/env/once && sleep %s\n"
    root = own.project(files("x", **{"leanengine.yaml": yaml % 1000}))
    instance = own.up(root, "--build-logs")
    instance.wait_line(r"install +begun")
    other = subprocess.Popen(own.command("build", own.project(files("x", **{"leanengine.yaml": yaml % 1000})),
                                         "--build-logs"),
                             env=own.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for line in other.stdout:
        if "another build" in line:
            break
    own.census.look()
    os.kill(instance.engine_pid(), signal.SIGKILL)
    for line in other.stdout:
        if line.endswith(" begun\n"):  # its own
            break
    else:
        raise AssertionError("the other build did not take over")
    other.send_signal(signal.SIGINT)
    other.stdout.close()
    other.wait(20)
    instance.wait_exit()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"),
                    reason="needs root, to mount a small file system of its own")
def test_full_disk_while_publishing(own):
    """The command itself goes well, then there is no room for the record: the host's fault, nothing is left."""
    disk = own.directory("small")
    # Our own files there would make room when they are removed.
    fill = "rm -rf /opt/built/.leanlocal; dd if=/dev/zero of=/opt/built/fill bs=4k 2>/dev/null; true"
    root = own.project(files("x", **{"leanengine.yaml": "build: '%s'\n" % fill}))
    script = ('mount -t tmpfs -o size=40m,mode=0755 tmpfs "$0" && { "$@"; code=$?; '
              'find "$0/leanlocal/built" -mindepth 1 -type d; exit $code; }')
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, disk, *own.command("build", root)],
                          env={**own.env, "XDG_CACHE_HOME": disk}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "No space left on device" in done.stdout and "cache prune" in done.stdout
    assert disk not in done.stdout.splitlines()[-1], "half of it is left"
    wait_for(lambda: not [pid for pid in own.census.look() if census.alive(pid)], "all processes to end", 10)
