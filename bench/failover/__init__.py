"""What becomes of a server's writes when the first of several mongods, or of several Redis servers, is killed."""

import sys

from tests.instance import ROOT

# The programs are found as ops/serve finds them, by a module that is no part of a package.
if (_ops := str(ROOT / "ops")) not in sys.path:
    sys.path.append(_ops)
