"""Redis: connection, hash-map cache, announcements, inboxes with their leases. Wiping it at any moment loses
nothing."""
