# SPDX-License-Identifier: MIT
"""The feeds of all pipelines: a record of each as its source spells it, and its transform."""

import documents as doc
import factline
import learning

RECORDS = {
    "form": doc.form("k"),
    "synclog": doc.synclog("k"),
    "user": doc.web_user("k", memberships=(("river", True, ("village",)),)),
    "group": doc.group("k"),
    "domain": doc.domain("k"),
    "application": doc.build("k"),
    "location": doc.location("k"),
    "learner": learning.learner(1, "ann"),
    "course_block": learning.block("a", "problem", None, 1, "v1", learning.EARLY),
    "course_access_role": {
        "user_id": 1,
        "org": "edX",
        "course_id": learning.COURSE,
        "role": "staff",
    },
    "student_module": learning.module(1, "a", 1, 2),
    "student_module_history": {
        "id": 1,
        "student_module_id": 5,
        "created": learning.EARLY,
        "state": None,
        "grade": 1.5,
        "max_grade": 2,
        "source_table": "csmhe",
    },
    "enrollment": learning.enrollment(1),
    "certificate": {
        "user_id": 1,
        "course_id": learning.COURSE,
        "status": "downloadable",
        "created_date": learning.EARLY,
    },
}
FEEDS = sorted(RECORDS)


def transform_of(feed):
    return "transform-fact" if feed in factline.FACTS + learning.FACTS else "transform-dim"
