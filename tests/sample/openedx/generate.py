#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a sample Open edX installation, the same bytes for the same arguments.

  generate.py installation DIR [--scale N] [--history-end DATE]
      DIR/history and DIR/next: course_block, learner and course_access_role as NDJSON, enrollment,
      student_module, student_module_history and certificate as `mysql --batch` prints them. history
      is sixty days up to DATE (2026-10-01); next is what the day after it changed.
  generate.py modules COUNT FILE [--learners N] [--seed TEXT] [--history-end DATE]
      student modules alone, as TSV; a tenth of a learner's are containers.
"""
import argparse
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone

HEADS = {
    "student_module": "id module_type module_id student_id state grade created modified max_grade"
                      " done course_id",
    "student_module_history": "id student_module_id version created state grade max_grade"
                              " source_table",
    "enrollment": "id user_id course_id created is_active mode history_date",
    "certificate": "user_id course_id status created_date",
}
COURSES = [("course-v1:edX+DemoX+2026", 4, "V1"), ("course-v1:edX+Algebra+2026", 8, "V1"),
           ("edX/Physics/2014_T1", 3, "V7")]
CCX = "ccx-v1:edX+DemoX+2026+ccx@1"


def stamp(time):
    return time.strftime("%Y-%m-%d %H:%M:%S.%f")


def cell(value):
    """As mysql --batch spells it."""
    if value is None:
        return "NULL"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def usage(course, kind, name):
    if course.startswith("course-v1:"):
        return f"block-v1:{course[10:]}+type@{kind}+block@{name}"
    if course.startswith("ccx-v1:"):
        return f"ccx-block-v1:{course[7:]}+type@{kind}+block@{name}"
    org, number, _ = course.split("/")
    return f"i4x://{org}/{number}/{kind}/{name}"


class Installation:
    """A site of learners whose days are played one after the other."""

    def __init__(self, scale, end):
        self.chance = random.Random("factline sample: openedx")
        self.end = end
        self.learners = range(101, 101 + 60 * scale)
        self.modules, self.history, self.enrollments = {}, [], {}
        self.days = {"history": end - timedelta(days=60), "next": end}
        self.changed = None

    def below(self, limit):
        return int(self.chance.random() * limit)

    def blocks(self, course, sections, version, published, maximum=1.0):
        def line(kind, name, parent, ordinal, **more):
            return {"course_id": course, "course_version": version,
                "published_at": stamp(published),
                    "usage_key": usage(course, kind, name), "block_type": kind,
                    "parent": parent and usage(course, *parent), "ordinal": ordinal,
                    "display_name": f"{kind} {name}", "has_score": False, "graded": False,
                    "weight": None, "max_score": None, **more}
        yield line("course", "course", None, 0)
        for number in range(1, sections + 1):
            chapter, part, unit = f"c{(number + 1) // 2}", f"s{number}", f"u{number}"
            if number % 2:
                yield line("chapter", chapter, ("course", "course"), number * 100)
            yield line("sequential", part, ("chapter", chapter), number * 100 + 1)
            yield line("vertical", unit, ("sequential", part), number * 100 + 2)
            yield line("html", f"h{number}", ("vertical", unit), number * 100 + 3)
            for place in range(1, 4):
                yield line("problem", f"p{number}_{place}", ("vertical", unit),
                    number * 100 + 3 + place,
                           has_score=True, graded=True, max_score=maximum * place,
                           weight=2.0 if place == 3 and number % 3 == 0 else None)
            if number == sections:
                yield line("library_content", "bank", ("vertical", unit), number * 100 + 20,
                           extra={"max_count": 2})
                for place in range(1, 6):
                    yield line("problem", f"b{place}", ("library_content", "bank"),
                               number * 100 + 20 + place, has_score=True, max_score=1.0)

    def save(self, time, user, course, kind, name, state, grade=None, maximum=None):
        key = (user, course, kind, name)
        known = self.modules.get(key)
        number = known["id"] if known else 96000 + len(self.modules)
        self.modules[key] = {
            "id": number, "module_type": kind, "module_id": usage(course, kind, name),
                "student_id": user,
            "state": state, "grade": grade, "created": known["created"] if known else stamp(time),
            "modified": stamp(time), "max_grade": maximum, "done": "na", "course_id": course}
        self.changed[key] = True
        if kind == "problem" and state:
            self.history.append({
                "id": 7000 + len(self.history), "student_module_id": number, "version": None,
                "created": stamp(time), "state": state, "grade": grade, "max_grade": maximum,
                "source_table": "csmhe"})

    def study(self, time, user, course, sections):
        number = 1 + self.below(sections)
        place = 1 + self.below(3)
        self.save(time, user, course, "sequential", f"s{number}", json.dumps({"position": place}))
        if self.below(9) == 0:
            self.save(time, user, course, "problem", f"p{number}_{place}",
                None if self.below(2) else "{}")
        elif self.below(20) == 0:  # points without a maximum are no score
            self.save(time, user, course, "problem", f"p{number}_{place}", '{"attempts": 1}', 1.0,
                None)
        else:
            state = {"attempts": 1 + self.below(3),
                "student_answers": {f"p{number}": "a\tb\n\"c\\d\""}}
            self.save(time, user, course, "problem", f"p{number}_{place}", json.dumps(state),
                      float(self.below(place + 1)), float(place))
        if number == sections and self.below(3) == 0:
            shown = [["problem", f"b{1 + self.below(5)}"], ["problem", f"b{1 + self.below(5)}"]]
            self.save(time, user, course, "library_content", "bank",
                json.dumps({"selected": shown}))
            self.save(time, user, course, *shown[0], '{"attempts": 1}', 1.0, 1.0)

    def play(self, day, length):
        """Whose turn it is, day by day; a few rows in twenty are odd."""
        self.changed, begin, first = {}, self.days[day], day == "history"
        touched = set()
        for user in self.learners:
            courses = [COURSES[user % 3]] + ([(CCX, 4, None)] if user % 7 == 0 else [])
            for course, sections, _ in courses:
                if first and user % 11:  # every eleventh is active without being enrolled yet
                    self.enroll(user, course, begin + timedelta(days=self.below(20)), touched)
                elif not first and user % 11 == 0:
                    self.enroll(user, course, begin, touched)
                for passed in range(length):
                    if user % 5 and self.below(6 if first else 3) == 0:
                        self.study(begin + timedelta(days=passed, seconds=self.below(86399)), user,
                            course,
                                   sections)
            if not first and user % 13 == 0:
                row = self.enrollments[user, courses[0][0]]
                row.update(is_active=0, history_date=stamp(begin + timedelta(hours=9)))
                touched.add((user, courses[0][0]))
        return touched

    def enroll(self, user, course, time, touched):
        self.enrollments[user, course] = {
            "id": 1135000 + len(self.enrollments), "user_id": user, "course_id": course,
            "created": stamp(time), "is_active": 1,
                "mode": "verified" if user % 4 == 0 else "audit",
            "history_date": None}
        touched.add((user, course))

    def write(self, folder, day):
        os.makedirs(folder, exist_ok=True)
        kept = len(self.history)
        touched = self.play(day, 60 if day == "history" else 1)
        modules = [self.modules[key] for key in self.changed]
        if day == "history":  # a library, which is no course, and keys that are none
            for number, (context, key) in enumerate([
                    ("lib:edX:bank", "lb:edX:bank:problem:q1"),
                    ("library-v1:edX+Old", "lib-block-v1:edX+Old+type@problem+block@q2"),
                    ("course-v1:edX+DemoX+2026", "block-v1:edX+DemoX+2026"),
                    ("course-v1:edX+DemoX+2026 ", usage("course-v1:edX+DemoX+2026", "problem",
                        "gone"))]):
                modules.append({**modules[0], "id": 95000 + number, "course_id": context,
                                "module_id": key})
        self.table(folder, "student_module", modules)
        self.table(folder, "student_module_history", self.history[kept:])
        self.table(folder, "enrollment", [self.enrollments[key] for key in sorted(touched)])
        awarded = [user for user in self.learners if user % 6 == (0 if day == "history" else 1)]
        self.table(folder, "certificate", [
            {"user_id": user, "course_id": COURSES[user % 3][0],
             "status": "downloadable" if user % 4 else "notpassing",
             "created_date": stamp(self.days[day] + timedelta(hours=5))} for user in awarded])
        published = self.days[day] - timedelta(days=1 if day == "history" else -0.5)
        courses = COURSES if day == "history" else [("course-v1:edX+Algebra+2026", 8, "V2")]
        self.lines(folder, "course_block", [
            line for course, sections, version in courses
            for line in self.blocks(course, sections, version, published,
                1.0 if day == "history" else 2.0)])
        self.lines(folder, "learner", [
            {"id": user, "username": f"learner{user}", "is_staff": False, "is_active": True,
             "date_joined": stamp(self.days["history"]), "last_login": None}
            for user in self.learners if day == "history" or user % 10 == 0])
        self.lines(folder, "course_access_role", [
            {"user_id": 101, "org": "edX", "course_id": "", "role": "staff"},
            {"user_id": 105, "org": "edX", "course_id": COURSES[0][0], "role": "instructor"}])

    @staticmethod
    def table(folder, feed, rows):
        columns = HEADS[feed].split()
        with open(os.path.join(folder, f"{feed}.tsv"), "w", encoding="utf-8", newline="") as file:
            file.write("\t".join(columns) + "\n")
            for row in rows:
                file.write("\t".join(cell(row[column]) for column in columns) + "\n")

    @staticmethod
    def lines(folder, feed, rows):
        with open(os.path.join(folder, f"{feed}.ndjson"), "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")


def write_installation(options):
    installation = Installation(options.scale, options.history_end)
    for day in ("history", "next"):
        installation.write(os.path.join(options.folder, day), day)
    print(
        f"sample installation: {len(installation.learners)} learners, {len(COURSES) + 1} courses, "
          f"{len(installation.modules)} student modules", file=sys.stderr)


def write_modules(options):
    chance = random.Random(f"factline sample: modules {options.seed}")
    learners = options.learners or max(1, options.count // 74)
    with open(options.file, "w", encoding="utf-8", newline="") as file:
        file.write("\t".join(HEADS["student_module"].split()) + "\n")
        for number in range(options.count):
            user, place = 1 + number % learners, number // learners
            course = f"course-v1:edX+C{user % 50}+2026"
            kind = "sequential" if place % 10 == 0 else "problem"
            time = stamp(options.history_end - timedelta(seconds=int(chance.random() * 86400 * 30)))
            state = '{"position": 1}' if kind == "sequential" else json.dumps(
                {"attempts": 1,
                    "student_answers": {"a": "x\ny\t\"z\"" + "w" * int(chance.random() * 200)}})
            graded = kind == "problem" and chance.random() < 0.7
            file.write("\t".join(map(cell, (
                number + 1, kind, usage(course, kind, f"b{place}"), user, state,
                float(int(chance.random() * 5)) if graded else None, time, time,
                    4.0 if graded else None, "na",
                course))) + "\n")


def day_of(text):
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="installation|modules")
    installation = commands.add_parser("installation")
    installation.add_argument("folder")
    installation.add_argument("--scale", type=int, default=1, help="times the learners (1)")
    installation.set_defaults(run=write_installation)
    modules = commands.add_parser("modules")
    modules.add_argument("count", type=int)
    modules.add_argument("file")
    modules.add_argument("--learners", type=int)
    modules.add_argument("--seed", default="1")
    modules.set_defaults(run=write_modules)
    for command in (installation, modules):
        command.add_argument("--history-end", type=day_of, metavar="DATE",
            default=day_of("2026-10-01"),
                             help="midnight, UTC, at which the history ends (2026-10-01)")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
