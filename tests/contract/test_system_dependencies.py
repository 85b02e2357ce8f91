"""systemDependencies (P-26): compared with the host, never installed by itself, visible inside the sandbox."""

import glob
import os
import re
import stat

import pytest

WSGI = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
# A name -> how an app finds out that it has it.
COMMANDS = {
    "ffmpeg": ["ffmpeg"],
    "imagemagick": ["convert", "magick"],
    "phantomjs": ["phantomjs"],
    "chrome-headless": ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
}
FILES = {
    "fonts-wqy": ["/usr/share/fonts/*/wqy*/wqy-*.ttc"],
    "fonts-noto": ["/usr/share/fonts/*/noto/NotoSans-Regular.ttf", "/usr/share/fonts/*/noto/NotoSansCJK-Regular.ttc"],
    "python-talib": ["/usr/lib/libta[-_]lib.so*", "/usr/lib/*/libta[-_]lib.so*", "/usr/local/lib/libta[-_]lib.so*"],
}


def files_for(*names):
    return {"wsgi.py": WSGI, "requirements.txt": "",
            "leanengine.yaml": "systemDependencies: [%s]\n" % ", ".join(names)}


def which(name):
    for directory in ("/usr/local/bin", "/usr/bin", "/bin"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK):
            return path
    return None


@pytest.fixture
def bare_root(place):
    """A host that has nothing, which the program is told to look at: {path: mode} is put there."""
    def make(*commands):
        root = place.directory("bare")
        for path in commands:
            whole = os.path.join(root, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "w") as file:
                file.write("exit 77\n")  # nobody runs it
            os.chmod(whole, os.stat(whole).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return {"LEANLOCAL_SYSTEM_ROOT": root}
    return make


@pytest.mark.contract("P-26")
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_P_26_an_installed_command_is_the_app_s(project, run, name):
    there = [found for found in map(which, COMMANDS[name]) if found]
    if not there:
        pytest.skip("%s is not installed on this host" % name)
    done = run("exec", project(files_for(name)), "--", "sh", "-c", "command -v %s; true" % " ".join(
        os.path.basename(each) for each in there))
    assert done.stdout.split()[0] == there[0], done.stderr
    assert "P-26" not in done.stderr


@pytest.mark.contract("P-26")
@pytest.mark.parametrize("name", sorted(FILES))
def test_P_26_an_installed_library_or_font_is_the_app_s(project, run, name):
    there = [path for pattern in FILES[name] for path in glob.glob(pattern)]
    if not there:
        pytest.skip("%s is not installed on this host" % name)
    done = run("exec", project(files_for(name)), "--", "head", "-c", "4", there[0])
    assert done.returncode == 0, done.stderr
    assert "P-26" not in done.stderr


@pytest.mark.contract("P-26")
def test_P_26_what_is_missing_is_a_deviation_with_the_command_that_mends_it(project, run, bare_root):
    root = project(files_for("ffmpeg", "imagemagick", "fonts-noto"))
    done = run("build", root, env=bare_root("usr/bin/ffmpeg"))
    assert done.returncode == 0, done.stdout  # no failure: the cloud would install it
    told = [line for line in done.stdout.splitlines() if "systemDependencies" in line]
    assert len(told) == 1 and "imagemagick, fonts-noto" in told[0] and "ffmpeg" not in told[0]
    assert re.search(r"leanengine\.yaml:1:1", told[0])
    assert "apt-get install imagemagick fonts-noto" in done.stdout


@pytest.mark.contract("P-26")
def test_P_26_nothing_to_say_of_what_is_there(project, run, bare_root):
    done = run("build", project(files_for("ffmpeg", "chrome-headless")),
               env=bare_root("usr/local/bin/ffmpeg", "usr/bin/chromium"))
    assert done.returncode == 0 and "systemDependencies" not in done.stdout


@pytest.mark.contract("P-26")
def test_P_26_what_debian_does_not_have_gets_advice_not_a_command(project, run, bare_root):
    done = run("build", project(files_for("python-talib", "phantomjs")), env=bare_root())
    assert done.returncode == 0
    assert "TA-Lib" in done.stdout and "chrome-headless" in done.stdout and "apt-get" not in done.stdout


@pytest.mark.contract("P-26")
def test_P_26_a_name_for_node_is_warned_of(project, run):
    done = run("build", project(files_for("node-canvas")))
    assert done.returncode == 0
    assert "node-canvas" in done.stdout and "Node.js" in done.stdout


@pytest.mark.contract("P-26")
def test_P_26_an_unknown_name_is_refused_with_its_place_and_the_list(project, run):
    done = run("build", project({**files_for(), "leanengine.yaml": "systemDependencies:\n  - ffmpeg\n  - libpq\n"}))
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "leanengine.yaml:3:5" in said and "libpq" in said
    for name in list(COMMANDS) + list(FILES) + ["node-canvas"]:
        assert name in said


@pytest.mark.contract("P-26")
def test_P_26_what_is_missing_is_told_once_and_again_when_it_comes_back(up, project, bare_root):
    root = project(files_for("ffmpeg"))
    yaml = (root / "leanengine.yaml").read_text()
    instance = up(root, env=bare_root(), ready=True)

    def told():
        return sum("systemDependencies" in text for _, text in instance.lines)

    def save(name, content):
        at = instance.position()
        (root / name).write_text(content)
        instance.wait_line(r"^\S* *ready\b", since=at)
    save("wsgi.py", WSGI + "# again\n")
    assert told() == 1
    save("leanengine.yaml", "")
    save("leanengine.yaml", yaml)
    assert told() == 2
    assert instance.stop() == 0


@pytest.mark.contract("P-26")
def test_P_26_explain_says_what_is_here(project, run, bare_root):
    done = run("explain", project(files_for("ffmpeg", "fonts-noto")), env=bare_root("usr/bin/ffmpeg"))
    assert re.search(r"ffmpeg: is here", done.stdout) and re.search(r"fonts-noto: is not here", done.stdout)


@pytest.mark.contract("P-26")
def test_P_26_build_commands_have_what_is_installed_too(project, run):
    if not (which("convert") and os.path.isdir("/etc/ImageMagick-6")):
        pytest.skip("no ImageMagick with its configuration on this host")
    files = files_for("imagemagick")
    files["leanengine.yaml"] += "build: test -r /etc/ImageMagick-6/policy.xml\n"
    done = run("build", project(files))
    assert done.returncode == 0, done.stdout
