# SPDX-License-Identifier: MIT
"""Many plain forms, as fast as Python writes lines: `generate.py forms COUNT FILE`.

One object a line with the source's own column names. Of a thousand: ten archived (with the
operation), ten edited, two deleted, five duplicates, five without app, five without user.
"""

from chance import DAY, SECOND, Chance, json_time

USERS_PER_FORM = 1 / 100
LINE = (
    '{"form_id":"%s-%04x-4000-a000-%012x","domain":"%s","app_id":%s,'
    '"xmlns":"http://openrosa.org/formdesigner/%s",'
    '"user_id":%s,"received_on":"%s%s","server_modified_on":"%s","edited_on":%s,"deleted_on":%s,'
    '"build_id":%s,"state":%d,"time_start":"%s%s","time_end":"%s%s","commcare_version":"2.53.%d",'
    '"app_version":%d%s}\n'
)


def _seconds_of_a_day():
    return [f"T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}Z" for s in range(86_400)]


def write_forms(path, count, history_end, days, users):
    """Times rise evenly over the days before history_end; users and apps alternate by chance."""
    chance = Chance("bulk")
    users = users or max(1, int(count * USERS_PER_FORM))
    user_ids = [f'"{chance.hex_id()}"' for _ in range(users)]
    apps = [
        (name, f'"{chance.hex_id()}"', [f'"{chance.hex_id()}"' for _ in range(4)])
        for name in ("river-health", "hill-health", "coast-nutrition")
        for _ in range(2)
    ]
    clock = _seconds_of_a_day()
    first = history_end - days * DAY
    dates = [json_time(first + day * DAY)[:10] for day in range(-1, days)]
    total = days * 86_400
    state_of = chance.between(1, 2**31)
    with open(path, "w", encoding="ascii", buffering=1 << 20) as out:
        write = out.write
        for number in range(count):
            # a linear congruential step: enough for a spread, and cheap
            state_of = (state_of * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
            luck = state_of >> 33
            domain, app, builds = apps[luck % 6]
            user = user_ids[luck % users]
            build = builds[luck % 4]
            second = number * total // count
            day, second = divmod(second, 86_400)
            date, received = dates[day + 1], clock[second]
            ended = clock[second - 20]
            ended_on = date if second >= 20 else dates[day]
            changed = date + received
            state, edited, deleted, operations = 1, "null", "null", ""
            rare = luck // 7 % 1000
            if rare < 37:
                later = json_time(first + (day * 86_400 + second) * SECOND + 3600 * SECOND)
                if rare < 10:
                    state = 2
                    operations = ',"operations":[{"operation":"archive","date":"%s"}]' % later
                elif rare < 20:
                    edited, changed = f'"{later}"', later
                elif rare < 22:
                    deleted, changed = f'"{later}"', later
                elif rare < 27:
                    state = 8
                elif rare < 32:
                    app = build = "null"
                else:
                    user = "null"
            write(
                LINE
                % (
                    f"{state_of & 0xFFFFFFFF:08x}",
                    number & 0xFFFF,
                    number,
                    domain,
                    app,
                    builds[0][1:7],
                    user,
                    date,
                    received,
                    changed,
                    edited,
                    deleted,
                    build,
                    state,
                    ended_on,
                    ended,
                    ended_on,
                    ended,
                    luck % 4,
                    luck % 4 + 10,
                    operations,
                )
            )
