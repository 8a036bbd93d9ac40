#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a person sees who runs a task by hand: a line that tells how far it is, rewritten in place.
The terminal is a real one (a pty), read as it would show it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse, environment, ndjson  # noqa: E402
from harness import check, contains, equal, fail, lacks, main, test  # noqa: E402


class Terminal:
    """A task on a terminal of so many columns; standard output is it, too, or a pipe."""

    def __init__(self, warehouse, task, *arguments, columns=100, stdout=None, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.columns, self.output = columns, b""
        self.process = subprocess.Popen(
            [os.path.join(factline.BIN, task), *arguments],
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            env=environment(warehouse.name, **{"TERM": "vt100", **(env or {})}),
        )
        os.close(slave)

    def read_until(self, is_enough, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not is_enough(self.output):
            if time.monotonic() > deadline:
                self.process.kill()
                fail(f"waited {seconds} s in vain for {what}; the terminal got {self.output!r}")
            if select.select([self.master], [], [], 0.1)[0] and not self.read_some():
                break
        return self.output

    def read_some(self):
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            data = b""
        self.output += data
        return data

    def wait(self):
        """Exit status, and the lines that are left to see at the end."""
        self.read_until(lambda _: False, "the end")
        status = self.process.wait(20)
        os.close(self.master)
        return status, self.screen()

    def screen(self):
        lines = []
        for line in self.output.decode().replace("\r\n", "\n").split("\n"):
            shown = []
            for piece in line.split("\r"):
                shown[: len(piece)] = piece
            lines.append("".join(shown).rstrip())
        return lines

    def drawn(self):
        """The states of the line that is rewritten."""
        lines = self.output.decode().replace("\r\n", "\n").split("\n")
        return [
            piece.rstrip() for line in lines for piece in line.split("\r")[:-1] if piece.strip()
        ]


def loaded():
    warehouse = Warehouse()
    warehouse.load("form", [doc.form("f1")], key="k")
    return warehouse


def lock(warehouse):
    session = warehouse.session()
    session.run("BEGIN; LOCK TABLE warehouse.form_fact IN ACCESS EXCLUSIVE MODE")
    return session


@test
def a_long_statement_is_one_line_in_place_and_is_gone_at_the_end():
    warehouse = loaded()
    holder = lock(warehouse)
    terminal = Terminal(warehouse, "transform-fact", "form", "--run-key", "k", columns=60)
    terminal.read_until(lambda output: output.count(b" waiting ") > 2, "signs of life")
    holder.run("ROLLBACK")
    status, screen = terminal.wait()
    equal(status, 0, f"status; the terminal shows {screen}")
    check(terminal.output.isascii() and b"\x1b" not in terminal.output, "more than plain text")
    for state in terminal.drawn():
        contains(state, "transform-fact form 1 waiting ", "the line in place")
        check(len(state) < 60, f"{state!r} is wider than the terminal")
    equal([line for line in screen if " waiting " in line], [], "signs of life at the end")
    contains(screen[-2], '"status":"done"', "the last line")
    equal(screen[-1], "", "what follows the result")


@test
def rows_rate_and_time_of_a_pipe_are_told_while_it_is_read():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "forms.ndjson")
    os.mkfifo(path)
    terminal = Terminal(warehouse, "load-staging", "form", "--source", path, "--run-key", "k")
    with open(path, "wb", 0) as file:
        records, count = ndjson([doc.form(f"f{number}") for number in range(1024)]), 0
        while b" rows  " not in terminal.output:
            file.write(records)
            count += 1024
            check(count < 10**6, "a million lines without a sign")
            while select.select([terminal.master], [], [], 0)[0]:
                terminal.read_some()
    status, screen = terminal.wait()
    equal(status, 0, f"status; the terminal shows {screen}")
    told = [state for state in terminal.drawn() if " reading " in state]
    check(told and "/s" in told[0] and "  0:" in told[0], f"the line in place was {told}")
    contains(screen[-2], f'"rows_read":{count},', "the last line")


@test
def the_line_goes_before_the_reason_of_an_end():
    warehouse = loaded()
    holder = lock(warehouse)
    terminal = Terminal(warehouse, "transform-fact", "form", "--run-key", "k")
    terminal.read_until(lambda output: b" waiting " in output, "a sign of life")
    terminal.process.send_signal(signal.SIGINT)
    status, screen = terminal.wait()
    equal(status, -signal.SIGINT, "status")
    equal([line for line in screen if " waiting " in line], [], "signs of life at the end")
    contains(screen[-2], "transform-fact: error: interrupted by signal", "the last line")
    holder.run("ROLLBACK")


@test
def nothing_is_drawn_when_quiet_on_a_dumb_terminal_or_into_a_pipe():
    command = ["transform-fact", "form", "--run-key", "k"]
    worlds = [loaded() for _ in range(4)]
    locks = [lock(warehouse) for warehouse in worlds]
    silent = [
        Terminal(worlds[0], *command, "--quiet"),
        Terminal(worlds[1], *command, env={"TERM": "dumb"}),
    ]
    piped = worlds[2].start(*command)
    for warehouse in worlds[:3]:
        factline.wait_for_lock(warehouse.name, "transform-fact%")
    # What this one says since then, the others would have said, too.
    talking = Terminal(worlds[3], *command)
    talking.read_until(lambda output: output.count(b" waiting ") > 1, "signs of life")
    for each in locks:
        each.run("ROLLBACK")
    talking.wait()
    for terminal in silent:
        terminal.wait()
        lacks(terminal.output.decode(), " waiting ", "a terminal")
    lacks(piped.wait().ended(0).stderr, "\r", "a log")


if __name__ == "__main__":
    main()
