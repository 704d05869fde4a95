// The peer: mercurius (Fastify) as one would write it by hand, with per-type batch loaders over `pg`. Who may see what is
// decided in the application: the caller's schools are cached for 30 s and stand in each WHERE clause. It verifies no token
// (a gateway in front is assumed) and keeps no access log; the hub does both.
//   DATABASE_URL=… PORT=… node peer.mjs
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
pg.types.setTypeParser(1082, (text) => text);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8, idleTimeoutMillis: 0 });
const YEAR = 2025;

const typeDefs = `
  type School { id: Int! name: String! city: String! }
  type Enrolment { id: Int! schoolYear: Int! startDate: String! endDate: String school: School! }
  type ClassMember { startDate: String pupil: Pupil! }
  type ClassGroup { id: Int! name: String! grade: String members(first: Int!): [ClassMember!]! }
  type Absence { day: String! half: String! code: String! schoolId: Int! }
  type CodeCount { code: String! n: Int! }
  type Pupil { id: Int! firstName: String! lastName: String! birthDate: String gender: String city: String homeLanguage: String
    currentSchool: School! currentEnrolment: Enrolment enrolments: [Enrolment!]!
    absences(first: Int!): [Absence!]! absenceCounts: [CodeCount!]! }
  type Truancy { bCount: Int! crossed5: String crossed30: String pupil: Pupil! }
  type Query { pupil(id: Int!): Pupil classGroup(id: Int!): ClassGroup
    truancyPage(minB: Int!, first: Int!, offset: Int!): [Truancy!]! }`;

const schoolCache = new Map();
class Ctx {
  constructor(headers) {
    if (headers["x-role"] !== "clb_worker") throw new Error("no role");
    this.clb = headers["x-clb-id"] ?? "";
  }
  async q(name, text, values) {
    return (await pool.query({ name, text, values })).rows;
  }
  schools() {
    const hit = schoolCache.get(this.clb);
    if (hit && hit.until > Date.now()) return hit.p;
    const p = pool.query("SELECT school_id FROM peer.agreement WHERE clb_id=$1 AND school_year=$2", [Number(this.clb), YEAR])
      .then((result) => result.rows.map((row) => row.school_id));
    schoolCache.set(this.clb, { p, until: Date.now() + 30000 });
    return p;
  }
}
const PUPIL = `p.id, p.first_name AS "firstName", p.last_name AS "lastName", p.birth_date AS "birthDate",
  p.gender, p.city, p.home_language AS "homeLanguage", p.current_school_id`;
const ENROLMENT = `e.id, e.pupil_id, e.school_id, e.school_year AS "schoolYear", e.start_date AS "startDate", e.end_date AS "endDate"`;
async function pupilsByIds(ctx, ids) {
  const rows = await ctx.q("pupils", `SELECT ${PUPIL} FROM peer.pupil p WHERE p.id = ANY($1) AND p.current_school_id = ANY($2)`, [ids, await ctx.schools()]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}
async function schoolsByIds(ctx, ids) {
  const rows = await ctx.q("schools", "SELECT id, name, city FROM peer.school WHERE id = ANY($1)", [[...new Set(ids)]]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id));
}
const group = (rows, key, ids) => {
  const byKey = new Map();
  for (const row of rows) {
    let of = byKey.get(row[key]);
    if (!of) byKey.set(row[key], (of = []));
    of.push(row);
  }
  return ids.map((id) => byKey.get(id) ?? []);
};

const resolvers = {
  Query: {
    pupil: async (_, { id }, ctx) => (await pupilsByIds(ctx, [id]))[0],
    classGroup: async (_, { id }, ctx) => (await ctx.q("class", "SELECT id, name, grade FROM peer.class_group WHERE id=$1", [id]))[0] ?? null,
    truancyPage: async (_, { minB, first, offset }, ctx) =>
      ctx.q("truancy", `SELECT t.pupil_id, t.b_count AS "bCount", t.crossed_5 AS "crossed5", t.crossed_30 AS "crossed30" FROM peer.truancy_count t
        WHERE t.school_year=$1 AND t.b_count>=$2 AND t.school_id = ANY($5) ORDER BY t.b_count DESC, t.pupil_id LIMIT $3 OFFSET $4`,
        [YEAR, minB, Math.min(first, 100), offset, await ctx.schools()]),
  },
};
const loader = (load) => ({ loader: load, opts: { cache: false } });
const pupilOf = loader((queries, ctx) => pupilsByIds(ctx, queries.map((query) => query.obj.pupil_id)));
const loaders = {
  Pupil: {
    currentSchool: loader((queries, ctx) => schoolsByIds(ctx, queries.map((query) => query.obj.current_school_id))),
    currentEnrolment: loader(async (queries, ctx) => {
      const ids = queries.map((query) => query.obj.id);
      const rows = await ctx.q("current", `SELECT ${ENROLMENT} FROM peer.enrolment e WHERE e.pupil_id = ANY($1) AND e.school_year=$2`, [ids, YEAR]);
      return group(rows, "pupil_id", ids).map((of) => of[0] ?? null);
    }),
    enrolments: loader(async (queries, ctx) => {
      const ids = queries.map((query) => query.obj.id);
      return group(await ctx.q("enrolments", `SELECT ${ENROLMENT} FROM peer.enrolment e WHERE e.pupil_id = ANY($1) ORDER BY e.school_year`, [ids]), "pupil_id", ids);
    }),
    absences: loader((queries, ctx) => Promise.all(queries.map((query) =>
      ctx.q("absences", `SELECT day, half, code, school_id AS "schoolId" FROM peer.absence WHERE pupil_id=$1 ORDER BY day, half LIMIT $2`, [query.obj.id, Math.min(query.params.first, 300)])))),
    absenceCounts: loader(async (queries, ctx) => {
      const ids = queries.map((query) => query.obj.id);
      return group(await ctx.q("counts", `SELECT pupil_id, code, count(*)::int AS n FROM peer.absence WHERE pupil_id = ANY($1) AND school_year=$2 GROUP BY 1,2 ORDER BY 1,2`, [ids, YEAR]), "pupil_id", ids);
    }),
  },
  Enrolment: { school: loader((queries, ctx) => schoolsByIds(ctx, queries.map((query) => query.obj.school_id))) },
  ClassGroup: {
    members: loader((queries, ctx) => Promise.all(queries.map(async (query) =>
      ctx.q("members", `SELECT e.pupil_id, e.start_date AS "startDate" FROM peer.enrolment e WHERE e.class_group_id=$1 AND e.school_id = ANY($3) ORDER BY e.pupil_id LIMIT $2`,
        [query.obj.id, Math.min(query.params.first, 100), await ctx.schools()])))),
  },
  ClassMember: { pupil: pupilOf },
  Truancy: { pupil: pupilOf },
};

const app = Fastify();
app.register(mercurius, { schema: typeDefs, resolvers, loaders, jit: 1, graphiql: false, context: (request) => new Ctx(request.headers) });
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
console.log("ready");
