#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dimensions and their bridges: attributes, deletions, projects of one name, places in a tree."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, equal, for_each, main, same_rows, test  # noqa: E402

EARLY, LATE, LATER = "2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z", "2024-03-03T00:00:00Z"


def users(warehouse, columns):
    return warehouse.sql.tuples(
        f"SELECT {columns} FROM warehouse.user_dim WHERE id > 0 ORDER BY" " user_id"
    )


@test
def the_type_of_a_user_is_by_id_then_by_document():
    warehouse = Warehouse()
    warehouse.take(
        "user",
        [
            doc.user("asha"),
            doc.web_user("maria"),
            doc.user("demo_user"),
            doc.user("system"),
            doc.user("commtrack-system"),
        ],
    )
    same_rows(
        users(warehouse, "user_id, user_type"),
        [
            ("asha", "mobile"),
            ("maria", "web"),
            ("demo_user", "demo"),
            ("system", "system"),
            ("commtrack-system", "supply"),
        ],
        "user types",
    )


@test
def a_user_keeps_what_the_document_says_and_absent_members_take_their_defaults():
    warehouse = Warehouse()
    warehouse.take(
        "user",
        [
            doc.user(
                "full",
                is_staff=True,
                last_login="2024-01-02T03:04:05.678901Z",
                email="a@example.org",
            ),
            doc.user(
                "bare",
                first_name=...,
                last_name=None,
                email=...,
                is_active=...,
                is_staff=...,
                is_superuser=...,
                last_login=...,
                assigned_location_ids=...,
                domain_membership=...,
            ),
        ],
    )
    equal(
        users(warehouse, "user_id, first_name, email, is_staff, is_superuser, last_login"),
        [
            ("bare", users(warehouse, "first_name")[0][0], None, False, False, None),
            ("full", "Full", "a@example.org", True, False, "2024-01-02T03:04:05.678901+00:00"),
        ],
        "users",
    )


@test
def a_deleted_user_keeps_its_row_and_is_marked():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user("asha", EARLY)])
    warehouse.take(
        "user", [doc.user("asha", LATE, base_doc="CouchUser-Deleted", **{"-deletion_id": "d1"})]
    )
    equal(users(warehouse, "user_id, deleted"), [("asha", True)], "deleted")
    warehouse.take("user", [doc.user("asha", LATER)])
    equal(users(warehouse, "user_id, deleted"), [("asha", False)], "restored")


@for_each(["user", "group", "application", "domain"])
def a_true_deletion_marks_the_row_of_its_id_and_a_later_document_revives_it(feed):
    make = {"user": doc.user, "group": doc.group, "application": doc.app, "domain": doc.domain}[
        feed
    ]
    warehouse = Warehouse()
    warehouse.take(feed, [make("x", last_modified=EARLY)])
    run = warehouse.take(feed, [doc.deletion("x"), doc.deletion("never-seen")])
    deleted = f"SELECT deleted FROM warehouse.{feed}_dim WHERE id > 0 AND NOT is_inferred"
    equal(warehouse.sql.tuples(deleted), [(True,)], "deleted")
    equal(run["rows_staged"], 2, "rows_staged")
    warehouse.take(feed, [make("x", last_modified=LATE)])
    equal(
        warehouse.sql.tuples(deleted),
        [(True,)],
        "a document older than the deletion revives nothing",
    )
    warehouse.take(feed, [make("x", last_modified="2099-01-01T00:00:00Z")])
    equal(warehouse.sql.tuples(deleted), [(False,)], "revived")


@test
def a_deletion_that_comes_before_its_document_is_remembered():
    warehouse = Warehouse()
    warehouse.take("user", [doc.deletion("asha")])
    warehouse.take("user", [doc.user("asha", EARLY)])
    equal(
        users(warehouse, "user_id, deleted, is_inferred, first_name"),
        [("asha", True, False, "Asha")],
        "user",
    )


@test
def other_documents_of_the_same_database_are_skipped():
    warehouse = Warehouse()
    run = warehouse.load(
        "user",
        [
            doc.user("asha"),
            doc.group("g"),
            {"_id": "x", "doc_type": "DeleteUserRecord"},
            {"_id": "y", "doc_type": "CommCareUser", "base_doc": "CouchUser-Archived"},
        ],
    )
    equal((run["rows_staged"], run["rows_rejected"], run["rows_skipped"]), (1, 0, 3), "users")
    run = warehouse.load(
        "group",
        [
            doc.group("g"),
            doc.group("h", doc_type="Group-Deleted"),
            doc.user(),
            {"_id": "x", "doc_type": "DeleteGroupRecord", "base_doc": "DeleteRecord"},
        ],
    )
    equal((run["rows_staged"], run["rows_rejected"], run["rows_skipped"]), (2, 0, 2), "groups")
    run = warehouse.load(
        "application",
        [
            doc.app("a"),
            doc.app("b", doc_type="LinkedApplication-Deleted"),
            doc.app("c", doc_type="RemoteApp"),
            {"_id": "x", "doc_type": "DeleteApplicationRecord"},
            {"_id": "z", "doc_type": "SavedAppBuild"},
        ],
    )
    equal((run["rows_staged"], run["rows_skipped"]), (3, 2), "applications")


@test
def an_application_and_its_builds_are_members_of_one_dimension():
    warehouse = Warehouse()
    warehouse.take(
        "application",
        [
            doc.app("anc", version=21),
            doc.build("b18", "anc", 18),
            doc.app("gone", doc_type="Application-Deleted", version=None),
        ],
    )
    same_rows(
        warehouse.sql.tuples("""SELECT application_id, name, version, copy_of, deleted
                                        FROM warehouse.application_dim WHERE id > 0"""),
        [
            ("anc", "Antenatal care", 21, None, False),
            ("b18", "Antenatal care", 18, "anc", False),
            ("gone", "Antenatal care", None, None, True),
        ],
        "applications",
    )


# ---- projects ----


def projects(warehouse):
    return warehouse.sql.tuples("""SELECT domain, domain_id, deleted, hr_name
                                     FROM warehouse.domain_dim
                                    WHERE id > 0 ORDER BY 1""")


@for_each(["old first", "new first", "together"])
def of_two_projects_of_one_name_the_live_one_is_shown(order):
    old = doc.domain("dom1", "river", LATER, doc_type="Domain-Deleted", hr_name="Old")
    new = doc.domain("dom2", "river", EARLY, hr_name="New")
    warehouse = Warehouse()
    for batch in {
        "old first": [[old], [new]],
        "new first": [[new], [old]],
        "together": [[new, old]],
    }[order]:
        warehouse.take("domain", batch)
    equal(projects(warehouse), [("river", "dom2", False, "New")], "the project")
    warehouse.take(
        "domain", [doc.domain("dom2", "river", LATE, doc_type="Domain-Deleted", hr_name="New")]
    )
    equal(
        projects(warehouse), [("river", "dom1", True, "Old")], "both deleted: the latest is shown"
    )


@test
def a_project_s_row_keeps_its_key_when_it_is_made_again():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", domain="river")])
    key = warehouse.sql.value("SELECT id FROM warehouse.domain_dim WHERE domain = 'river'")
    warehouse.take("domain", [doc.domain("dom1", "river", EARLY)])
    warehouse.take(
        "domain",
        [
            doc.domain("dom1", "river", LATE, doc_type="Domain-Deleted"),
            doc.domain("dom2", "river", LATE),
        ],
    )
    equal(
        warehouse.sql.value("SELECT id FROM warehouse.domain_dim WHERE domain = 'river'"), key, "id"
    )
    warehouse.take("form", [doc.form("f2", domain="river")])
    equal(
        warehouse.sql.tuples("SELECT DISTINCT domain_dim_id FROM warehouse.form_fact"),
        [(int(key),)],
        "facts",
    )


@test
def a_true_deletion_of_the_shown_project_brings_up_the_other():
    warehouse = Warehouse()
    warehouse.take(
        "domain",
        [
            doc.domain("dom1", "river", EARLY, hr_name="One"),
            doc.domain("dom2", "river", LATE, hr_name="Two"),
        ],
    )
    equal(projects(warehouse)[0][1], "dom2", "the later one")
    warehouse.take("domain", [doc.deletion("dom2")])
    equal(projects(warehouse), [("river", "dom1", False, "One")], "the one that is left")


@for_each(["true", "false", "none", True, False, None, ...], name=repr)
def is_test_is_text_or_boolean(value):
    warehouse = Warehouse()
    run = warehouse.take("domain", [doc.domain(is_test=value)])
    equal(run["rows_inserted"], 1, "rows_inserted")
    equal(
        warehouse.sql.tuples("SELECT is_test FROM warehouse.domain_dim WHERE id > 0"),
        [(value in ("true", True),)],
        "is_test",
    )


@test
def another_value_of_is_test_is_a_reject():
    warehouse = Warehouse()
    run = warehouse.load(
        "domain", [doc.domain(is_test="perhaps"), doc.domain("dom2", "hill", is_test=7)]
    )
    equal((run["rows_staged"], run["rows_rejected"]), (0, 2), "counts")
    equal(warehouse.rejects(), [("wrong_type", "is_test")] * 2, "rejects")


# ---- bridges ----

BRIDGES = {
    "group": """SELECT u.user_id, g.group_id, x.domain FROM warehouse.user_group_dim AS x
                  JOIN warehouse.user_dim AS u ON u.id = x.user_dim_id
                  JOIN warehouse.group_dim AS g ON g.id = x.group_dim_id ORDER BY 1, 2""",
    "location": """SELECT u.user_id, l.location_id, x.domain FROM warehouse.user_location_dim AS x
                     JOIN warehouse.user_dim AS u ON u.id = x.user_dim_id
                     JOIN warehouse.location_dim AS l ON l.id = x.location_dim_id ORDER BY 1, 2,
                       3""",
    "membership": """SELECT u.user_id, x.domain, x.is_domain_admin, x.deleted
                       FROM warehouse.domain_membership_dim AS x
                       JOIN warehouse.user_dim AS u ON u.id = x.user_dim_id ORDER BY 1, 2""",
}


def bridge(warehouse, name):
    return warehouse.sql.tuples(BRIDGES[name])


@test
def a_group_names_its_users_known_or_not_and_follows_its_document():
    warehouse = Warehouse()
    warehouse.take("group", [doc.group("north", ["asha", "ben", "asha", ""], EARLY)])
    equal(
        bridge(warehouse, "group"),
        [("asha", "north", "river"), ("ben", "north", "river")],
        "members",
    )
    equal(
        users(warehouse, "user_id, is_inferred"), [("asha", True), ("ben", True)], "inferred users"
    )
    before = warehouse.sql.run(
        "SELECT xmin, ctid FROM warehouse.user_group_dim WHERE user_dim_id ="
        " (SELECT id FROM warehouse.user_dim WHERE user_id = 'ben')"
    )
    warehouse.take("group", [doc.group("north", ["ben", "cleo"], LATE)])
    equal(
        bridge(warehouse, "group"),
        [("ben", "north", "river"), ("cleo", "north", "river")],
        "changed",
    )
    equal(
        warehouse.sql.run(
            "SELECT xmin, ctid FROM warehouse.user_group_dim WHERE user_dim_id ="
            " (SELECT id FROM warehouse.user_dim WHERE user_id = 'ben')"
        ),
        before,
        "ben's, physically",
    )
    warehouse.take("group", [doc.group("north", ["asha"], EARLY)])
    equal(
        bridge(warehouse, "group"),
        [("ben", "north", "river"), ("cleo", "north", "river")],
        "an older document",
    )
    warehouse.take("group", [doc.group("north", ["ben"], LATER, doc_type="Group-Deleted")])
    equal(bridge(warehouse, "group"), [], "deleted")
    warehouse.take("group", [doc.group("north", ["ben"], "2024-03-04T00:00:00Z")])
    equal(bridge(warehouse, "group"), [("ben", "north", "river")], "restored")
    warehouse.take("group", [doc.deletion("north")])
    equal(bridge(warehouse, "group"), [], "truly deleted")


@test
def workers_and_web_users_have_places_and_memberships():
    warehouse = Warehouse()
    warehouse.take(
        "user",
        [
            doc.user("asha", EARLY, assigned_location_ids=["v1", "v2"]),
            doc.user("ben", EARLY),
            doc.web_user("maria", EARLY, [("river", True, ["v1"]), ("hill", False, ["v1", "v3"])]),
        ],
    )
    equal(
        bridge(warehouse, "location"),
        [
            ("asha", "v1", "river"),
            ("asha", "v2", "river"),
            ("maria", "v1", "hill"),
            ("maria", "v1", "river"),
            ("maria", "v3", "hill"),
        ],
        "places",
    )
    equal(
        bridge(warehouse, "membership"),
        [
            ("asha", "river", False, False),
            ("ben", "river", False, False),
            ("maria", "hill", False, False),
            ("maria", "river", True, False),
        ],
        "memberships",
    )
    warehouse.take(
        "user",
        [
            doc.user("asha", LATE, assigned_location_ids=["v2"], base_doc="CouchUser-Deleted"),
            doc.web_user("maria", LATE, [("hill", True, [])]),
        ],
    )
    equal(bridge(warehouse, "location"), [("asha", "v2", "river")], "places")
    equal(
        bridge(warehouse, "membership"),
        [
            ("asha", "river", False, True),
            ("ben", "river", False, False),
            ("maria", "hill", True, False),
        ],
        "memberships",
    )
    warehouse.take("user", [doc.user("asha", EARLY, assigned_location_ids=["v9"])])
    equal(bridge(warehouse, "location"), [("asha", "v2", "river")], "an older document")


# ---- places ----


def levels(warehouse):
    rows = warehouse.sql.tuples(
        "SELECT l.location_id, l.level, "
        + ", ".join(
            "(SELECT p.location_id FROM warehouse.location_dim AS"
            f" p WHERE p.id = l.location_level_{n}) AS n{n}"
            for n in range(8)
        )
        + " FROM warehouse.location_dim AS l WHERE l.id > 0 ORDER BY 1"
    )
    return {row[0]: (row[1], [name for name in row[2:] if name]) for row in rows}


@test
def a_place_knows_its_parents_up_to_the_root():
    warehouse = Warehouse()
    warehouse.take(
        "location",
        [
            doc.location("village", 3, 2),
            doc.location("district", 2, 1),
            doc.location("state", 1, None),
        ],
    )
    equal(
        levels(warehouse),
        {
            "village": (2, ["village", "district", "state"]),
            "district": (1, ["district", "state"]),
            "state": (0, ["state"]),
        },
        "levels",
    )


@test
def a_parent_that_comes_late_repairs_its_descendants():
    warehouse = Warehouse()
    warehouse.take("location", [doc.location("village", 3, 2)])
    equal(levels(warehouse)["village"][1], ["village"], "alone")
    warehouse.take("location", [doc.location("state", 1, None)])
    warehouse.take("location", [doc.location("district", 2, 1)])
    equal(levels(warehouse)["village"], (2, ["village", "district", "state"]), "levels")


@test
def a_parent_that_moves_takes_its_descendants_along():
    warehouse = Warehouse()
    warehouse.take(
        "location",
        [
            doc.location("village", 3, 2, EARLY),
            doc.location("district", 2, 1, EARLY),
            doc.location("state", 1, None, EARLY),
            doc.location("other", 4, None, EARLY),
        ],
    )
    warehouse.take("location", [doc.location("district", 2, 4, LATE)])
    equal(levels(warehouse)["village"], (2, ["village", "district", "other"]), "levels")
    warehouse.take("location", [doc.location("district", 2, None, LATER)])
    equal(levels(warehouse)["village"], (1, ["village", "district"]), "a root of its own")


@test
def a_circle_of_parents_ends():
    warehouse = Warehouse()
    warehouse.take(
        "location",
        [
            doc.location("a", 1, 2),
            doc.location("b", 2, 3),
            doc.location("c", 3, 1),
            doc.location("self", 4, 4),
            doc.location("below", 5, 1),
        ],
    )
    found = levels(warehouse)
    equal(len(found), 5, "places")
    equal([found[name][1][0] for name in found], list(found), "each knows itself")
    check(len(found["a"][1]) <= 3, f"a circle is walked once: {found['a']}")


@test
def more_than_eight_levels_keep_the_nearest_eight():
    warehouse = Warehouse()
    warehouse.take("location", [doc.location(f"l{n:02d}", n, n - 1 or None) for n in range(1, 13)])
    equal(levels(warehouse)["l12"], (11, [f"l{n:02d}" for n in range(12, 4, -1)]), "the deepest")
    equal(levels(warehouse)["l08"], (7, [f"l{n:02d}" for n in range(8, 0, -1)]), "the eighth")


@test
def the_type_of_a_place_is_nested_or_flat():
    warehouse = Warehouse()
    nested = doc.location(
        "a",
        1,
        location_type_name=...,
        location_type_code=...,
        location_type_last_modified=...,
        location_type={"name": "Block", "code": "blk", "last_modified": LATER},
    )
    warehouse.take("location", [nested, doc.location("b", 2)])
    equal(
        warehouse.sql.tuples("""SELECT location_id, location_type_name, location_type_code,
                                    version_time
                                    FROM warehouse.location_dim WHERE id > 0 ORDER BY 1"""),
        [
            ("a", "Block", "blk", "2024-03-03T00:00:00+00:00"),
            ("b", "Village", "village", "2024-03-01T08:00:00+00:00"),
        ],
        "types",
    )


if __name__ == "__main__":
    main()
