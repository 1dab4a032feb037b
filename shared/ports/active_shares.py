"""What processes tell each other of who asks for something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from shared.core.documents import SpaceId

TOLD_SECONDS: Final = 2.0
"""What a process told counts for so long, unless it tells something newer."""


class ActiveShares(Protocol):
    """What each process was asked for of late, by share (`Device.share`)."""

    async def tell(self, process: str, asked: Mapping[SpaceId, int]) -> Mapping[SpaceId, int]:
        """This process was asked for so much by each of these shares, and by none of the others that it named before.
        Returns what the other processes told within the last TOLD_SECONDS, the newest of each; where several named a
        share, the sum. Of very many processes some may be left out. Clocks of hosts do not matter. Errors:
        UnavailableError; then nothing is known, and whether it was told is not either."""
        ...
