"""Faults under load, and what was lost: `python -m bench.faults --seed 1 --seconds 60` (docs/faults.md).

    hosts.py     hosts with an API process and a worker each, with connections and clocks that can be disturbed
    links.py     those connections: relays that can stop passing bytes
    clock.py     runs a process of the product under a clock that is shifted
    device.py    one client's connection: it repeats what fails, at another host
    writers.py   clients of several kinds, and what they note of their edits
    followers.py clients that read what changed
    check.py     what must be true of these notes and of what the server answers at the end
    kinds.py     the faults
    copies.py    earlier states of the database that are put back
    run.py       load, faults and check together
    seeds.py     a run for each seed
    page.py      tables of what runs showed

The check knows nothing of how the server works: no module of the product is used for it.
"""
