"""Small models of what must hold whatever the order of events, searched through completely: `python -m bench.model`.

    search.py    visits every state that can be reached, nearest first, and tells how the first wrong one is reached
    lease.py     lease, fence and inbox of a space: no acknowledged write is lost
    cursor.py    the change feed: a cursor never skips

Each has *weaknesses*: the same protocol with one precaution left out. The search must find a wrong state for each of
them, or it would show nothing (tests/unit/bench/test_model.py).
"""
