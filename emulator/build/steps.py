# Runs the steps of leanengine.yaml's install or build list, one after the other, in the sandbox.
# Valid from 2.7 on: it is run by the project's own interpreter.
#
# What is said to the engine goes through the same pipe as the steps' output, so that the order is true: lines
# that begin with \x01 ("step <label>", "failed <exit> <label>", "conflict <text>").
import os
import shutil
import subprocess
import sys


def tell(word, text):
    sys.stdout.write("\x01%s %s\n" % (word, text.replace("\n", " ")))
    sys.stdout.flush()


def one_line(text):
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."


def copy_all(here, there):
    """Into what may be there already: of a directory a file may have been required before, or all of it."""
    if not os.path.isdir(here):
        shutil.copy2(here, there)
        return
    if not os.path.isdir(there):
        os.makedirs(there)
    for name in os.listdir(here):
        copy_all(os.path.join(here, name), os.path.join(there, name))


def copy_required(names, source, work_dir):
    """P-22: adds files to the directory in which later steps run."""
    for name in names:
        name = os.path.normpath(name)
        there = os.path.join(work_dir, name)
        if not os.path.isdir(os.path.dirname(there)):
            os.makedirs(os.path.dirname(there))
        copy_all(os.path.join(source, name), there)


def run_one(argv, label, work_dir):
    tell("step", label)
    try:
        status = subprocess.call(argv, cwd=work_dir)
    except OSError as problem:
        print("%s: %s" % (argv[0], problem))
        status = 127
    if status != 0:
        tell("failed", "%d %s" % (128 - status if status < 0 else status, label))
    return status == 0


def run_steps(steps, default, source, work_dir):
    """default: (argv, label) of {use: default}, or None. False at the first step that fails."""
    for step in steps:
        if step["kind"] == "require":
            copy_required(step["files"], source, work_dir)
            continue
        if step["kind"] == "shell":
            argv, label = ["/bin/sh", "-c", step["text"]], one_line(step["text"])
        elif default:
            argv, label = default
        else:
            continue
        if not run_one(argv, label, work_dir):
            return False
    return True
