#!/usr/bin/env python3
"""The naive recount: counts truancy again, from the sources, without anything of the hub.

    recount.py               one pupil and school year per line of JSON on stdin, one answer each
    recount.py path FOLDER   reads rosters and absence files, an answer per school and pupil

It is written from the regulations as the project's references quote them (domain.md §2, §6.3, §6.4;
school-apis.md §0.2) and on purpose in the slowest obvious way, in another language and by another
hand than the hub's own tally: where both are wrong alike, they read the same source.

Decisions that the sources leave open are marked OPEN.
"""

import csv
import datetime
import io
import json
import os
import re
import sys
import zipfile

DAY = datetime.timedelta(days=1)
MONDAY, WEDNESDAY, FRIDAY = 0, 2, 4
THRESHOLDS = (5, 30)


# --- the day in Brussels -------------------------------------------------------------------------


def last_sunday(year, month):
    """Of March or October, which both have 31 days."""
    last = datetime.date(year, month, 31)
    return last - (last.weekday() + 1) % 7 * DAY


def brussels_day(text):
    """The date in Brussels of a moment such as 2026-10-25T23:00:00+00:00; a date is one already.

    One hour ahead of UTC, two in summer: from 01:00 UTC on the last Sunday of March to the same of October.
    """
    if "T" not in text:
        return text
    moment = datetime.datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=None) - moment.utcoffset()
    begins, ends = (datetime.datetime.combine(last_sunday(moment.year, month), datetime.time(1)) for month in (3, 10))
    ahead = 2 if begins <= moment < ends else 1
    return (moment + datetime.timedelta(hours=ahead)).date().isoformat()


# --- the calendar (domain.md §6.3) ---------------------------------------------------------------


def easter(year):
    """Easter Sunday in the Gregorian calendar (Gauss, with Lichtenberg's corrections)."""
    century = year // 100
    moon = 15 + (3 * century + 3) // 4 - (8 * century + 13) // 25
    sun = 2 - (3 * century + 3) // 4
    shift = (19 * (year % 19) + moon) % 30
    correction = (shift + (year % 19) // 11) // 29
    full_moon = 21 + shift - correction
    first_sunday = 7 - (year + year // 4 + sun) % 7
    return datetime.date(year, 3, 1) + (full_moon + 7 - (full_moon - first_sunday) % 7 - 1) * DAY


def monday_of(day):
    return day - day.weekday() * DAY


def holiday_starts(year):
    """The Mondays on which the four holidays of the school year `year`-`year + 1` begin."""
    all_saints = datetime.date(year, 11, 1)
    autumn = datetime.date(year, 11, 2) if all_saints.weekday() == 6 else monday_of(all_saints)

    christmas = datetime.date(year, 12, 25)
    winter = monday_of(christmas)
    if christmas.weekday() >= 5:
        winter += 7 * DAY

    sunday = easter(year + 1)
    # The seventh Monday before Easter: the last one before it is six days earlier.
    crocus = sunday - 6 * DAY - 6 * 7 * DAY

    first_of_april = datetime.date(year + 1, 4, 1)
    spring = first_of_april + (-first_of_april.weekday() % 7) * DAY
    if sunday.month == 3:
        spring = sunday + DAY
    elif sunday > datetime.date(year + 1, 4, 15):
        spring = sunday - 6 * DAY - 7 * DAY
    return autumn, winter, crocus, spring


_lessons = {}


def lessons(year):
    """Every (day, part) with lessons in the school year, before local days off."""
    if year in _lessons:
        return _lessons[year]
    autumn, winter, crocus, spring = holiday_starts(year)
    sunday = easter(year + 1)
    closed = {
        datetime.date(year, 11, 11),
        sunday + DAY,
        datetime.date(year + 1, 5, 1),
        sunday + 39 * DAY,
        sunday + 40 * DAY,
        sunday + 50 * DAY,
    }
    for start, weeks in ((autumn, 1), (winter, 2), (crocus, 1), (spring, 2)):
        for nth in range(7 * weeks):
            closed.add(start + nth * DAY)
    found = set()
    day = datetime.date(year, 9, 1)
    while day <= datetime.date(year + 1, 6, 30):
        if day.weekday() <= FRIDAY and day not in closed:
            found.add((day, "AM"))
            if day.weekday() != WEDNESDAY:
                found.add((day, "PM"))
        day += DAY
    _lessons[year] = found
    return found


# --- compulsory education (domain.md §2.2, §6.4) -------------------------------------------------


# The grades of CEDS that OneRoster's `grades` are to be taken from (standards.md §2): what comes before the first grade is
# kleuter. What else is written there says nothing: `1` may be the first year of kleuter as well as that of lager.
KLEUTER = {"IT", "PR", "PK", "TK", "KG"}
LATER = {f"{grade:02}" for grade in range(1, 14)}


def sits_in_lager(classes, day):
    """Whether a class of that day is known to be past kleuter. `classes` are (begin, end, grade)."""
    grades = {
        grade
        for begin, end, grade in classes
        if (begin is None or begin <= day) and (end is None or day < end)
    }
    return bool(grades & LATER)


def is_compulsory(birth, day, classes=()):
    """Whether half-days of somebody born then count for the rule of five on that day.

    Compulsory education begins at five since 2020-2021, but whether the rule of five holds for
    five-year-olds in kleuter is open (domain.md §2.2): by default it does not. One who is in lager
    already counts as any pupil of lager; of whom no class says so is taken to be in kleuter, as
    nearly all of that age are. Before 2020 counting starts in the year in which the child turns six.
    Who has no known birth date counts, so that no signal is lost.
    """
    if birth is None:
        return True
    if day < datetime.date(birth.year + 6, 9, 1):
        five = day >= datetime.date(birth.year + 5, 9, 1)
        return five and birth.year + 5 >= 2020 and sits_in_lager(classes, day)
    if (birth.month, birth.day) >= (7, 1):
        return day <= datetime.date(birth.year + 18, 6, 30)
    try:
        eighteenth = datetime.date(birth.year + 18, birth.month, birth.day)
    except ValueError:
        # OPEN: born on 29 February; in a common year the birthday is reached on 1 March.
        eighteenth = datetime.date(birth.year + 18, 3, 1)
    return day < eighteenth


# --- one pupil, one year -------------------------------------------------------------------------


def recount(pupil):
    """The answer for one pupil. `pupil` is an object of the form described in `tests/oracle/README.md`."""
    year = pupil["year"]
    birth = parse_day(pupil.get("birth"))
    days_off = pupil.get("days_off") or []
    classes = [(parse_day(begin), parse_day(end), grade) for begin, end, grade in pupil.get("classes") or []]
    enrolled = {
        record: [(parse_day(begin), parse_day(end)) for begin, end in periods]
        for record, periods in (pupil.get("enrolled") or {}).items()
    }
    carried = [
        (c["record"], c["half_days"], parse_day(c["begin"]), c.get("former")) for c in pupil.get("carried") or []
    ]

    # The last word of each record on each half-day.
    said = {}
    for entry in pupil["half_days"]:
        said[entry["record"], parse_day(entry["day"]), entry["part"]] = entry["mark"]

    def on_calendar(record, day, part):
        off = days_off.get(record, []) if isinstance(days_off, dict) else days_off
        return (day, part) in lessons(year) and day not in map(parse_day, off)

    said = {key: mark for key, mark in said.items() if on_calendar(*key)}

    def is_enrolled(record, day):
        periods = enrolled.get(record)
        if periods is None:
            return True
        return any((begin is None or begin <= day) and (end is None or day < end) for begin, end in periods)

    # What the records say of each half-day: those of schools at which the pupil was enrolled on it, and those of others.
    marks = {}
    for (record, day, part), mark in said.items():
        entitled, others = marks.setdefault((day, part), ([], []))
        (entitled if is_enrolled(record, day) else others).append(mark)

    counted, pending, conflicts = [], 0, 0
    for (day, part), (entitled, others) in sorted(marks.items()):
        if not is_compulsory(birth, day, classes):
            continue
        # A school at which the pupil is not enrolled contradicts nobody (two valid enrolments that disagree are a
        # conflict). OPEN: where it alone speaks it is heard, and where several such disagree none is believed.
        of_all = entitled or others
        if "B" in of_all and len(set(of_all)) > 1:
            conflicts += 1 if entitled else 0
            pending += 1
        elif "B" in of_all:
            counted.append(day)
        elif "unresolved" in of_all or "unknown" in of_all:
            pending += 1

    # A carried-in number says how many half-days B there were before; those that the hub knows by
    # date are in it.
    carries = []
    for record, half_days, begin, former in carried:
        known = set()
        for (by, day, part), mark in said.items():
            is_former = by in former if former else by != record
            if is_former and mark == "B" and day < begin:
                known.add((day, part))
        # OPEN: a number that arrives after the year, or while school is not compulsory, is not one to
        # act on; one that arrived before the year began counts from its first day.
        begin = max(begin, datetime.date(year, 9, 1))
        if begin <= datetime.date(year + 1, 8, 31) and is_compulsory(birth, begin, classes):
            carries.append((begin, max(half_days - len(known), 0)))

    def count_on(day):
        dated = sum(1 for each in counted if each <= day)
        return dated + max([number for begin, number in carries if begin <= day], default=0)

    end = datetime.date(year + 1, 8, 31)
    count = count_on(end)
    reached = {}
    for threshold in THRESHOLDS:
        dates = [day for day in sorted(set(counted) | {begin for begin, _ in carries}) if count_on(day) >= threshold]
        reached[str(threshold)] = dates[0].isoformat() if dates else None
    return {
        "id": pupil["id"],
        "count": count,
        "carried": count - len(counted),
        "pending": pending,
        "conflicts": conflicts,
        "reached": reached,
        "signals": [f"truancy.{threshold}" for threshold in THRESHOLDS if count >= threshold],
    }


_days = {}


def parse_day(text):
    if text is None or isinstance(text, datetime.date):
        return text
    if text not in _days:
        _days[text] = datetime.date.fromisoformat(text)
    return _days[text]


# --- letters of school packages (school-apis.md §0.2) --------------------------------------------

# None: no absence. Letters whose meaning is not certain (O, Q, N, X and whatever else) are missing.
SCHOOL_LETTERS = {
    "|": None,
    "null": None,
    "L": None,
    "W": None,
    "G": None,
    "-": "unresolved",
    "A": "A",
    "B": "B",
    "H": "H",
    "M": "M",
    "P": "P",
    "R": "R",
    "T": "R",
    "U": "R",
    "Y": "R",
    "C": "R",
    "J": "R",
    "Z": "Z",
    "D": "Z",
}


def read_letter(letter):
    """The mark of a letter; sub-codes such as R03 go by their main letter."""
    main = letter[0] if re.fullmatch(r"[A-Z]\d\d", letter) else letter
    return SCHOOL_LETTERS.get(main, "unknown")


# --- the whole path ------------------------------------------------------------------------------


def table(archive, name):
    """The rows of one file of a package, or none."""
    if name not in archive.namelist():
        return
    with archive.open(name) as file:
        yield from csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))


def later(*days):
    return max((day for day in days if day), default=None)


def earlier(*days):
    return min((day for day in days if day), default=None)


def read_roster(path):
    """The pupils of a package by key: birth date, national number, when enrolled, and the classes.

    OneRoster 1.2 says with the role when a pupil is at the school; 1.1 only when he is in a class, so that there the
    first of these is the begin, and there is no end for as long as he is listed.
    """
    with zipfile.ZipFile(path) as archive:
        births = {row["sourcedId"]: row["birthDate"] or None for row in table(archive, "demographics.csv")}
        roles = [row for row in table(archive, "roles.csv") if row["role"] == "student"]
        students = {row["userSourcedId"] for row in roles}
        grades = {row["sourcedId"]: row["grades"].split(",")[0] for row in table(archive, "classes.csv")}
        places = {}
        for row in table(archive, "enrollments.csv"):
            place = (row["beginDate"] or None, row["endDate"] or None, grades.get(row["classSourcedId"]))
            places.setdefault(row["userSourcedId"], []).append(place)
        periods = {key: (earlier(*(begin for begin, _, _ in of_pupil)), None) for key, of_pupil in places.items()}
        for row in roles:
            begin, end = row.get("beginDate") or None, row.get("endDate") or None
            periods[row["userSourcedId"]] = (begin or periods.get(row["userSourcedId"], (None, None))[0], end)
        pupils = {}
        for row in table(archive, "users.csv"):
            if row.get("role") == "student" or row["sourcedId"] in students:
                number = re.search(r"\{nationalNumber:(\d{11})\}", row["userIds"])
                begin, end = periods.get(row["sourcedId"], (None, None))
                classes = [
                    (later(begin, begins), earlier(end, ends), grade)
                    for begins, ends, grade in places.get(row["sourcedId"], [])
                ]
                born = births.get(row["sourcedId"])
                pupils[row["sourcedId"]] = (born, number and number.group(1), (begin, end), classes)
        return pupils


def read_absences(folder):
    """The last word on every half-day: {pupil: {(day, part): mark}}. `absences.csv` comes before `absences-0001.csv`."""
    said = {}
    names = [name for name in os.listdir(folder) if name.startswith("absences") and name.endswith(".csv")]
    for name in sorted(names, key=lambda name: (name != "absences.csv", name)):
        with open(os.path.join(folder, name), encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                part = {"VM": "AM", "NM": "PM"}.get(row["part"], row["part"])
                day = brussels_day(row["date"])
                mark = None if row["code"] == "deleted" else read_letter(row["code"])
                half_days = said.setdefault(row["pupil"], {})
                if mark is None:
                    half_days.pop((day, part), None)
                else:
                    half_days[day, part] = mark
    return said


def read_carried(folder):
    path = os.path.join(folder, "carried-in.csv")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def recount_path(folder, answer):
    """Recounts a folder with `manifest.json` and a folder per school, and calls `answer` per pupil of a school."""
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    year = int(manifest["schoolYear"][:4])
    days_off = {school["institutionNumber"]: school["daysOff"] for school in manifest["schools"]}

    # A person is known in several schools by the national number, else only in one.
    people = {}
    person_of = {}
    for school in sorted(days_off):
        for key, (birth, number, period, classes) in read_roster(os.path.join(folder, school, "roster.zip")).items():
            new = {"birth": birth, "records": [], "enrolled": {}, "classes": []}
            person = people.setdefault(number or (school, key), new)
            person["birth"] = person["birth"] or birth
            person["records"].append((school, key))
            person["enrolled"][f"{school}/{key}"] = [period]
            person["classes"].extend(classes)
            person_of[school, key] = person
    # Schools come in this order, so the last record of a person says when everything is known.
    complete_after = {}
    for person in people.values():
        complete_after.setdefault(person["records"][-1][0], []).append(person)

    def settle(person):
        records = person["records"]
        result = recount(
            {
                "id": None,
                "year": year,
                "birth": person["birth"],
                "days_off": {f"{school}/{key}": days_off[school] for school, key in records},
                "enrolled": person["enrolled"],
                "classes": person["classes"],
                "half_days": person.pop("half_days", []),
                "carried": person.get("carried", []),
            }
        )
        del result["id"]
        for school, key in records:
            answer({"school": school, "pupil": key} | result)

    for school in sorted(days_off):
        at = os.path.join(folder, school)
        for key, half_days in read_absences(at).items():
            person = person_of.get((school, key))
            if person is None:
                print(f"{school}: a row of a pupil who is not in the roster", file=sys.stderr)
                continue
            person.setdefault("half_days", []).extend(
                {"record": f"{school}/{key}", "day": day, "part": part, "mark": mark}
                for (day, part), mark in half_days.items()
            )
        for row in read_carried(at):
            person = person_of[school, row["pupil"]]
            former = [f"{at_school}/{key}" for at_school, key in person["records"] if at_school == row["former"]]
            person.setdefault("carried", []).append(
                {
                    "record": f"{school}/{row['pupil']}",
                    "half_days": int(row["halfDays"]),
                    "begin": row["begins"],
                    "former": former,
                }
            )
        for person in complete_after.get(school, []):
            settle(person)


def say(answer):
    sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "path":
        recount_path(arguments[1], say)
    elif not arguments:
        for line in sys.stdin:
            if line.strip():
                say(recount(json.loads(line)))
                sys.stdout.flush()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
