# SPDX-License-Identifier: MIT
"""Who and what there is in the sample installation: projects, apps, builds, places, people.

Everything is a plain dictionary with the source's own names where there is one. What changes on the
next day is written beside what it was (see documents.py and places in sources.py); what happens,
forms and sync logs, is in events.py.
"""

import unicodedata

from chance import DAY, HOUR, Chance

FIRST_NAMES = (
    "Asha Binta Chipo Deepa Esi Fatou Grace Hawa Ines Joyce Kavita Lakshmi Meera Nadia Oumou Priya "
    "Rekha Sunita Tendai Usha Vida Wanjiru Yaa Zainab Amos Bashir Chanda David Emeka Felix Gopal "
    "Hari Ismail José Kofi Léon Moses Naveen Omar Peter Ravi Samuel Tariq Umar Victor Yusuf "
    "Zoran Anju"
).split()
LAST_NAMES = (
    "Adeyemi Banda Chaudhary Das Eze Fernandes Gupta Haile Iyer Jha Kamau Lungu Mensah Naidu Okoro "
    "Patel Quaye Rao Singh Thapa Umeh Verma Were Yadav Zulu O'Brien Traoré Diallo Mwale Kumari"
).split()

# name, title, time zone, workers at scale 1, apps as (name, document type, number of builds)
PROJECTS = (
    (
        "river-health",
        "River Health",
        "Asia/Kolkata",
        105,
        (("Antenatal care", "Application", 5), ("Child growth", "Application", 3)),
    ),
    (
        "hill-health",
        "Hill Health",
        "Africa/Lusaka",
        65,
        (
            ("Household survey", "Application", 4),
            ("Tuberculosis follow-up", "LinkedApplication", 2),
        ),
    ),
    (
        "coast-nutrition",
        "Coast Nutrition",
        "Africa/Accra",
        40,
        (("Nutrition screening", "Application", 3), ("Stock count", "RemoteApp", 1)),
    ),
)

LEVELS = (("State", "state"), ("District", "district"), ("Block", "block"), ("Village", "village"))
COMMCARE_VERSIONS = ("2.52.1", "2.53.0", "2.53.1", "2.54.0")


class World:
    """Built once; the same for the same scale and end of history."""

    def __init__(self, history_end, scale):
        self.history_end = history_end
        self.history_start = history_end - 30 * DAY
        self.next_end = history_end + DAY
        self.founded = history_end - 900 * DAY
        self._chance = Chance("world")
        self._usernames = set()
        self.projects, self.apps, self.builds = [], [], []
        self.location_types, self.locations = [], []
        self.workers, self.web_users, self.groups = [], [], []
        for entry in PROJECTS:
            self._add_project(*entry, scale)
        self._add_web_users()
        self._mark_late()

    def _add_project(self, name, title, zone, workers, apps, scale):
        chance = self._chance
        self.projects.append(
            {
                "id": chance.hex_id(),
                "name": name,
                "title": title,
                "zone": zone,
                "created": self.founded + len(self.projects) * 20 * DAY,
            }
        )
        for app_name, kind, builds in apps:
            self._add_app(name, app_name, kind, builds)
        self._add_locations(name)
        for _ in range(workers * scale):
            self.workers.append(self._worker(name))
        self._add_groups(name)

    def _add_app(self, domain, name, kind, builds):
        chance = self._chance
        app = {"id": chance.hex_id(), "name": name, "domain": domain, "kind": kind, "builds": []}
        version = chance.between(3, 9)
        # the newest comes on the tenth day of the history, the others long before
        newest = self.history_start + (10 if builds > 1 else -35) * DAY
        for older in reversed(range(builds)):
            version += chance.between(1, 4)
            app["builds"].append(
                {
                    "id": chance.hex_id(),
                    "app": app,
                    "version": version,
                    "built": newest - older * 45 * DAY + chance.below(9 * HOUR),
                    "late": False,
                    "pruned": False,
                }
            )
        app["version"] = version + 1
        self.apps.append(app)
        self.builds.extend(app["builds"])

    def _add_locations(self, domain):
        """A tree of four levels; a location stands after its parent."""
        chance = self._chance
        first_type = len(self.location_types)
        for name, code in LEVELS:
            self.location_types.append(
                {
                    "id": len(self.location_types) + 1,
                    "domain": domain,
                    "name": name,
                    "code": code,
                    "parent": len(self.location_types) if code != "state" else None,
                    "modified": self.founded + DAY,
                }
            )
        above = [None]
        for level, width in enumerate((1, 2, 2, 3)):
            here = []
            for parent in above:
                for _ in range(width):
                    number = len(self.locations) + 1
                    place = {
                        "id": number,
                        "location_id": chance.hex_id(),
                        "domain": domain,
                        "type": first_type + level + 1,
                        "parent": parent,
                        "name": f"{LEVELS[level][0]} {number}",
                        "site_code": f"{LEVELS[level][1]}_{number}",
                        "archived": level == 3 and chance.happens(0.05),
                        "created": self.founded + 2 * DAY,
                        "modified": self.founded + 30 * DAY,
                    }
                    self.locations.append(place)
                    here.append(number)
            above = here

    def places(self, domain, code):
        """The locations of a project and a level, in order of their ids."""
        kinds = {kind["id"] for kind in self.location_types if kind["code"] == code}
        return [p for p in self.locations if p["domain"] == domain and p["type"] in kinds]

    def _worker(self, domain):
        chance = self._chance
        first, last = chance.pick(FIRST_NAMES), chance.pick(LAST_NAMES)
        letters = unicodedata.normalize("NFKD", f"{first}.{last}".lower())
        plain = "".join(
            letter for letter in letters if letter == "." or letter.isascii() and letter.isalpha()
        )
        username, number = plain, 1
        while (domain, username) in self._usernames:
            number += 1
            username = f"{plain}{number}"
        self._usernames.add((domain, username))
        habit = chance.below(100)
        return {
            "id": chance.hex_id(),
            "domain": domain,
            "first": first,
            "last": last,
            "username": f"{username}@{domain}.commcarehq.org",
            "place": chance.pick(self.places(domain, "village"))["location_id"],
            "joined": self.founded + 60 * DAY + chance.below(700 * DAY),
            # forms a day; the rest of the habit decides who is silent
            "pace": 10 if habit < 20 else 5 if habit < 60 else 2,
            "submits": habit < 88,
            "syncs": habit < 95,
            # every seventh stops in the course of the month
            "stops": chance.between(5, 25) if chance.happens(1 / 7) else None,
            "apps": 2 if chance.happens(0.35) else 1,
            "has_web_forms": habit % 10 == 3,
            "late": False,
            "deleted": habit in (30, 31) and chance.happens(0.5),
            "commcare": chance.pick(COMMCARE_VERSIONS),
            "device": f"{chance.hex_id()[:15]}",
        }

    def _add_groups(self, domain):
        chance = self._chance
        members = [worker for worker in self.workers if worker["domain"] == domain]
        for title in ("North team", "South team", "Supervisors"):
            users = [worker["id"] for worker in members if chance.happens(0.3)]
            self.groups.append(
                {
                    "id": chance.hex_id(),
                    "domain": domain,
                    "name": title,
                    "users": users,
                    "modified": self.history_start - 5 * DAY,
                }
            )

    def _add_web_users(self):
        chance = self._chance
        names = (
            ("Maria", "Duarte"),
            ("Ken", "Osei"),
            ("Lena", "Roth"),
            ("Anil", "Mehta"),
            ("Sofia", "Lind"),
            ("Paul", "Ndlovu"),
        )
        for number, (first, last) in enumerate(names):
            domains = [project["name"] for project in self.projects]
            self.web_users.append(
                {
                    "id": chance.hex_id(),
                    "first": first,
                    "last": last,
                    "username": f"{first}.{last}@example.org".lower(),
                    "domains": domains if number == 0 else [domains[number % 3]],
                    "joined": self.founded + chance.below(300 * DAY),
                }
            )

    def _mark_late(self):
        """Documents that come a day after what names them, or never: facts must not wait."""
        busy = [
            worker
            for worker in self.workers
            if worker["submits"] and worker["stops"] is None and not worker["deleted"]
        ]
        for worker in busy[7::60]:
            worker["late"] = True
        antenatal, survey = self.apps[0], self.apps[2]
        antenatal["builds"][-1]["late"] = True
        survey["builds"][0]["pruned"] = True
