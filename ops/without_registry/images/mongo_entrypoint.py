#!/usr/bin/python3
"""Stands for the entry point of the image mongo: where the volume is empty, the root user that
MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD(_FILE) name is made before the command starts."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pymongo
from pymongo.errors import ConnectionFailure

DATA = Path("/data/db")
READY_SECONDS = 60.0


def password() -> str:
    file = os.environ.get("MONGO_INITDB_ROOT_PASSWORD_FILE")
    return Path(file).read_text().rstrip("\n") if file else os.environ["MONGO_INITDB_ROOT_PASSWORD"]


def make_root(name: str) -> None:
    """By a mongod that only this container reaches, and that asks for no password."""
    command = ["mongod", "--dbpath", str(DATA), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    with subprocess.Popen(command) as server:
        client = pymongo.MongoClient("127.0.0.1", serverSelectionTimeoutMS=1000, directConnection=True)
        ends = time.monotonic() + READY_SECONDS
        while True:
            try:
                client.admin.command("ping")
                break
            except ConnectionFailure:
                if server.poll() is not None or time.monotonic() > ends:
                    sys.exit("mongod does not answer")
        client.admin.command("createUser", name, pwd=password(), roles=[{"role": "root", "db": "admin"}])
        client.close()
        server.terminate()


if __name__ == "__main__":
    root = os.environ.get("MONGO_INITDB_ROOT_USERNAME")
    if root and not (DATA / "WiredTiger").exists():
        make_root(root)
    left = {name: value for name, value in os.environ.items() if not name.startswith("MONGO_INITDB_")}
    os.execvpe(sys.argv[1], sys.argv[1:], left)
