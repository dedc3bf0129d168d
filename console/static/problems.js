// What a check found: problems to click on, what became of each statement, what an edit does to saved state.

import { count, h, icon, show } from "./dom.js";

export function drawProblems(element, { problems, relations }, go) {
  show(element, [problems, relations.length], () => {
    if (!problems.length) {
      const streams = `${count(relations.length)} ${relations.length === 1 ? "relation" : "relations"}`;
      return [h("p", { class: "fine" }, icon("check"), relations.length ? `No problems: ${streams}.` : "No problems.")];
    }
    const sorted = [...problems].sort((a, b) => (a.severity === "note") - (b.severity === "note") || (a.line || 0) - (b.line || 0));
    return [h("ul", {}, ...sorted.map((p) => h("li", { class: p.severity === "note" ? "note-line" : "bad-line" },
      h("button", { type: "button", class: "quiet", onclick: () => go(p) },
        h("span", { class: "where mono" }, p.line ? `${p.line}:${p.column || 1}` : p.file || "–"),
        h("span", { class: "what" }, p.message, p.hint ? h("small", {}, p.hint) : null)))))];
  });
}

const VERDICTS = { same: ["same", "good"], "same but": ["same, but", "warm"], "not translated": ["not translated", "bad"] };
const EFFECTS = { "goes on": "good", "starts anew": "warm", dropped: "bad", new: "" };

export function drawChecked(element, { statements, state }) {
  const told = statements.filter((s) => s.verdict !== "same" || s.notes?.length);
  const changes = (state?.relations || []).filter((r) => r.effect !== "goes on");
  show(element, [statements, state], () => [
    statements.length ? h("details", {}, h("summary", {}, `Statements: ${statements.length - told.length} the same as in KDA${told.length ? `, ${told.length} with a note` : ""}`),
      h("ul", { class: "lines" }, ...statements.map((s) => {
        const [label, kind] = VERDICTS[s.verdict] || [s.verdict, ""];
        return h("li", {}, h("b", { class: "mono" }, s.name), h("span", { class: `badge ${kind}` }, label), ...(s.notes || []).map((n) => h("span", { class: "muted" }, n)));
      }))) : null,
    state?.summary ? h("details", { open: changes.length > 0 }, h("summary", {}, `Saved state: ${state.summary}`),
      h("ul", { class: "lines" }, ...state.relations.map((r) =>
        h("li", {}, h("b", { class: "mono" }, r.name), h("span", { class: `badge ${EFFECTS[r.effect] || ""}` }, r.effect), h("span", { class: "muted" }, r.why || ""))))) : null,
  ].filter(Boolean));
}
