"""A small shuffle: every mapper sends a part of its output to every reducer, as one coflow.

    python3 shuffle.py reduce MAPPERS                      on each reducer
    python3 shuffle.py map DRIVER REDUCER=BYTES,...        on each mapper
    python3 shuffle.py drive MAPPERS REDUCER=BYTES,... [SECONDS]
                                                           on one of the mappers: it registers the coflow for all


BYTES go from each mapper to that reducer. The driver begins after SECONDS, and tells the other mappers
the coflow's id over plain connections.
"""

import socket
import sys
import threading
import time

from testbed.client import Client, Coflow

DATA_PORT, DRIVER_PORT = 6000, 6100


def read_all(connection: socket.socket) -> int:
    """Everything that comes until the other end closes: how many bytes."""
    count = 0
    while data := connection.recv(1 << 18):
        count += len(data)
    return count


def reduce(mappers: int) -> None:
    """Take in one part from each mapper."""
    parts = [0] * mappers
    with socket.create_server(("", DATA_PORT)) as server:
        connections = [server.accept()[0] for _ in parts]
        threads = [
            threading.Thread(target=lambda at=at, one=one: parts.__setitem__(at, read_all(one)))
            for at, one in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"reduced {sum(parts)} bytes from {mappers} mappers")


def send_parts(coflow: Coflow, parts: dict[int, int]) -> None:
    """Send each reducer its part, all at the same time."""

    def send(reducer: int, size: int) -> None:
        with coflow.flow(reducer, size=size, port=DATA_PORT) as flow:
            flow.sendall(b"x" * size)

    threads = [threading.Thread(target=send, args=part) for part in parts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"sent {sum(parts.values())} bytes in coflow {coflow.id} to {len(parts)} reducers")


def drive(client: Client, mappers: int, parts: dict[int, int]) -> None:
    """Register the coflow, tell the other mappers, send the own parts, and unregister when all have sent theirs."""
    with socket.create_server(("", DRIVER_PORT)) as server:
        others = [server.accept()[0] for _ in range(mappers - 1)]
    with client.register(width=mappers * len(parts)) as coflow:
        for other in others:
            other.sendall(str(coflow.id).encode() + b"\n")
        send_parts(coflow, parts)
        for other in others:
            other.recv(1)  # it closes when it has sent all


def map_(client: Client, driver: int, parts: dict[int, int]) -> None:
    """Ask the driver for the coflow, and send the own parts."""
    with client.connect(driver, DRIVER_PORT) as connection:
        send_parts(client.coflow(int(connection.makefile().readline())), parts)


def main() -> None:
    """Play the part that the command line names."""
    part, number = sys.argv[1], int(sys.argv[2])
    if part == "reduce":
        reduce(number)
        return
    parts = {int(reducer): int(size) for reducer, size in (one.split("=") for one in sys.argv[3].split(","))}
    time.sleep(float(sys.argv[4]) if len(sys.argv) > 4 else 0.0)
    with Client() as client:
        (drive if part == "drive" else map_)(client, number, parts)


if __name__ == "__main__":
    main()
