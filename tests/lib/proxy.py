# SPDX-License-Identifier: MIT
"""A gate between a task and the server: counts what the task sends and, at the n-th, does harm.

    with Gate(7, "answered", kill) as gate:
        run = gate.wait(start_task(..., env=gate.environment))
    gate.was_reached

A message is what the task hands to the system at once: a statement with its values, a piece of
COPY's rows, the request for a session. The messages of all its connections count.
"""

import os
import shutil
import signal
import socket
import struct
import tempfile
import threading

import factline
from harness import wait_until

WHENS = ("before", "during", "answered")


def server_socket():
    """A new connection to the server that PG* names."""
    host, port = os.environ.get("PGHOST", "/var/run/postgresql"), os.environ.get("PGPORT", "5432")
    if host.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.path.join(host, f".s.PGSQL.{port}"))
        return connection
    return socket.create_connection((host, int(port)))


# ---- harm to a connection of a gate; true if the connection is then to be closed ----


def cut(gate, connection):
    """The network takes the connection away."""
    return True


def kill(gate, connection):
    """The task is gone from one moment to the next."""
    gate.has_process.wait(20)
    gate.process.signal(signal.SIGKILL)
    return True


def terminate(gate, connection):
    """The server ends the session, as an administrator has it do; the task is told, if it can."""
    if connection.backend is None:
        return True
    factline.root().run(f"SELECT pg_terminate_backend({connection.backend})")
    wait_until(
        lambda: not factline.root().number(
            f"SELECT count(*) FROM pg_stat_activity WHERE pid = {connection.backend}"
        ),
        "a terminated session to end",
    )
    return False


class Connection:
    """One of the task's, and its like on the server's side."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.backend = None  # the process of the session, once the server has named it
        self.is_started = False
        self.is_withheld = False  # what the server says next is not passed on

    def close(self):
        for side in (self.client, self.server):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            side.close()

    def wants_answer(self, chunk):
        """True if the server says something to the last message of the chunk."""
        if not self.is_started:
            self.is_started = True
            return True
        place, kind = 0, b"d"
        while place + 5 <= len(chunk):
            kind = chunk[place : place + 1]
            place += 1 + struct.unpack("!I", chunk[place + 1 : place + 5])[0]
        return place == len(chunk) and kind in (b"Q", b"S", b"c", b"f", b"X")

    def look_for_backend(self, chunk):
        place = chunk.find(b"K\0\0\0\x0c")
        if self.backend is None and 0 <= place <= len(chunk) - 13:
            self.backend = struct.unpack("!I", chunk[place + 5 : place + 9])[0]


class Gate:
    """number: of the message, 0 for none. when: "before" it is passed on, "during" (it is passed
    on, and nobody waits) or "answered" (the server has done it, and its answer is withheld; where
    there is none, "during"). holding: only messages with these bytes count. folder: of the socket,
    where its path must stay the same."""

    def __init__(self, number, when="before", harm=cut, holding=b"", folder=None):
        self.number, self.when, self.harm, self.holding = number, when, harm, holding
        self.count = 0
        self.was_reached = False
        self.process, self.has_process = None, threading.Event()
        self.lock = threading.Lock()
        self.connections, self.threads = [], []
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.own_folder = None if folder else tempfile.mkdtemp(prefix="factline-gate-")
        self.folder = folder or self.own_folder
        self.path = os.path.join(self.folder, ".s.PGSQL.5432")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.environment = {"PGHOST": self.folder, "PGPORT": "5432"}

    def __enter__(self):
        self.acceptor.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self.acceptor.join(20)  # it may be starting the threads of a task that is gone
        self.listener.close()
        for connection in self.connections:
            connection.close()
        for thread in self.threads:
            thread.join(20)
        os.unlink(self.path)
        if self.own_folder:
            shutil.rmtree(self.own_folder, ignore_errors=True)

    def wait(self, process):
        """The Run of a task that goes through the gate."""
        self.process = process
        self.has_process.set()
        return process.wait()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                connection = Connection(client, server_socket())
            except OSError:  # the server is down
                client.close()
                continue
            self.connections.append(connection)
            for relay in (self._to_server, self._to_client):
                thread = threading.Thread(target=relay, args=(connection,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _is_due(self, chunk):
        with self.lock:
            self.count += self.holding in chunk
            return self.holding in chunk and self.count == self.number

    def _do_harm(self, connection):
        self.was_reached = True
        is_to_close = self.harm(self, connection)
        if is_to_close or self.when == "answered":
            connection.close()

    def _to_server(self, connection):
        try:
            while chunk := connection.client.recv(65536):
                wants_answer = connection.wants_answer(chunk)
                is_due = self._is_due(chunk)
                if is_due and self.when == "before":
                    self._do_harm(connection)
                if is_due and self.when == "answered" and wants_answer:
                    connection.is_withheld, is_due = True, False
                connection.server.sendall(chunk)
                if is_due and self.when != "before":
                    self._do_harm(connection)
            connection.server.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()

    def _to_client(self, connection):
        try:
            while True:
                chunk = connection.server.recv(65536)
                if connection.is_withheld:
                    connection.is_withheld = False
                    self._do_harm(connection)
                    return
                if not chunk:
                    break
                connection.look_for_backend(chunk)
                connection.client.sendall(chunk)
            connection.client.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
