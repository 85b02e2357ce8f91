# Runs the build steps in the app's directory, with all sources in place, and keeps what they made or changed:
# a tree to be laid over the sources. Run inside the sandbox: python products.py JOB.json. Valid from 2.7 on.
import json
import os
import shutil
import stat
import sys

import steps


def state_of(top):
    """Path -> what tells a change of it; directories are only noted as such."""
    state = {}
    for here, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(here, name)
            info = os.lstat(path)
            kind = stat.S_IFMT(info.st_mode)
            relative = os.path.relpath(path, top)
            if kind == stat.S_IFDIR:
                state[relative] = (kind,)
            else:
                state[relative] = (kind, info.st_size, info.st_mtime, info.st_ino,
                                   stat.S_IMODE(info.st_mode))
    return state


def copy_one(source, there):
    info = os.lstat(source)
    if not os.path.isdir(os.path.dirname(there)):
        os.makedirs(os.path.dirname(there))
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(source), there)
    elif stat.S_ISDIR(info.st_mode):
        if not os.path.isdir(there):
            os.makedirs(there)
    elif stat.S_ISREG(info.st_mode):
        shutil.copy2(source, there)


def collect(before, work_dir, tree):
    after = state_of(work_dir)
    for path in sorted(after):
        if before.get(path) != after[path]:
            copy_one(os.path.join(work_dir, path), os.path.join(tree, path))
    for path in sorted(before):
        if path in after or os.path.dirname(path) in before and os.path.dirname(path) not in after:
            continue
        there = os.path.join(tree, path)
        if not os.path.isdir(os.path.dirname(there)):
            os.makedirs(os.path.dirname(there))
        try:
            os.mknod(there, stat.S_IFCHR, 0)  # overlayfs: "not here"
        except OSError:
            print("note: %s was deleted by the build; it is back at run time" % path)


def main():
    with open(sys.argv[1]) as source:
        job = json.load(source)
    work_dir, output = str(job["work_dir"]), str(job["target"])
    tree = os.path.join(output, "tree")
    os.mkdir(tree)
    before = state_of(work_dir)
    if not steps.run_steps([s for s in job["steps"] if s["kind"] == "shell"], None, work_dir, work_dir):
        return 1
    collect(before, work_dir, tree)
    return 0


sys.exit(main())
