# How many processes: one a core that the instance may use.
import os

print(int(os.environ.get("LEANCLOUD_AVAILABLE_CPUS") or 1))
