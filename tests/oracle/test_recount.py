"""The recount against cases worked out by hand. Run: python3 -m unittest discover -s tests/oracle"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import recount  # noqa: E402

# domain.md §6.3: autumn, Christmas, crocus, Easter holiday, Easter Sunday, school days, half-days.
CALENDARS = """
2018 29/10/2018 24/12/2018 04/03/2019 08/04/2019 21/04/2019 180 324
2019 28/10/2019 23/12/2019 24/02/2020 06/04/2020 12/04/2020 182 327
2020 02/11/2020 21/12/2020 15/02/2021 05/04/2021 04/04/2021 183 329
2021 01/11/2021 27/12/2021 28/02/2022 04/04/2022 17/04/2022 182 326
2022 31/10/2022 26/12/2022 20/02/2023 03/04/2023 09/04/2023 182 327
2023 30/10/2023 25/12/2023 12/02/2024 01/04/2024 31/03/2024 182 328
2024 28/10/2024 23/12/2024 03/03/2025 07/04/2025 20/04/2025 180 323
2025 27/10/2025 22/12/2025 16/02/2026 06/04/2026 05/04/2026 182 327
2026 02/11/2026 21/12/2026 08/02/2027 29/03/2027 28/03/2027 183 329
2027 01/11/2027 27/12/2027 28/02/2028 03/04/2028 16/04/2028 182 326
2028 30/10/2028 25/12/2028 12/02/2029 02/04/2029 01/04/2029 182 327
"""


def pupil(half_days, **more):
    entries = []
    for text in half_days:
        record, day, part, mark = text.split()
        entries.append({"record": record, "day": day, "part": part, "mark": mark})
    return {"id": "p", "year": 2025, "birth": "2012-03-04", "days_off": [], "half_days": entries, "carried": []} | more


def count(half_days, **more):
    return recount.recount(pupil(half_days, **more))


# Monday 1 to Friday 5 September 2025.
FIVE = [f"r1 2025-09-0{day} AM B" for day in range(1, 6)]


class Brussels(unittest.TestCase):
    def test_the_clocks_change(self):
        changes = {2025: ("03-30", "10-26"), 2026: ("03-29", "10-25"), 2027: ("03-28", "10-31"), 2030: ("03-31", "10-27")}
        for year, days in changes.items():
            found = tuple(recount.last_sunday(year, month).strftime("%m-%d") for month in (3, 10))
            self.assertEqual(found, days)

    def test_a_moment_has_its_day(self):
        for moment, day in (
            ("2026-10-24T21:59:59+00:00", "2026-10-24"),
            ("2026-10-24T22:00:00+00:00", "2026-10-25"),
            ("2026-10-25T22:59:59+00:00", "2026-10-25"),
            ("2026-10-25T23:00:00+00:00", "2026-10-26"),
            ("2026-10-25T18:00:00-05:00", "2026-10-26"),
            ("2026-10-26T11:59:59+13:00", "2026-10-25"),
            ("2027-03-27T23:00:00+00:00", "2027-03-28"),
            ("2027-03-28T21:59:59+00:00", "2027-03-28"),
            ("2027-03-28T22:00:00+00:00", "2027-03-29"),
            ("2027-03-29", "2027-03-29"),
        ):
            self.assertEqual(recount.brussels_day(moment), day, moment)


class Calendar(unittest.TestCase):
    def test_the_table_of_the_reference(self):
        for line in CALENDARS.split("\n"):
            if not line:
                continue
            year, *dates, days, halves = line.split()
            dates = [datetime.datetime.strptime(date, "%d/%m/%Y").date() for date in dates]
            with self.subTest(year=year):
                self.assertEqual(list(recount.holiday_starts(int(year))), dates[:4])
                self.assertEqual(recount.easter(int(year) + 1), dates[4])
                lessons = recount.lessons(int(year))
                self.assertEqual(len({day for day, _ in lessons}), int(days))
                self.assertEqual(len(lessons), int(halves))

    def test_days_without_lessons(self):
        lessons = recount.lessons(2025)
        for day in ("2025-08-31", "2025-09-06", "2025-11-11", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-15"):
            self.assertNotIn((datetime.date.fromisoformat(day), "AM"), lessons)
        for day in ("2026-05-25", "2026-07-01", "2026-08-31"):
            self.assertNotIn((datetime.date.fromisoformat(day), "AM"), lessons)
        wednesday = datetime.date(2025, 9, 3)
        self.assertIn((wednesday, "AM"), lessons)
        self.assertNotIn((wednesday, "PM"), lessons)
        self.assertIn((datetime.date(2026, 6, 30), "PM"), lessons)


class Compulsory(unittest.TestCase):
    def ask(self, birth, day):
        return recount.is_compulsory(datetime.date.fromisoformat(birth), datetime.date.fromisoformat(day))

    def test_begins_in_the_year_of_the_sixth_birthday(self):
        self.assertFalse(self.ask("2020-12-31", "2026-06-30"))
        self.assertFalse(self.ask("2020-01-01", "2025-09-01"))
        self.assertTrue(self.ask("2019-12-31", "2025-09-01"))
        self.assertFalse(self.ask("2019-12-31", "2025-08-31"))

    def test_ends_on_the_eighteenth_birthday_before_july(self):
        self.assertTrue(self.ask("2008-03-04", "2026-03-03"))
        self.assertFalse(self.ask("2008-03-04", "2026-03-04"))
        self.assertTrue(self.ask("2008-06-30", "2026-06-29"))
        self.assertFalse(self.ask("2008-06-30", "2026-06-30"))

    def test_ends_on_30_june_from_july_on(self):
        self.assertTrue(self.ask("2008-07-01", "2026-06-30"))
        self.assertFalse(self.ask("2008-07-01", "2026-07-01"))
        self.assertFalse(self.ask("2007-12-31", "2025-09-01"))

    def test_unknown_counts(self):
        self.assertTrue(recount.is_compulsory(None, datetime.date(2025, 9, 1)))


class Count(unittest.TestCase):
    def test_the_fifth_half_day(self):
        four = count(FIVE[:4])
        self.assertEqual((four["count"], four["signals"], four["reached"]["5"]), (4, [], None))
        five = count(FIVE)
        self.assertEqual((five["count"], five["signals"], five["reached"]["5"]), (5, ["truancy.5"], "2025-09-05"))
        self.assertIsNone(five["reached"]["30"])

    def test_the_thirtieth(self):
        days = sorted({day for day, _ in recount.lessons(2025)})[:30]
        thirty = count([f"r1 {day} AM B" for day in days])
        self.assertEqual(thirty["signals"], ["truancy.5", "truancy.30"])
        # September 2025 has 22 lesson days; the eighth of October is the thirtieth: Friday the 10th.
        self.assertEqual(thirty["reached"], {"5": "2025-09-05", "30": "2025-10-10"})

    def test_order_does_not_matter_between_half_days(self):
        self.assertEqual(count(FIVE), count(list(reversed(FIVE))))

    def test_the_same_again_counts_once(self):
        self.assertEqual(count(FIVE + FIVE)["count"], 5)
        self.assertEqual(count(FIVE + [line.replace("r1", "r2") for line in FIVE])["count"], 5)

    def test_the_last_word_wins(self):
        self.assertEqual(count(FIVE + ["r1 2025-09-02 AM Z"])["count"], 4)
        self.assertEqual(count(FIVE + ["r1 2025-09-02 AM Z", "r1 2025-09-02 AM B"])["count"], 5)
        self.assertEqual(count(FIVE + ["r1 2025-09-02 AM noLongerB"])["signals"], [])

    def test_morning_and_afternoon_are_two(self):
        self.assertEqual(count(["r1 2025-09-01 AM B", "r1 2025-09-01 PM B"])["count"], 2)

    def test_other_codes_are_nothing(self):
        answer = count([f"r1 2025-09-0{day} AM {code}" for day, code in zip("12345", "AHMPR")] + ["r1 2025-09-08 AM Z"])
        self.assertEqual((answer["count"], answer["pending"]), (0, 0))

    def test_unexplained_waits(self):
        answer = count(FIVE[:4] + ["r1 2025-09-05 AM unresolved", "r1 2025-09-08 AM unknown"])
        self.assertEqual((answer["count"], answer["pending"], answer["signals"]), (4, 2, []))

    def test_two_schools_that_disagree(self):
        answer = count(FIVE + ["r2 2025-09-05 AM Z"])
        self.assertEqual((answer["count"], answer["conflicts"], answer["pending"]), (4, 1, 1))
        agreed = count(FIVE + ["r2 2025-09-08 AM Z"])
        self.assertEqual((agreed["count"], agreed["conflicts"]), (5, 0))
        no_b = count(["r1 2025-09-01 AM Z", "r2 2025-09-01 AM R"])
        self.assertEqual((no_b["count"], no_b["conflicts"]), (0, 0))

    def test_a_school_that_the_pupil_has_left_contradicts_nobody(self):
        # At the first school until Friday the 5th, at the second from then on.
        enrolled = {"r1": [["2024-09-01", "2025-09-05"]], "r2": [["2025-09-05", None]]}

        def answer(*more):
            outcome = count(FIVE[:4] + list(more), enrolled=enrolled)
            return outcome["count"], outcome["conflicts"], outcome["pending"]

        self.assertEqual(answer("r2 2025-09-05 AM B", "r1 2025-09-05 AM Z"), (5, 0, 0))
        self.assertEqual(answer("r2 2025-09-05 AM Z", "r1 2025-09-05 AM B"), (4, 0, 0))
        self.assertEqual(answer("r2 2025-09-04 AM Z"), (4, 0, 0))
        # It is heard where nobody else speaks; of two such that disagree neither is believed.
        self.assertEqual(answer("r1 2025-09-08 AM B"), (5, 0, 0))
        enrolled["r3"] = []
        self.assertEqual(answer("r1 2025-09-08 AM B", "r3 2025-09-08 AM Z"), (4, 0, 1))
        # At both: they do contradict each other.
        enrolled["r1"] = [["2024-09-01", None]]
        self.assertEqual(answer("r2 2025-09-05 AM B", "r1 2025-09-05 AM Z"), (4, 1, 1))

    def test_five_in_lager(self):
        # Five in 2025; in kleuter, in lager, or nobody says which.
        five = "2020-03-04"
        for grade, counted in (("KG", 0), ("PK", 0), ("01", 5), ("02", 5), ("1", 0), ("UG", 0), (None, 0)):
            self.assertEqual(count(FIVE, birth=five, classes=[[None, None, grade]])["count"], counted, grade)
        # From Wednesday the 3rd up to Thursday the 4th.
        moved = [["2025-09-01", "2025-09-03", "KG"], ["2025-09-03", "2025-09-05", "01"]]
        self.assertEqual(count(FIVE, birth=five, classes=moved)["count"], 2)
        self.assertEqual(count(FIVE, birth="2021-03-04", classes=[[None, None, "01"]])["count"], 0)
        # Before 2020 compulsory education began at six.
        early = [line.replace("2025-09-0", "2019-09-0") for line in FIVE]
        self.assertEqual(count(early, year=2019, birth="2014-03-04", classes=[[None, None, "01"]])["count"], 0)

    def test_where_there_are_no_lessons_nothing_counts(self):
        for text in ("2025-09-03 PM", "2025-09-06 AM", "2025-10-27 AM", "2025-08-31 AM", "2026-07-01 AM", "2026-09-01 AM"):
            self.assertEqual(count(FIVE[:4] + [f"r1 {text} B"])["count"], 4, text)
        self.assertEqual(count(FIVE, days_off=["2025-09-05"])["count"], 4)
        self.assertEqual(count(["r1 2025-09-03 PM unresolved"])["pending"], 0)

    def test_only_while_school_is_compulsory(self):
        self.assertEqual(count(FIVE, birth="2020-03-04")["count"], 0)
        self.assertEqual(count(FIVE, birth="2007-09-04")["count"], 0)
        self.assertEqual(count(FIVE, birth=None)["count"], 5)
        # Eighteen on Wednesday 4 March 2026: Tuesday counts, Wednesday does not.
        late = count(["r1 2026-03-03 AM B", "r1 2026-03-04 AM B"], birth="2008-03-04")
        self.assertEqual(late["count"], 1)


class Carried(unittest.TestCase):
    def carry(self, half_days, **more):
        return {"record": "r2", "half_days": half_days, "begin": "2026-01-05", "former": []} | more

    def test_counts_from_the_day_it_arrives(self):
        answer = count(["r2 2026-01-06 AM B", "r2 2026-01-08 PM B"], carried=[self.carry(3)])
        self.assertEqual((answer["count"], answer["carried"], answer["reached"]["5"]), (5, 3, "2026-01-08"))
        self.assertEqual(count([], carried=[self.carry(5)])["reached"]["5"], "2026-01-05")

    def test_what_the_former_school_dated_is_in_the_number(self):
        self.assertEqual(count(FIVE[:3], carried=[self.carry(3)])["count"], 3)
        self.assertEqual(count(FIVE[:3], carried=[self.carry(5, former=["r1"])])["count"], 5)
        self.assertEqual(count(FIVE[:3], carried=[self.carry(2, former=["r1"])])["count"], 3)

    def test_a_former_school_under_two_keys(self):
        # Two at each key: the number of four is these four.
        two = FIVE[:2] + [line.replace("r1", "r3") for line in FIVE[2:4]]
        answer = count(two, carried=[self.carry(4, former=["r1", "r3"])])
        self.assertEqual((answer["count"], answer["carried"]), (4, 0))

    def test_only_the_former_school_and_only_before(self):
        other = count(FIVE[:3], carried=[self.carry(3, former=["r9"])])
        self.assertEqual((other["count"], other["carried"]), (6, 3))
        self.assertEqual(other["reached"]["5"], "2026-01-05")
        later = count(["r1 2026-01-06 AM B"], carried=[self.carry(3, former=["r1"])])
        self.assertEqual((later["count"], later["carried"]), (4, 3))

    def test_off_the_calendar_is_not_in_it(self):
        self.assertEqual(count(["r1 2025-09-03 PM B"], carried=[self.carry(3)])["carried"], 3)

    def test_a_number_from_before_or_after_the_year(self):
        before = count([], carried=[self.carry(5, begin="2025-08-25")])
        self.assertEqual((before["count"], before["reached"]["5"]), (5, "2025-09-01"))
        self.assertEqual(count([], carried=[self.carry(5, begin="2026-09-01")])["count"], 0)
        self.assertEqual(count([], birth="2007-12-04", carried=[self.carry(5)])["count"], 0)

    def test_the_largest_of_two_numbers(self):
        second = {"record": "r3", "half_days": 7, "begin": "2026-03-02", "former": []}
        answer = count([], carried=[self.carry(5), second])
        self.assertEqual((answer["count"], answer["reached"]["5"]), (7, "2026-01-05"))


class Letters(unittest.TestCase):
    def test_the_table_of_school_packages(self):
        # school-apis.md §0.2
        for letter, mark in zip("BZDRTUYCJMPHA", "BZZRRRRRRMPHA"):
            self.assertEqual(recount.read_letter(letter), mark)
        for letter in ("|", "L", "W", "G", "null"):
            self.assertIsNone(recount.read_letter(letter))
        self.assertEqual(recount.read_letter("-"), "unresolved")
        self.assertEqual((recount.read_letter("R03"), recount.read_letter("B01")), ("R", "B"))
        for letter in ("O", "Q", "N", "X", "b", "R3", "?", ""):
            self.assertEqual(recount.read_letter(letter), "unknown")


class Path(unittest.TestCase):
    """Two schools; Ann moves from the first to the second and brings a number, Bo has no national number."""

    def folder(self, at):
        def write(name, text):
            with open(os.path.join(at, name), "w", encoding="utf-8", newline="") as file:
                file.write(text)

        schools = [{"institutionNumber": "990001", "daysOff": ["2025-09-05"]}, {"institutionNumber": "990002", "daysOff": []}]
        write("manifest.json", json.dumps({"schoolYear": "2025-2026", "schools": schools}))
        users = {
            "990001": ("sourcedId,role,userIds\r\na1,student,{nationalNumber:12030400213}\r\nb1,student,\r\nt,teacher,\r\n", None),
            "990002": (
                'sourcedId,userIds\r\na2,"{stamnummer:1},{nationalNumber:12030400213}"\r\n',
                "sourcedId,userSourcedId,role\r\nx,a2,student\r\n",
            ),
        }
        for school, (text, roles) in users.items():
            os.mkdir(os.path.join(at, school))
            with zipfile.ZipFile(os.path.join(at, school, "roster.zip"), "w") as archive:
                archive.writestr("users.csv", text)
                archive.writestr("demographics.csv", "sourcedId,birthDate\r\na1,2012-03-04\r\na2,2012-03-04\r\n")
                if roles:
                    archive.writestr("roles.csv", roles)
        first = ["a1,2025-09-01,AM,B", "a1,2025-09-02,AM,B", "a1,2025-09-04,AM,B01", "a1,2025-09-05,AM,B", "b1,2025-09-02,PM,-"]
        write("990001/absences.csv", "\r\n".join(["pupil,date,part,code"] + first) + "\r\n")
        write("990001/absences-0001.csv", "pupil,date,part,code\r\na1,2025-09-02,AM,deleted\r\nb1,2025-09-02,PM,B\r\n")
        # The second school's own 5 September is a lesson day.
        write("990002/absences.csv", "pupil,date,part,code\r\na2,2026-01-05,VM,B\r\na2,2026-01-06,NM,B\r\n")
        write("990002/carried-in.csv", "pupil,halfDays,begins,former\r\na2,3,2026-01-05,990001\r\n")

    def test_by_hand(self):
        with tempfile.TemporaryDirectory() as at:
            self.folder(at)
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recount.py")
            run = subprocess.run([sys.executable, script, "path", at], capture_output=True, text=True, check=True)
        answers = {(line["school"], line["pupil"]): line for line in map(json.loads, run.stdout.splitlines())}
        self.assertEqual(len(answers), 3)
        # Two dated at the first school (one deleted, one on a day off), two at the second, and one of
        # the three carried in is not among the dated.
        for key in (("990001", "a1"), ("990002", "a2")):
            self.assertEqual((answers[key]["count"], answers[key]["carried"]), (5, 1))
            self.assertEqual(answers[key]["signals"], ["truancy.5"])
            self.assertEqual(answers[key]["reached"]["5"], "2026-01-06")
        self.assertEqual((answers["990001", "b1"]["count"], answers["990001", "b1"]["pending"]), (1, 0))


class Lines(unittest.TestCase):
    def test_a_line_in_a_line_out(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recount.py")
        text = json.dumps(pupil(FIVE)) + "\n" + json.dumps(pupil([], id="q")) + "\n"
        run = subprocess.run([sys.executable, script], input=text, capture_output=True, text=True, check=True)
        first, second = map(json.loads, run.stdout.splitlines())
        self.assertEqual((first["id"], first["count"], second["id"], second["count"]), ("p", 5, "q", 0))


if __name__ == "__main__":
    unittest.main()
