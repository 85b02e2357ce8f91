"""./dev soak health [NAME...]: every case in the platform's own seconds, six at a time: some five minutes.
What ./dev test shows in short seconds must hold in real ones, too. Those that fail later are run by `up` until the
platform's line of a later check has come."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import cases  # noqa: E402

PROGRAM = os.path.join(HERE, "../../build/dev/leanlocal")
AT_A_TIME = 6
LIMIT_S = 300


def environment(directory):
    env = {name: value for name, value in os.environ.items() if name != "LEANLOCAL_HEALTH"}
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        env[name] = os.path.join(directory, name)
    env["LC_ALL"] = "C.UTF-8"
    return env


def is_later(one):
    return one.says.startswith("健康检查失败")


def verify(root, one, env):
    done = subprocess.run([PROGRAM, "verify", root], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    text = done.stdout.decode("utf-8", "replace")
    return text, one.says in text and done.returncode == (0 if one.deployed else 1)


def watch(root, one, env, number):
    """`up` until its line has come."""
    process = subprocess.Popen([PROGRAM, "up", root, "--plain", "--host", "127.78.9.%d" % (number + 1)], env=env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.monotonic() + LIMIT_S
    text = ""
    for line in process.stdout:
        text += line.decode("utf-8", "replace")
        if one.says in text or time.monotonic() > end:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate()
    return text, one.says in text


def play(number, one, directory):
    root = os.path.join(directory, one.name)
    os.makedirs(root)
    for name, text in cases.files(one).items():
        with open(os.path.join(root, name), "w", encoding="utf-8") as out:
            out.write(text)
    begun = time.monotonic()
    env = environment(directory)
    text, good = watch(root, one, env, number) if is_later(one) else verify(root, one, env)
    return one, good, time.monotonic() - begun, text


def main(names):
    chosen = [one for one in cases.CASES if not names or one.name in names]
    if not chosen or len(chosen) < len(names):
        sys.stderr.write("health: no such case; ./dev acceptance --list names them\n")
        return 2
    directory = tempfile.mkdtemp(prefix="leanlocal-health-")
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        # Those that take longest first.
        order = sorted(chosen, key=lambda one: not is_later(one))
        for done in concurrent.futures.as_completed([pool.submit(play, number, one, directory)
                                                     for number, one in enumerate(order)]):
            one, good, took, text = done.result()
            print("%-32s %6.1f s  %s" % (one.name, took, "as expected" if good else "NOT: " + one.says), flush=True)
            if not good:
                wrong.append(text)
    shutil.rmtree(directory, ignore_errors=True)
    for text in wrong:
        print("----\n" + text)
    print("%d of %d as expected" % (len(chosen) - len(wrong), len(chosen)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
