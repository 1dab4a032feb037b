"""One file a resource. A handler makes three moves: parse, call, render."""
