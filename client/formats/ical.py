"""iCalendar (RFC 5545): to-dos as tasks, and back. What the properties mean is said in client.formats.ical_reader."""

from __future__ import annotations

from client.formats.ical_reader import documents_of, read
from client.formats.ical_writer import text_of

__all__ = ["documents_of", "read", "text_of"]
