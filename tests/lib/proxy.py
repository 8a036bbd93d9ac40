# SPDX-License-Identifier: MIT
"""A gate between a task and the server: counts what the task sends and, at the n-th time, does harm
before or after it has been passed on.

    with Gate(7, "after", harm) as gate:
        run_task(..., env=gate.environment)
    gate.was_reached
"""

import os
import shutil
import socket
import tempfile
import threading


def server_socket():
    """A new connection to the server that PG* names."""
    host, port = os.environ.get("PGHOST", "/var/run/postgresql"), os.environ.get("PGPORT", "5432")
    if host.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.path.join(host, f".s.PGSQL.{port}"))
        return connection
    return socket.create_connection((host, int(port)))


class Gate:
    """harm: what to do at the n-th message of the client (all connections count), or None, which
    cuts all connections. when: "before" it is passed on, or "after". mark: bytes; only messages
    that hold them count."""

    def __init__(self, number, when, harm=None, mark=b""):
        self.number, self.when, self.harm, self.mark = number, when, harm, mark
        self.count = 0
        self.was_reached = False
        self.lock = threading.Lock()
        self.connections = []
        self.folder = tempfile.mkdtemp(prefix="factline-gate-")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.folder, ".s.PGSQL.5432"))
        self.listener.listen(16)
        self.environment = {"PGHOST": self.folder, "PGPORT": "5432"}

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cut(self):
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = server_socket()
            self.connections += [client, server]
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client), daemon=True).start()

    def _is_due(self, chunk):
        with self.lock:
            self.count += self.mark in chunk
            return self.mark in chunk and self.count == self.number

    def _do_harm(self):
        self.was_reached = True
        if self.harm:
            self.harm()
        else:
            self.cut()

    def _to_server(self, client, server):
        try:
            while chunk := client.recv(65536):
                is_due = self._is_due(chunk)
                if is_due and self.when == "before":
                    self._do_harm()
                    if not self.harm:
                        return
                server.sendall(chunk)
                if is_due and self.when == "after":
                    self._do_harm()
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def _to_client(server, client):
        try:
            while chunk := server.recv(65536):
                client.sendall(chunk)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
