"""Where documents are kept in step with: a server, a directory, a git repository, a database."""
