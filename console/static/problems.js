// The result of a check: problems with links, how each statement was translated, and the effect on saved state.

import { button, count, h, icon, show } from "./dom.js";

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
const EFFECTS = { same: ["same", ""], changed: ["changed", "warm"], new: ["new", "good"], dropped: ["dropped", "bad"], kept: ["kept", "good"] };

export function drawChecked(element, { statements, changes, state }, further) {
  const noted = statements.filter((s) => s.verdict !== "same" || s.notes?.length);
  const other = changes.filter((c) => c.effect !== "same");
  const line = (name, [label, kind], ...notes) => h("li", {}, h("b", { class: "mono" }, name), h("span", { class: `badge ${kind}` }, label), ...notes.map((n) => h("span", { class: "muted" }, n)));
  show(element, [statements, changes, state], () => [
    statements.length ? h("details", {}, h("summary", {}, `Statements: ${statements.length - noted.length} the same as in KDA${noted.length ? `, ${noted.length} with a note` : ""}`),
      h("ul", { class: "lines" }, ...statements.map((s) => line(s.name, VERDICTS[s.verdict] || [s.verdict, ""], ...(s.notes || []))))) : null,
    other.length ? h("details", {}, h("summary", {}, `Since the saved version: ${["changed", "new", "dropped"].map((e) => [e, other.filter((c) => c.effect === e).length]).filter(([, n]) => n).map(([e, n]) => `${n} ${e}`).join(", ")}`),
      h("ul", { class: "lines" }, ...other.map((c) => line(c.name, EFFECTS[c.effect] || [c.effect, ""], ...(c.why ? [c.why] : []))))) : null,
    state?.summary ? h("details", { open: true }, h("summary", {}, `Saved state: ${state.summary}`),
      h("ul", { class: "lines" }, ...(state.steps || []).map((s) => line(s.name, EFFECTS[s.effect] || [s.effect, ""]))))
      : other.length ? h("div", { class: "row further" }, button("Check the effect on saved state", further, { kind: "small" })) : null,
  ].filter(Boolean));
}
