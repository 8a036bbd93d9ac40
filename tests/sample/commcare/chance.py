# SPDX-License-Identifier: MIT
"""Chance that falls the same way on every machine, and times as PostgreSQL and JSON spell them.

Only random() and getrandbits() are used: Python promises their sequence for a seed, and promises
less for choice() or shuffle(). Times are whole microseconds since 1970, UTC.
"""

import random
from datetime import datetime, timedelta, timezone

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Chance:
    """A seeded source of picks; each subject has one of its own, so that subjects stay apart."""

    def __init__(self, subject):
        self._random = random.Random("factline sample: " + subject)

    def below(self, limit):
        """A whole number from 0 to limit - 1."""
        return int(self._random.random() * limit)

    def between(self, low, high):
        return low + int(self._random.random() * (high - low + 1))

    def happens(self, probability):
        return self._random.random() < probability

    def pick(self, things):
        return things[self.below(len(things))]

    def hex_id(self):
        return f"{self._random.getrandbits(128):032x}"

    def uuid(self):
        text = self.hex_id()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


_days = {}


def _split(time):
    day, rest = divmod(time, DAY)
    if day not in _days:
        _days[day] = (datetime(1970, 1, 1) + timedelta(days=day)).strftime("%Y-%m-%d")
    seconds, micros = divmod(rest, SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return _days[day], f"{hours:02d}:{minutes:02d}:{seconds:02d}.{micros:06d}"


def sql_time(time):
    """As a timestamptz; None stays None."""
    return None if time is None else "{} {}+00".format(*_split(time))


def json_time(time):
    """As CommCare writes it in documents; None stays None."""
    return None if time is None else "{}T{}Z".format(*_split(time))


def day_name(time):
    return _split(time)[0]


def parse_day(text):
    """2026-10-01 -> its midnight, UTC."""
    moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * SECOND


def parse_times(text):
    """--scale: a whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError("scale must be 1 or more")
    return number
