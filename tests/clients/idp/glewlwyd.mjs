// `glewlwyd`, of Debian, as the identity provider of a hub, steered by lines on its standard input:
//   node glewlwyd.mjs SUBJECT AUDIENCE
// First it prints {"issuer": …, "jwks": …}. Then each line is answered by one of JSON:
//   token AUDIENCE ALG [SCOPE]   a token that it gives to SUBJECT, client credentials (RFC 6749 §4.4) for a resource (RFC 8707)
//   opaque                       the same without a resource: it is for the scope then
//   forgeries                    what must not be believed, made of such a token (forge.mjs)
// It keeps everything in a folder of its own, and listens on this machine only.
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as rest } from "node:timers/promises";
import { forgeries } from "./forge.mjs";

const [subject, audience] = process.argv.slice(2);
const SECRET = randomUUID();
const SCOPES = ["clb-hub", "other"];
// Where Debian puts it.
const PROGRAM = "/usr/bin/glewlwyd";
const MODULES = "/usr/lib/glewlwyd";
const TABLES = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

const port = await new Promise((found) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => found(port));
  });
});
const origin = `http://127.0.0.1:${port}`;
const issuer = `${origin}/api/oidc`;

const folder = mkdtempSync(`${tmpdir()}/clb-hub-glewlwyd-`);
execFileSync("mkdir", [`${folder}/none`]);
execFileSync("sqlite3", [`${folder}/glewlwyd.db`], { input: readFileSync(TABLES) });
writeFileSync(`${folder}/glewlwyd.conf`, `
port = ${port}
bind_address = "127.0.0.1"
external_url = "${origin}"
login_url = "login.html"
api_prefix = "api"
log_mode = "console"
log_level = "ERROR"
cookie_domain = "127.0.0.1"
cookie_secure = 0
session_expiration = 3600
session_key = "SESSION"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "${MODULES}/user"
user_middleware_module_path = "${folder}/none"
client_module_path = "${MODULES}/client"
user_auth_scheme_module_path = "${MODULES}/scheme"
plugin_module_path = "${MODULES}/plugin"
hash_algorithm = "SHA512"
database = { type = "sqlite3"; path = "${folder}/glewlwyd.db"; };
`);
// What it says is no answer to a line.
const child = spawn(PROGRAM, ["--config-file", `${folder}/glewlwyd.conf`], { stdio: ["ignore", 2, 2] });
process.on("exit", () => {
  child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(1));
child.on("exit", () => process.exit(1));

for (;;) {
  const here = await fetch(`${origin}/api/`).catch(() => undefined);
  if (here) break;
  await rest(20);
}

// As whom Debian's tables begin.
const json = { "content-type": "application/json" };
const post = async (path, body, headers = {}) => {
  const sent = { method: "POST", headers: { ...json, ...headers }, body: JSON.stringify(body) };
  const answer = await fetch(`${origin}/api/${path}`, sent);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
};
const session = await post("auth/", { username: "admin", password: "password" });
const cookie = session.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...pair.privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid: "RS256-1" };
for (const name of SCOPES) {
  await post("scope/", { name, display_name: name, description: name, password_required: false, scheme: {} }, { cookie });
}
const resources = [audience, "https://another.example/api"];
await post("mod/plugin/", {
  module: "oidc", name: "oidc", display_name: "oidc",
  parameters: {
    iss: issuer, "jwt-type": "rsa", "jwt-key-size": "256", "jwks-private": JSON.stringify({ keys: [key] }), "default-kid": key.kid,
    "jwks-show": true, "access-token-duration": 300, "refresh-token-duration": 300, "code-duration": 60,
    "allow-non-oidc": true, "auth-type-client-enabled": true, "auth-type-code-enabled": false, "auth-type-token-enabled": false,
    "auth-type-id-token-enabled": false, "auth-type-none-enabled": false, "auth-type-password-enabled": false,
    "auth-type-refresh-enabled": false, "resource-allowed": true, "resource-client-property": "",
    "resource-scope": Object.fromEntries(SCOPES.map((scope) => [scope, resources])), "resource-change-allowed": false,
  },
}, { cookie });
await post("client/", {
  client_id: subject, client_name: "hub", password: SECRET, confidential: true, enabled: true, redirect_uri: [],
  authorization_type: ["client_credentials"], token_endpoint_auth_method: ["client_secret_basic"], scope: SCOPES,
}, { cookie });
console.log(JSON.stringify({ issuer, jwks: `${issuer}/jwks` }));

const ask = async (resource, scope) => {
  const body = new URLSearchParams({ grant_type: "client_credentials", scope });
  if (resource) body.set("resource", resource);
  const basic = Buffer.from(`${subject}:${SECRET}`).toString("base64");
  const answer = await fetch(`${issuer}/token`, { method: "POST", headers: { authorization: `Basic ${basic}` }, body });
  const told = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(told));
  return told.access_token;
};
const answer = async ([word, ...rest]) => {
  switch (word) {
    case "token": return ask(rest[0], rest[2]);
    case "opaque": return ask(undefined, "clb-hub");
    case "forgeries": return forgeries(await ask(audience, "clb-hub"), key);
    default: throw new Error(word);
  }
};
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(line.split(" "))));
}
process.exit(0);
