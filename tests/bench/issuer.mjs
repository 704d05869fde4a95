// The issuer of a measurement: one ES256 key made now, and a token for each subject, of a sign-in that is strong and fresh. It
// serves the key set for as long as it lives.
//   node issuer.mjs PORT FOLDER AUDIENCE SUBJECT...
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { writeFileSync } from "node:fs";

const [port, folder, aud, ...subjects] = process.argv.slice(2);
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = Math.floor(Date.now() / 1000);
const tokens = {};
for (const sub of subjects) {
  const claims = { iss: `http://127.0.0.1:${port}`, aud, sub, client_id: "bench", jti: randomUUID(), iat: now, exp: now + 3600 };
  const message = [{ alg: "ES256", typ: "at+jwt", kid: "bench" }, { ...claims, acr: "strong", auth_time: now }].map(part).join(".");
  const signature = sign("sha256", Buffer.from(message), { key: privateKey, dsaEncoding: "ieee-p1363" });
  tokens[sub] = `${message}.${signature.toString("base64url")}`;
}
const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "bench", use: "sig", alg: "ES256" }] });
createServer((_request, answer) => answer.setHeader("content-type", "application/json").end(keys)).listen(Number(port), "127.0.0.1", () => {
  writeFileSync(`${folder}/tokens.json`, JSON.stringify(tokens), { mode: 0o600 });
});
