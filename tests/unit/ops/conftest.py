"""ops/ is no package: its programs find each other beside them, and so do these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "ops"))
