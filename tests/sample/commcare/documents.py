# SPDX-License-Identifier: MIT
"""The sample's users, groups, projects and apps as CouchDB shows them, one entry a line.

A file mixes what real extracts mix: plain documents, lines of _changes with the document (and the
empty lines that keep such a feed alive), rows of _all_docs, true deletions, design documents, types
that belong to nobody, and a few lines that are broken; fewer than a load allows.
"""

import json
import os

from chance import DAY, HOUR, MINUTE, Chance, json_time

FEEDS = ("users", "groups", "domains", "applications")


def _document(kind, ident, revision, modified, **rest):
    document = {"_id": ident, "_rev": f"{revision}-{ident[:8]}", "doc_type": kind}
    document.update(rest)
    if modified is not None:
        document["last_modified"] = json_time(modified)
    return document


# -- users


def _worker_document(worker, revision, modified, **changes):
    membership = {
        "doc_type": "DomainMembership",
        "domain": worker["domain"],
        "is_admin": False,
        "role_id": None,
        "location_id": worker["place"],
        "assigned_location_ids": [worker["place"]],
    }
    document = _document(
        "CommCareUser",
        worker["id"],
        revision,
        modified,
        base_doc="CouchUser",
        domain=worker["domain"],
        username=worker["username"],
        first_name=worker["first"],
        last_name=worker["last"],
        email=None,
        password="pbkdf2_sha256$sample$0000",
        phone_numbers=["000000000000"],
        is_active=True,
        is_staff=False,
        is_superuser=False,
        last_login=None,
        date_joined=json_time(worker["joined"]),
        created_on=json_time(worker["joined"]),
        location_id=worker["place"],
        assigned_location_ids=[worker["place"]],
        user_data={},
        domain_membership=membership,
    )
    if worker["deleted"]:
        changes = {
            "base_doc": "CouchUser-Deleted",
            "-deletion_date": json_time(modified),
            **changes,
        }
    document.update(changes)
    return document


def _web_user_document(user, revision, modified):
    memberships = [
        {
            "doc_type": "DomainMembership",
            "domain": domain,
            "is_admin": number == 0,
            "role_id": None,
            "location_id": None,
            "assigned_location_ids": [],
        }
        for number, domain in enumerate(user["domains"])
    ]
    return _document(
        "WebUser",
        user["id"],
        revision,
        modified,
        base_doc="CouchUser",
        username=user["username"],
        first_name=user["first"],
        last_name=user["last"],
        email=user["username"],
        password="pbkdf2_sha256$sample$0000",
        is_active=True,
        is_staff=False,
        is_superuser=False,
        last_login=json_time(modified - HOUR),
        date_joined=json_time(user["joined"]),
        domains=user["domains"],
        domain_memberships=memberships,
    )


def _users(world, day):
    start, end = world.history_start, world.history_end
    present = [worker for worker in world.workers if not worker["late"]]
    if day == "history":
        for number, worker in enumerate(present):
            if number in (4, 40):  # an older revision comes first; the newer one wins
                yield _worker_document(worker, 2, start - 90 * DAY, first_name="Former")
            document = _worker_document(worker, 3, start + (number % 30) * DAY)
            if number in (9, 90):  # as old releases left them: without what has a default
                for name in (
                    "last_modified",
                    "assigned_location_ids",
                    "is_staff",
                    "is_superuser",
                    "email",
                ):
                    document.pop(name)
            yield document
        for user in world.web_users:
            yield _web_user_document(user, 5, start + 3 * DAY)
    else:
        for worker in world.workers:
            if worker["late"]:
                yield _worker_document(worker, 1, end + 2 * HOUR)
        live = [worker for worker in present if not worker["deleted"]]
        yield _worker_document(live[3], 4, end + 3 * HOUR, last_name="Married-Name")
        yield _worker_document(live[30], 4, end + 4 * HOUR, is_active=False)
        gone = live[60]
        yield _worker_document(
            gone,
            4,
            end + 5 * HOUR,
            **{"base_doc": "CouchUser-Deleted", "-deletion_date": json_time(end + 5 * HOUR)},
        )


# -- groups, projects


def _group_document(group, revision, modified, kind="Group", users=None):
    return _document(
        kind,
        group["id"],
        revision,
        modified,
        domain=group["domain"],
        name=group["name"],
        users=group["users"] if users is None else users,
        removed_users=[],
        path=[],
        case_sharing=False,
        reporting=True,
        metadata={},
    )


def _groups(world, day):
    chance = Chance("groups")
    if day == "history":
        for group in world.groups:
            yield _group_document(group, 3, group["modified"])
        old = {
            "id": chance.hex_id(),
            "domain": world.projects[0]["name"],
            "name": "Pilot",
            "users": [],
        }
        yield _group_document(old, 4, world.history_start - 20 * DAY, kind="Group-Deleted")
        yield {"_id": chance.hex_id(), "doc_type": "DeleteGroupRecord", "base_doc": "DeleteRecord"}
    else:
        first, second = world.groups[0], world.groups[4]
        yield _group_document(first, 4, world.history_end + HOUR, users=first["users"][2:])
        yield _group_document(second, 4, world.history_end + 2 * HOUR, kind="Group-Deleted")


def _domain_document(project, revision, modified, kind="Domain", **changes):
    document = _document(
        kind,
        project["id"],
        revision,
        modified,
        name=project["name"],
        hr_name=project["title"],
        is_active=True,
        date_created=json_time(project["created"]),
        default_timezone=project["zone"],
        case_sharing=False,
        commtrack_enabled=False,
        is_test="false",
        project_type="health",
        creating_user_id=None,
        location_restriction_for_users=False,
        use_sql_backend=True,
        first_domain_for_user=False,
    )
    document.update(changes)
    return document


def _domains(world, day):
    if day == "history":
        # coast-nutrition was deleted and made again under its name: two documents, one project
        coast = world.projects[2]
        former = dict(coast, id=Chance("former project").hex_id(), title="Coast Nutrition (pilot)")
        yield _domain_document(former, 9, coast["created"] + 10 * DAY, kind="Domain-Deleted")
        for project in world.projects:
            yield _domain_document(project, 12, world.history_start - 3 * DAY)
        old = dict(
            coast, id=Chance("old project").hex_id(), name="training-2015", title="Training 2015"
        )
        # a JSON boolean, and no last_modified
        document = _domain_document(old, 1, None, is_test=True)
        for name in ("default_timezone", "commtrack_enabled", "project_type"):
            document.pop(name)
        yield document
    else:
        hill = world.projects[1]
        yield _domain_document(hill, 13, world.history_end + 6 * HOUR, hr_name="Hill Health Trust")


# -- applications and builds


def _app_document(app, revision, modified, version, kind=None):
    return _document(
        kind or app["kind"],
        app["id"],
        revision,
        modified,
        domain=app["domain"],
        name=app["name"],
        copy_of=None,
        version=version,
        langs=["en"],
        is_released=False,
        modules=[{"doc_type": "Module", "forms": [{"unique_id": app["id"][:12]}]}],
        build_spec={"doc_type": "BuildSpec", "version": "2.54.0"},
    )


def _build_document(build):
    app = build["app"]
    return _document(
        app["kind"],
        build["id"],
        1,
        build["built"] + MINUTE,
        domain=app["domain"],
        name=app["name"],
        copy_of=app["id"],
        version=build["version"],
        langs=["en"],
        built_on=json_time(build["built"]),
        is_released=True,
        build_comment="release",
        built_with={"version": "2.54.0", "build_number": build["version"]},
    )


def _applications(world, day):
    chance = Chance("applications")
    if day == "history":
        for app in world.apps:
            for build in app["builds"]:
                if not build["late"] and not build["pruned"]:
                    yield _build_document(build)
            yield _app_document(app, 31, world.history_start + 12 * DAY, app["version"])
        old = {
            "id": chance.hex_id(),
            "kind": "Application",
            "domain": "river-health",
            "name": "Pilot app",
        }
        yield _app_document(old, 8, world.history_start - 60 * DAY, 4, kind="Application-Deleted")
        yield {
            "_id": chance.hex_id(),
            "doc_type": "DeleteApplicationRecord",
            "domain": "river-health",
        }
        yield {"_id": chance.hex_id(), "doc_type": "SavedAppBuild"}
    else:
        for build in world.builds:
            if build["late"]:
                yield _build_document(build)
        app = world.apps[2]
        yield _app_document(app, 32, world.history_end + 8 * HOUR, app["version"] + 1)


# -- lines


def _text(thing):
    return json.dumps(thing, separators=(",", ":"), ensure_ascii=False)


def _change(number, document):
    return _text(
        {
            "seq": f"{number}-g1AAAACTeJ",
            "id": document["_id"],
            "changes": [{"rev": document.get("_rev", "1-0")}],
            "doc": document,
        }
    )


def _all_docs_row(document):
    return _text(
        {
            "id": document["_id"],
            "key": document["_id"],
            "value": {"rev": document.get("_rev", "1-0")},
            "doc": document,
        }
    )


def _lines(feed, documents):
    """Three shapes in turn, with what else such feeds bring."""
    chance, count = Chance("lines of " + feed), 0
    for count, document in enumerate(documents, 1):
        if count % 3 == 0:
            yield _text(document)
        elif count % 3 == 1:
            yield _change(count, document)
        else:
            yield _all_docs_row(document)
        if count % 40 == 3:
            yield ""
    yield _all_docs_row(
        {"_id": f"_design/{feed}", "_rev": "1-0", "language": "javascript", "views": {}}
    )
    gone = chance.hex_id()
    yield _text(
        {
            "seq": f"{count + 1}-g1AAAACTeK",
            "id": gone,
            "changes": [{"rev": "5-0c"}],
            "deleted": True,
            "doc": {"_id": gone, "_rev": "5-0c", "_deleted": True},
        }
    )
    yield _text({"key": "no-such-id", "error": "not_found"})


def _broken(documents, day):
    """Lines that no load can take, made of a good one; the next day has one."""
    good = _text(documents[0])
    yield good[:-20]  # cut off
    if day == "history":
        yield good + good  # two on a line
        yield good.replace('"_rev"', '"_id":"twice","_rev"', 1)  # a key twice


MAKERS = {"users": _users, "groups": _groups, "domains": _domains, "applications": _applications}


def write_documents(world, folder, day):
    for feed in FEEDS:
        documents = list(MAKERS[feed](world, day))
        lines = list(_lines(feed, documents))
        for number, line in enumerate(_broken(documents, day)):
            lines.insert(min(len(lines), 2 + 5 * number), line)
        with open(os.path.join(folder, feed + ".ndjson"), "w", encoding="utf-8") as out:
            out.write("".join(line + "\n" for line in lines))
