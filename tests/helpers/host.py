"""What this host has."""

from helpers.interpreters import find_interpreter


def has_python(version):
    """"3.8.18" or "3.8": some patch of that minor."""
    return find_interpreter(".".join(version.split(".")[:2])) is not None
