# Writes down what an install left in the layer, <layer>/.packages.json, and says which packages contradict each
# other (P-301): what "pip check" would say, without starting pip, whose import costs more than all of this.
# Imported by layer.py in the sandbox. Valid from 2.7 on; read by emulator/blame/packages.c.
#
#   {"python": "3.8.18", "standard": ["abc", ...],
#    "requirements": [{"name": "flask", "text": "flask>=1.0", "file": "requirements.txt", "line": 2}],
#    "packages": [{"name": "Flask", "version": "1.0.4", "requires": ["Jinja2 (>=2.10)"], "python": ">=2.7",
#                  "modules": ["flask"]}]}
import io
import json
import os
import re
import sys

import steps

SOURCES = (".py", ".so", ".pyd")
INCLUDES_MAX = 16


def lines_of(*parts):
    try:
        with io.open(os.path.join(*parts), encoding="utf-8", errors="replace") as source:
            return source.read().splitlines()
    except (IOError, OSError):
        return []


# ---- one package ----

def headers_of(info):
    """(name, value) of METADATA or PKG-INFO, up to the description."""
    for line in lines_of(info, "METADATA") or lines_of(info, "PKG-INFO") or lines_of(info):
        if not line.strip():
            return
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            yield name.lower(), value.strip()


def wishes_of_egg(info):
    """requires.txt: a section is an extra, a marker, or both: [extra:marker]."""
    extra = marker = ""
    for line in lines_of(info, "requires.txt"):
        line = line.strip()
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
        elif line and not extra:
            yield line + ("; " + marker if marker else "")


def files_of(info):
    """Relative to site-packages."""
    for line in lines_of(info, "RECORD"):
        yield line.split(",")[0].strip('"')
    inside = os.path.basename(info)
    for line in lines_of(info, "installed-files.txt"):
        yield os.path.normpath(os.path.join(inside, line))


def modules_of(info):
    """Top-level names; one level more below a namespace, which has no file of its own."""
    paths = [path.split("/") for path in files_of(info) if path.endswith(SOURCES)]
    paths = [parts for parts in paths if parts[0] not in ("..", "__pycache__")
             and not parts[0].endswith((".dist-info", ".data"))]
    regular = set(parts[0] for parts in paths if len(parts) == 2 and parts[1].startswith("__init__."))
    names = set()
    for parts in paths:
        parts = [part.split(".")[0] for part in parts]
        deep = len(parts) > 2 and parts[0] not in regular
        names.add(".".join(parts[:2]) if deep else parts[0])
    for line in lines_of(info, "top_level.txt") if not names else ():
        names.add(line.strip().replace("/", "."))
    return sorted(name for name in names if re.match(r"[A-Za-z_][\w.]*$", name))


def read_package(info):
    package = {"requires": []}
    for name, value in headers_of(info):
        if name in ("name", "version"):
            package.setdefault(name, value)
        elif name == "requires-dist":
            package["requires"].append(value)
        elif name == "requires-python":
            package["python"] = value
    if "name" not in package or "version" not in package:
        return None
    package["requires"].extend(wishes_of_egg(info))
    package["modules"] = modules_of(info)
    return package


def read_packages(directories):
    found = {}
    for directory in directories:
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            path = os.path.join(directory, name)
            if name.endswith(".egg-link"):  # pip install -e
                path = find_develop(lines_of(path))
            if path and path.endswith((".dist-info", ".egg-info")):
                package = read_package(path)
                if package:
                    found.setdefault(fold(package["name"]), package)
    return found


def find_develop(lines):
    source = lines[0].strip() if lines else ""
    names = os.listdir(source) if os.path.isdir(source) else []
    infos = [name for name in names if name.endswith(".egg-info")]
    return os.path.join(source, infos[0]) if infos else None


def fold(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# ---- what was asked for ----

def read_requirements(directory, name="requirements.txt", seen=None):
    seen = seen if seen is not None else []
    if name in seen or len(seen) == INCLUDES_MAX:
        return
    seen.append(name)
    for number, line in enumerate(lines_of(directory, name), 1):
        line = re.sub(r"(^|\s)#.*$", "", line.lstrip(u"\ufeff")).strip()
        include = re.match(r"(?:-r|--requirement)[ =]*(\S+)", line)
        if include:
            inner = os.path.normpath(os.path.join(os.path.dirname(name), include.group(1)))
            for each in read_requirements(directory, inner, seen):
                yield each
            continue
        found = re.search(r"#egg=([\w.-]+)", line) or re.match(
            r"([A-Za-z0-9][\w.-]*)\s*(?:$|[\[(<>=!~;@])", line)
        if found:
            yield {"name": found.group(1), "text": line[:200], "file": name, "line": number}


# ---- contradictions ----

def vendored(site):
    """pip's own reader of versions and requirements; None where pip has gone."""
    sys.path.insert(0, site)
    try:
        from pip._vendor.packaging import requirements, version
        return requirements.Requirement, version.Version
    except Exception:
        return None
    finally:
        sys.path.remove(site)


def contradiction(package, wish, packages, requirement_type, version_type):
    requirement = requirement_type(wish)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    other = packages.get(fold(requirement.name))
    owner = "%s %s" % (package["name"], package["version"])
    if not other:
        return "%s requires %s, which is not installed." % (owner, requirement.name)
    if requirement.specifier.contains(version_type(other["version"]), prereleases=True):
        return None
    return "%s has requirement %s%s, but you have %s %s." % (
        owner, requirement.name, requirement.specifier, other["name"], other["version"])


def report_contradictions(packages, site):
    reader = vendored(site)
    for name in sorted(packages) if reader else ():
        for wish in packages[name]["requires"]:
            try:
                text = contradiction(packages[name], wish, packages, *reader)
            except Exception:  # older than the rules that pip reads by
                continue
            if text:
                steps.tell("conflict", text)


# ---- the whole ----

def standard_modules():
    names = set(sys.builtin_module_names) | set(getattr(sys, "stdlib_module_names", ()))
    library = os.path.dirname(os.__file__)
    for directory in (library, os.path.join(library, "lib-dynload")):
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            if name.endswith(SOURCES) or os.path.isfile(os.path.join(directory, name, "__init__.py")):
                names.add(name.split(".")[0])
    return sorted(name for name in names if not name.startswith("_"))


def write(target, site, work_dir, check):
    directories = [site, site.replace("/lib/", "/lib64/", 1)]
    if os.path.realpath(directories[0]) == os.path.realpath(directories[1]):
        del directories[1]
    packages = read_packages(directories)
    facts = {"python": sys.version.split()[0], "standard": standard_modules(),
             "requirements": list(read_requirements(work_dir)),
             "packages": [packages[name] for name in sorted(packages)]}
    path = os.path.join(target, ".packages.json")
    with open(path, "w") as output:
        json.dump(facts, output)
    if check:
        report_contradictions(packages, site)
