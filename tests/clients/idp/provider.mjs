// npm `oidc-provider` as the identity provider of a hub, steered by lines on its standard input:
//   node provider.mjs SUBJECT AUDIENCE
// First it prints {"issuer": …, "jwks": …, "secret": …, "connector": {"token_url": …, "secret": …}}: the first secret is that of
// the client clb-hub, which may ask it of tokens (RFC 7662). It gives tokens to connectors as well, to one that says who it
// is by HTTP Basic, `by header`, and one that does in the form, `by form`, for the scope `roster`.
// Then each line is answered by one of JSON:
//   token AUDIENCE ALG [SCOPE]   a token that it gives to SUBJECT, client credentials (RFC 6749 §4.4) for a resource (RFC 8707)
//   opaque                       the same without a resource: no JWT
//   opaque AUDIENCE [SCOPE [SUB]]  no JWT, for a resource; as if the person SUB had signed in by eID just now
//   revoke TOKEN                 takes a token back (RFC 7009)
//   mute | busy | hear           asked of a token it does not answer, answers 503, answers again
//   forgeries                    what must not be believed, made of a token of its own (forge.mjs)
//   unsigned                     a token as it would give it, with no key at all
//   rotate | forget              a new key before the old ones; the old ones no longer told
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import Provider, { errors } from "oidc-provider";
import { forgeries } from "./forge.mjs";

const [subject, audience] = process.argv.slice(2);
const SECRET = randomUUID();
const HUB_SECRET = randomUUID();
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
let manner = "hear";
let person = {};
const server = createServer((request, response) => {
  if (manner === "hear" || request.url !== "/token/introspection") return handler(request, response);
  if (manner === "busy") response.writeHead(503).end();
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// It signs with the first key that fits.
const provide = (jwks) => {
  const provider = new Provider(issuer, {
    jwks: { keys: jwks },
    scopes: [...SCOPES.split(" "), "roster"],
    ttl: { ClientCredentials: 300 },
    clients: [...[[subject, SECRET], ["clb-hub", HUB_SECRET]].map(([client_id, client_secret]) => ({
      client_id, client_secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope: SCOPES,
    })), connector("by header", "client_secret_basic"), connector("by form", "client_secret_post")],
    extraTokenClaims: () => person,
    features: {
      introspection: { enabled: true, allowedPolicy: (_context, client) => client.clientId === "clb-hub" },
      revocation: { enabled: true, allowedPolicy: (_context, client, token) => client.clientId === token.clientId },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => {
          const [of, alg] = resource.split("?");
          if (![audience, "urn:another:api"].includes(of)) throw new errors.InvalidTarget();
          const told = { scope: SCOPES, audience: of, accessTokenTTL: 300 };
          if (alg === "opaque") return { ...told, accessTokenFormat: "opaque" };
          return { ...told, accessTokenFormat: "jwt", jwt: { sign: { alg } } };
        },
      },
    },
  });
  handler = provider.callback();
};

const basic = Buffer.from(`${subject}:${SECRET}`).toString("base64");
const headers = { authorization: `Basic ${basic}` };
const ask = async (resource, scope) => {
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  if (resource) body.set("resource", resource);
  if (scope) body.set("scope", scope);
  const answer = await fetch(`${issuer}/token`, { method: "POST", headers, body });
  const told = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(told));
  return told.access_token;
};

const ACR = "urn:be:vlaanderen:authmech:eid";
const opaque = async (resource, scope, sub) => {
  person = sub ? { sub, acr: ACR, auth_time: Math.floor(Date.now() / 1000) } : {};
  const token = await ask(resource && `${resource}?opaque`, scope);
  person = {};
  return token;
};
const revoke = async (token) => {
  const body = new URLSearchParams({ token });
  return (await fetch(`${issuer}/token/revocation`, { method: "POST", headers, body })).status;
};

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const unsigned = async () => {
  const [header, claims] = (await ask(`${audience}?RS256`, "clb-hub")).split(".");
  const told = JSON.parse(Buffer.from(header, "base64url"));
  return `${part({ ...told, alg: "none" })}.${claims}.`;
};

let round = 1;
let told = keys(round);
provide(told);
const endpoint = { token_url: `${issuer}/token`, secret: CONNECTOR };
console.log(JSON.stringify({ issuer, jwks: `${issuer}/jwks`, secret: HUB_SECRET, connector: endpoint }));

const answer = async ([word, ...rest]) => {
  switch (word) {
    case "token": return ask(`${rest[0]}?${rest[1]}`, rest[2]);
    case "forgeries": return forgeries(await ask(`${audience}?RS256`, "clb-hub"), told[0]);
    case "opaque": return opaque(rest[0], rest[0] ? rest[1] : "clb-hub", rest[2]);
    case "revoke": return revoke(rest[0]);
    case "mute": case "busy": case "hear": manner = word; return word;
    case "unsigned": return unsigned();
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
