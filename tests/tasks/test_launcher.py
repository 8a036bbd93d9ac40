#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 300
"""Guests of a launcher that treats them as Airflow does: outputs, exit statuses, ways to be ended.

Stubs first prove the launcher (tests/lib/launcher.py); then each executable goes through it.
"""

import os
import pty
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
import launcher  # noqa: E402
from factline import Warehouse, backends, root, wait_for_lock  # noqa: E402
from harness import (
    after_all,
    after_each,
    check,
    contains,
    equal,
    for_each,
    lacks,
    main,
    test,
    wait_until,
)  # noqa: E402
from launcher import Guest, Waiting, context, no_result, prepared, run, start  # noqa: E402
from launcher import untouched  # noqa: E402
from source import SourceDatabase  # noqa: E402

after_each(launcher.end_all)
SECRET = "tell-tale-secret"
STEPS = ["load-staging", "transform-dim", "transform-fact", "app-status-from-fact"]
ALL = sorted(launcher.BLOCKED_BY)


# ---- the launcher itself ----

STUBS = {
    "JSON, then a line": ("echo '{\"a\":1}'; echo noise >&2", "noise", None),
    "JSON, then an empty line": ("echo '{\"a\":1}'; echo", "", None),
    "JSON without newline": ("printf '{\"a\":1}'", '{"a":1}', {"a": 1}),
    "JSON with CRLF": ("printf '{\"a\":1}\\r\\n'", '{"a":1}', {"a": 1}),
    "pretty-printed JSON": ("printf '{\\n  \"a\": 1\\n}\\n'", "}", None),
    "progress with returns": ("printf '10%%\\r20%%\\r{\"a\":1}'", '10%\r20%\r{"a":1}', None),
    "invalid UTF-8": ('printf \'{"a":"\\xe9"}\\n\'', '{"a":"\\xe9"}', None),
    "nothing": ("true", "", None),
}


@for_each(sorted(STUBS))
def a_stub_shows_that_the_launcher_reads_as_airflow_does(name):
    command, last, result = STUBS[name]
    ended = Guest(command).wait().ended(0)
    equal(ended.last, last, "the last line")
    equal(ended.result, result, "the XCom")
    untouched(ended)


@test
def a_stub_with_a_background_child_is_waited_for():
    ended = Guest("sleep 1 & echo '{}'").wait()  # sleeps: it is the child that is waited for
    check(ended.lag > 0.5, f"the pipe ended {ended.lag:.2f} s after the stub")


@test
def a_stub_in_front_of_bash_hides_how_the_program_ended():
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
        program = f"sh -c 'kill -{number.value} $$'"
        equal(Guest(f"exec {program}").wait().status, -number, "with exec")
        hidden = Guest(f"{program}; exit $?").wait()
        equal(hidden.status, 128 + number, "without exec")


@test
def a_stub_that_reads_standard_input_takes_the_protocol():
    ended = Guest("head -c 3 >/dev/null; echo '{}'").wait()
    check(ended.stdin[0] != launcher.PROTOCOL, "the bytes are still there")


@test
def a_stub_s_shell_reads_its_bashrc_unless_it_is_told_that_it_is_not_the_first():
    """Its standard input is a socket, so bash takes itself for a remote shell."""
    home = factline.new_folder()
    with open(os.path.join(home, ".bashrc"), "w") as file:
        file.write("echo of-the-bashrc\n")
    for level, lines in (("0", ["of-the-bashrc", "{}"]), ("1", ["{}"])):
        ended = Guest("echo '{}'", env={"HOME": home}, shell_level=level).wait()
        equal(ended.lines, lines, f"output at level {level}")
    with open(launcher.DAGS) as file:
        contains(file.read(), '"SHLVL": "1"', "the environment that the DAGs give")


# ---- the output ----


@for_each(ALL)
def the_last_line_is_the_result_and_the_input_is_untouched(task):
    warehouse, arguments = prepared(task)
    for stdin in ("</dev/null", ""):
        ended = run(task, *arguments, "--verbose", database=warehouse.name, stdin=stdin).ended(0)
        check(ended.result is not None, f"the last line is {ended.last!r}")
        check(
            ended.output.endswith(b"}\n"), "the output does not end with the result and one newline"
        )
        check(ended.last.isascii() and len(ended.last) < 4096, "the line is not short ASCII")
        check(
            b"\r" not in ended.output and b"\x1b" not in ended.output,
            "the log has returns or escapes",
        )
        check(ended.lag < 0.5, f"the pipe ended {ended.lag:.2f} s after the task")
        untouched(ended)
        for word in ("error", "exception", "warn", "::group::"):
            lacks(ended.last.lower(), word, "the result")


@for_each(STEPS)
def a_run_by_the_same_key_gives_the_same_line_but_for_its_status(task):
    warehouse, arguments = prepared(task)
    lines = []
    for ctx in (context(try_number=1), context(try_number=2), {**context(try_number=0)}):
        lines.append(run(task, *arguments, database=warehouse.name, ctx=ctx).ended(0).result)
    equal(
        [line.pop("status") for line in lines], ["done", "already-done", "already-done"], "statuses"
    )
    equal(lines[1:], [lines[0]] * 2, "the other fields")


@for_each(STEPS)
def without_airflow_s_variables_it_runs_as_by_hand(task):
    warehouse, arguments = prepared(task)
    if task.startswith("transform"):
        arguments = arguments + ["--batch-id", warehouse.sql.value("SELECT max(id) FROM etl.batch")]
    ended = run(task, *arguments, database=warehouse.name, ctx={}).ended(0)
    equal(ended.result["status"], "done", "status")


@test
def hostile_records_and_a_busy_log_leave_the_line_whole():
    records = [doc.form(f"f{number}\u00e9\u2028\U0001f600" + "n" * 200) for number in range(300)]
    records += [b'{"doc_type": "XFormInstance", "_id": "\xff"}', "{broken"]
    warehouse = Warehouse()
    ended = run(
        "load-staging",
        "form",
        "--source",
        warehouse.file(records),
        "--verbose",
        database=warehouse.name,
    ).ended(0)
    equal((ended.result["rows_read"], ended.result["rows_rejected"]), (302, 2), "counts")


# ---- the exit status ----


@test
def each_exit_status_is_provoked_and_has_its_state_in_airflow():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    two_keys = ["form", "--source", path, "--run-key", "k"]
    run("load-staging", *two_keys, database=warehouse.name).ended(0)
    seen = {}
    stranger = f"factline_stranger_{os.getpid()}"
    root().run(f"CREATE ROLE {stranger} LOGIN")
    after_all(lambda: root().run(f"DROP ROLE {stranger}"))
    for number, task, arguments, options in (
        (64, "load-staging", ["form", "--source", path, "--run-key", "None"], {}),
        (65, "load-staging", ["form", "--source", path, "--expect-rows", "2"], {}),
        (69, "batch-status", [], {"env": {"PGHOST": "/nonexistent-folder-of-no-server"}}),
        (
            74,
            "load-staging",
            ["form", "--source", "/nonexistent/forms.ndjson", "--run-key", "gone"],
            {},
        ),
        (77, "batch-status", [], {"env": {"PGUSER": stranger}}),
        (78, "batch-status", [], {"database": "factline_no_such_database"}),
        (79, "batch-status", ["app_status_form", "--max-lag", "1s"], {}),
        (99, "app-status-from-fact", ["synclog", "--skip-if-empty"], {}),
    ):
        ended = run(task, *arguments, **{"database": warehouse.name, **options}).ended(number)
        seen[number] = ended.state
        if number != 79:
            equal(ended.result, None, f"result of a step that ends with {number}")
            no_result(ended)
        if number != 99:
            check(
                ended.last.startswith(f"{task}: error: ") and "; " in ended.last,
                f"it ends {ended.last!r}",
            )
    seen[75] = busy(warehouse, two_keys)
    # Last: it spoils the warehouse. Rows that are sent and never arrive can only be our mistake.
    warehouse.sql.run(
        """CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
           CREATE TRIGGER swallow BEFORE INSERT ON staging.form
               FOR EACH ROW EXECUTE FUNCTION swallow()"""
    )
    ended = run("load-staging", *two_keys[:3], "--run-key", "bug", database=warehouse.name).ended(
        70
    )
    no_result(ended)
    contains(ended.last, "; report it", "the last line")
    seen[70] = ended.state
    equal(
        seen,
        {
            64: "failed",
            65: "failed",
            77: "failed",
            78: "failed",
            69: "up_for_retry",
            70: "up_for_retry",
            74: "up_for_retry",
            75: "up_for_retry",
            79: "up_for_retry",
            99: "skipped",
        },
        "states",
    )


def busy(warehouse, arguments):
    lock = warehouse.session()
    lock.run("BEGIN; LOCK TABLE staging.form IN ACCESS EXCLUSIVE MODE")
    ended = run(
        "transform-fact",
        "form",
        "--run-key",
        "k",
        "--lock-timeout",
        "0.3s",
        database=warehouse.name,
    ).ended(75)
    lock.run("ROLLBACK")
    return ended.state


@for_each(["", "None", "null", "nan", "a b", "'; exit 0; '"])
def an_id_that_a_template_made_of_nothing_is_refused_for_good(word):
    for task in STEPS:
        option = "--run-key" if task == "load-staging" else "--batch-id"
        ended = run(
            task, "user" if task == "transform-dim" else "form", option, '"$ID"', env={"ID": word}
        ).ended(64)
        equal(ended.state, "failed", "state")
        no_result(ended)


# ---- the surroundings ----


@for_each(STEPS)
def nothing_but_the_connection_is_needed_of_the_environment(task):
    warehouse, arguments = prepared(task)
    whole = {
        name: os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER") if name in os.environ
    }
    whole.update(PGDATABASE=warehouse.name, FACTLINE_BIN=factline.BIN)
    run(task, *arguments, whole_env=whole).ended(0)


@for_each(["load-staging", "transform-fact"])
def the_folder_may_go_while_it_runs(task):
    waiting = Waiting(task)
    waiting.guest.remove_folder()
    waiting.lock.run("ROLLBACK")
    ended = waiting.guest.wait().ended(0)
    equal(ended.result["status"], "done", "status")


def hostile_signals():
    """What an executor may leave behind: INT ignored, TERM and HUP blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})


# ---- ways to be ended ----


def three_more_zero_four(guest):
    """3.0.4 and later: TERM to the group, reads on for five seconds."""
    guest.signal_group()
    guest.read_for(5)
    guest.close_pipe()


def two_x(guest):
    """2.x and time-outs: TERM to the group, the pipe closes at once, the folder goes."""
    guest.signal_group()
    guest.close_pipe()
    guest.remove_folder()


def interrupted(guest):
    guest.signal_group(signal.SIGINT)


def hung_up(guest):
    guest.signal_group(signal.SIGHUP)


WAYS = {
    "TERM, read on": (three_more_zero_four, signal.SIGTERM),
    "TERM, pipe closed": (two_x, signal.SIGTERM),
    "INT": (interrupted, signal.SIGINT),
    "HUP": (hung_up, signal.SIGHUP),
}


@for_each(
    [
        (task, way)
        for task in ALL
        for way in (
            sorted(WAYS) if task == "transform-fact" else ["TERM, pipe closed", "TERM, read on"]
        )
    ],
    name=lambda case: f"{case[0]}, {case[1]}",
)
def a_launcher_that_gives_up_leaves_no_query(case):
    task, (way, number) = case[0], WAYS[case[1]]
    waiting = Waiting(task, before=hostile_signals)
    begin = time.monotonic()
    way(waiting.guest)
    ended = waiting.guest.wait(3)
    check(time.monotonic() - begin < 3, f"it took {time.monotonic() - begin:.1f} s")
    equal(ended.status, -number, "status")
    no_result(ended)
    equal(launcher.state_of(ended.status), "up_for_retry", "state")
    waiting.gone()
    waiting.next_try()


@for_each(["load-staging", "transform-fact", "app-status-from-fact"])
def a_launcher_that_is_killed_leaves_no_orphan(task):
    """No signal comes: the end of the pipe is all there is to see."""
    waiting = Waiting(task)
    begin = time.monotonic()
    waiting.guest.close_pipe()
    waiting.guest.supervisor.close()
    waiting.gone()
    waiting.guest.process.wait(3)
    check(time.monotonic() - begin < 3.5, f"it took {time.monotonic() - begin:.1f} s")
    waiting.next_try()


@test
def a_killed_launcher_process_leaves_no_orphan():
    """The same with a process that really dies, and its guest with another parent."""
    warehouse, arguments = prepared("transform-fact")
    lock = warehouse.session()
    lock.run("BEGIN; LOCK TABLE warehouse.form_fact IN ACCESS EXCLUSIVE MODE")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import launcher; "
        "launcher.run('transform-fact', 'form', database=sys.argv[2])"
    )
    lib = os.path.dirname(os.path.abspath(launcher.__file__))
    other = subprocess.Popen(
        [sys.executable, "-c", program, lib, warehouse.name], stdin=subprocess.DEVNULL
    )
    wait_for_lock(warehouse.name, "transform-fact%")
    other.kill()
    other.wait()
    wait_until(lambda: backends(warehouse.name, "transform-fact%") == 0, "the orphan to be gone", 3)
    lock.run("ROLLBACK")
    run("transform-fact", *arguments, database=warehouse.name, ctx=context(try_number=2)).ended(0)


@test
def a_second_term_ends_it_at_once():
    waiting = Waiting("transform-fact")
    waiting.guest.signal_group()
    waiting.guest.signal_group()
    check(waiting.guest.wait(3).status != 0, "status")
    waiting.gone(5)
    waiting.next_try()


@test
def without_exec_the_group_s_signal_reaches_it_too():
    waiting = Waiting("transform-fact", exec_=False, stdin="; echo $?")
    waiting.guest.signal_group()
    check(waiting.guest.wait(3).status in (-15, 143), "bash ends by the signal or says 143")
    waiting.gone()
    waiting.next_try()


@test
def term_while_connecting_ends_it():
    """A server that takes the connection and never says a word."""
    folder = factline.new_folder()
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(os.path.join(folder, ".s.PGSQL.5432"))
    silent.listen(5)
    guest = start("transform-fact", "form", database="x", env={"PGHOST": folder, "PGPORT": "5432"})
    accepted, _ = silent.accept()
    guest.signal_group()
    ended = guest.wait(3)
    accepted.close()
    silent.close()
    equal(ended.status, -signal.SIGTERM, "status")
    no_result(ended)


@test
def term_inside_a_copy_ends_it_and_the_next_try_is_right():
    """The source is a pipe that says half of it and falls silent."""
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "forms.ndjson")
    os.mkfifo(path)
    guest = start("load-staging", "form", "--source", path, database=warehouse.name)
    with open(path, "wb") as file:
        file.write(factline.ndjson([doc.form(f"f{number}") for number in range(500)]))
        file.flush()
        wait_until(lambda: backends(warehouse.name, "load-staging%"), "a session")
        guest.signal_group()
        equal(guest.wait(3).status, -signal.SIGTERM, "status")
    wait_until(lambda: backends(warehouse.name, "load-staging%") == 0, "the session to be gone", 3)
    os.remove(path)
    with open(path, "wb") as file:
        file.write(factline.ndjson([doc.form("f1"), doc.form("f2")]))
    ended = run(
        "load-staging", "form", "--source", path, database=warehouse.name, ctx=context(try_number=2)
    ).ended(0)
    equal(
        (ended.result["rows_staged"], warehouse.sql.number("SELECT count(*) FROM staging.form")),
        (2, 2),
        "rows",
    )


@test
def term_after_commit_before_the_line_is_answered_by_the_next_try():
    """The pipe is full, so the line cannot leave; the log goes elsewhere."""
    warehouse, arguments = prepared("transform-fact")
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    guest = start(
        "transform-fact",
        *arguments,
        database=warehouse.name,
        stdin="2>/dev/null",
        closed_output=write,
    )
    os.close(write)
    wait_until(
        lambda: warehouse.sql.value("SELECT state FROM etl.batch") == "complete", "the commit"
    )
    guest.signal_group()
    ended = guest.wait(3)
    os.close(read)
    check(ended.status != 0, "a line that nobody has is no success")
    again = run(
        "transform-fact", *arguments, database=warehouse.name, ctx=context(try_number=2)
    ).ended(0)
    equal(
        (again.result["status"], again.result["rows_inserted"]), ("already-done", 1), "the next try"
    )


@for_each(["load-staging", "transform-fact", "app-status-from-fact"])
def a_killed_guest_leaves_no_backend_and_no_lock(task):
    waiting = Waiting(task)
    waiting.guest.signal(signal.SIGKILL)
    equal(waiting.guest.wait().status, -signal.SIGKILL, "status")
    waiting.gone(5)
    waiting.next_try()


@for_each(["load-staging", "transform-fact"])
def a_guest_that_sleeps_through_the_takeover_commits_nothing(task):
    waiting = Waiting(task)
    waiting.guest.signal(signal.SIGSTOP)
    retry = start(
        task, *waiting.arguments, database=waiting.warehouse.name, ctx=context(try_number=2)
    )
    wait_until(
        lambda: waiting.lock.value(
            f"""SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name LIKE '{task}%' AND wait_event_type = 'Lock'"""
        )
        == "1",
        "one session, the newer one's",
    )
    waiting.lock.run("ROLLBACK")
    equal(retry.wait().ended(0).result["status"], "done", "the newer try")
    waiting.guest.signal(signal.SIGCONT)
    old = waiting.guest.wait().ended(75, 69)
    no_result(old)
    equal(
        waiting.warehouse.sql.value("SELECT failed_status FROM etl.batch"),
        "",
        "failure written by the older",
    )


@test
def two_copies_of_one_try_do_the_work_once():
    for task in STEPS:
        warehouse, arguments = prepared(task)
        guests = [start(task, *arguments, database=warehouse.name) for _ in range(2)]
        ended = [guest.wait().ended(0, 75) for guest in guests]
        done = [each for each in ended if each.status == 0 and each.result["status"] == "done"]
        equal(len(done), 1, f"copies of {task} that did the work")


@for_each(["file", "socket", "terminal"])
def an_output_that_is_no_pipe_is_no_orphan(kind):
    warehouse, arguments = prepared("transform-fact")
    others = []
    if kind == "file":
        output = os.open(os.path.join(warehouse.folder, "output"), os.O_RDWR | os.O_CREAT)
    elif kind == "socket":
        pair = socket.socketpair()
        others, output = [pair[0]], pair[1].detach()
    else:
        master, output = pty.openpty()
        others.append(os.fdopen(master, "rb", 0))
    ended = start(
        "transform-fact", *arguments, database=warehouse.name, closed_output=output
    ).wait()
    os.close(output)
    for other in others:
        other.close()
    ended.ended(0)


@test
def a_full_disk_under_the_output_is_status_74_and_the_work_is_kept():
    warehouse, arguments = prepared("transform-fact")
    output = os.open("/dev/full", os.O_WRONLY)
    start("transform-fact", *arguments, database=warehouse.name, closed_output=output).wait().ended(
        74
    )
    os.close(output)
    again = run(
        "transform-fact", *arguments, database=warehouse.name, ctx=context(try_number=2)
    ).ended(0)
    equal(again.result["status"], "already-done", "the next try")


@test
def a_terminated_backend_is_tried_again():
    waiting = Waiting("transform-fact")
    root().run(f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = '{waiting.warehouse.name}' AND application_name LIKE
                        'transform-fact%'""")
    equal(waiting.guest.wait().ended(69, 75).state, "up_for_retry", "state")
    waiting.next_try()


# ---- secrets ----


@test
def a_password_is_in_no_output_argument_or_label():
    source = SourceDatabase()
    waiting = Waiting("transform-fact", env={"PGPASSWORD": SECRET, "SOURCE_PGPASSWORD": SECRET})
    with open(f"/proc/{waiting.guest.pid}/cmdline", "rb") as file:
        lacks(file.read().decode(), SECRET, "arguments")
    label = waiting.lock.value(
        """SELECT string_agg(application_name || query, ' ') FROM pg_stat_activity
                                   WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    )
    lacks(label, SECRET, "what the server shows")
    waiting.lock.run("ROLLBACK")
    lacks(waiting.guest.wait().ended(0).output.decode(), SECRET, "output")
    for env in (
        {"PGHOST": f"postgresql://u:{SECRET}@nowhere/x"},
        {"PGPORT": SECRET},
        {"PGSSLMODE": SECRET},
        {"PGUSER": "factline_no_such_role", "PGPASSWORD": SECRET},
    ):
        ended = run("batch-status", database=waiting.warehouse.name, env=env)
        check(ended.status != 0, f"{list(env)} is taken")
        lacks(ended.output.decode(), SECRET, f"output with {list(env)}")
    spec = f"postgresql://u:{SECRET}@{os.environ['PGHOST']}/{source.name}?__extra__=1"
    lacks(
        run("load-staging", "form", "--source", spec, database=waiting.warehouse.name)
        .ended(64)
        .output.decode(),
        SECRET,
        "output with a URI",
    )
    contains(SECRET, "secret", "the word")


if __name__ == "__main__":
    main()
