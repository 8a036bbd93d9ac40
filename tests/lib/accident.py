# SPDX-License-Identifier: MIT
"""What happens to the steps of a random schedule, and how often each of it happened."""

import signal
import time
from collections import Counter

import proxy
import server
from factline import backends, root
from harness import fail, wait_until

# Hours and half hours from UTC, both directions, a change of clocks in either half of the year,
# and a rule without a name.
ZONES = [
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "<-0930>9:30",
]
AGAIN = (69, 75, -signal.SIGKILL, -signal.SIGTERM)


class Accidents:
    """Steps of one warehouse, run roughly. rng decides; tell() notes what was done."""

    def __init__(self, rng, warehouse):
        self.rng, self.warehouse = rng, warehouse
        self.faults = Counter()
        self.told = []
        self.zone = {}

    def tell(self, text):
        self.told.append(text)

    def finish(self, commands):
        """Runs steps at the same time, with accidents, until all have succeeded or are given up."""
        rng = self.rng
        victim, accident = rng.randrange(len(commands)), self.draw()
        gate = self.gate_of(accident)
        if gate:
            with gate:
                failed = self.run_together(commands, victim, None, gate)
            self.faults[accident] += gate.was_reached
        else:
            failed = self.run_together(commands, victim, accident, None)
        if failed and rng.random() < 0.1:
            self.tell("  given up")
            self.faults["steps given up"] += 1
            return False
        return all([self.repeat(command) for command in failed])

    def draw(self):
        kind = self.rng.random()
        for share, accident in (
            (0.12, "kills"),
            (0.18, "stops"),
            (0.24, "ended sessions"),
            (0.31, "cut connections"),
            (0.38, "lost commits"),
            (0.39, "server crashes"),
        ):
            if kind < share:
                return accident
        return None

    def gate_of(self, accident):
        if accident == "cut connections":
            return proxy.Gate(self.rng.randint(1, 40), self.rng.choice(proxy.WHENS))
        if accident == "lost commits":
            return proxy.Gate(self.rng.randint(1, 3), "answered", holding=b"COMMIT\0")
        return None

    def run_together(self, commands, victim, accident, gate):
        processes = []
        for number, command in enumerate(commands):
            is_twin = self.rng.random() < 0.1
            self.faults["twins"] += is_twin
            env = {**self.zone, **(gate.environment if gate and number == victim else {})}
            for _ in range(2 if is_twin else 1):
                process = self.warehouse.start(*command, "--lock-timeout", "20s", env=env)
                processes.append((command, process))
                if gate and number == victim:
                    gate.process = process
        if accident:
            time.sleep(self.rng.random() ** 2 * 0.08)
            self.strike(accident, processes[victim][1])
        failed = []
        for command, process in processes:
            run = process.wait()
            self.tell(f"  {run} -> {run.status} {run.stdout.strip()[:150]}")
            if run.status != 0:
                run.ended(*AGAIN, *((65,) if command[0].startswith("transform") else ()))
                if command not in failed:
                    failed.append(command)
        return failed

    def strike(self, accident, process):
        self.faults[accident] += 1
        self.tell(f"  {accident}: {process.command[1:3]}")
        if accident in ("kills", "stops"):
            process.signal(signal.SIGKILL if accident == "kills" else signal.SIGTERM)
        elif accident == "ended sessions":
            root().run(f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = '{self.warehouse.name}' AND application_name <> 'psql'
                  AND backend_type = 'client backend'""")
        else:
            server.crash()
            self.crashed()

    def crashed(self):
        """What a schedule does after the server came back: staging is empty, sessions are gone."""

    def repeat(self, command):
        for _ in range(6):
            run = self.warehouse.run(*command, "--lock-timeout", "20s", expect=None, env=self.zone)
            self.tell(f"  again {run} -> {run.status} {run.stdout.strip()[:150]}")
            if run.status == 0:
                return True
            if run.status == 65 and command[0].startswith("transform"):
                return False  # its staging was lost
            run.ended(*AGAIN)
        fail(f"{' '.join(command)} does not succeed: {run.stderr[-500:]}")

    def wait_for_sessions(self):
        wait_until(lambda: backends(self.warehouse.name) == 0, "sessions to end", 10)

    def move_zones(self, *sources):
        """Other time zones for the tasks and, from their next session on, for the servers: of a
        database, or of the role in it, which goes before."""
        choose = self.rng.choice
        self.zone = {"TZ": choose(ZONES), "PGTZ": choose(ZONES)}
        places = [(self.warehouse.name, None), *((source.name, source.host) for source in sources)]
        for database, host in places:
            whose = choose(["ROLE CURRENT_USER IN ", ""])
            root(host).run(f"ALTER {whose}DATABASE {database} SET timezone = '{choose(ZONES)}'")
        self.faults["time zone changes"] += 1
        self.tell(f"zones {self.zone}")
