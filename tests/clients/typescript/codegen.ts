import type { CodegenConfig } from "@graphql-codegen/cli";

/** The types of what a school may ask, from the schema as it is committed. */
const config: CodegenConfig = {
  schema: "../../../graphql/schema.school.graphql",
  documents: "src/push.ts",
  generates: {
    "src/generated.ts": {
      plugins: ["typescript", "typescript-operations"],
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        scalars: { NaiveDate: "string", DateTime: "string", SchoolYear: "string" },
      },
    },
  },
};

export default config;
