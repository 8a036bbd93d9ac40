# SPDX-License-Identifier: MIT
"""Open edX for tests: records as the platform has them, and a warehouse that takes them."""

import os

import factline
from factline import Warehouse

factline.RESULT_COUNTS.update(
    {
        "enrollment-data-from-fact": factline.RESULT_COUNTS["app-status-from-fact"],
        "verify-enrollment-data": factline.RESULT_COUNTS["verify-app-status"],
    }
)

FACTS = ("enrollment", "student_module", "student_module_history", "certificate")
COURSE = "course-v1:edX+X+26"
EARLY = "2026-02-01T09:00:00Z"


def usage(name, kind="problem", course=COURSE):
    return f"{course.replace('course-v1:', 'block-v1:')}+type@{kind}+block@{name}"


def module(
    user,
    name,
    grade=None,
    max_grade=None,
    modified="2026-04-11T12:00:00Z",
    course=COURSE,
    kind="problem",
    **more,
):
    """A student module; its id is the user's and the block's own."""
    key = more.pop("module_id", None) or usage(name, kind, course)
    number = user * 1000 + sum(key.encode()) % 997
    return {
        "id": number,
        "module_type": kind,
        "module_id": key,
        "student_id": user,
        "state": '{"attempts": 1}',
        "grade": grade,
        "max_grade": max_grade,
        "created": modified,
        "modified": modified,
        "done": "na",
        "course_id": course,
        **more,
    }


def enrollment(user, course=COURSE, created=EARLY, is_active=1, mode="audit", **more):
    return {
        "id": 1135000 + user,
        "user_id": user,
        "course_id": course,
        "created": created,
        "is_active": is_active,
        "mode": mode,
        **more,
    }


def learner(user, name, **more):
    return {
        "id": user,
        "username": name,
        "is_staff": False,
        "is_active": True,
        "date_joined": "2026-01-15T08:00:00Z",
        "last_login": None,
        **more,
    }


def block(
    name, kind, parent, ordinal, version, published, course=COURSE, parent_kind="sequential", **more
):
    return {
        "course_id": course,
        "course_version": version,
        "published_at": published,
        "usage_key": usage(name, kind, course),
        "block_type": kind,
        "parent": usage(parent, parent_kind, course) if parent else None,
        "ordinal": ordinal,
        "display_name": more.pop("display_name", name),
        "has_score": False,
        "graded": True,
        "weight": None,
        "max_score": None,
        **more,
    }


def structure(
    version="V1",
    published="2026-01-20T00:00:00Z",
    p1=4.0,
    p2=3.0,
    course=COURSE,
    extra=(),
    without=(),
    p1_name="p1",
    **p2_more,
):
    """The base course: s1 holds p1 (max 4), s2 holds p2 (max 3), s3 nothing scored."""

    def make(*arguments, **more):
        return block(*arguments, version, published, course=course, **more)

    blocks = [
        make("course", "course", None, 0),
        make("c1", "chapter", "course", 1, parent_kind="course"),
    ]
    for number in (1, 2, 3):
        blocks.append(make(f"s{number}", "sequential", "c1", 1 + number, parent_kind="chapter"))
    blocks.append(
        make("p1", "problem", "s1", 5, has_score=True, max_score=p1, display_name=p1_name)
    )
    blocks.append(make("p2", "problem", "s2", 6, has_score=True, max_score=p2, **p2_more))
    blocks.append(make("h3", "html", "s3", 7))
    blocks += [make(*arguments, **more) for arguments, more in extra]
    return [line for line in blocks if line["usage_key"].rsplit("@", 1)[1] not in without]


class Site(Warehouse):
    """A warehouse with an Open edX installation in it."""

    def transform(self, feed, loaded, *options, expect=0, **more):
        batch = loaded if isinstance(loaded, str) else loaded["batch_id"]
        task = "transform-fact" if feed in FACTS else "transform-dim"
        return self.run(task, feed, "--batch-id", batch, *options, expect=expect, **more)

    def derive(self, *options, as_of="2026-04-12", expect=0, **more):
        if "--run-key" not in options:
            options = ("--run-key", self.key(), *options)
        dated = ("--as-of", as_of) if as_of else ()
        return self.run("enrollment-data-from-fact", *dated, *options, expect=expect, **more)

    def verify(self, *options, expect=0):
        return self.run("verify-enrollment-data", *options, expect=expect)

    def data(self, user, course=COURSE):
        """Points earned and possible, sections worked and possible, progress; or None."""
        rows = self.sql.tuples(f"""
            SELECT data.points_earned, data.points_possible, data.sections_worked,
            data.sections_possible,
                   data.progress_percent
              FROM warehouse.enrollment_data AS data
              JOIN warehouse.learning_context_dim AS context ON context.id = data.context_id
             WHERE data.user_id = {user} AND context.context_key = '{course}'""")
        return rows[0] if rows else None

    def value_of(self, user, column, course=COURSE):
        rows = self.sql.tuples(f"""
            SELECT data.{column} FROM warehouse.enrollment_data AS data
              JOIN warehouse.learning_context_dim AS context ON context.id = data.context_id
             WHERE data.user_id = {user} AND context.context_key = '{course}'""")
        return rows[0][0] if rows else None

    def metric(self, date, columns, course=COURSE):
        rows = self.sql.tuples(f"""
            SELECT {columns} FROM warehouse.course_daily_metrics_report AS report
             WHERE report.metric_date = '{date}' AND report.context_key = '{course}'""")
        return rows[0] if rows else None

    def base(self):
        """The base course, with Carlos (101), Lyla (102) and Mina (103) enrolled."""
        self.take("course_block", structure())
        self.take("learner", [learner(101, "carlos"), learner(102, "lyla"), learner(103, "mina")])
        self.take("enrollment", [enrollment(user) for user in (101, 102, 103)])
        return self


def _make_platform(name):
    session = factline.Session(name)
    with open(
        os.path.join(factline.TREE, "tests", "sample", "openedx", "schema", "lms.sql"),
        encoding="utf-8",
    ) as file:
        session.run(file.read())
    session.close()


class Platform:
    """A database of the LMS on PostgreSQL, and the SPEC by which it is read."""

    def __init__(self):
        self.name = factline.new_database(_make_platform, "lms")
        self.sql = factline.Session(self.name)
        port = os.environ.get("PGPORT", "5432")
        self.spec = f"host={os.environ['PGHOST']} port={port} dbname={self.name}"
        if os.environ.get("PGUSER"):
            self.spec += f" user={os.environ['PGUSER']}"
