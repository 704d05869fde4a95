// Runs the audits of npm `graphql-http` against a hub:
//   AUDIT_TOKEN=… node audit.mjs URL [--get]
// With --get (the hub answers queries by GET) every audit must be ok, and there are 61 of them. Without it, no error and
// no warning: the one kind of audit that may then say "notice" is a MAY. Exits 1 otherwise.
import { serverAudits } from "graphql-http";

const [url, flag] = process.argv.slice(2);
const token = process.env.AUDIT_TOKEN;
if (!url || !token) {
  console.error("usage: AUDIT_TOKEN=… node audit.mjs URL [--get]");
  process.exit(2);
}
const allowGet = flag === "--get";

// As many as this version of the suite has: one that looked at fewer has proven less than it says.
const ALL = 61;

const fetchFn = (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};

const counts = { ok: 0, notice: 0, warn: 0, error: 0 };
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  counts[result.status] += 1;
  if (result.status !== "ok") console.log(`${result.status}: ${audit.id} ${audit.name}: ${result.reason}`);
  // A body that nobody reads keeps its connection.
  if (result.response && !result.response.bodyUsed) await result.response.text();
}
const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
console.log(JSON.stringify({ get: allowGet, total, ...counts }));
const clean = counts.error === 0 && counts.warn === 0 && total === ALL;
process.exit(clean && (!allowGet || counts.ok === total) ? 0 : 1);
