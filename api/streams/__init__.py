"""Who follows a space: event streams, and requests that wait for a change."""
