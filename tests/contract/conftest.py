"""Contract tests: one or more rules of the platform each, named by their P-numbers, with the real program and
a real app: @pytest.mark.contract("P-23", "P-72"). `./dev test --list-contract` prints them by number."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
