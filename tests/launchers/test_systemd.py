#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The example in ci/factline-form.service under a real systemd: what it runs, which exit statuses
it tries again, how it stops."""

import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import factline  # noqa: E402
from factline import Warehouse, backends, wait_for_lock  # noqa: E402
from harness import after_each, check, contains, equal, main, test, wait_until  # noqa: E402
from source import SourceDatabase  # noqa: E402

UNIT = "factline-form.service"
# What systemd itself asks for and the machine's own units would give.
STUBS = ["sysinit.target", "basic.target", "network-online.target", "default.target"]
_running = []


class Systemd:
    def __init__(self, warehouse, source, **settings):
        self.folder = factline.new_folder()
        system = os.path.join(self.folder, "system")
        os.makedirs(os.path.join(system, UNIT + ".d"))
        shutil.copy(os.path.join(factline.TREE, "ci", UNIT), system)
        for stub in STUBS:
            self.write(os.path.join("system", stub), "[Unit]\nDefaultDependencies=no\n")
        # No journal runs here.
        output = os.path.join(self.folder, "log")
        self.write(
            os.path.join("system", UNIT + ".d", "test.conf"),
            f"[Service]\nStandardOutput=append:{output}\nStandardError=append:{output}\n",
        )
        os.mkdir(os.path.join(self.folder, "factline"))
        self.write(
            "factline/pg_service.conf",
            f"[warehouse]\nhost=/run/sockets\ndbname={warehouse.name}\nuser=postgres\n"
            f"[hq]\nhost=/run/sockets\ndbname={source.name}\nuser=postgres\n",
        )
        variables = {
            "PGSERVICEFILE": "/etc/factline/pg_service.conf",
            "PGSERVICE": "warehouse",
            "SOURCE_PGSERVICE": "hq",
            "PGPASSWORD": "unused",
            **settings,
        }
        lines = "".join(f"{name}={value}\n" for name, value in variables.items() if value)
        os.chmod(self.write("factline/environment", lines), 0o600)
        os.chmod(self.folder, 0o755)
        self.process = subprocess.Popen(
            [os.path.join(HERE, "in-systemd.sh"), self.folder, factline.BIN, os.environ["PGHOST"]],
            stdout=open(os.path.join(self.folder, "console"), "wb"),
            stderr=subprocess.STDOUT,
        )
        _running.append(self)
        wait_until(lambda: self.systemctl("is-system-running").startswith("running"), "systemd")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def systemctl(self, *arguments):
        try:
            with open(os.path.join(self.folder, "pid")) as file:
                pid = file.read().strip()
        except FileNotFoundError:
            check(self.process.poll() is None, self.read("console"))
            return ""
        enter = ["nsenter", "--target", pid, "--mount", "--pid", "--ipc", "--uts"]
        done = subprocess.run(
            [*enter, "systemctl", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def show(self, *names):
        said = self.systemctl("show", UNIT, "--property", ",".join(names))
        values = dict(line.split("=", 1) for line in said.splitlines())
        return tuple(values.get(name) for name in names)

    def read(self, name):
        with open(os.path.join(self.folder, name), errors="replace") as file:
            return file.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


@after_each
def stop_all():
    while _running:
        _running.pop().stop()


def world(**settings):
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    return warehouse, Systemd(warehouse, source, **settings)


@test
def its_steps_run_one_after_the_other_as_a_user_of_its_own():
    warehouse, systemd = world()
    said = systemd.systemctl("start", UNIT)
    equal(said, "", f"what systemctl says; the log: {systemd.read('log')}")
    equal(systemd.show("Result", "ExecMainStatus"), ("success", "0"), "result")
    log = systemd.read("log")
    equal(log.count('"status":"done"'), 3, f"results of steps in {log}")
    equal(len(warehouse.status_rows()), 1, "rows of App Status")


@test
def what_a_person_has_to_mend_is_not_tried_again():
    _, systemd = world(PGSERVICE="nobody")
    systemd.systemctl("start", UNIT)
    equal(
        systemd.show("ActiveState", "SubState", "Result", "ExecMainStatus"),
        ("failed", "failed", "exit-code", "78"),
        "state",
    )


@test
def what_may_go_away_is_tried_again():
    _, systemd = world(PGHOST="/run/no-server", PGDATABASE="warehouse", PGSERVICE=None)
    systemd.systemctl("start", "--no-block", UNIT)
    wait_until(lambda: systemd.show("SubState") == ("auto-restart",), "a restart to be planned")
    equal(systemd.show("Result", "ExecMainStatus"), ("exit-code", "69"), "state")


@test
def a_stop_cancels_the_statement():
    warehouse, systemd = world()
    lock = warehouse.session()
    lock.run("BEGIN; LOCK TABLE warehouse.form_fact IN ACCESS EXCLUSIVE MODE")
    systemd.systemctl("start", "--no-block", UNIT)
    wait_for_lock(warehouse.name, "transform-fact%")
    systemd.systemctl("stop", UNIT)
    wait_until(lambda: backends(warehouse.name) == 0, "the query to be gone", 3)
    contains(systemd.read("log"), "interrupted by signal 15 (SIGTERM)", "the log")
    lock.run("ROLLBACK")
    equal(systemd.systemctl("start", UNIT), "", "the next start")
    equal(len(warehouse.status_rows()), 1, "rows of App Status")


if __name__ == "__main__":
    main()
