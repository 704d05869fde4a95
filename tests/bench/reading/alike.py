"""Asks the hub for what is another's and for what nobody has, in turns, and compares how long the two take (R11, R59).

    alike.py WORK [--asks N]

WORK is the folder that `run` made. Prints a line per root: the medians, and how far they lie apart. Ends with 1 when the
answers differ by a byte, or the medians by more than 5 %.
"""
import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import time
import urllib.parse
import uuid

ROOTS = {
    "pupil": ("pup", "query Q($id:ID!){pupil(id:$id){id givenName currentEnrolment{school{name}}}}"),
    "node, a pupil": ("pup", "query Q($id:ID!){node(id:$id){id}}"),
    "node, a class": ("cls", "query Q($id:ID!){node(id:$id){... on ClassGroup{name members(first:9){edges{node{begins}}}}}}"),
    "signal": ("sig", "query Q($id:ID!){signal(id:$id){id count pupil{givenName}}}"),
}
APART = 0.05


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--asks", type=int, default=3000)
    options = parser.parse_args()
    setup = json.load(open(f"{options.work}/servers.json"))
    viewer = json.load(open(f"{options.work}/region/load.json"))["clb"]

    def sql(query):
        command = ["psql", "-XAtq", setup["database"], "-c", query]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    own = f"(select id from clb where institution_number = '{viewer}')"
    foreign = {
        "pup": f"select p.id from pupil p where not exists (select 1 from competence c where c.pupil_id = p.id and c.clb_id = {own})",
        "cls": f"select c.id from class_group c where not exists (select 1 from agreement a where a.school_id = c.school_id and a.clb_id = {own})",
        "sig": f"select s.id from signal s where not exists (select 1 from competence c where c.pupil_id = s.pupil_id and c.clb_id = {own})",
    }
    dice = random.Random(59)
    url = urllib.parse.urlsplit(setup["hub"]["url"])
    connection = http.client.HTTPConnection(url.hostname, url.port)
    headers = {"content-type": "application/json", **setup["hub"]["headers"]}

    def ask(query, one):
        sent = json.dumps({"query": query, "variables": {"id": one}})
        begin = time.perf_counter()
        connection.request("POST", url.path, sent, headers)
        told = connection.getresponse().read()
        return time.perf_counter() - begin, told

    worst = 0.0
    for root, (prefix, query) in ROOTS.items():
        others = [f"{prefix}_{one.replace('-', '')}" for one in sql(f"{foreign[prefix]} order by 1 limit 5000")]
        if not others:
            print(f"{root:14} not asked: the region holds none that is another's", flush=True)
            continue
        times = {"foreign": [], "unknown": []}
        answers = set()
        for turn in range(options.asks):
            pair = [("foreign", dice.choice(others)), ("unknown", f"{prefix}_{uuid.UUID(int=dice.getrandbits(128)).hex}")]
            # Who goes first changes.
            for which, one in pair if turn % 2 == 0 else reversed(pair):
                took, told = ask(query, one)
                answers.add(told)
                times[which].append(took)
        if len(answers) != 1:
            sys.exit(f"{root}: the answers differ")
        foreign_ms, unknown_ms = (1e3 * statistics.median(times[which]) for which in ("foreign", "unknown"))
        apart = abs(foreign_ms / unknown_ms - 1)
        worst = max(worst, apart)
        print(f"{root:14} foreign {foreign_ms:.3f} ms, unknown {unknown_ms:.3f} ms: {100 * apart:.1f} % apart", flush=True)
    if worst > APART:
        sys.exit(f"more than {100 * APART:.0f} % apart")


main()
