"""Pages for browsers: plain HTML that the server renders. They do what the routes do, through the same functions."""
