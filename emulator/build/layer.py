# Makes a layer: an isolated environment at a fixed path, with pip in it, then runs the install steps.
# Run by the base interpreter inside the sandbox: python layer.py JOB.json. Valid from 2.7 on.
#
# ensurepip takes seconds, so pip is copied from the interpreter that has one, or unpacked from a wheel.
# Nothing else of the base's packages is copied.
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import packages
import steps

PARTS = ("setuptools", "pkg_resources", "_distutils_hack", "easy_install.py", "wheel",
         "distutils-precedence.pth")


def make_link(to, path):
    if not os.path.lexists(path):
        os.symlink(to, path)


def site_packages(target):
    return os.path.join(target, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def create_by_venv(target):
    import venv

    venv.EnvBuilder(with_pip=False, symlinks=True).create(target)


def create_by_hand(target):
    """What venv does, for a Python whose distribution split venv off."""
    exe = os.path.realpath(sys.executable)
    version = "%d.%d" % sys.version_info[:2]
    os.makedirs(os.path.join(target, "bin"))
    os.makedirs(site_packages(target))
    make_link(exe, os.path.join(target, "bin", "python"))
    for name in ("python3", "python" + version):
        make_link("python", os.path.join(target, "bin", name))
    make_link("lib", os.path.join(target, "lib64"))
    with open(os.path.join(target, "pyvenv.cfg"), "w") as config:
        config.write("home = %s\ninclude-system-site-packages = false\nversion = %s\n"
                     % (os.path.dirname(exe), sys.version.split()[0]))


def create_for_two(target):
    """2.7 has no venv (P-309). It finds its prefix by lib/python2.7/os.py beside a real binary, so the
    binary is copied and the library is links to the base's, all but site-packages."""
    base = os.path.dirname(os.__file__)
    lib = os.path.join(target, "lib", "python2.7")
    os.makedirs(os.path.join(target, "bin"))
    os.makedirs(os.path.join(target, "include"))
    os.makedirs(os.path.join(lib, "site-packages"))
    for name in os.listdir(base):
        if name not in ("site-packages", "dist-packages"):
            make_link(os.path.join(base, name), os.path.join(lib, name))
    make_link("lib", os.path.join(target, "lib64"))
    import sysconfig

    headers = sysconfig.get_path("include")
    if headers and os.path.isdir(headers):
        # A directory of links, not a link: packages such as greenlet add headers of their own.
        own = os.path.join(target, "include", "python2.7")
        os.makedirs(own)
        for name in os.listdir(headers):
            make_link(os.path.join(headers, name), os.path.join(own, name))
    shutil.copy2(os.path.realpath(sys.executable), os.path.join(target, "bin", "python2.7"))
    for name in ("python", "python2"):
        make_link("python2.7", os.path.join(target, "bin", name))
    prefix = subprocess.check_output([os.path.join(target, "bin", "python"), "-E", "-s", "-c",
                                      "import sys; sys.stdout.write(sys.prefix)"])
    if prefix.decode() != target:
        raise RuntimeError("this Python cannot be isolated: its prefix stays %s" % prefix.decode())


def copy_part(source, destination):
    there = os.path.join(destination, os.path.basename(source))
    if os.path.isdir(source):
        shutil.copytree(source, there)
    else:
        shutil.copy2(source, there)


def copy_package(directory, destination, names, metadata):
    for name in names:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            copy_part(path, destination)
    for name in metadata:
        for path in glob.glob(os.path.join(directory, name + "-*-info")):
            copy_part(path, destination)


def unpack_wheel(path, destination):
    import zipfile

    archive = zipfile.ZipFile(path)
    try:
        archive.extractall(destination)
    finally:
        archive.close()


def newest(pattern):
    found = glob.glob(pattern)
    return max(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p)]) if found else None


def needs_setuptools():
    return sys.version_info[:2] < (3, 12)


def own_package_dirs():
    return [d for d in sys.path if os.path.basename(d) in ("site-packages", "dist-packages")]


def add_pip(job, destination):
    pip_dir, wheel = job.get("pip_dir"), job.get("pip_wheel")
    if pip_dir:
        copy_package(pip_dir, destination, ["pip"], ["pip"])
    elif wheel:
        unpack_wheel(wheel, destination)
    if not needs_setuptools():
        return
    beside = newest(os.path.join(os.path.dirname(wheel), "setuptools-*.whl")) if wheel else None
    if beside:
        unpack_wheel(beside, destination)
        return
    for directory in own_package_dirs():
        if os.path.isdir(os.path.join(directory, "setuptools")):
            copy_package(directory, destination, PARTS, ["setuptools", "wheel"])
            return


def add_pip_scripts(target):
    """runpy, because pip's entry point moved twice between 9 and 20."""
    text = ("#!%s\nimport runpy\nrunpy.run_module('pip', run_name='__main__', alter_sys=True)\n"
            % os.path.join(target, "bin", "python"))
    for name in ("pip", "pip%d" % sys.version_info[0], "pip%d.%d" % sys.version_info[:2]):
        path = os.path.join(target, "bin", name)
        with open(path, "w") as script:
            script.write(text)
        os.chmod(path, 0o755)


def create(job):
    target = job["target"]
    if sys.version_info[0] == 2:
        create_for_two(target)
    else:
        try:
            create_by_venv(target)
        except ImportError:
            create_by_hand(target)
    if job.get("pip_dir") or job.get("pip_wheel"):
        add_pip(job, site_packages(target))
        add_pip_scripts(target)


def main():
    with open(sys.argv[1]) as source:
        job = json.load(source)
    target, work_dir = str(job["target"]), str(job["work_dir"])
    own = os.path.join(target, ".leanlocal")
    job["target"] = target
    create(job)
    given = os.path.join(own, "manifests")
    for name in os.listdir(given):
        shutil.copy2(os.path.join(given, name), os.path.join(work_dir, name))
    python = os.path.join(target, "bin", "python")
    default = ([python, os.path.join(target, "bin", "pip"), "install", "-r", "requirements.txt"],
               "pip install -r requirements.txt")  # P-60
    temporary = os.path.join(own, "tmp")
    os.environ["TMPDIR"] = temporary
    os.mkdir(temporary)
    if not steps.run_steps(job["steps"], default, os.path.join(own, "required"), work_dir):
        return 1
    packages.write(target, site_packages(target), work_dir, job["check"])
    shutil.rmtree(temporary, ignore_errors=True)
    return 0


sys.exit(main())
