// npm `oidc-provider` as the identity provider of a hub, steered by lines on its standard input:
//   node provider.mjs SUBJECT AUDIENCE
// First it prints {"issuer": …, "jwks": …, "connector": {"token_url": …, "secret": …}}: it gives tokens to connectors as well,
// to one that says who it is by HTTP Basic, `by header`, and one that does in the form, `by form`, for the scope `roster`.
// Then each line is answered by one of JSON:
//   token AUDIENCE ALG [SCOPE]   a token that it gives to SUBJECT, client credentials (RFC 6749 §4.4) for a resource (RFC 8707)
//   opaque                       the same without a resource: no JWT
//   forgeries                    what must not be believed, made of such a token (forge.mjs)
//   rotate | forget              a new key before the old ones; the old ones no longer told
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import Provider, { errors } from "oidc-provider";
import { forgeries } from "./forge.mjs";

const [subject, audience] = process.argv.slice(2);
const SECRET = randomUUID();
const SCOPES = "clb-hub other";
// With what a header and a form each spell in their own way.
const CONNECTOR = `${randomUUID()} :%+&=/`;
const connector = (client_id, token_endpoint_auth_method) => ({
  client_id, client_secret: CONNECTOR, token_endpoint_auth_method, grant_types: ["client_credentials"], redirect_uris: [],
  response_types: [], scope: "roster",
});

const keys = (round) => {
  const of = (alg, kind, options) => {
    const jwk = generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" });
    return { ...jwk, alg, use: "sig", kid: `${alg}-${round}` };
  };
  return [of("RS256", "rsa", { modulusLength: 2048 }), of("ES256", "ec", { namedCurve: "P-256" })];
};

let handler;
const server = createServer((request, response) => handler(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// It signs with the first key that fits.
const provide = (jwks) => {
  const provider = new Provider(issuer, {
    jwks: { keys: jwks },
    scopes: [...SCOPES.split(" "), "roster"],
    ttl: { ClientCredentials: 300 },
    clients: [{
      client_id: subject, client_secret: SECRET, grant_types: ["client_credentials"], redirect_uris: [],
      response_types: [], scope: SCOPES,
    }, connector("by header", "client_secret_basic"), connector("by form", "client_secret_post")],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => {
          const [of, alg] = resource.split("?");
          if (![audience, "urn:another:api"].includes(of)) throw new errors.InvalidTarget();
          return { scope: SCOPES, audience: of, accessTokenFormat: "jwt", accessTokenTTL: 300, jwt: { sign: { alg } } };
        },
      },
    },
  });
  handler = provider.callback();
};

const ask = async (resource, scope) => {
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  if (resource) body.set("resource", resource);
  if (scope) body.set("scope", scope);
  const basic = Buffer.from(`${subject}:${SECRET}`).toString("base64");
  const headers = { authorization: `Basic ${basic}` };
  const answer = await fetch(`${issuer}/token`, { method: "POST", headers, body });
  const told = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(told));
  return told.access_token;
};

let round = 1;
let told = keys(round);
provide(told);
const endpoint = { token_url: `${issuer}/token`, secret: CONNECTOR };
console.log(JSON.stringify({ issuer, jwks: `${issuer}/jwks`, connector: endpoint }));

const answer = async ([word, ...rest]) => {
  switch (word) {
    case "token": return ask(`${rest[0]}?${rest[1]}`, rest[2]);
    case "opaque": return ask(undefined, "clb-hub");
    case "forgeries": return forgeries(await ask(`${audience}?RS256`, "clb-hub"), told[0]);
    case "rotate": round += 1; told = [...keys(round), ...told]; provide(told); return round;
    case "forget": told = told.slice(0, 2); provide(told); return told.map((key) => key.kid);
    default: throw new Error(word);
  }
};
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(line.split(" "))));
}
server.closeAllConnections();
server.close();
