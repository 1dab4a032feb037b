"""Where documents are kept in sync with: a server, a directory, a git repository, a database."""

import sys
from importlib.util import find_spec
from typing import Any

from client.later import postpone

# An entry without a module says that there is none, at once. httpx loads the command line that it brings, and for
# that all of rich, which takes longer than httpx itself; it does without. And what httpx stands on looks for
# `sniffio` five times with each request, through every place where it might be.
_modules: dict[str, Any] = sys.modules
_modules.setdefault("httpx._main", None)
if find_spec("sniffio") is None:
    _modules["sniffio"] = None

# Names of hosts that are not ASCII, types of files in forms, the certificates of authorities, archives of whole
# directories: what httpx stands on loads these at once, and most syncs need none of them.
for _module in ("idna", "mimetypes", "certifi", "shutil"):
    postpone(_module)
