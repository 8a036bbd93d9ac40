# SPDX-License-Identifier: MIT
"""A scratch server that belongs to one test program alone, which may therefore crash it.

    server.own()    # first thing in the program

The program is started again on it; at its end the server is removed.
"""

import os
import signal
import subprocess
import sys

import factline
from harness import wait_until

SCRIPT = os.path.join(factline.TREE, "tests", "lib", "scratch-server.sh")


def own():
    """Goes on in a program of the same name and arguments that has a server of its own."""
    if os.environ.get("FACTLINE_OWN_SERVER") == os.environ.get("PGHOST", ""):
        return
    begin = 'export FACTLINE_OWN_SERVER="$PGHOST"; exec "$@"'
    os.execv(SCRIPT, [SCRIPT, "run", "sh", "-c", begin, "sh", sys.executable, *sys.argv])


def lock_file():
    """What the server's first process removes as the last thing that it does."""
    return os.path.join(os.environ["PGHOST"], "data", "postmaster.pid")


def postmaster():
    """The process id of the server's first process."""
    with open(lock_file(), encoding="utf-8") as file:
        return int(file.readline())


def stop_immediately():
    """Every process of the server ends where it stands, as in a crash; nothing is written out."""
    os.kill(postmaster(), signal.SIGQUIT)
    wait_until(lambda: not os.path.exists(lock_file()), "the server to stop", 60)


def start():
    """Starts it again; it recovers from its log. Sessions of before are gone."""
    factline.forget_sessions()
    subprocess.run([SCRIPT, "start", os.environ["PGHOST"]], check=True)


def crash():
    stop_immediately()
    start()


def limit_files(size):
    """No process that the server starts from now on writes beyond so many bytes of a file; None
    lifts the limit. What an ordinary user has instead of a small file system."""
    owner = os.stat(os.path.join(os.environ["PGHOST"], "data"))
    limit = "unlimited" if size is None else size
    subprocess.run(
        ["prlimit", "--pid", str(postmaster()), f"--fsize={limit}:"],
        user=owner.st_uid,  # root itself may be refused
        group=owner.st_gid,
        cwd="/",
        check=True,
    )
