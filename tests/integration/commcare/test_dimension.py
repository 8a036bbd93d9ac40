#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Documents become dimensions: the greater version wins in any order, true deletions and deletion
marks, members inferred and completed, bridges and the location tree follow the winning row."""

import os
import random

from statements import Warehouse, main
from test_app_status import at, user
from test_form_fact import form


def gone(key, value, day):
    return {key: value, "is_tombstone": True, "version_time": at(day)}


def group(group_id="g1", **changes):
    record = {
        "group_id": group_id,
        "name": "North",
        "domain": "river",
        "doc_type": "Group",
        "user_ids": ["u1"],
        "removed_user_ids": [],
        "case_sharing": False,
        "reporting": True,
        "version_time": at(1),
    }
    record.update(changes)
    return record


def domain(domain_id="d1", **changes):
    record = {
        "domain_id": domain_id,
        "domain": "river",
        "doc_type": "Domain",
        "hr_name": "River",
        "is_active": True,
        "is_test": "none",
        "version_time": at(1),
    }
    record.update(changes)
    return record


def location(location_id, sql_id, parent=None, **changes):
    record = {
        "location_id": location_id,
        "domain": "river",
        "name": location_id.upper(),
        "sql_location_id": sql_id,
        "sql_parent_location_id": parent,
        "is_archived": False,
        "version_time": at(1),
    }
    record.update(changes)
    return record


def counts_of(counts, *names):
    return tuple(counts["rows_" + name] for name in names)


def a_document_completes_an_inferred_member_and_counts_as_updated(warehouse):
    warehouse.load("form", [form()])
    key = warehouse.one("SELECT id FROM warehouse.user_dim WHERE user_id = 'u1'")
    counts = warehouse.load("user", [user("u1", version_time=None)])
    assert counts_of(counts, "inserted", "updated") == (0, 1), counts
    assert warehouse.sql(
        "SELECT id, username, user_type, is_inferred FROM warehouse.user_dim"
        " WHERE user_id = 'u1'"
    ) == [(key, "u1@river", "mobile", "f")]


def replaying_an_old_batch_does_not_rewind_a_dimension(warehouse):
    warehouse.load("user", [user("u1", first_name="New", version_time=at(5))])
    counts = warehouse.load("user", [user("u1", first_name="Old", version_time=at(4))])
    assert counts_of(counts, "older", "updated") == (1, 0), counts
    assert warehouse.one("SELECT first_name FROM warehouse.user_dim WHERE id <> 0") == "New"


def an_unchanged_document_is_not_written_but_its_version_rises(warehouse):
    warehouse.load("user", [user("u1")])
    batch = warehouse.one("SELECT batch_id FROM warehouse.user_dim WHERE id <> 0")
    assert counts_of(warehouse.load("user", [user("u1")]), "unchanged") == (1,)
    counts = warehouse.load("user", [user("u1", version_time=at(9))])
    assert counts_of(counts, "unchanged", "updated") == (1, 0), counts
    assert warehouse.sql(
        "SELECT batch_id, to_char(version_time, 'DD') FROM warehouse.user_dim" " WHERE id <> 0"
    ) == [(batch, "09")]


def user_types_are_told_by_special_ids_then_by_document_type(warehouse):
    warehouse.load(
        "user",
        [
            user("system"),
            user("demo_user"),
            user("commtrack-system"),
            user("m"),
            user("w", doc_type="WebUser"),
        ],
    )
    assert warehouse.sql(
        "SELECT user_id, user_type FROM warehouse.user_dim WHERE id <> 0" " ORDER BY 1"
    ) == [
        ("commtrack-system", "supply"),
        ("demo_user", "demo"),
        ("m", "mobile"),
        ("system", "system"),
        ("w", "web"),
    ]


def a_deletion_mark_in_base_doc_deletes_and_a_later_document_revives(warehouse):
    deleted = "SELECT deleted FROM warehouse.user_dim WHERE user_id = 'u1'"
    warehouse.load("user", [user("u1")])
    counts = warehouse.load("user", [user("u1", base_doc="CouchUser-Deleted", version_time=at(3))])
    assert counts_of(counts, "updated") == (1,) and warehouse.one(deleted) == "t"
    warehouse.load("user", [user("u1", version_time=at(4))])
    assert warehouse.one(deleted) == "f"


def a_true_deletion_wins_or_loses_by_its_version_in_any_order(warehouse):
    for number, (document, tombstone, wanted) in enumerate(((3, 5, "t"), (5, 3, "f"))):
        for order in (0, 1):
            user_id = "u%d%d" % (number, order)
            loads = [
                [user(user_id, version_time=at(document))],
                [gone("user_id", user_id, tombstone)],
            ]
            for records in (loads if order == 0 else reversed(loads)):
                warehouse.load("user", records)
            rows = warehouse.sql(
                "SELECT deleted, username FROM warehouse.user_dim" " WHERE user_id = '%s'" % user_id
            )
            assert rows == [(wanted, user_id + "@river")], (number, order, rows)


def a_document_and_its_deletion_in_one_batch_keep_the_attributes(warehouse):
    counts = warehouse.load("user", [gone("user_id", "u1", 5), user("u1", version_time=at(3))])
    assert counts_of(counts, "inserted", "updated") == (1, 1), counts
    assert warehouse.sql("SELECT deleted, username FROM warehouse.user_dim WHERE id <> 0") == [
        ("t", "u1@river")
    ]


def a_deletion_of_an_unknown_key_is_remembered(warehouse):
    assert counts_of(warehouse.load("group", [gone("group_id", "g9", 5)]), "inserted") == (1,)
    warehouse.load("group", [group("g9", version_time=at(4))])
    assert warehouse.sql(
        "SELECT name, deleted, is_inferred FROM warehouse.group_dim" " WHERE id <> 0"
    ) == [("North", "t", "f")]
    counts = warehouse.load("group", [gone("group_id", "g9", 5), gone("group_id", "g9", 4)])
    assert sum(counts_of(counts, "inserted", "updated")) == 0, counts


GROUPS = (
    "SELECT u.user_id, g.group_id FROM warehouse.user_group_dim AS b"
    " JOIN warehouse.user_dim AS u ON u.id = b.user_dim_id"
    " JOIN warehouse.group_dim AS g ON g.id = b.group_dim_id ORDER BY 1, 2"
)


def group_members_follow_the_winning_document_and_unknown_users_are_inferred(warehouse):
    counts = warehouse.load("group", [group(user_ids=["u1", "u2", "u2"], version_time=at(5))])
    assert counts["members_inferred"] == 2, counts
    rows = warehouse.sql("SELECT xmin FROM warehouse.user_group_dim ORDER BY user_dim_id")
    warehouse.load("group", [group(user_ids=["u9"], version_time=at(4))])
    assert warehouse.sql(GROUPS) == [("u1", "g1"), ("u2", "g1")]
    warehouse.load("user", [user("u1")])
    warehouse.load("group", [group(user_ids=["u2", "u1", "u3"], version_time=at(6))])
    assert warehouse.sql(GROUPS) == [("u1", "g1"), ("u2", "g1"), ("u3", "g1")]
    assert (
        warehouse.sql("SELECT xmin FROM warehouse.user_group_dim ORDER BY user_dim_id" " LIMIT 2")
        == rows
    )


def a_deleted_group_has_no_members_whichever_way_it_was_deleted(warehouse):
    warehouse.load("group", [group("g1"), group("g2")])
    warehouse.load(
        "group",
        [group("g1", doc_type="Group-Deleted", version_time=at(3)), gone("group_id", "g2", 3)],
    )
    assert warehouse.sql(GROUPS) == []


PLACES = (
    "SELECT u.user_id, l.location_id, b.domain FROM warehouse.user_location_dim AS b"
    " JOIN warehouse.user_dim AS u ON u.id = b.user_dim_id"
    " JOIN warehouse.location_dim AS l ON l.id = b.location_dim_id ORDER BY 1, 2, 3"
)
MEMBERSHIPS = (
    "SELECT u.user_id, b.domain, b.is_domain_admin, b.deleted"
    " FROM warehouse.domain_membership_dim AS b"
    " JOIN warehouse.user_dim AS u ON u.id = b.user_dim_id ORDER BY 1, 2"
)


def locations_and_memberships_of_users_follow_the_winning_document(warehouse):
    web = user(
        "w1",
        doc_type="WebUser",
        domain=None,
        domain_memberships=[
            {"domain": "river", "is_admin": True, "assigned_location_ids": []},
            {"domain": "hill", "is_admin": False, "assigned_location_ids": ["l3", "l1"]},
        ],
    )
    counts = warehouse.load("user", [user("u1", assigned_location_ids=["l1", "l2", "l1"]), web])
    assert counts["members_inferred"] == 3, counts
    assert warehouse.sql(PLACES) == [
        ("u1", "l1", "river"),
        ("u1", "l2", "river"),
        ("w1", "l1", "hill"),
        ("w1", "l3", "hill"),
    ]
    assert warehouse.sql(MEMBERSHIPS) == [
        ("u1", "river", "f", "f"),
        ("w1", "hill", "f", "f"),
        ("w1", "river", "t", "f"),
    ]
    web["domain_memberships"].pop()
    web["version_time"] = at(5)
    warehouse.load(
        "user",
        [
            web,
            user(
                "u1", base_doc="CouchUser-Deleted", version_time=at(5), assigned_location_ids=["l2"]
            ),
        ],
    )
    assert warehouse.sql(PLACES) == [("u1", "l2", "river")]
    assert warehouse.sql(MEMBERSHIPS) == [("u1", "river", "f", "t"), ("w1", "river", "t", "f")]


def a_location_document_completes_the_member_that_a_user_inferred(warehouse):
    warehouse.load("user", [user("u1", assigned_location_ids=["l1"])])
    assert counts_of(warehouse.load("location", [location("l1", 1)]), "updated") == (1,)
    assert warehouse.sql(PLACES) == [("u1", "l1", "river")]


SHOWN = (
    "SELECT domain, domain_id, hr_name, deleted, is_inferred FROM warehouse.domain_dim"
    " WHERE id <> 0 ORDER BY 1"
)


def a_project_made_again_under_its_name_is_one_row_and_the_live_document_shows(warehouse):
    warehouse.load("form", [form()])
    key = warehouse.one("SELECT id FROM warehouse.domain_dim WHERE domain = 'river'")
    warehouse.load(
        "domain",
        [
            domain("d1", doc_type="Domain-Deleted", version_time=at(9)),
            domain("d2", hr_name="River 2", version_time=at(5)),
        ],
    )
    assert warehouse.sql(SHOWN) == [("river", "d2", "River 2", "f", "f")]
    assert warehouse.one("SELECT id FROM warehouse.domain_dim WHERE domain = 'river'") == key
    warehouse.load("domain", [gone("domain_id", "d2", 11)])
    assert warehouse.sql(SHOWN) == [("river", "d1", "River", "t", "f")]
    warehouse.load("domain", [domain("d1", hr_name="River again", version_time=at(12))])
    assert warehouse.sql(SHOWN) == [("river", "d1", "River again", "f", "f")]


def a_name_that_its_document_left_is_kept_as_inferred(warehouse):
    warehouse.load("domain", [domain()])
    warehouse.load("domain", [domain(domain="lake", version_time=at(3))])
    assert warehouse.sql(SHOWN) == [("lake", "d1", "River", "f", "f"), ("river", "", "", "f", "t")]


def is_test_is_true_only_for_the_text_true(warehouse):
    warehouse.load(
        "domain",
        [domain("d%s" % text, domain=text, is_test=text) for text in ("true", "false", "none")],
    )
    assert warehouse.sql(
        "SELECT domain, is_test FROM warehouse.domain_dim WHERE id <> 0" " ORDER BY 1"
    ) == [("false", "f"), ("none", "f"), ("true", "t")]


def an_application_and_its_builds_are_rows_of_one_dimension(warehouse):
    record = {
        "application_id": "a1",
        "name": "Visits",
        "domain": "river",
        "version": 21,
        "doc_type": "Application",
        "copy_of": None,
        "version_time": at(1),
    }
    warehouse.load(
        "application", [record, dict(record, application_id="b1", copy_of="a1", version=18)]
    )
    warehouse.load(
        "application",
        [
            dict(record, doc_type="LinkedApplication-Deleted", version_time=at(2)),
            gone("application_id", "b1", 4),
        ],
    )
    assert warehouse.sql(
        "SELECT application_id, version, copy_of, deleted FROM"
        " warehouse.application_dim WHERE id <> 0 ORDER BY 1"
    ) == [("a1", "21", "", "t"), ("b1", "18", "a1", "t")]


TREE = (
    "SELECT l.location_id, l.level, concat_ws('<', l0.location_id, l1.location_id,"
    " l2.location_id, l3.location_id, l4.location_id, l5.location_id, l6.location_id,"
    " l7.location_id) FROM warehouse.location_dim AS l"
    + "".join(
        " LEFT JOIN warehouse.location_dim AS l%d ON l%d.id = l.location_level_%d"
        % (level, level, level)
        for level in range(8)
    )
    + " WHERE l.id <> 0 ORDER BY 1"
)


def a_moved_parent_moves_all_below_it(warehouse):
    warehouse.load(
        "location", [location("a", 1), location("b", 2, 1), location("c", 3, 2), location("z", 9)]
    )
    assert warehouse.sql(TREE) == [
        ("a", "0", "a"),
        ("b", "1", "b<a"),
        ("c", "2", "c<b<a"),
        ("z", "0", "z"),
    ]
    warehouse.load("location", [location("b", 2, 9, version_time=at(2))])
    assert warehouse.sql(TREE)[1:3] == [("b", "1", "b<z"), ("c", "2", "c<b<z")]


def a_parent_that_arrives_late_repairs_all_below_it(warehouse):
    warehouse.load("location", [location("c", 3, 2), location("b", 2, 1)])
    assert warehouse.sql(TREE) == [("b", "0", "b"), ("c", "1", "c<b")]
    warehouse.load("location", [location("a", 1)])
    assert warehouse.sql(TREE) == [("a", "0", "a"), ("b", "1", "b<a"), ("c", "2", "c<b<a")]


def a_cycle_of_locations_ends_and_its_repair_is_seen(warehouse):
    warehouse.load("location", [location("a", 1, 2), location("b", 2, 1), location("s", 5, 5)])
    assert warehouse.sql(TREE) == [("a", "1", "a<b"), ("b", "1", "b<a"), ("s", "0", "s")]
    warehouse.load("location", [location("a", 1, version_time=at(2))])
    assert warehouse.sql(TREE)[:2] == [("a", "0", "a"), ("b", "1", "b<a")]


def a_tree_deeper_than_eight_keeps_the_nearest_eight_and_its_depth(warehouse):
    warehouse.load(
        "location", [location("n%02d" % depth, depth + 1, depth or None) for depth in range(12)]
    )
    assert warehouse.sql(TREE)[-1] == (
        "n11",
        "11",
        "<".join("n%02d" % depth for depth in range(11, 3, -1)),
    )


def coordinates_equal_as_numbers_are_unchanged(warehouse):
    warehouse.load("location", [location("a", 1, latitude="1.10", longitude="9" * 70)])
    counts = warehouse.load(
        "location",
        [location("a", 1, latitude="1.1000000000", longitude="9" * 70, version_time=at(2))],
    )
    assert counts_of(counts, "unchanged") == (1,), counts
    assert warehouse.sql(
        "SELECT latitude = 1.1, longitude FROM warehouse.location_dim" " WHERE id <> 0"
    ) == [("t", "")]


def a_trigger_that_swallows_rows_breaks_the_balance_of_each_dimension(warehouse):
    warehouse.sql(
        "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$"
    )
    for feed, table, record in (
        ("user", "user_dim", user("u1")),
        ("group", "group_dim", group()),
        ("domain", "domain_document", domain()),
        ("location", "location_dim", location("a", 1)),
    ):
        warehouse.sql(
            "CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON warehouse.%s"
            " FOR EACH ROW EXECUTE FUNCTION public.swallow()" % table
        )
        batch = warehouse.stage(feed, [record])
        counts = warehouse.run(table, batch_id=batch, pending_older=False, own_times=True)
        assert counts["rows_staged"] == 1 and sum(counts.values()) == 1, (feed, counts)


def random_orders_of_batches_give_the_same_dimensions(warehouse):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("# seed %d" % seed)
    dice = random.Random(seed)
    staged, seen = {}, {"location": {}, "group": {}, "domain": {}}

    def put(feed, key, record):
        return staged.setdefault(feed, []).append((key, record))

    for _ in range(60):
        day = dice.randrange(1, 28)
        name = dice.choice("abcdefgh")
        if dice.random() < 0.2:
            put("group", "group_id", gone("group_id", name, day))
            put("domain", "domain_id", gone("domain_id", name, day))
        put(
            "location",
            "location_id",
            location(
                name,
                ord(name),
                dice.choice([None] + [ord(other) for other in "abcdefghz"]),
                version_time=at(day),
            ),
        )
        put(
            "group",
            "group_id",
            group(
                name,
                user_ids=dice.sample(["u1", "u2", "u3"], dice.randrange(4)),
                doc_type=dice.choice(["Group", "Group", "Group-Deleted"]),
                version_time=at(day),
            ),
        )
        put(
            "domain",
            "domain_id",
            domain(
                name,
                domain=dice.choice(["river", "hill"]),
                hr_name=str(dice.random()),
                doc_type=dice.choice(["Domain", "Domain-Deleted"]),
                version_time=at(day),
            ),
        )
    for feed, records in staged.items():
        batches = []
        while records:
            part = [records.pop() for _ in range(min(len(records), dice.randrange(1, 6)))]
            batch = warehouse.stage(feed, [record for _, record in part])
            batches.append((batch, warehouse.read_number, part))
        dice.shuffle(batches)
        while batches:
            batch, number, part = batches.pop()
            pending = any(other < number for _, other, _ in batches)
            warehouse.transform(feed, batch, pending_older=pending)
            for line, (key, record) in enumerate(part):
                kinds = seen[feed].setdefault(record[key], {})
                kind = bool(record.get("is_tombstone"))
                version = (record["version_time"], number)
                if kind not in kinds or (kinds[kind][0], kinds[kind][1]) < (version, line):
                    kinds[kind] = (version, line, record)
    check_groups(warehouse, seen["group"], seed)
    check_domains(warehouse, seen["domain"], seed)
    check_tree(warehouse, seen["location"], seed)


def is_live(kinds, feed):
    if False not in kinds:
        return False
    version, _, record = kinds[False]
    if record["doc_type"].endswith("-Deleted"):
        return False
    return True not in kinds or kinds[True][0] <= version


def check_groups(warehouse, seen, seed):
    wanted = sorted(
        (user_id, group_id)
        for group_id, kinds in seen.items()
        if is_live(kinds, "group")
        for user_id in kinds[False][2]["user_ids"]
    )
    assert warehouse.sql(GROUPS) == wanted, (seed, warehouse.sql(GROUPS), wanted)


def check_domains(warehouse, seen, seed):
    best = {}
    for domain_id, kinds in seen.items():
        if False not in kinds:
            continue
        version, _, record = kinds[False]
        order = (is_live(kinds, "domain"), version, domain_id)
        if record["domain"] not in best or best[record["domain"]][0] < order:
            best[record["domain"]] = (order, record)
    wanted = sorted(
        (name, record["domain_id"], record["hr_name"], "f" if order[0] else "t", "f")
        for name, (order, record) in best.items()
    )
    rows = [row for row in warehouse.sql(SHOWN) if row[4] == "f"]
    assert rows == wanted, (seed, rows, wanted)


def check_tree(warehouse, seen, seed):
    parents = {name: kinds[False][2]["sql_parent_location_id"] for name, kinds in seen.items()}
    wanted = []
    for name in sorted(parents):
        path = [name]
        while parents[path[-1]] is not None:
            above = chr(parents[path[-1]])
            if above not in parents or above in path:
                break
            path.append(above)
        wanted.append((name, str(len(path) - 1), "<".join(path[:8])))
    assert warehouse.sql(TREE) == wanted, (seed, warehouse.sql(TREE), wanted)


TESTS = [
    value
    for value in list(globals().values())
    if callable(value)
    and value.__module__ == __name__
    and value.__code__.co_varnames[: value.__code__.co_argcount] == ("warehouse",)
]

if __name__ == "__main__":
    main(TESTS, Warehouse)
