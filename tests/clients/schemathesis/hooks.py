"""What schemathesis is to fill in where a schema of the hub has a scalar of its own: some of it sound, some of it not; and what
counts as a fault of the server. Of itself it counts whatever comes with the name of a field, and so a cursor that is none, too."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

texts = st.text(max_size=20)
days = st.dates().map(str)
instants = st.datetimes().map(lambda at: at.isoformat() + "Z")
years = st.integers(0, 9999).map(lambda year: f"{year:04}-{year + 1:04}")
for name, sound in {"NaiveDate": days, "DateTime": instants, "SchoolYear": years}.items():
    schemathesis.graphql.scalar(name, st.one_of(sound, texts).map(nodes.String))


@schemathesis.check
def no_fault_of_the_server(_context, response, _case):
    assert response.status_code < 500, response.status_code
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert not codes & {"INTERNAL", "UNAVAILABLE"}, codes
