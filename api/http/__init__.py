"""HTTP as a process speaks it: connections, codings, answers compressed, other origins."""
