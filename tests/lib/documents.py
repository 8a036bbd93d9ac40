# SPDX-License-Identifier: MIT
"""Records as CommCare's sources spell them (reference: the glossary and document shapes of HQ)."""

CHANGED = "2024-03-01T08:00:00Z"


def without_none(document):
    return {name: value for name, value in document.items() if value is not ...}


def form(form_id, received_on="2024-03-02T09:00:00Z", user_id="asha", app_id="anc", **more):
    """A form as the form table has it; a member given as ... is left out."""
    return without_none(
        {
            "form_id": form_id,
            "domain": "river",
            "app_id": app_id,
            "xmlns": "http://openrosa.org/formdesigner/1A2B",
            "user_id": user_id,
            "received_on": received_on,
            "server_modified_on": received_on,
            "edited_on": None,
            "deleted_on": None,
            "build_id": "anc-18",
            "state": 1,
            "time_start": None,
            "time_end": None,
            "commcare_version": "2.47.1",
            "app_version": 18,
            **more,
        }
    )


def api_form(
    form_id, received_on="2024-03-02T09:00:00.000000Z", user_id="asha", app_id="anc", **more
):
    """A form as an entry of the public API's list."""
    return without_none(
        {
            "id": form_id,
            "domain": "river",
            "app_id": app_id,
            "build_id": "anc-18",
            "archived": False,
            "received_on": received_on,
            "server_modified_on": received_on,
            "indexed_on": received_on,
            "edited_on": None,
            "problem": None,
            "type": "data",
            "uiversion": "1",
            "version": "18",
            "attachments": {},
            "form": {
                "#type": "data",
                "@name": "Visit",
                "@xmlns": "http://openrosa.org/formdesigner/1A2B",
                "meta": {"userID": user_id},
            },
            "metadata": {
                "userID": user_id,
                "deviceID": "358001070684648",
                "timeStart": "2024-03-02T08:59:01.000000",
                "timeEnd": "2024-03-02T08:59:58.000000",
                "app_build_version": 18,
                "commcare_version": "2.47.1",
            },
            **more,
        }
    )


def synclog(synclog_id, date="2024-03-02T10:00:00Z", user_id="asha", **more):
    """number or text: the id is a UUID at the source."""
    if isinstance(synclog_id, int):
        synclog_id = f"00000000-0000-4000-8000-{synclog_id:012d}"
    return without_none(
        {
            "synclog_id": synclog_id,
            "date": date,
            "domain": "river",
            "user_id": user_id,
            "build_id": None,
            "app_id": None,
            "duration": 3,
            "device_id": "dev1",
            **more,
        }
    )


def user(user_id="asha", last_modified=CHANGED, domain="river", **more):
    """A mobile worker."""
    locations = more.get("assigned_location_ids", [])
    return without_none(
        {
            "_id": user_id,
            "_rev": "1-a",
            "doc_type": "CommCareUser",
            "base_doc": "CouchUser",
            "domain": domain,
            "username": f"{user_id}@{domain}.commcarehq.org",
            "first_name": user_id.title(),
            "last_name": "K",
            "email": None,
            "is_active": True,
            "is_staff": False,
            "is_superuser": False,
            "last_login": None,
            "date_joined": "2023-01-14T07:02:11Z",
            "last_modified": last_modified,
            "assigned_location_ids": locations,
            "domain_membership": {
                "doc_type": "DomainMembership",
                "domain": domain,
                "is_admin": False,
                "assigned_location_ids": locations,
            },
            **more,
        }
    )


def web_user(user_id="maria", last_modified=CHANGED, memberships=(("river", True, ()),), **more):
    """memberships: (domain, is_admin, locations) each."""
    return without_none(
        {
            "_id": user_id,
            "_rev": "1-a",
            "doc_type": "WebUser",
            "base_doc": "CouchUser",
            "username": f"{user_id}@example.org",
            "first_name": user_id.title(),
            "last_name": "D",
            "email": f"{user_id}@example.org",
            "is_active": True,
            "is_staff": False,
            "is_superuser": False,
            "last_login": None,
            "date_joined": "2023-01-14T07:02:11Z",
            "last_modified": last_modified,
            "domains": [domain for domain, _, _ in memberships],
            "domain_memberships": [
                {
                    "doc_type": "DomainMembership",
                    "domain": domain,
                    "is_admin": is_admin,
                    "role_id": None,
                    "location_id": None,
                    "assigned_location_ids": list(locations),
                }
                for domain, is_admin, locations in memberships
            ],
            **more,
        }
    )


def group(group_id="north", users=("asha",), last_modified=CHANGED, **more):
    return without_none(
        {
            "_id": group_id,
            "_rev": "3-1f",
            "doc_type": "Group",
            "domain": "river",
            "name": f"{group_id} team",
            "users": list(users),
            "removed_users": [],
            "case_sharing": False,
            "reporting": True,
            "last_modified": last_modified,
            **more,
        }
    )


def domain(domain_id="dom1", name="river", last_modified=CHANGED, **more):
    return without_none(
        {
            "_id": domain_id,
            "_rev": "2-c0",
            "doc_type": "Domain",
            "name": name,
            "hr_name": name.title(),
            "is_active": True,
            "date_created": "2024-03-02T09:15:10Z",
            "default_timezone": "Asia/Kolkata",
            "case_sharing": False,
            "commtrack_enabled": False,
            "is_test": "false",
            "project_type": "MCH",
            "creating_user_id": "maria",
            "location_restriction_for_users": False,
            "use_sql_backend": True,
            "first_domain_for_user": True,
            "last_modified": last_modified,
            **more,
        }
    )


def app(application_id="anc", name="Antenatal care", version=21, last_modified=CHANGED, **more):
    return without_none(
        {
            "_id": application_id,
            "_rev": "31-aa",
            "doc_type": "Application",
            "domain": "river",
            "name": name,
            "copy_of": None,
            "version": version,
            "langs": ["en"],
            "modules": [],
            "last_modified": last_modified,
            **more,
        }
    )


def build(build_id="anc-18", app_id="anc", version=18, last_modified=CHANGED, **more):
    return app(build_id, version=version, last_modified=last_modified, copy_of=app_id, **more)


def location(location_id="village", number=1, parent=None, last_modified=CHANGED, **more):
    """number and parent: the source's own integer ids."""
    return without_none(
        {
            "id": number,
            "domain": "river",
            "name": location_id.title(),
            "location_id": location_id,
            "location_type_id": 1,
            "site_code": location_id,
            "external_id": None,
            "supply_point_id": None,
            "user_id": "",
            "parent_id": parent,
            "latitude": None,
            "longitude": None,
            "is_archived": False,
            "created_at": "2023-01-01T00:00:00Z",
            "last_modified": last_modified,
            "location_type_name": "Village",
            "location_type_code": "village",
            "location_type_last_modified": "2023-01-01T00:00:00Z",
            **more,
        }
    )


def change(document):
    """A _changes line with its document."""
    return {
        "seq": "12-g1AAA",
        "id": document["_id"],
        "changes": [{"rev": document["_rev"]}],
        "doc": document,
    }


def deletion(document_id):
    """A _changes line of a true deletion: no type is left."""
    return {
        "seq": "13-g1AAB",
        "id": document_id,
        "changes": [{"rev": "5-0c"}],
        "deleted": True,
        "doc": {"_id": document_id, "_rev": "5-0c", "_deleted": True},
    }


def all_docs_row(document):
    return {
        "id": document["_id"],
        "key": document["_id"],
        "value": {"rev": document["_rev"]},
        "doc": document,
    }
