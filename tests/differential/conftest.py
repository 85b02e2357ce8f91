"""Lets the modules of this folder find each other."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
