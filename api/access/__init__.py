"""People, spaces, invitations and sessions, as requests and operators ask for them."""
