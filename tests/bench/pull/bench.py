"""Pulls the region that is served, and measures.

    bench.py WORK [--sick N] [--rounds N] [--by-hand]

HUB is the binary, DATABASE its PostgreSQL. Prints the figures and writes WORK/pull.json. Ends with 1 when a pull fails that
should not, when what was pulled is not what there is, or when the whole region takes longer or more than was agreed.
"""
import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
import urllib.request

HUB, DATABASE = os.environ["HUB"], os.environ["DATABASE"]
PATIENCE = 900


def ask(query):
    told = subprocess.run(["psql", "-XAtqc", query, DATABASE], check=True, capture_output=True, text=True)
    return told.stdout.strip()


def number(query):
    return int(ask(query))


def sync(work, *options):
    """Seconds, megabytes, and what it told."""
    begin = time.monotonic()
    told = subprocess.run([HUB, "--config", f"{work}/clb-hub.toml", "sync", *options], capture_output=True, text=True)
    took = time.monotonic() - begin
    if told.returncode != 0:
        sys.exit(f"sync {' '.join(options)}: {told.stderr[:2000]}")
    # The most of any child so far: it can only be too much.
    return took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000, told.stdout


# Letters that say nothing of an absence, so that nothing is stored: present, late, work placement, no school (Informat, AGODI:
# school-apis.md, 0.2).
SAY_NOTHING = {"|", "L", "W", "G"}


def must_be(what, found, there):
    if found != there:
        sys.exit(f"{found:,} {what} were pulled of {there:,}")


def pulled(work, there):
    """The three pulls by hand."""
    day = open(f"{work}/ready").readline().strip()
    figures = {}
    took, most, told = sync(work, "--only", "roster")
    pupils = number("select count(*) from record")
    must_be("pupils", pupils, there["pupils"])
    figures["roster"] = {"seconds": round(took, 2), "at_most_mb": round(most), "pupils": pupils}
    print(f"rosters: {pupils:,} pupils in {took:.2f} s, at most {most:.0f} MB", flush=True)

    took, most, told = sync(work, "--only", "absences", "--since", day)
    half_days = number("select count(*) from absence")
    must_be("half-days", half_days, sum(count for letter, count in there["letters"].items() if letter not in SAY_NOTHING))
    figures["day"] = {"seconds": round(took, 2), "at_most_mb": round(most), "half_days": half_days}
    print(f"absences of {day}: {half_days:,} half-days in {took:.2f} s, at most {most:.0f} MB", flush=True)

    runs = number("select count(*) from sync_run")
    took, most, told = sync(work)
    new = sum(int(count) for count in re.findall(r"records, (\d+) of them new", told))
    if new or number("select count(*) from sync_run") != runs:
        sys.exit(f"unchanged, and yet {new} records were new")
    figures["again"] = {"seconds": round(took, 2), "at_most_mb": round(most)}
    print(f"both again, unchanged: {took:.2f} s, at most {most:.0f} MB", flush=True)
    return figures


class Serve:
    """`serve`, which pulls by itself, and is told whose turn it is through the database."""

    def __init__(self, work, sick):
        # Sources of schools that stay well.
        numbers = ask("select institution_number from school order by institution_number").split()
        well = ",".join(f"'{one}'" for one in numbers[sick:])
        self.healthy = f"select source.id from source join school on school.id = school_id where institution_number in ({well})"
        self.streams = number(f"select count(*) from pull where source_id in ({self.healthy})")
        self.control = open(f"{work}/ready").read().split()[1]
        self.log = open(f"{work}/hub.log", "w")
        self.process = subprocess.Popen([HUB, "--config", f"{work}/clb-hub.toml", "serve"], stderr=self.log)
        wanted = number("select count(*) from pull")
        self.until(f"select count(*) from pull_turn having count(*) = {wanted}")

    def until(self, query):
        deadline = time.monotonic() + PATIENCE
        while not ask(query):
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"in vain: {query}; see hub.log")
            time.sleep(0.1)

    def tell(self, what):
        urllib.request.urlopen(f"{self.control}{what}").close()

    def round(self):
        """Everyone's turn: seconds until all who are well have been read."""
        # Who is well and whose turn is under way would be told the next one when it ends, and not be read in this round. The sick
        # are waited for by nobody.
        self.until(
            "select 1 from lease where name in (select 'source/src_' || replace(id::text, '-', '') from source where id in "
            f"({self.healthy})) having coalesce(max(expires_at), 'epoch') < clock_timestamp()"
        )
        time.sleep(0.5)
        begun = ask("update pull_turn set due_at = now(); select clock_timestamp()")
        begin = time.monotonic()
        read = f"select count(*) from pull where pulled_at > '{begun}' and source_id in ({self.healthy})"
        self.until(f"{read} having count(*) = {self.streams}")
        return time.monotonic() - begin

    def memory(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1000

    def end(self):
        self.process.terminate()
        self.process.wait()


def among_the_sick(work, options):
    serve = Serve(work, options.sick)
    try:
        serve.round()
        well = sorted(serve.round() for _ in range(options.rounds))
        serve.tell(f"/sick/{options.sick}")
        first = serve.round()
        # Until all of them are known to be: each has two systems.
        serve.until(f"select 1 from pull_turn where failures > 0 having count(distinct source_id) = {2 * options.sick}")
        after = sorted(serve.round() for _ in range(options.rounds))
        failing = number("select count(distinct source_id) from pull_turn where failures > 0")
        memory = serve.memory()
    finally:
        serve.end()
    middle = lambda times: times[len(times) // 2]
    figures = {
        "well_seconds": [round(one, 2) for one in well],
        "first_with_sick_seconds": round(first, 2),
        "with_sick_seconds": [round(one, 2) for one in after],
        "first_ratio": round(first / middle(well), 2),
        "ratio": round(middle(after) / middle(well), 2),
        "sick_schools": options.sick,
        "sources_failing": failing,
        "serve_at_most_mb": round(memory),
    }
    print(
        "serve, healthy sources read again: {well_seconds} s with all well; {first_with_sick_seconds} s when {sick_schools} "
        "schools fall sick ({first_ratio} times as long), {with_sick_seconds} s afterwards ({ratio} times); "
        "{sources_failing} sources fail; at most {serve_at_most_mb} MB".format(**figures),
        flush=True,
    )
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--sick", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--by-hand", action="store_true", help="without serve among sick sources")
    options = parser.parse_args()
    there = json.loads(open(f"{options.work}/ready").read().splitlines()[2])
    figures = pulled(options.work, there)
    bounds = [("rosters, s", figures["roster"]["seconds"], 60), ("the day, s", figures["day"]["seconds"], 10),
              ("unchanged, s", figures["again"]["seconds"], 15), ("MB", figures["again"]["at_most_mb"], 250)]
    if not options.by_hand:
        figures["sick"] = among_the_sick(options.work, options)
        bounds += [("times as long beside the sick", figures["sick"]["ratio"], 1.2), ("MB of serve", figures["sick"]["serve_at_most_mb"], 250)]
    with open(f"{options.work}/pull.json", "w") as to:
        json.dump(figures, to, indent=1)
    # What was agreed of the whole region.
    missed = [f"{what}: {found} (at most {most})" for what, found, most in bounds if found > most]
    if missed and there["pupils"] == 120_000:
        sys.exit("MISSED: " + "; ".join(missed))


if __name__ == "__main__":
    main()
