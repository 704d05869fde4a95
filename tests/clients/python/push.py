"""School administration software that pushes to a hub: a roster in two parts, half-days of absence, a correction, and
what the school owes the CLB afterwards. Nothing but the standard library; every pupil is made up.

    python3 push.py URL TOKEN INSTITUTION_NUMBER TODAY BIRTH_DATE DAY/PART...

Five half-days; what came of everything is printed as one JSON object.
"""

import json
import sys
import time
import urllib.error
import urllib.request

OUTCOME = """
    __typename
    ... on Delivered { runId runState results { outcome reason droppedCategories } }
    ... on Invalid { field }
    ... on NameTaken { receivedAt }
    ... on NotPossible { reason }
    ... on TryLater { retryAfterSeconds }
"""
SUBMIT_ROSTER = "mutation($input: SubmitRosterInput!) { answer: submitRoster(input: $input) {%s} }" % OUTCOME
SUBMIT_ABSENCES = "mutation($input: SubmitAbsencesInput!) { answer: submitAbsences(input: $input) {%s} }" % OUTCOME
OWED = """query($key: String!) {
    pupil(bySourceKey: $key) { truancy { count } }
    signals(first: 50, filter: { state: RAISED }) {
        edges { node { kind count generation report { at } pupil { familyName } } }
    }
}"""
DELIVERIES = """query($keys: [String!]!) {
    ownDeliveries(first: 50, filter: { keys: $keys }) { edges { node { key outcome reason } } }
}"""


class Hub:
    """A hub, as one school's software sees it."""

    def __init__(self, url, token, institution_number, today):
        self.url, self.token, self.institution_number, self.today = url, token, institution_number, today

    def ask(self, query, **variables):
        request = urllib.request.Request(
            self.url,
            json.dumps({"query": query, "variables": variables}).encode(),
            {
                "authorization": f"Bearer {self.token}",
                "content-type": "application/json",
                "accept": "application/graphql-response+json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as refused:
            answer = json.load(refused)
        if answer.get("errors") or not answer.get("data"):
            raise RuntimeError(answer.get("errors"))
        return answer["data"]

    def submit(self, mutation, name, **said):
        """Makes a call, again under its own name for as long as the hub says so."""
        said |= {"idempotencyKey": name, "institutionNumber": self.institution_number}
        while True:
            answer = self.ask(mutation, input=said)["answer"]
            if answer["__typename"] != "TryLater":
                return answer
            time.sleep(answer["retryAfterSeconds"])

    def roster(self, name, number, closing, **rows):
        part = {"snapshot": "roster", "number": number, "closing": closing}
        return self.submit(SUBMIT_ROSTER, name, mode="SNAPSHOT", referenceDate=self.today, part=part, **rows)

    def absences(self, name, absences):
        return self.submit(SUBMIT_ABSENCES, name, absences=absences)

    def owed(self):
        """What the school owes the CLB: signals that stand and were not reported."""
        found = self.ask(OWED, key="ada")
        signals = [edge["node"] for edge in found["signals"]["edges"]]
        rows = [
            [one["kind"], one["count"], one["generation"], one["pupil"]["familyName"]]
            for one in signals
            if not one["report"]
        ]
        return {"count": found["pupil"]["truancy"]["count"], "signals": rows}


def outcomes(answer):
    if answer["__typename"] != "Delivered":
        raise RuntimeError(answer)
    return [" ".join(filter(None, (one["outcome"], one["reason"]))) for one in answer["results"]]


def absent(pupil, half_day, code):
    day, part = half_day.split("/")
    return {"pupil": pupil, "day": day, "part": part, "code": code}


def main(url, token, institution_number, today, birth_date, *half_days):
    hub = Hub(url, token, institution_number, today)
    limits = hub.ask("{ deliveryLimits { absencesPerCall rosterRowsPerCall } }")["deliveryLimits"]

    def person(key, given_name, family_name):
        return {"key": key, "givenName": given_name, "familyName": family_name, "birthDate": birth_date}

    first = hub.roster(
        "roster-1", 1, False, classes=[{"key": "1A", "name": "1A"}], pupils=[person("ada", "Ada", "Zeger")]
    )
    places = [{"key": "1A/ada", "classKey": "1A", "pupilKey": "ada"}]
    last = hub.roster("roster-2", 2, True, pupils=[person("bo", "Bo", "Claes")], memberships=places)

    latest = half_days[-1]
    absences = [absent("ada", half_day, "B") for half_day in half_days] + [absent("nobody", latest, "B")]
    pushed = hub.absences("absences-1", absences)
    repeated = hub.absences("absences-1", absences)
    owed = [hub.owed()]
    corrected = hub.absences("absences-2", [absent("ada", latest, "Z")])
    owed.append(hub.owed())
    hub.absences("absences-3", [absent("ada", latest, "B")])
    owed.append(hub.owed())
    keys = [f"ada/{latest}", f"nobody/{latest}"]
    deliveries = hub.ask(DELIVERIES, keys=keys)["ownDeliveries"]["edges"]
    told = {
        "limits": limits["absencesPerCall"] >= len(absences),
        "roster": [outcomes(first), outcomes(last)],
        "absences": outcomes(pushed),
        "same": pushed == repeated,
        "corrected": outcomes(corrected),
        "owed": owed,
        "deliveries": [[edge["node"][key] for key in ("key", "outcome", "reason")] for edge in deliveries],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
