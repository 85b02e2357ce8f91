# Asks an interpreter what it is; prints one JSON object. Valid from 2.7 on.
# Run with -E -s, so that neither the caller's PYTHON* variables nor the user's own packages answer.
import glob
import json
import os
import re
import sys

real = os.path.realpath
WHEELS = "/usr/share/python-wheels"  # where Debian's python3-venv and python3-pip put them


def mtime(path):
    """Seconds, 0 for a missing path: what the answer depends on, besides the interpreter itself."""
    try:
        return int(os.stat(path).st_mtime)
    except OSError:
        return 0


def version_of(path):
    """The pip version in <path>/__init__.py, without importing it."""
    try:
        with open(os.path.join(path, "__init__.py")) as source:
            found = re.search(r"__version__\s*=\s*[\"']([^\"']+)", source.read())
        return found.group(1) if found else None
    except (IOError, OSError, UnicodeError):
        return None


def lower_bound(metadata):
    found = re.search(r"^Requires-Python:.*>=\s*(\d+)\.(\d+)", metadata, re.M)
    return int(found.group(1)) * 100 + int(found.group(2)) if found else 0


def requires_of(pattern):
    """The lowest Python that the pip with this metadata supports: 307 for 3.7; 0: unknown."""
    for path in glob.glob(pattern):
        try:
            with open(os.path.join(path, "METADATA")) as source:
                return lower_bound(source.read())
        except (IOError, OSError, UnicodeError):
            pass
    return 0


def wheel_requires(path):
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA"):
                return lower_bound(archive.read(name).decode("utf-8", "replace"))
    except Exception:
        pass
    return 0


def site_dirs():
    return [d for d in sys.path if d and os.path.isdir(d)
            and os.path.basename(d) in ("site-packages", "dist-packages")]


def numbers(text):
    return [int(part) for part in re.findall(r"\d+", text)]


def find_wheel(stdlib):
    places = [os.path.join(stdlib, "ensurepip", "_bundled"), WHEELS]
    for place in places:
        wheels = glob.glob(os.path.join(place, "pip-*.whl"))
        if wheels:
            return max(wheels, key=lambda w: numbers(os.path.basename(w)))
    return None


def find_pip(stdlib, facts):
    """A pip as upstream made it is preferred to a distribution's patched one (dist-packages)."""
    dirs = [d for d in site_dirs() if os.path.isfile(os.path.join(d, "pip", "__main__.py"))]
    clean = [d for d in dirs if os.path.basename(d) == "site-packages"]
    wheel = find_wheel(stdlib)
    chosen = clean or ([] if wheel else dirs)
    if chosen:
        facts["pip_dir"] = chosen[0]
        facts["pip_version"] = version_of(os.path.join(chosen[0], "pip"))
        facts["pip_requires"] = requires_of(os.path.join(chosen[0], "pip-*.dist-info"))
    elif wheel:
        facts["pip_wheel"] = wheel
        facts["pip_version"] = os.path.basename(wheel).split("-")[1]
        facts["pip_requires"] = wheel_requires(wheel)


def below(path, top):
    return path == top or path.startswith(top.rstrip("/") + "/")


SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/sbin")
# What an installation of Python alone puts into its prefix. Something else there: it shares it.
USUAL = set("bin include lib lib32 lib64 libexec share man doc etc ssl LICENSE.txt".split())


def mapped_libraries():
    """The libraries that the interpreter and its usual extensions loaded."""
    for name in ("ssl", "zlib", "sqlite3", "ctypes", "readline", "bz2", "lzma"):
        try:
            __import__(name)
        except Exception:
            pass
    found = set()
    try:
        with open("/proc/self/maps") as maps:
            for line in maps:
                path = line.split(None, 5)[-1].strip()
                if path.startswith("/") and ".so" in os.path.basename(path):
                    found.add(path)
    except (IOError, OSError):
        pass
    return sorted(found)


def in_home(path):
    """Below somebody's home, or one itself, or above one."""
    homes = [real(os.path.expanduser("~")), "/home", "/root"]
    return any(below(path, home) or below(home, path) for home in homes)


def is_shared(prefix):
    """A prefix in a home with more in it than one Python, such as ~/.local: not to be shown whole."""
    if not in_home(prefix) or os.path.isdir(os.path.join(prefix, "conda-meta")):
        return False
    home = real(os.path.expanduser("~"))
    if below(home, prefix) or os.path.basename(prefix) == ".local":
        return True
    try:
        return not set(os.listdir(prefix)) <= USUAL
    except OSError:
        return True


def links_to(library):
    """The library and the names beside it by which the loader asks for it."""
    stem = os.path.basename(library).split(".so")[0]
    near = glob.glob(os.path.join(os.path.dirname(library), stem + ".so*"))
    return [library] + [path for path in near if real(path) == real(library)]


def pieces_of(prefix, exe, stdlib):
    """What an interpreter needs of a prefix that holds other things too."""
    minor = "python%d.%d" % sys.version_info[:2]
    wanted = [stdlib, exe]
    for name in ("lib", "lib64", "include"):
        wanted += sorted(glob.glob(os.path.join(prefix, name, minor + "*")))
    return wanted + sorted(glob.glob(os.path.join(prefix, "lib*", "lib" + minor + "*.so*")))


def find_mounts(prefix, exe, stdlib):
    """What outside the system's own must be visible for the interpreter to run: directories, and of
    a home no more than the pieces that are needed."""
    exec_prefix = getattr(sys, "base_exec_prefix", prefix)
    wanted = []
    for each in (prefix, exec_prefix):
        wanted += pieces_of(each, exe, stdlib) if is_shared(real(each)) else [each]
    wanted += [stdlib, exe if in_home(exe) else os.path.dirname(exe)]
    for library in mapped_libraries():
        wanted += links_to(library) if in_home(library) else [os.path.dirname(library)]
    mounts = []
    for path in wanted:
        for each in (path, real(path)):
            known = any(below(each, m) for m in mounts) or any(below(each, s) for s in SYSTEM)
            if not known and each != "/" and os.path.exists(each):
                mounts.append(each)
    return mounts


def main():
    info = sys.version_info
    in_venv = hasattr(sys, "real_prefix") or getattr(sys, "base_prefix", sys.prefix) != sys.prefix
    try:
        import platform

        implementation = platform.python_implementation()
    except Exception:
        implementation = "unknown"
    exe = real(getattr(sys, "_base_executable", None) or sys.executable)
    prefix = getattr(sys, "base_prefix", sys.prefix)
    stdlib = os.path.dirname(os.__file__)
    try:
        import venv  # noqa: F401

        has_venv = True
    except Exception:
        has_venv = False
    try:
        import sysconfig

        threads = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    except Exception:
        threads = False
    facts = {
        "version": "%d.%d.%d" % info[:3],
        "major": info[0],
        "minor": info[1],
        "final": info[3] == "final" and not threads,
        "implementation": implementation,
        "executable": exe,
        "prefix": prefix,
        "stdlib": stdlib,
        "virtual": in_venv,
        "has_venv": has_venv,
        "mounts": find_mounts(prefix, exe, stdlib),
        "watch": dict((d, mtime(d)) for d in site_dirs() + [WHEELS]),
    }
    find_pip(stdlib, facts)
    print(json.dumps(facts))


main()
