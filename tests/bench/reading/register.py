"""Prints the SQL that registers a generated region: its CLBs, schools, sources and agreements, and the worker who asks.

    register.py FOLDER ISSUER SUBJECT | psql …
"""
import json
import sys

folder, issuer, subject = sys.argv[1:]
manifest = json.load(open(f"{folder}/manifest.json"))
asking = json.load(open(f"{folder}/load.json"))["clb"]


def text(value):
    return "'" + value.replace("'", "''") + "'"


print("begin;")
for clb in manifest["clbs"]:
    print(f"insert into clb values (gen_random_uuid(), {text(clb['institutionNumber'])}, {text(clb['name'])});")
for school in manifest["schools"]:
    number = text(school["institutionNumber"])
    print(
        f"insert into school values (gen_random_uuid(), {number}, {text(school['name'])}, {text(school['city'])},"
        f" {text(json.dumps(school['daysOff']))});"
    )
    print(
        "insert into source select gen_random_uuid(), id, 'files', 'school', '{}', '{}' from school"
        f" where institution_number = {number};"
    )
    # All categories but the national number: the questions ask for codes and the language at home too.
    print(
        "insert into agreement (id, school_id, clb_id, state, categories, ground, begins_on, school_first_days, proposed_for,"
        " proposed_at, decided_at, version) select gen_random_uuid(), s.id, c.id, 'accepted', 255, 'measurement', '2025-09-01',"
        f" 0, 'school', now(), now(), 1 from school s, clb c where s.institution_number = {number}"
        f" and c.institution_number = {text(school['clb'])};"
    )
print(
    "insert into principal (id, issuer, subject, role, clb_id, discipline, begins_at)"
    f" select gen_random_uuid(), {text(issuer)}, {text(subject)}, 'clb_worker', id, 'social_worker', now() from clb"
    f" where institution_number = {text(asking)};"
)
print("commit;")
