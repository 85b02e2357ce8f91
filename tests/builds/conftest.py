"""Fixtures live in builds_kit.py: "from conftest import" is ambiguous when several folders run together."""

from builds_kit import builds  # noqa: F401
