// npm `oidc-provider` as the identity provider of a hub, steered by lines on its standard input:
//   node provider.mjs SUBJECT AUDIENCE
// First it prints {"issuer": …, "secret": …}: the secret of the client clb-hub, which may ask it of tokens (RFC 7662). Then each line is answered by one of JSON:
//   token AUDIENCE ALG [SCOPE]   a token that it gives to SUBJECT, client credentials (RFC 6749 §4.4) for a resource (RFC 8707)
//   opaque                       the same without a resource: no JWT
//   opaque AUDIENCE [SCOPE [SUB]]  no JWT, for a resource; as if the person SUB had signed in by eID just now
//   revoke TOKEN                 takes a token back (RFC 7009)
//   mute | busy | hear           asked of a token it does not answer, answers 503, answers again
//   forged | unsigned            a token as it would give it, signed with a key that is not its own, or with none
//   rotate | forget              a new key before the old ones; the old ones no longer told
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createInterface } from "node:readline";
import Provider, { errors } from "oidc-provider";

const [subject, audience] = process.argv.slice(2);
const SECRET = randomUUID();
const HUB_SECRET = randomUUID();
const SCOPES = "clb-hub other";

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
    scopes: SCOPES.split(" "),
    ttl: { ClientCredentials: 300 },
    clients: [[subject, SECRET], ["clb-hub", HUB_SECRET]].map(([client_id, client_secret]) => ({
      client_id, client_secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope: SCOPES,
    })),
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
const forged = async () => {
  const [header, claims] = (await ask(`${audience}?RS256`, "clb-hub")).split(".");
  const message = `${header}.${claims}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return `${message}.${sign("sha256", Buffer.from(message), privateKey).toString("base64url")}`;
};
const unsigned = async () => {
  const [header, claims] = (await ask(`${audience}?RS256`, "clb-hub")).split(".");
  const told = JSON.parse(Buffer.from(header, "base64url"));
  return `${part({ ...told, alg: "none" })}.${claims}.`;
};

let round = 1;
let told = keys(round);
provide(told);
console.log(JSON.stringify({ issuer, secret: HUB_SECRET }));

const answer = async ([word, ...rest]) => {
  switch (word) {
    case "token": return ask(`${rest[0]}?${rest[1]}`, rest[2]);
    case "opaque": return opaque(rest[0], rest[0] ? rest[1] : "clb-hub", rest[2]);
    case "revoke": return revoke(rest[0]);
    case "mute": case "busy": case "hear": manner = word; return word;
    case "forged": return forged();
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
