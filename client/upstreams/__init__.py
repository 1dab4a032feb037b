"""Where documents are kept in sync with: a server, a directory, a git repository, a database."""
