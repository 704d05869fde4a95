// What must not be believed, whoever signed it: tokens of RFC 8725 and RFC 9068, one a class.
//   forgeries(TOKEN, JWK)   made of a good one and of the very key that signed it: {again, bad: [[NAME, TOKEN], …]}
// `again` is the good one, signed once more: were it refused, the others would be for nothing.
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";

const b64 = (text) => Buffer.from(text).toString("base64url");

export const forgeries = (token, jwk) => {
  const [head, body, signature] = token.split(".");
  const header = JSON.parse(Buffer.from(head, "base64url"));
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  const own = createPrivateKey({ key: jwk, format: "jwk" });
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const seal = (message, key) => `${message}.${sign("sha256", Buffer.from(message), key).toString("base64url")}`;
  const raw = (first, second, key = own) => seal(`${b64(first)}.${b64(second)}`, key);
  const made = (h, c, key) => raw(JSON.stringify(h), JSON.stringify(c), key);
  const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([other]) => other !== name));
  const h = (members, key) => made({ ...header, ...members }, claims, key);
  const c = (members) => made(header, { ...claims, ...members });
  const first = (text, member) => text.replace("{", `{${member},`);
  const now = Math.floor(Date.now() / 1000);
  const public_ = createPublicKey(own);
  const confused = () => {
    const message = `${b64(JSON.stringify({ ...header, alg: "HS256" }))}.${body}`;
    const secret = public_.export({ type: "spki", format: "pem" });
    return `${message}.${createHmac("sha256", secret).update(message).digest("base64url")}`;
  };
  const changed = b64(JSON.stringify({ ...claims, sub: "director" }));
  return {
    again: made(header, claims),
    bad: [
      ["64 KiB", c({ filler: "x".repeat(65_536) })],
      ["one part", "abc"],
      ["two parts", `${head}.${body}`],
      ["four parts", `${token}.x`],
      ["empty signature", `${head}.${body}.`],
      ["padding", `${token}==`],
      ["header no JSON", raw("alg", JSON.stringify(claims))],
      ["header an array", raw("[1]", JSON.stringify(claims))],
      ["alg twice", raw(first(JSON.stringify(header), '"alg":"none"'), JSON.stringify(claims))],
      ["payload no JSON", raw(JSON.stringify(header), "sub")],
      ["sub twice", raw(JSON.stringify(header), first(JSON.stringify(claims), '"sub":"director"'))],
      ["scope twice", raw(JSON.stringify(header), first(JSON.stringify(claims), '"scope":"admin"'))],
      ["crit", h({ crit: ["exp"] })],
      ["crit null", h({ crit: null })],
      ["no typ", made(without(header, "typ"), claims)],
      ["typ JWT", h({ typ: "JWT" })],
      ["typ a number", h({ typ: 1 })],
      ["typ dpop", h({ typ: "dpop+jwt" })],
      ["alg none", `${b64(JSON.stringify({ ...header, alg: "none" }))}.${body}.${signature}`],
      ["alg none, unsigned", `${b64(JSON.stringify({ ...header, alg: "none" }))}.${body}.`],
      ["alg NoNe", h({ alg: "NoNe" })],
      ["alg missing", made(without(header, "alg"), claims)],
      ["alg HS256 with the public key", confused()],
      ["alg not in the profile", h({ alg: "PS256" })],
      ["alg of another key", h({ alg: "ES256" })],
      ["no kid", made(without(header, "kid"), claims)],
      ["kid empty", h({ kid: "" })],
      ["kid too long", h({ kid: "k".repeat(257) })],
      ["kid a path", h({ kid: "../../dev/null" })],
      ["own key in the header", h({ jwk: stranger.publicKey.export({ format: "jwk" }) }, stranger.privateKey)],
      ["stranger's key", h({}, stranger.privateKey)],
      ["payload changed", `${head}.${changed}.${signature}`],
      ["no iss", made(header, without(claims, "iss"))],
      ["iss an array", c({ iss: [claims.iss] })],
      ["iss with a slash", c({ iss: `${claims.iss}/` })],
      ["iss in capitals", c({ iss: claims.iss.toUpperCase() })],
      ["no aud", made(header, without(claims, "aud"))],
      ["aud a number", c({ aud: 7 })],
      ["aud empty", c({ aud: [] })],
      ["aud of mixed kinds", c({ aud: [claims.aud, 7] })],
      ["aud another", c({ aud: "lars" })],
      ["aud a prefix", c({ aud: `${claims.aud}.evil` })],
      ["aud others", c({ aud: ["a", "b"] })],
      ["no sub", made(header, without(claims, "sub"))],
      ["sub a number", c({ sub: 42 })],
      ["sub empty", c({ sub: "" })],
      ["sub with a line end", c({ sub: `${claims.sub}\n` })],
      ["no exp", made(header, without(claims, "exp"))],
      ["exp a text", c({ exp: String(claims.exp) })],
      ["exp endless", raw(JSON.stringify(header), first(JSON.stringify(without(claims, "exp")), '"exp":1e300'))],
      ["expired by the skew", c({ iat: now - 331, exp: now - 31 })],
      ["exp at the end of numbers", raw(JSON.stringify(header), first(JSON.stringify(without(claims, "exp")), '"exp":9223372036854775807'))],
      ["nbf ahead", c({ nbf: now + 90 })],
      ["nbf a text", c({ nbf: "now" })],
      ["no iat", made(header, without(claims, "iat"))],
      ["iat ahead", c({ iat: now + 90 })],
      ["lives too long", c({ iat: now, exp: now + 3_601 })],
      ["bound to a certificate", c({ cnf: { "x5t#S256": "x" } })],
      ["scope an array", c({ scope: ["clb-hub"] })],
      ["scope missing", made(header, without(claims, "scope"))],
      ["scope of which ours is a part", c({ scope: "clb-hubby" })],
    ],
  };
};
