# SPDX-License-Identifier: MIT
"""Tests as sentences: a function per sentence, a line per test, a status at the end.

    @test
    def a_second_run_changes_nothing(): ...

    if __name__ == "__main__":
        main()

Arguments select tests by words of their names; --list prints the names. Each test is given a
clean slate: databases made by factline.py during it are dropped after it.
"""

import os
import sys
import time
import traceback

_tests = []
_after_each = []
_after_all = []


class Failure(AssertionError):
    """What a check says when it does not hold."""


def test(function):
    _tests.append((function.__name__.replace("_", " "), function))
    return function


def for_each(cases, name=str):
    """One test per case; the case is named at the end of the sentence."""

    def register(function):
        sentence = function.__name__.replace("_", " ")
        for case in cases:
            _tests.append((f"{sentence}: {name(case)}", lambda case=case: function(case)))
        return function

    return register


def after_each(function):
    _after_each.append(function)
    return function


def after_all(function):
    _after_all.append(function)
    return function


def fail(message):
    raise Failure(message)


def check(condition, message):
    if not condition:
        fail(message)


def equal(seen, expected, what="value"):
    if seen != expected:
        fail(f"{what}: expected {expected!r}, seen {seen!r}")


def contains(text, part, what="text"):
    if part not in text:
        fail(f"{what}: expected to find {part!r} in {text!r}")


def lacks(text, part, what="text"):
    if part in text:
        fail(f"{what}: expected not to find {part!r} in {text!r}")


def same_rows(seen, expected, what="rows"):
    """Two collections of rows, in any order; the message shows the difference only."""
    seen, expected = list(map(repr, seen)), list(map(repr, expected))
    missing, extra = list(expected), []
    for row in seen:
        if row in missing:
            missing.remove(row)
        else:
            extra.append(row)
    if missing or extra:

        def short(rows):
            return "\n      ".join(sorted(rows)[:6]) + (
                f"\n      ... {len(rows)} in all" if len(rows) > 6 else ""
            )

        fail(f"{what}: missing:\n      {short(missing)}\n    not expected:\n      {short(extra)}")


def wait_until(condition, what, seconds=20):
    """Waits for a condition, never for a time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


def _run_hooks(hooks):
    for hook in hooks:
        hook()


def option(name):
    """The value of an option of ours, None without it; it is no word of a test's name."""
    if name not in sys.argv:
        return None
    place = sys.argv.index(name)
    value = sys.argv[place + 1] if place + 1 < len(sys.argv) else ""
    del sys.argv[place : place + 2]
    return value


def main():
    words = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    chosen = [(name, function) for name, function in _tests if all(word in name for word in words)]
    if "--list" in sys.argv:
        print("\n".join(name for name, _ in chosen))
        return
    program = os.path.basename(sys.argv[0])
    failed = []
    for number, (name, function) in enumerate(chosen, 1):
        start = time.monotonic()
        try:
            try:
                function()
            finally:
                _run_hooks(_after_each)
            print(f"ok {number} {name} ({time.monotonic() - start:.2f} s)", flush=True)
        except KeyboardInterrupt:
            _run_hooks(_after_all)
            raise
        except Exception as problem:
            failed.append(name)
            print(f"not ok {number} {name}", flush=True)
            if isinstance(problem, Failure):
                frames = [
                    frame
                    for frame in traceback.extract_tb(problem.__traceback__)
                    if os.path.basename(frame.filename) == program
                ]
                where = f"{program}:{frames[-1].lineno}: " if frames else ""
                print(f"    {where}{problem}", flush=True)
            else:
                print("    " + traceback.format_exc().replace("\n", "\n    "), flush=True)
    _run_hooks(_after_all)
    print(f"{program}: {len(chosen) - len(failed)} of {len(chosen)} tests passed", flush=True)
    if failed or not chosen:
        sys.exit(1)
