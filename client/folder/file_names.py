"""The file name of a document, and the document of a file name. Pure.

    pb67wndxge8293xd   pb67wndxge8293xd.json     what nearly all ids look like: the id itself
    Fix-Me             fix-me=11.json            upper case, as the bits of a number in hexadecimal: bit 0 is the
                                                 first character. Two ids never meet on a disk that takes A for a
    .hidden  -rf  ~x   =.hidden.json  ...        what a shell, a file manager or a program of the disk would take
    con  aux.1         =con.json  ...            for something else

Ids have no "=" in them (protocol, section 1), so nothing can be mistaken. Names are at most 167 bytes long.

Laws (tests/unit/client/folder/test_file_names.py), for all ids a and b:
    document_of(file_name(a)) == a
    a != b  =>  file_name(a).lower() != file_name(b).lower()
    document_of(name) == a  =>  name == file_name(a):  a document has one name and no other
"""

from __future__ import annotations

import re
from typing import Final

from shared.core.identifiers import DocumentId, is_document_id

SUFFIX: Final = ".json"

_MARK: Final = "="
# Those that are used for few names are compiled when they are: that takes time.
_PLAIN_START: Final = r"[a-z0-9_]"
# Windows takes these for devices, whatever follows the first dot.
_DEVICE: Final = r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)"
# What nearly all ids look like has nothing in it that any of these rules is about.
_LONE: Final = re.compile(r"[a-z0-9]{1,128}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}
)
# Copies that other tools make when they cannot decide: Syncthing, ownCloud and older Nextcloud, Resilio. Those of
# Dropbox, Nextcloud, Google Drive and the file managers have spaces or brackets and are no ids anyway.
_COPY: Final = r"\.sync-conflict-\d|_conflict-\d{8}|\.conflict\d*(?:\.|\Z)|\.conflicted(?:\.|\Z)"
_COPY_IN_WORDS: Final = r"(?i)conflict|\(\d+\)\Z| copy(?: \d+)?\Z| \((?:\w+ )?copy(?: \d+)?\)\Z| - \w+(?: \(\d+\))?\Z"


def file_name(document: DocumentId) -> str:
    """The name of the document's file inside the folder."""
    if _LONE.fullmatch(document) and document not in _DEVICES:
        return document + SUFFIX
    if not is_document_id(document):  # it would lead out of the folder
        raise ValueError(f"not an id of a document: {document!r}")
    lower = document.lower()
    bits = sum(1 << place for place, character in enumerate(document) if "A" <= character <= "Z")
    mark = "" if _is_plain(lower) else _MARK
    return f"{mark}{lower}{f'{_MARK}{bits:x}' if bits else ''}{SUFFIX}"


def document_of(name: str) -> DocumentId | None:
    """The document whose file has this name; None: no document's file is called so."""
    stem = name[: -len(SUFFIX)]
    if _LONE.fullmatch(stem) and stem not in _DEVICES and name.endswith(SUFFIX):
        return DocumentId(stem)
    if (document := meant_by(name)) is None or file_name(document) != name:
        return None
    return document


def placeholder_of(name: str) -> DocumentId | None:
    """The document whose file a cloud drive keeps elsewhere, with this in its place: `.t1.json.icloud` (iCloud
    Drive), `t1.json.nextcloud`, `t1.json.owncloud`; None for any other name."""
    if name.startswith(".") and name.endswith(".icloud"):
        return document_of(name[1:].removesuffix(".icloud"))
    for ending in (".nextcloud", ".owncloud", ".opencloud"):
        if name.endswith(ending):
            return document_of(name.removesuffix(ending))
    return None


def meant_by(name: str) -> DocumentId | None:
    """The document that somebody has in mind who calls a file `name`, though it should have another name: Fix.json
    for `Fix`. None: there is no such id, or it is a copy that another tool made."""
    if not name.endswith(SUFFIX):
        return None
    lower, mark, bits = name.removesuffix(SUFFIX).removeprefix(_MARK).partition(_MARK)
    if mark:
        if re.fullmatch(r"[0-9a-f]{1,32}", bits) is None:
            return None
        shifts = int(bits, 16)
        lower = "".join(c.upper() if shifts >> place & 1 else c for place, c in enumerate(lower))
    if not is_document_id(lower) or (not name.startswith(_MARK) and is_copy(name)):
        return None
    return DocumentId(lower)


def is_copy(name: str) -> bool:
    """Whether the name looks like a copy that another program made of a file, in a conflict or for a person."""
    if name.startswith(_MARK):
        return False
    stem = name.removesuffix(SUFFIX).partition(_MARK)[0].lower()
    return re.search(_COPY if is_document_id(stem) else _COPY_IN_WORDS, stem) is not None


def _is_plain(lower: str) -> bool:
    return not (re.match(_PLAIN_START, lower) is None or re.match(_DEVICE, lower) or re.search(_COPY, lower))
