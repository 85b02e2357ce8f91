"""Fixtures live in boxes.py: "from conftest import" is ambiguous when several folders run together."""

from boxes import box, full, parametrize_box as pytest_generate_tests  # noqa: F401
