#!/usr/bin/env python3
"""Reads a tenant of Smartschool's web services with zeep, a SOAP client that believes the WSDL.

    read.py URL ACCESSCODE DATE

Prints what it found as one object of JSON. It shares nothing with the hub: what it can read, another's client can.
"""

import base64
import json
import sys

import zeep
from lxml import etree


def tree(text):
    """The groups of a tree: code, kind, official or not."""
    root = etree.fromstring(base64.b64decode(text, validate=True))
    groups = root.iter("group")
    return [[group.findtext("code"), group.findtext("type"), group.findtext("isOfficial")] for group in groups]


def main(url, code, date):
    client = zeep.Client(url + "?wsdl")
    call = client.service
    by_number = json.loads(call.getAbsentsWithInternalNumberByDate(code, date))
    found = {
        "methods": len(client.wsdl.bindings["{%s}V3Binding" % url].all()),
        "unique": call.getReferenceField(accesscode=code),
        "codes": sorted(json.loads(call.returnJsonErrorCodes()), key=int),
        "csv": call.returnCsvErrorCodes().splitlines()[0],
        "tree": tree(call.getAllGroupsAndClasses(code)),
        "classes": [one["code"] for one in json.loads(call.getClassListJson(code))],
        "serialized": call.getClassList(code)[:9],
        "year": json.loads(call.getSchoolyearDataOfClass(code, "3LAT"))[0]["schoolyear"],
        "teachers": len(json.loads(call.getClassTeachers(code, False))),
        "accounts": [one["internnummer"] for one in json.loads(call.getAllAccountsExtended(code, "3LAT", "0"))],
        "accounts_xml": etree.fromstring(base64.b64decode(call.getAllAccounts(code, "3LAT", "0"))).xpath("//internnumber/text()"),
        "empty": call.getAllAccountsExtended(code, "3LEEG", "0"),
        "user": json.loads(call.getUserDetails(code, "119940"))["gebruikersnaam"],
        "by_number": json.loads(call.getUserDetailsByNumber(code, "119940"))["gebruikersnaam"],
        "by_name": json.loads(call.getUserDetailsByUsername(code, "canary.een"))["internnummer"],
        "unknown": [call.getUserDetailsByNumber(code, "0"), call.getUserDetailsByUsername(code, "x"), call.getStudentCareer(code, "x")],
        "class": json.loads(call.getUserOfficialClass(code, "119940", date))["name"],
        "career": [row["groupCode"] for row in json.loads(call.getStudentCareer(code, "119940"))],
        "day": by_number["119940"],
        "by_user": json.loads(call.getAbsentsByDate(code, date)) == json.loads(call.getAbsentsWithUsernameByDate(code, date)),
        "names": sorted(json.loads(call.getAbsentsWithUsernameByDate(code, date))),
        "group": sorted(json.loads(call.getAbsentsByDateAndGroup(code, date, "3WET"))),
        "label": json.loads(call.getAbsentsWithAliasByDate(code, date))["canary.een"]["am"],
        "pupil": json.loads(call.getAbsents(code, "119940", "2026"))[date],
        "pupil_label": json.loads(call.getAbsentsWithAlias(code, "119940", "2026"))[date]["am"],
        "sunday": json.loads(call.getAbsentsByDate(code, "2026-11-15")),
        "no_date": call.getAbsentsByDate(code, "0000-00-00"),
        "refused": [call.getReferenceField("wrong"), call.getAllAccountsExtended("wrong", "3LAT", "0")],
    }
    json.dump(found, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
