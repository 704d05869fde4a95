"""Asks the hub and the peer the same four questions: first whether both tell the same facts, then how fast.

    bench.py WORK [--rounds N] [--secs N] [--connections N] [--questions q1,q2,q3,q4] [--sample N]

WORK is the folder that `run` made: `servers.json` says where everything is, `region/load.json` what is asked for.
Prints a table and writes WORK/reading.json. Ends with 1 when an answer differs, a request fails, or the hub is slower or larger
than was agreed: at least the peer's requests and at most its 99th percentile in the first two questions, 0.8 of its requests in
the others, 60 MB.
"""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
import urllib.request

HUB = {
    "q1": """query Q1($id:ID!){pupil(id:$id){id givenName familyName birthDate sex address{city} language
      currentEnrolment{id schoolYear begins ends school{id name city}}}}""",
    "q2": """query Q2($id:ID!){node(id:$id){... on ClassGroup{id name grade members(first:50){edges{node{begins pupil{id givenName familyName
      birthDate enrolments{schoolYear begins ends school{name}} absenceCounts(schoolYear:"2025-2026"){code n}}}}}}}}""",
    "q3": """query Q3($after:String){pupils(first:100,after:$after,filter:{truancyCountAtLeast:5,schoolYear:"2025-2026"},
      orderBy:TRUANCY_COUNT){edges{node{id givenName familyName birthDate truancy(schoolYear:"2025-2026"){count reached5 reached30}
      currentEnrolment{school{id name}}}}}}""",
    "q4": """query Q4($id:ID!){pupil(id:$id){id givenName familyName absences(first:200,schoolYear:"2025-2026"){edges{node{day part code
      schoolId}}}}}""",
}
PEER = {
    "q1": """query Q1($id:Int!){pupil(id:$id){id firstName lastName birthDate gender city homeLanguage
      currentEnrolment{id schoolYear startDate endDate school{id name city}}}}""",
    "q2": """query Q2($id:Int!){classGroup(id:$id){id name grade members(first:50){startDate pupil{id firstName lastName
      birthDate enrolments{schoolYear startDate endDate school{name}} absenceCounts{code n}}}}}""",
    "q3": """query Q3($offset:Int!){truancyPage(minB:5,first:100,offset:$offset){bCount crossed5 crossed30
      pupil{id firstName lastName birthDate currentSchool{id name}}}}""",
    "q4": """query Q4($id:Int!){pupil(id:$id){id firstName lastName absences(first:200){day half code schoolId}}}""",
}
# The next page of the third question, for its cursors.
NEXT = """query Next($after:String){pupils(first:100,after:$after,filter:{truancyCountAtLeast:5,schoolYear:"2025-2026"},
  orderBy:TRUANCY_COUNT){pageInfo{hasNextPage endCursor}}}"""
LUA = """local bodies = {}
for line in io.lines("%(bodies)s") do bodies[#bodies + 1] = line end
local headers = { ["content-type"] = "application/json" }
for line in io.lines("%(headers)s") do
  local name, value = line:match("^(%%S+) (.*)$")
  headers[name] = value
end
local at = 0
request = function()
  at = at %% #bodies + 1
  return wrk.format("POST", "/graphql", headers, bodies[at])
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), summary.bytes, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def post(server, body):
    request = urllib.request.Request(server["url"], body.encode(), {"content-type": "application/json", **server["headers"]})
    answer = json.load(urllib.request.urlopen(request))
    if "errors" in answer:
        sys.exit(f"{server['name']} refuses: {answer['errors']}")
    return answer["data"]


def body(query, **variables):
    return json.dumps({"query": re.sub(r"\s+", " ", query), "variables": variables})


class Facts:
    """Answers of both, in one form: ids are those of the peer, lists without an order of their own are sorted."""

    def __init__(self, ids):
        self.ids = ids

    def hub(self, q, data):
        ids = self.ids
        if q == "q1":
            one, now = data["pupil"], data["pupil"]["currentEnrolment"]
            school = now["school"]
            return [ids[one["id"]], one["givenName"], one["familyName"], one["birthDate"], one["sex"], (one["address"] or {}).get("city"),
                    one["language"],
                    ids[now["id"]], now["schoolYear"][:4], now["begins"], now["ends"], ids[school["id"]], school["name"], school["city"]]
        if q == "q2":
            one = data["node"]
            return [ids[one["id"]], one["name"], one["grade"], [
                [place["begins"], ids[pupil["id"]], pupil["givenName"], pupil["familyName"], pupil["birthDate"],
                 sorted([e["schoolYear"][:4], e["begins"], e["ends"], e["school"]["name"]] for e in pupil["enrolments"]),
                 sorted([count["code"], count["n"]] for count in pupil["absenceCounts"])]
                for place in (edge["node"] for edge in one["members"]["edges"]) for pupil in [place["pupil"]]]]
        if q == "q3":
            return [[t["count"], t["reached5"], t["reached30"], ids[p["id"]], p["givenName"], p["familyName"], p["birthDate"], ids[s["id"]], s["name"]]
                    for p in (edge["node"] for edge in data["pupils"]["edges"]) for t, s in [(p["truancy"], p["currentEnrolment"]["school"])]]
        one = data["pupil"]
        return [ids[one["id"]], one["givenName"], one["familyName"],
                [[a["day"], a["part"], a["code"], ids[a["schoolId"]]] for a in (edge["node"] for edge in one["absences"]["edges"])]]

    @staticmethod
    def peer(q, data):
        if q == "q1":
            one, now = data["pupil"], data["pupil"]["currentEnrolment"]
            school = now["school"]
            return [one["id"], one["firstName"], one["lastName"], one["birthDate"], one["gender"], one["city"], one["homeLanguage"],
                    now["id"], str(now["schoolYear"]), now["startDate"], now["endDate"], school["id"], school["name"], school["city"]]
        if q == "q2":
            one = data["classGroup"]
            return [one["id"], one["name"], one["grade"], [
                [place["startDate"], pupil["id"], pupil["firstName"], pupil["lastName"], pupil["birthDate"],
                 sorted([str(e["schoolYear"]), e["startDate"], e["endDate"], e["school"]["name"]] for e in pupil["enrolments"]),
                 sorted([count["code"], count["n"]] for count in pupil["absenceCounts"])]
                for place in one["members"] for pupil in [place["pupil"]]]]
        if q == "q3":
            return [[t["bCount"], t["crossed5"], t["crossed30"], p["id"], p["firstName"], p["lastName"], p["birthDate"], s["id"], s["name"]]
                    for t in data["truancyPage"] for p in [t["pupil"]] for s in [p["currentSchool"]]]
        one = data["pupil"]
        return [one["id"], one["firstName"], one["lastName"], [[a["day"], a["half"], a["code"], a["schoolId"]] for a in one["absences"]]]


def gid(prefix, uuid):
    return f"{prefix}_{uuid.replace('-', '')}"


def known(sql):
    """Which id of the hub is which id of the peer."""
    query = " union all ".join(
        f"select '{prefix}', hub, id from peer.{table}"
        for prefix, table in [("pup", "pupil"), ("cls", "class_group"), ("sch", "school"), ("enr", "enrolment")]
    )
    return {gid(prefix, uuid): int(number) for prefix, uuid, number in sql(query)}


def questions(work, sql, hub, ids):
    """Pairs of bodies, hub and peer, that ask for the same, per question."""
    load = json.load(open(f"{work}/region/load.json"))
    records = {key: gid("pup", uuid) for key, uuid in sql("select source_key, pupil_id from record")}
    classes = {key: gid("cls", uuid) for key, uuid in sql("select source_key, id from class_group")}
    dice = random.Random(2025)

    def some(keys, of, count):
        return dice.sample([of[key] for key in keys], min(count, len(keys)))

    pairs = {
        "q1": [(body(HUB["q1"], id=one), body(PEER["q1"], id=ids[one])) for one in some(load["pupils"], records, 2000)],
        "q2": [(body(HUB["q2"], id=one), body(PEER["q2"], id=ids[one])) for one in some(load["classes"], classes, 200)],
        "q4": [(body(HUB["q4"], id=one), body(PEER["q4"], id=ids[one])) for one in some(load["pupilsWith200"], records, 100)],
        "q3": [],
    }
    after = None
    for page in range(9):
        pairs["q3"].append((body(HUB["q3"], after=after), body(PEER["q3"], offset=100 * page)))
        info = post(hub, body(NEXT, after=after))["pupils"]["pageInfo"]
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    dice.shuffle(pairs["q3"])
    return pairs


def check(facts, hub, peer, pairs, sample):
    for q, all_pairs in sorted(pairs.items()):
        size = [0, 0]
        for ours, theirs in all_pairs[:sample]:
            one, other = post(hub, ours), post(peer, theirs)
            size = [size[0] + len(json.dumps(one)), size[1] + len(json.dumps(other))]
            left, right = facts.hub(q, one), facts.peer(q, other)
            if left != right:
                sys.exit(f"{q}: the answers differ\n  asked {ours}\n  hub  {left}\n  peer {right}")
        count = min(sample, len(all_pairs))
        print(f"{q}: {count} answers of both tell the same facts ({size[0] // count} and {size[1] // count} bytes)", flush=True)


TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICK, (int(fields[13]) + int(fields[14])) / TICK


def cpu_of_database(postmaster):
    while True:
        _, own, reaped = cpu(postmaster)
        total = own + reaped
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                parent, used, _ = cpu(pid)
                total += used if parent == postmaster else 0
            except (FileNotFoundError, ProcessLookupError):
                pass
        # Once more when a backend was reaped in between: its time would count twice or not at all.
        if cpu(postmaster)[2] == reaped:
            return total


def busy():
    fields = list(map(int, open("/proc/stat").readline().split()[1:]))
    return (sum(fields[:3]) + sum(fields[5:7])) / TICK


def rss(pid):
    return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def load(server, script, connections, secs):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{secs}s", "--timeout", "10s", "-s", script, server["url"]]
    told = subprocess.run(command, capture_output=True, text=True).stdout
    numbers = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", told)
    return [int(number) for number in numbers.groups()]


def measure(server, script, postmaster, options):
    load(server, script, options.connections, 1)
    begin, others = time.time(), busy()
    used, database = cpu(server["pid"])[1], cpu_of_database(postmaster)
    count, micros, p50, p99, size, failed = load(server, script, options.connections, options.secs)
    used, database = cpu(server["pid"])[1] - used, cpu_of_database(postmaster) - database
    others = (busy() - others - used - database) / (time.time() - begin)
    return {"rps": count / micros * 1e6, "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3, "bytes": size / max(count, 1), "failed": failed,
            "server_ms": 1e3 * used / count, "database_ms": 1e3 * database / count, "rss_mb": rss(server["pid"]), "other_cpus": others}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--sample", type=int, default=50)
    parser.add_argument("--questions", default="q1,q2,q3,q4")
    options = parser.parse_args()
    setup = json.load(open(f"{options.work}/servers.json"))
    hub, peer = setup["hub"], setup["peer"]

    def sql(query):
        command = ["psql", "-XAtq", "-F", "\t", setup["database"], "-c", query]
        return [line.split("\t") for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]

    ids = known(sql)
    pairs = questions(options.work, sql, hub, ids)
    pairs = {q: of for q, of in pairs.items() if q in options.questions.split(",")}
    check(Facts(ids), hub, peer, pairs, options.sample)

    scripts = {}
    for place, server in enumerate([hub, peer]):
        with open(f"{options.work}/{server['name']}.headers", "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in server["headers"].items())
        for q, of in pairs.items():
            stem = f"{options.work}/{server['name']}.{q}"
            with open(f"{stem}.bodies", "w") as file:
                file.writelines(pair[place] + "\n" for pair in of)
            with open(f"{stem}.lua", "w") as file:
                file.write(LUA % {"bodies": f"{stem}.bodies", "headers": f"{options.work}/{server['name']}.headers"})
            scripts[server["name"], q] = f"{stem}.lua"

    rows = []
    for turn in range(options.rounds):
        for q in sorted(pairs):
            # Who goes first changes: whatever drifts on the machine meets both.
            for server in [hub, peer] if turn % 2 == 0 else [peer, hub]:
                row = measure(server, scripts[server["name"], q], setup["postmaster"], options)
                rows.append({"round": turn, "question": q, "server": server["name"], **row})
    with open(f"{options.work}/reading.json", "w") as file:
        json.dump({"about": setup["about"], "connections": options.connections, "seconds": options.secs, "rows": rows}, file, indent=1)

    columns = ["rps", "p50_ms", "p99_ms", "server_ms", "database_ms", "rss_mb", "bytes", "other_cpus"]
    print(f"{'':4} {'':10}" + "".join(f"{column:>13}" for column in columns) + f"{'rps to peer':>13}{'p99 to peer':>13}")
    missed = []
    for q in sorted(pairs):
        of = {name: [row for row in rows if (row["question"], row["server"]) == (q, name)] for name in (hub["name"], peer["name"])}
        # Within a round, so that drift of the machine cancels out.
        ratio, tail = (statistics.median(ours[what] / theirs[what] for ours, theirs in zip(*of.values())) for what in ("rps", "p99_ms"))
        small = max(row["rss_mb"] for row in of[hub["name"]])
        if ratio < (1 if q in ("q1", "q2") else 0.8) or (q in ("q1", "q2") and tail > 1) or small > 60:
            missed.append(f"{q}: {ratio:.2f} times the requests, {tail:.2f} times the 99th percentile, {small:.0f} MB")
        for name, some in of.items():
            told = "".join(f"{statistics.median(row[column] for row in some):13.2f}" for column in columns)
            print(f"{q:4} {name:10}{told}" + (f"{ratio:13.2f}{tail:13.2f}" if name == hub["name"] else ""))
    failed = sum(row["failed"] for row in rows)
    if failed:
        sys.exit(f"{failed} requests failed")
    if missed:
        sys.exit("MISSED: " + "; ".join(missed))


main()
