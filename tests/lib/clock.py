# SPDX-License-Identifier: MIT
"""A second server, for sources, whose clock the test sets.

    clock.begin()    # first thing in the program, after server.own()
    source = SourceDatabase(host=clock.host())
    clock.step(-3600)

The program is started again with it; at its end the server is removed.
"""

import os
import sys

from server import SCRIPT

_offset = 0.0


def begin():
    """Goes on in a program of the same name and arguments that has such a server beside its own."""
    own = os.environ.get("PGHOST", "")
    if os.environ.get("FACTLINE_CLOCK_BESIDE") == own:
        return
    script = 'export FACTLINE_CLOCK_HOST="$PGHOST" FACTLINE_CLOCK_BESIDE="$1" PGHOST="$1"; shift'
    command = [script + '; exec "$@"', "sh", own, sys.executable, *sys.argv]
    os.execv(SCRIPT, [SCRIPT, "run-with-clock", "sh", "-c", *command])


def host():
    return os.environ["FACTLINE_CLOCK_HOST"]


def step(seconds):
    """Sets its clock forward, or back. The file is replaced: somebody always reads it."""
    global _offset
    _offset += seconds
    path = os.path.join(host(), "clock")
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(f"{_offset:+f}\n")
    os.chmod(path + ".new", 0o644)
    os.replace(path + ".new", path)


def offset():
    return _offset
