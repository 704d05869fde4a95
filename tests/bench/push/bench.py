"""Registers some schools with software, lets it push, and measures.

    bench.py register ISSUER SCHOOLS FILE      writes what registers them; prints the subjects that need a token
    bench.py measure HOST WORK SCHOOLS [--pupils N] [--half-days N] [--senders N] [--alerts N] [--alone]

Files of WORK/region are imported all the while, over and over again, each time with other letters; with --alone they are
not. HUB is the binary that imports. Prints the figures and writes WORK/push.json. Ends with 1 when a record is not accepted, a signal
or an event does not come, or it is slower than was agreed: 5,000 half-days a second, 50 ms until a signal is read, 100 ms until
its event is at a subscriber (99th percentiles).
"""
import argparse
import datetime
import http.client
import json
import multiprocessing
import os
import queue
import subprocess
import sys
import threading
import time

import front

CLB = "114711"
CATEGORIES = "identity birth address contact enrolment truancy attendance".split()
SUBMIT_ROSTER = """mutation($input: SubmitRosterInput!) { submitRoster(input: $input) { __typename
    ... on Delivered { runState } ... on Invalid { field } ... on NotPossible { reason } } }"""
SUBMIT_ABSENCES = """mutation($input: SubmitAbsencesInput!) { submitAbsences(input: $input) { __typename
    ... on Delivered { results { outcome } } ... on Invalid { field } ... on NotPossible { reason }
    ... on TryLater { retryAfterSeconds } } }"""


def number(place):
    return f"{200_000 + place}"


def register(issuer, schools, file):
    subjects = ["worker", "director"]
    out = [f'[[clb]]\ninstitution_number = "{CLB}"\nname = "CLB"']

    def principal(subject, role, **of):
        keys = {"issuer": issuer, "subject": subject, "role": role, **of}
        out.append("[[principal]]\n" + "\n".join(f'{key} = "{value}"' for key, value in keys.items()))

    principal("director", "clb_director", clb=CLB)
    principal("worker", "clb_worker", clb=CLB, discipline="social_worker")
    for place in range(int(schools)):
        school = number(place)
        out.append(f'[[school]]\ninstitution_number = "{school}"\nname = "School"\ncity = "Gemeente"')
        out.append(f'[[source]]\nschool = "{school}"\nname = "push"\nletters = "discimus"')
        principal(f"manager-{school}", "school_data_manager", school=school)
        principal(f"client-{school}", "school_client", school=school)
        subjects += [f"manager-{school}", f"client-{school}"]
        out.append(
            f'[[agreement]]\nschool = "{school}"\nclb = "{CLB}"\ncategories = {json.dumps(CATEGORIES)}\n'
            f'ground = "measurement"\nbegins_on = 2020-09-01\n'
            f'signed_for_school = {{ issuer = "{issuer}", subject = "manager-{school}" }}\n'
            f'signed_for_clb = {{ issuer = "{issuer}", subject = "director" }}'
        )
    with open(file, "w") as to:
        to.write("\n".join(out) + "\n")
    print(" ".join(subjects))


class Hub:
    """One who asks, over a connection of its own."""

    def __init__(self, host, token):
        self.connection = http.client.HTTPConnection(host, timeout=60)
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def post(self, body):
        self.connection.request("POST", "/graphql", body, self.headers)
        answer = json.loads(self.connection.getresponse().read())
        if answer.get("errors"):
            raise RuntimeError(answer["errors"])
        return answer["data"]

    def ask(self, query, **variables):
        return self.post(body(query, **variables))


def body(query, **variables):
    return json.dumps({"query": query, "variables": variables}).encode()


def school_year():
    """The first Monday from 7 September on of the running school year: five half-days follow that are lessons."""
    today = datetime.date.today()
    day = datetime.date(today.year if today.month >= 9 else today.year - 1, 9, 7)
    return day + datetime.timedelta(days=-day.weekday() % 7)


def half_days(count):
    """Half-days on Mondays, Tuesdays, Thursdays and Fridays."""
    day, found = school_year(), []
    while len(found) < count:
        if day.weekday() in (0, 1, 3, 4):
            found += [(day.isoformat(), "AM"), (day.isoformat(), "PM")]
        day += datetime.timedelta(days=1)
    return found[:count]


def set_up(host, tokens, school, pupils):
    manager = Hub(host, tokens[f"manager-{school}"])
    found = manager.ask("{ clients(first: 1) { edges { node { id } } } sources(first: 1) { edges { node { id } } } }")
    grant = {
        "client": found["clients"]["edges"][0]["node"]["id"],
        "source": found["sources"]["edges"][0]["node"]["id"],
        "tasks": ["ROSTER", "ABSENCES", "READING"],
    }
    issue = "mutation($input: IssueClientGrantInput!) { issueClientGrant(input: $input) { __typename } }"
    assert manager.ask(issue, input=grant)["issueClientGrant"]["__typename"] == "ClientGrantDecided"
    client = Hub(host, tokens[f"client-{school}"])
    birth = f"{school_year().year - 13}-05-01"
    rows = [{"key": f"p{at}", "givenName": "Test", "familyName": f"Leerling {at}", "birthDate": birth} for at in range(pupils)]
    for at in range(0, pupils, 500):
        call = {
            "idempotencyKey": f"roster-{at}",
            "institutionNumber": school,
            "mode": "CHANGES",
            "referenceDate": datetime.date.today().isoformat(),
            "pupils": rows[at : at + 500],
        }
        answer = client.ask(SUBMIT_ROSTER, input=call)["submitRoster"]
        assert answer.get("runState") == "DONE", answer


# One pupil in so many plays truant.
TRUANTS = 10


def calls(school, pupils, days):
    """The calls of a school, day by day, 100 records each; all half-days of every tenth pupil are B."""
    rows = [
        {"pupil": f"p{pupil}", "day": day, "part": part, "code": "B" if pupil % TRUANTS == 0 else "Z"}
        for day, part in days
        for pupil in range(pupils)
    ]
    for at in range(0, len(rows), 100):
        call = {"idempotencyKey": f"absences-{at}", "institutionNumber": school, "absences": rows[at : at + 100]}
        yield len(call["absences"]), body(SUBMIT_ABSENCES, input=call)


def send(host, tokens, schools, pupils, days, ready, go, told):
    """Sends the calls of these schools in turn, as quickly as they are answered."""
    senders = [(Hub(host, tokens[f"client-{school}"]), list(calls(school, pupils, days))) for school in schools]
    turns = [(hub, call) for turn in zip(*(zip([hub] * len(all_), all_) for hub, all_ in senders)) for hub, call in turn]
    ready.release()
    go.wait()
    sent, took = 0, []
    for hub, (count, call) in turns:
        begin = time.monotonic()
        while True:
            answer = hub.post(call)["submitAbsences"]
            if answer["__typename"] != "TryLater":
                break
            time.sleep(answer["retryAfterSeconds"])
        took.append(time.monotonic() - begin)
        outcomes = {one["outcome"] for one in answer["results"]}
        if outcomes != {"ACCEPTED"}:
            raise RuntimeError(f"not accepted: {outcomes}")
        sent += count
    told.put((sent, took))


class Importing:
    """An import that goes on beside: of the half-days of one school, with other letters each time, so that rows change."""

    def __init__(self, work):
        region = f"{work}/region"
        self.school = json.load(open(f"{region}/manifest.json"))["schools"][0]["institutionNumber"]
        folder = f"{region}/{self.school}"
        self.files = [f"{folder}/absences.csv", f"{work}/other.csv"]
        with open(self.files[0]) as source, open(self.files[1], "w") as to:
            for line in source:
                to.write(line.replace(",Z", ",*").replace(",D", ",Z").replace(",*", ",D"))
        self.command = [os.environ["HUB"], "--config", f"{work}/clb-hub.toml", "import"]
        subprocess.run([*self.command, f"{folder}/roster.zip", "--school", self.school], check=True, capture_output=True)
        self.took, self.over, self.failed = [], threading.Event(), None

    def __enter__(self):
        self.thread = threading.Thread(target=self.go_on)
        self.thread.start()
        return self

    def go_on(self):
        while not self.over.is_set():
            file, begin = self.files[len(self.took) % 2], time.monotonic()
            told = subprocess.run([*self.command, file, "--school", self.school], capture_output=True, text=True)
            if told.returncode != 0:
                self.failed = told.stderr
                return
            self.took.append(time.monotonic() - begin)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.failed:
            sys.exit(f"the import beside failed: {self.failed}")


def percentile(of, share):
    return sorted(of)[min(len(of) - 1, int(len(of) * share))] * 1000


def throughput(host, tokens, schools, options):
    days = half_days(options.half_days)
    ready, go, told = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    shares = [schools[at :: options.senders] for at in range(options.senders)]
    senders = [
        multiprocessing.Process(target=send, args=(host, tokens, share, options.pupils, days, ready, go, told))
        for share in shares
        if share
    ]
    for one in senders:
        one.start()
    for _ in senders:
        ready.acquire()
    begin = time.monotonic()
    go.set()
    answers = [told.get(timeout=600) for _ in senders]
    took = time.monotonic() - begin
    sent = sum(count for count, _ in answers)
    raised = sum(
        Hub(host, tokens[f"client-{school}"]).ask("{ signals(first: 1) { totalCount } }")["signals"]["totalCount"] for school in schools
    )
    truants = len(schools) * len(range(0, options.pupils, TRUANTS))
    if options.half_days >= 5 and raised != truants:
        sys.exit(f"{raised} signals of {truants} pupils with {options.half_days} half-days each")
    calls_took = [one for _, took in answers for one in took]
    return {
        "absences": sent,
        "signals": raised,
        "seconds": round(took, 2),
        "absences_per_second": round(sent / took),
        "call_p50_ms": round(percentile(calls_took, 0.5), 1),
        "call_p99_ms": round(percentile(calls_took, 0.99), 1),
    }


def alerts(host, tokens, school, count):
    """Pupils of their own get four half-days B; then the fifth, one by one."""
    client = Hub(host, tokens[f"client-{school}"])
    birth = f"{school_year().year - 13}-05-01"
    rows = [{"key": f"a{at}", "givenName": "Test", "familyName": f"Alert {at}", "birthDate": birth} for at in range(count)]
    call = {"institutionNumber": school, "mode": "CHANGES", "referenceDate": datetime.date.today().isoformat()}
    client.ask(SUBMIT_ROSTER, input={**call, "idempotencyKey": "alerts", "pupils": rows})
    days = half_days(5)

    def say(name, rows):
        said = {"idempotencyKey": name, "institutionNumber": school, "absences": rows}
        answer = client.ask(SUBMIT_ABSENCES, input=said)["submitAbsences"]
        assert {one["outcome"] for one in answer["results"]} == {"ACCEPTED"}, answer

    def b(at, half_day):
        return {"pupil": f"a{at}", "day": half_day[0], "part": half_day[1], "code": "B"}

    for at in range(count):
        say(f"four-{at}", [b(at, half_day) for half_day in days[:4]])
    events = queue.Queue()
    threading.Thread(target=front.Follower(host, tokens["worker"]).follow, args=(events,), daemon=True).start()
    assert events.get(timeout=30)[1] is None
    read, heard = [], []
    for at in range(count):
        begin = time.monotonic()
        say(f"fifth-{at}", [b(at, days[4])])
        signals = client.ask("query($key: String!) { pupil(bySourceKey: $key) { signals { state } } }", key=f"a{at}")
        read.append(time.monotonic() - begin)
        assert signals["pupil"]["signals"] == [{"state": "RAISED"}], signals
        while True:
            arrived, kind = events.get(timeout=30)
            if kind == "RAISED":
                break
        heard.append(arrived - begin)
    return {
        "alerts": count,
        "submitted_to_read_p50_ms": round(percentile(read, 0.5), 1),
        "submitted_to_read_p99_ms": round(percentile(read, 0.99), 1),
        "submitted_to_event_p50_ms": round(percentile(heard, 0.5), 1),
        "submitted_to_event_p99_ms": round(percentile(heard, 0.99), 1),
    }


def figures_of(host, tokens, schools, options):
    figures = throughput(host, tokens, schools, options)
    print(
        "submitAbsences, 100 records a call, {absences} half-days and {signals} signals in {seconds} s: {absences_per_second:,} a second; "
        "a call p50 {call_p50_ms} ms, p99 {call_p99_ms} ms".format(**figures),
        flush=True,
    )
    figures |= alerts(host, tokens, schools[0], options.alerts)
    print(
        "{alerts} signals, from the fifth half-day submitted until it is read: p50 {submitted_to_read_p50_ms} ms, "
        "p99 {submitted_to_read_p99_ms} ms; until its event is at a subscriber: p50 {submitted_to_event_p50_ms} ms, "
        "p99 {submitted_to_event_p99_ms} ms".format(**figures),
        flush=True,
    )
    return figures


def measure(host, work, schools, rest):
    parser = argparse.ArgumentParser()
    parser.add_argument("--pupils", type=int, default=500)
    parser.add_argument("--half-days", type=int, default=20)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--alerts", type=int, default=400)
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args(rest)
    tokens = json.load(open(f"{work}/tokens.json"))
    schools = [number(place) for place in range(int(schools))]
    for school in schools:
        set_up(host, tokens, school, options.pupils)
    if options.alone:
        figures = figures_of(host, tokens, schools, options)
    else:
        with Importing(work) as beside:
            figures = figures_of(host, tokens, schools, options)
        figures["imports_beside_seconds"] = [round(one, 1) for one in beside.took]
        print("beside it imports ran, of {} s".format(", ".join(f"{one:.1f}" for one in beside.took)), flush=True)
    with open(f"{work}/push.json", "w") as to:
        json.dump(figures, to, indent=1)
    bounds = [("submitted_to_read_p99_ms", 50), ("submitted_to_event_p99_ms", 100)]
    missed = [f"{what}: {figures[what]}" for what, most in bounds if figures[what] > most]
    if figures["absences_per_second"] < 5_000:
        missed.append(f"absences_per_second: {figures['absences_per_second']}")
    if missed:
        sys.exit("MISSED: " + "; ".join(missed))


if __name__ == "__main__":
    if sys.argv[1] == "register":
        register(*sys.argv[2:])
    else:
        measure(*sys.argv[2:5], sys.argv[5:])
