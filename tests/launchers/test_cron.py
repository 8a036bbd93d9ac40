#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The script of the README under a real cron, which runs it at the next full minute: what it mails.

Namespaces of its own, as root: its crontab, its sendmail; no mail leaves.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import after_each, contains, equal, main, test, wait_until  # noqa: E402

# $1: a folder with etc/crontab and sbin/sendmail
SURROUNDINGS = """
mount --make-rprivate /
mount --bind "$1/crontab" /etc/crontab
mount -t tmpfs tmpfs /var/spool/cron
mount -t tmpfs tmpfs /etc/cron.d
mount -t tmpfs tmpfs /run
mount -t overlay overlay -o lowerdir="$1/sbin:/usr/sbin" /usr/sbin
exec /usr/sbin/cron -f
"""
SCRIPT = """#!/bin/sh -e
export PATH=$BIN:$PATH
key=cron/$1
{
    load-staging form --quiet --run-key "$key" --source "$2"
    transform-fact form --quiet --run-key "$key"
    app-status-from-fact form --quiet --run-key "$key"
} >/dev/null
batch-status form --quiet --max-lag 26h >/dev/null
touch "$3"
"""
_running = []


@after_each
def end_all():
    while _running:
        process = _running.pop()
        process.kill()
        process.wait()


def file_of(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


@test
def a_success_is_silent_and_a_failure_is_a_mail_of_one_line():
    warehouse = Warehouse()
    folder = factline.new_folder()
    mails, done = os.path.join(folder, "mails"), os.path.join(folder, "done")
    script = file_of(folder, "script", SCRIPT, 0o755)
    file_of(
        folder, "sbin/sendmail", f"#!/bin/sh\ncat >>{mails}.new\nmv {mails}.new {mails}\n", 0o755
    )
    settings = {
        "MAILTO": "root",
        "BIN": factline.BIN,
        "PGHOST": os.environ["PGHOST"],
        "PGUSER": "postgres",
        "PGDATABASE": warehouse.name,
    }
    forms = warehouse.file([doc.form("f1")])
    lines = [f"{name}={value}" for name, value in settings.items()]
    lines.append(f"* * * * * root {script} right {forms} {done}")
    lines.append(f"* * * * * root {script} wrong /nonexistent/forms.ndjson {done}.wrong")
    file_of(folder, "crontab", "\n".join(lines) + "\n")
    _running.append(
        subprocess.Popen(["unshare", "--mount", "sh", "-ec", SURROUNDINGS, "sh", folder])
    )
    wait_until(lambda: os.path.exists(done) and os.path.exists(mails), "the next minute", 90)
    with open(mails) as file:
        head, _, body = file.read().partition("\n\n")
    contains(head, "wrong /nonexistent/forms.ndjson", "the only mail")
    equal(body.count("\n"), 1, f"lines of {body!r}")
    contains(body, "load-staging: error: ", "the mail")
    equal(len(warehouse.status_rows()), 1, "rows of App Status")


if __name__ == "__main__":
    main()
