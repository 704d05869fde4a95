"""Prints what registers a generated region: its CLBs, its schools and how their files are read, who signs, and what was agreed.

    register.py MANIFEST [ISSUER SUBJECT]

ISSUER and SUBJECT are the worker of the CLB of load.json beside the manifest.
"""
import json
import os
import sys

manifest = json.load(open(sys.argv[1]))
issuer, subject = (sys.argv[2:] + ["https://issuer.example", "worker"])[:2]
asking = json.load(open(os.path.join(os.path.dirname(sys.argv[1]), "load.json")))["clb"]


def section(kind, **keys):
    print(f"[[{kind}]]")
    for key, value in keys.items():
        print(f"{key} = {value if isinstance(value, Raw) else json.dumps(value)}")


class Raw(str):
    """What is written as it is."""


def who(subject):
    return Raw(f'{{ issuer = "{issuer}", subject = "{subject}" }}')


# All categories but the national number: the questions ask for codes and the language at home too.
categories = "identity birth address contact enrolment truancy attendance language".split()
for clb in manifest["clbs"]:
    number = clb["institutionNumber"]
    section("clb", institution_number=number, name=clb["name"])
    section("principal", issuer=issuer, subject=f"director-{number}", role="clb_director", clb=number)
section("principal", issuer=issuer, subject=subject, role="clb_worker", clb=asking, discipline="social_worker")
for school in manifest["schools"]:
    number = school["institutionNumber"]
    section("school", institution_number=number, name=school["name"], city=school["city"])
    section("source", school=number, name="files", letters="school")
    print('[source.absences.csv]\nkey = "sourcedId"')
    section("principal", issuer=issuer, subject=f"manager-{number}", role="school_data_manager", school=number)
    section(
        "agreement",
        school=number,
        clb=school["clb"],
        categories=categories,
        ground="measurement",
        begins_on=Raw("2025-09-01"),
        signed_for_school=who(f"manager-{number}"),
        signed_for_clb=who(f"director-{school['clb']}"),
    )
