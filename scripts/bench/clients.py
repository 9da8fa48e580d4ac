"""Many HTTP clients in one thread, so that those who ask take little of the computer from the one who is asked.

    python clients.py PORT CLIENTS SECONDS PICTURE

Each keeps its connection and asks again once it has its answer. Prints JSON: answers by status, the clients' own CPU time in all, and the
time of each answer.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

END = b"\r\n\r\n"


@dataclass
class Client:
    connection: socket.socket
    since: float = 0.0
    got: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes) -> None:
        self.got.clear()
        self.since = time.perf_counter()
        self.connection.sendall(request)

    def status(self) -> int | None:
        """Of a whole answer."""
        head, end, body = self.got.partition(END)
        if not end:
            return None
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head[9:12]) if len(body) >= length else None


def main(port: int, clients: int, seconds: float, body: bytes) -> None:
    head = f"POST /v1/process HTTP/1.1\r\nHost: here\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    counts: Counter[int] = Counter()
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            client = Client(socket.create_connection(("127.0.0.1", port)))
            selector.register(client.connection, selectors.EVENT_READ, client)
            client.ask(request)
        end, cpu = time.perf_counter() + seconds, time.process_time()
        while time.perf_counter() < end:
            for key, _ in selector.select(0.1):
                client = key.data
                client.got += client.connection.recv(1 << 20)
                if (status := client.status()) is not None:
                    counts[status] += 1
                    took.append(time.perf_counter() - client.since)
                    client.ask(request)
        print(json.dumps({"counts": counts, "cpu_s": time.process_time() - cpu, "took": took}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]).read_bytes())
