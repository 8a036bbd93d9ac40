# SPDX-License-Identifier: MIT
"""What happens in the sample installation: forms with all that befalls them, and sync logs.

One simulation runs over the thirty days of the history and the day after. A form is kept with its
later events (edit, archive, ...); rows_at() tells how HQ's tables show it at a moment. So the
history is the state at one moment, and the next day is the difference to a later one.
"""

from chance import DAY, HOUR, MINUTE, SECOND, Chance

XMLNS = "http://openrosa.org/formdesigner/"
NORMAL, ARCHIVED, DEPRECATED, DUPLICATE, FAILED, SUBMISSION_LOG = 1, 2, 4, 8, 16, 32
DELETED_BIT = 64  # releases of 2019 also set it; newer ones only fill deleted_on


class Events:
    def __init__(self, world):
        self.world = world
        self.forms, self.sync_logs = [], []
        for number, worker in enumerate(world.workers):
            self._month_of(worker, Chance(f"worker {number}"))
        chance = Chance("strangers")
        self._strangers(chance)
        self._happenings_of_the_next_day(chance)

    # -- one worker's month

    def _month_of(self, worker, chance):
        if worker["deleted"]:
            worker["stops"] = 12
        start, apps = self.world.history_start, self._apps_of(worker, chance)
        for day in range(31):
            if worker["stops"] is not None and day >= worker["stops"]:
                break
            if day % 7 == 6 or chance.happens(0.12):
                continue
            morning = start + day * DAY + 3 * HOUR + chance.below(3 * HOUR)
            if worker["syncs"]:
                self._sync(worker, chance, chance.pick(apps), morning)
            if worker["submits"]:
                for _ in range(chance.between(max(1, worker["pace"] - 3), worker["pace"] + 3)):
                    app = chance.pick(apps)
                    self._visit(worker, chance, app, morning + chance.below(10 * HOUR))
            if worker["syncs"] and chance.happens(0.3):
                self._sync(worker, chance, chance.pick(apps), morning + 10 * HOUR)

    def _apps_of(self, worker, chance):
        apps = [app for app in self.world.apps if app["domain"] == worker["domain"]]
        if worker["apps"] == 2:
            return apps
        return [apps[0] if chance.happens(0.7) else apps[1]]

    def _build_of(self, worker, app, chance, time):
        """The newest build, or for one in four workers the one before: not all update at once."""
        built = [build for build in app["builds"] if build["built"] <= time]
        back = 2 if len(built) > 1 and int(worker["id"][:2], 16) % 4 == 0 else 1
        return built[-back]

    def _sync(self, worker, chance, app, time):
        if time >= self.world.next_end:
            return
        self.sync_logs.append(
            {
                "synclog_id": chance.uuid(),
                "domain": worker["domain"],
                "user_id": worker["id"],
                "date": time + chance.below(MINUTE),
                "build_id": self._build_of(worker, app, chance, time)["id"],
                "app_id": app["id"],
                "duration": chance.between(0, 40),
                "device_id": worker["device"],
                "is_formplayer": chance.happens(0.05),
                "request_user_id": worker["id"],
            }
        )

    def _visit(self, worker, chance, app, ended):
        """A form: filled in, received (at once, or days late from a village without network)."""
        received = ended + chance.below(20 * SECOND) + chance.below(SECOND)
        if chance.happens(0.04):
            received = ended + chance.between(2, 60) * HOUR + chance.below(HOUR)
        if received >= self.world.next_end:
            return
        build = self._build_of(worker, app, chance, ended)
        started = ended - chance.between(1, 25) * MINUTE
        if chance.happens(0.002):  # a phone whose clock was reset
            started, ended = started - 3650 * DAY, ended - 3650 * DAY
        row = {
            "form_id": chance.uuid(),
            "domain": worker["domain"],
            "app_id": app["id"],
            "xmlns": XMLNS + app["id"][:6].upper() + str(chance.below(4)),
            "user_id": worker["id"],
            "orig_id": None,
            "deprecated_form_id": None,
            "server_modified_on": received,
            "received_on": received,
            "edited_on": None,
            "deleted_on": None,
            "build_id": build["id"],
            "state": NORMAL,
            "time_end": ended,
            "time_start": started,
            "commcare_version": worker["commcare"],
            "app_version": build["version"],
        }
        if worker["has_web_forms"] and chance.happens(0.15):  # filled in on the web, in no app
            row.update(app_id=None, build_id=None, app_version=None, commcare_version=None)
        elif chance.happens(0.004):  # a test version of the app: not a build
            row.update(build_id=None)
        self.forms.append({"row": row, "events": self._fate(chance, row), "seen_late": False})
        if chance.happens(0.004):
            again = dict(row, form_id=chance.uuid(), state=DUPLICATE)
            again["received_on"] = received + chance.below(10 * MINUTE)
            again["server_modified_on"] = again["received_on"]
            self._keep(again)

    def _fate(self, chance, row):
        """What befalls a form later, as (time, kind, argument), in order of time."""
        fate, time = [], row["received_on"]

        def later(kind, probability, argument=None):
            nonlocal time
            if chance.happens(probability):
                time += chance.between(1, 90) * HOUR + chance.below(HOUR)
                fate.append((time, kind, argument))
                return True
            return False

        later("edit", 0.02, chance.uuid())
        if later("archive", 0.01):
            later("unarchive", 0.3)
        elif later("delete", 0.004):
            later("undelete", 0.3)
        return fate

    def _keep(self, row, events=(), seen_late=False):
        self.forms.append({"row": row, "events": list(events), "seen_late": seen_late})

    # -- what does not come from the known workers

    def _strangers(self, chance):
        """Forms and syncs of nobody, of special users, of users and apps without a document."""
        world, usual = self.world, [form["row"] for form in self.forms if not form["events"]]

        def copies(count, **changes):
            for _ in range(count):
                row = dict(chance.pick(usual), form_id=chance.uuid())
                row.update(changes)
                yield row

        for row in copies(60, user_id=None):
            self._keep(row)
        for row in copies(40, user_id=""):
            self._keep(row)
        for user in ("demo_user", "system", "commtrack-system", chance.hex_id(), chance.hex_id()):
            for row in copies(12, user_id=user):
                self._keep(row)
        few = {row["user_id"] for row in usual[::8000]}  # who try an app that was never extracted
        for row in (dict(row, form_id=chance.uuid()) for row in usual if row["user_id"] in few):
            if chance.happens(0.1):
                row.update(app_id="f" * 32, build_id="e" * 32)
                self._keep(row)
        for row in copies(20, domain="lake-health"):  # a project that nobody has a document of
            self._keep(row)
        for row in copies(25, state=FAILED, xmlns=""):
            self._keep(row)
        for row in copies(
            15,
            state=SUBMISSION_LOG,
            user_id=None,
            app_id=None,
            build_id=None,
            xmlns="",
            app_version=None,
            commcare_version=None,
            time_start=None,
            time_end=None,
        ):
            self._keep(row)
        # restored from a broken backup: no month of the warehouse is theirs
        for row in copies(3, received_on=DAY, server_modified_on=world.history_start + 9 * DAY):
            self._keep(row)
        busy = [worker for worker in world.workers if worker["syncs"]]
        for number in range(40):
            time = world.history_start + chance.below(30 * DAY)
            log = {
                "synclog_id": chance.uuid(),
                "domain": chance.pick(busy)["domain"],
                "user_id": world.web_users[number % 6]["id"],
                "date": time,
                "build_id": None,
                "app_id": None,
                "duration": None,
                "device_id": "WebAppsLogin",
                "is_formplayer": True,
                "request_user_id": None,
            }
            if number < 8:  # on behalf of a worker
                log.update(
                    user_id=chance.pick(busy)["id"], request_user_id=world.web_users[0]["id"]
                )
            elif number < 14:
                log["user_id"] = chance.hex_id()
            elif number < 18:
                log["domain"] = None
            elif number < 20:
                log["date"] = None
            self.sync_logs.append(log)

    def _happenings_of_the_next_day(self, chance):
        """What the next day must hold whatever chance gave: fallbacks, moves, late commits."""
        world = self.world
        end = world.history_end
        newest = {}
        for form in self.forms:
            row = form["row"]
            is_plain = row["state"] == NORMAL and not form["events"]
            if is_plain and row["received_on"] < end and row["user_id"]:
                best = newest.get(row["user_id"])
                if best is None or best["row"]["received_on"] < row["received_on"]:
                    newest[row["user_id"]] = form
        silent = [form for form in newest.values() if form["row"]["received_on"] < end - 4 * DAY]
        for number, form in enumerate(silent[:12]):
            time = end + chance.between(1, 22) * HOUR
            kind = ("archive", "delete", "move")[number % 3]
            others = [
                worker
                for worker in world.workers
                if worker["domain"] == form["row"]["domain"] and worker["submits"]
            ]
            other = chance.pick(others)
            form["events"].append((time, kind, other["id"]))
        # stamped minutes before the end of the history, committed after it was read
        for number, form in enumerate(list(newest.values())[20:26]):
            time = end - (number + 2) * MINUTE
            row = dict(
                form["row"],
                form_id=chance.uuid(),
                received_on=time,
                server_modified_on=time,
                time_end=time - 10 * SECOND,
                time_start=time - 5 * MINUTE,
            )
            self._keep(row, seen_late=True)


def rows_at(form, moment):
    """HQ's rows of a form at a moment: the live one, deprecated copies; and its operations."""
    row, copies, operations = dict(form["row"]), [], []
    form_id = row["form_id"]
    if row["server_modified_on"] > moment:
        return [], []
    for time, kind, argument in form["events"]:
        if time > moment:
            break
        if kind == "edit":
            copies.append(
                dict(
                    row,
                    form_id=argument,
                    orig_id=form_id,
                    state=DEPRECATED,
                    edited_on=time,
                    server_modified_on=time,
                )
            )
            row.update(deprecated_form_id=argument, edited_on=time, server_modified_on=time)
        elif kind in ("archive", "unarchive"):  # moves no column but state
            row["state"] = ARCHIVED if kind == "archive" else NORMAL
        elif kind == "delete":
            row.update(deleted_on=time, server_modified_on=time)
            if int(form_id[0], 16) < 3:
                row["state"] |= DELETED_BIT
        elif kind == "undelete":  # seen in server_modified_on alone
            row.update(deleted_on=None, server_modified_on=time, state=row["state"] & ~DELETED_BIT)
        elif kind == "move":
            row.update(user_id=argument, server_modified_on=time)
        if kind in ("edit", "archive", "unarchive"):
            operations.append(
                {"form_id": form_id, "user_id": row["user_id"], "operation": kind, "date": time}
            )
    return [row] + copies, operations
