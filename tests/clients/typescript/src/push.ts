/**
 * School administration software that pushes to a hub: a roster in two parts, half-days of absence, a correction, and
 * what the school owes the CLB afterwards. Every pupil is made up.
 *
 *   node dist/push.js URL TOKEN INSTITUTION_NUMBER TODAY BIRTH_DATE DAY/PART...
 *
 * Five half-days; what came of everything is printed as one JSON object.
 */
import type {
  AbsenceInput,
  DeliveriesQuery,
  DeliveriesQueryVariables,
  LimitsQuery,
  LimitsQueryVariables,
  OwedQuery,
  OwedQueryVariables,
  Part,
  SubmitAbsencesMutation,
  SubmitAbsencesMutationVariables,
  SubmitRosterInput,
  SubmitRosterMutation,
  SubmitRosterMutationVariables,
} from "./generated.js";

const LIMITS = /* GraphQL */ `
  query Limits {
    deliveryLimits { absencesPerCall rosterRowsPerCall }
  }
`;

const SUBMIT_ROSTER = /* GraphQL */ `
  mutation SubmitRoster($input: SubmitRosterInput!) {
    submitRoster(input: $input) {
      __typename
      ... on Delivered { runState results { outcome reason droppedCategories } }
      ... on Invalid { field }
      ... on NameTaken { receivedAt }
      ... on NotPossible { reason }
      ... on TryLater { retryAfterSeconds }
    }
  }
`;

const SUBMIT_ABSENCES = /* GraphQL */ `
  mutation SubmitAbsences($input: SubmitAbsencesInput!) {
    submitAbsences(input: $input) {
      __typename
      ... on Delivered { runId results { outcome reason droppedCategories } }
      ... on Invalid { field }
      ... on NameTaken { receivedAt }
      ... on NotPossible { reason }
      ... on TryLater { retryAfterSeconds }
    }
  }
`;

const OWED = /* GraphQL */ `
  query Owed($key: String!) {
    pupil(bySourceKey: $key) { familyName truancy { count } }
    signals(first: 50, filter: { state: RAISED }) {
      edges { node { kind count generation report { at } pupil { familyName } } }
    }
  }
`;

const DELIVERIES = /* GraphQL */ `
  query Deliveries($keys: [String!]!) {
    ownDeliveries(first: 50, filter: { keys: $keys }) {
      edges { node { kind key outcome reason } }
    }
  }
`;

const [url, token, institutionNumber, today, birthDate, ...halfDays] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  ...string[],
];

async function ask<Data, Variables>(query: string, variables: Variables): Promise<Data> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/graphql-response+json",
    },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as { data?: Data; errors?: { extensions?: { code?: string } }[] };
  if (!answer.data || answer.errors) {
    throw new Error(`${response.status} ${JSON.stringify(answer.errors)}`);
  }
  return answer.data;
}

/** A call again under its own name, for as long as the hub says that it is to be made later. */
async function again<Payload extends { __typename: string }>(call: () => Promise<Payload>): Promise<Payload> {
  for (;;) {
    const payload = await call();
    if (payload.__typename !== "TryLater") return payload;
    const { retryAfterSeconds } = payload as unknown as { retryAfterSeconds: number };
    await new Promise((resolve) => setTimeout(resolve, retryAfterSeconds * 1000));
  }
}

function outcomes(payload: { __typename: string; results?: { outcome: string; reason?: string | null }[] }): string[] {
  if (payload.__typename !== "Delivered" || !payload.results) throw new Error(JSON.stringify(payload));
  return payload.results.map((one) => (one.reason ? `${one.outcome} ${one.reason}` : one.outcome));
}

async function submitRoster(input: Omit<SubmitRosterInput, "institutionNumber" | "referenceDate" | "mode">) {
  const whole: SubmitRosterInput = { institutionNumber, referenceDate: today, mode: "SNAPSHOT", ...input };
  return again(
    async () =>
      (await ask<SubmitRosterMutation, SubmitRosterMutationVariables>(SUBMIT_ROSTER, { input: whole })).submitRoster,
  );
}

async function submitAbsences(idempotencyKey: string, absences: AbsenceInput[]) {
  const input = { idempotencyKey, institutionNumber, absences };
  return again(
    async () =>
      (await ask<SubmitAbsencesMutation, SubmitAbsencesMutationVariables>(SUBMIT_ABSENCES, { input })).submitAbsences,
  );
}

function absent(pupil: string, halfDay: string, code: string): AbsenceInput {
  const [day, part] = halfDay.split("/") as [string, Part];
  return { pupil, day, part, code };
}

/** What the school owes the CLB: signals that stand and were not reported. */
async function owed(): Promise<unknown> {
  const { pupil, signals } = await ask<OwedQuery, OwedQueryVariables>(OWED, { key: "ada" });
  const open = signals.edges.map((edge) => edge.node).filter((signal) => !signal.report);
  return {
    count: pupil?.truancy?.count,
    signals: open.map((one) => [one.kind, one.count, one.generation, one.pupil?.familyName]),
  };
}

const { deliveryLimits } = await ask<LimitsQuery, LimitsQueryVariables>(LIMITS, {});
const person = (key: string, givenName: string, familyName: string) => ({ key, givenName, familyName, birthDate });
const first = await submitRoster({
  idempotencyKey: "roster-1",
  part: { snapshot: "roster", number: 1, closing: false },
  classes: [{ key: "1A", name: "1A" }],
  pupils: [person("ada", "Ada", "Zeger")],
});
const last = await submitRoster({
  idempotencyKey: "roster-2",
  part: { snapshot: "roster", number: 2, closing: true },
  pupils: [person("bo", "Bo", "Claes")],
  memberships: [{ key: "1A/ada", classKey: "1A", pupilKey: "ada" }],
});

const five = halfDays.map((halfDay) => absent("ada", halfDay, "B"));
const latest = halfDays.at(-1) ?? "";
const absences = [...five, absent("nobody", latest, "B")];
const pushed = await submitAbsences("absences-1", absences);
const repeated = await submitAbsences("absences-1", absences);
const before = await owed();
const corrected = await submitAbsences("absences-2", [absent("ada", latest, "Z")]);
const between = await owed();
await submitAbsences("absences-3", [absent("ada", latest, "B")]);
const after = await owed();
const keys = [`ada/${latest}`, `nobody/${latest}`];
const { ownDeliveries } = await ask<DeliveriesQuery, DeliveriesQueryVariables>(DELIVERIES, { keys });

console.log(
  JSON.stringify({
    limits: deliveryLimits.absencesPerCall >= absences.length,
    roster: [outcomes(first), outcomes(last)],
    absences: outcomes(pushed),
    same: JSON.stringify(pushed) === JSON.stringify(repeated),
    corrected: outcomes(corrected),
    owed: [before, between, after],
    deliveries: ownDeliveries.edges.map(({ node }) => [node.key, node.outcome, node.reason ?? null]),
  }),
);
