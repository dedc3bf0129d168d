// A preview: runs the draft as a separate job on the live stream, with its destinations off.

import { of, post } from "./api.js";
import { button, h, icon, say } from "./dom.js";
import { connect } from "./link.js";
import { makeRows } from "./results.js";

const WORDS = { starting: "The preview starts: some seconds …", created: "The preview starts …", initializing: "The preview starts …", running: "Runs on the live stream; destinations are off.", stopping: "The preview ends …", failed: "The preview failed.", killed: "The preview was killed." };

export function makePreview(context, flush, known) {
  const { draft } = context;
  let link = null, snapshot = null, on = false;
  const state = h("span", { class: "state", role: "status", dataset: { state: "stopped" } }, ""), trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  // The rows get the preview's snapshot instead of the job's.
  const inner = Object.create(context, { snapshot: { get: () => snapshot } });
  const rows = makeRows(inner, { preview: true, chart: true });
  const ask = button("Preview", () => (on ? stop() : start()), { image: "eye" });
  const element = h("section", { class: "stack preview", "aria-label": "Preview", hidden: true },
    h("div", { class: "row" }, h("h3", {}, "Preview"), state, h("span", { class: "push" }), button("Close", () => stop(), { kind: "small", image: "close" })), trouble, rows.element);

  const report = (text) => { trouble.hidden = !text; say(trouble, text || ""); };

  async function start() {
    report("");
    ask.disabled = true;
    if (await flush()) {
      element.hidden = false;
      snapshot = null;
      say(state, WORDS.starting).dataset.state = "starting";
      const { ok, body } = await post(of(draft.name, "/preview/start"), { files: draft.files });
      if (ok) listen();
      else {
        report([body.error, ...(body.problems || []).map((p) => `line ${p.line}: ${p.message}`)].join("\n"));
        say(state, "").dataset.state = "failed";
      }
    }
    ask.disabled = false;
    element.scrollIntoView({ block: "nearest" });
  }

  function listen() {
    on = true;
    ask.replaceChildren(icon("stop"), "End preview");
    link?.close();
    link = connect(`/api/events?${new URLSearchParams({ application: draft.name, preview: "1", relation: "" })}`, heard, () => {});
  }

  function heard(found) {
    snapshot = found;
    say(state, WORDS[found.job.state] || "").dataset.state = found.job.state;
    report([found.job.trouble, found.job.reason, found.problem].filter(Boolean).join("\n"));
    rows.draw(found, [...new Set([...known(), ...Object.keys(found.flow)].filter((name) => name !== context.application.errors)), context.application.errors]);
  }

  async function stop() {
    on = false;
    link?.close();
    link = null;
    ask.replaceChildren(icon("eye"), "Preview");
    element.hidden = true;
    const { ok, body } = await post(of(draft.name, "/preview/stop"));
    if (!ok) context.said(body.error);
  }

  return { element, button: ask, draw() {}, close() { link?.close(); if (on) post(of(draft.name, "/preview/stop")); } };
}
