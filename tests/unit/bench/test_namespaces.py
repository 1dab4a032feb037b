"""Hosts of the fault run that are network namespaces: what a partition cuts is lost, in one direction or in both."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest

from bench.faults.namespaces import HERE, Network
from tests.patience import PATIENCE_SECONDS

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="makes network namespaces, as root"),
]

ECHO = """
import socket, sys
server = socket.create_server((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
client, _ = server.accept()
while piece := client.recv(100):
    print(piece.decode(), flush=True)
    client.sendall(piece)
"""


def test_packets_are_lost_while_a_host_is_cut_off() -> None:
    with Network() as network:
        host = network.join("echo")
        command = [*host.command, sys.executable, "-c", ECHO, host.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with socket.create_connection((host.address, port), PATIENCE_SECONDS, (HERE["clients"], 0)) as client:
                for alone in (True, False):
                    host.cut("clients", answers_alone=alone)
                    client.sendall(b"asked")
                    client.settimeout(0.5)
                    with pytest.raises(TimeoutError):
                        client.recv(9)
                    if alone:
                        assert process.stdout.readline() == "asked\n", "it is heard, and only the answer is lost"
                    host.heal("clients", answers_alone=alone)
                    client.settimeout(PATIENCE_SECONDS)
                    assert client.recv(9) == b"asked"
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert "hypertask" not in listed
