// Keywords and functions of both languages from the console; until it answers, only the most common ones.

import { list } from "./api.js";

const KDA = "CREATE OR REPLACE STREAM PUMP AS INSERT INTO SELECT STREAM FROM WHERE GROUP BY HAVING ORDER PARTITION WINDOW OVER RANGE ROWS INTERVAL PRECEDING CURSOR TABLE JOIN LEFT INNER ON CASE WHEN THEN ELSE END AND NOT NULL ROWTIME STEP UNION ALL DISTINCT LIKE BETWEEN CAST";
const FLINK = "SELECT FROM WHERE GROUP BY HAVING ORDER PARTITION OVER INTERVAL PRECEDING TABLE DESCRIPTOR JOIN LEFT INNER ON AS CASE WHEN THEN ELSE END AND OR NOT NULL UNION ALL DISTINCT LIKE BETWEEN CAST";
const TYPES = "BIGINT INTEGER SMALLINT TINYINT DOUBLE REAL FLOAT DECIMAL NUMERIC VARCHAR CHAR BOOLEAN TIMESTAMP DATE TIME VARBINARY".split(" ");
export const SQL_TYPES = ["VARCHAR(64)", "DOUBLE", "INTEGER", "BIGINT", "TIMESTAMP", "BOOLEAN", "DECIMAL(18,4)", "REAL", "SMALLINT", "TINYINT", "DATE", "TIME", "CHAR(1)", "VARBINARY(64)"];

export async function words(form) {
  const { ok, body } = await list("/api/language", 3600);
  const kda = form === "kda";
  const keywords = (ok && (kda ? body.keywords?.kda : body.keywords?.flink)) || (kda ? KDA : FLINK).split(" ");
  const functions = ((ok && body.functions) || []).filter((f) => !f.form || f.form === form);
  const known = new Set(functions.map((f) => f.name));
  return {
    keywords: [...new Set(keywords.map((k) => k.toUpperCase()))].filter((k) => !TYPES.includes(k) && !known.has(k)), types: TYPES, functions, quote: kda ? '"' : "`",
  };
}

export async function templates(form) {
  const { ok, body } = await list("/api/language", 3600);
  return ok ? (body.templates || []).filter((each) => !each.form || each.form === form) : [];
}
