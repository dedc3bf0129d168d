// The SQL page: edit, check, preview, save and run.

import { of, post } from "./api.js";
import { copyButton } from "./applications.js";
import { confirmed, dialog } from "./dialogs.js";
import { button, h, later, say, show, tabs } from "./dom.js";
import { Editor } from "./editor.js";
import { isUp, leaves } from "./job.js";
import { templates, words } from "./language.js";
import { makePreview } from "./preview.js";
import { drawChecked, drawProblems } from "./problems.js";
import { showVersions } from "./versions.js";

const CHECK_MS = 700;
const errorsOf = ({ problems }) => problems.filter((p) => p.severity !== "note");
const KEPT = { loading: "Loading …", kept: "Draft kept", keeping: "Keeping …", unkept: "Kept in this browser only", conflict: "Changed in two tabs", failed: "" };

export function makeSql(context) {
  const { draft } = context;
  let editor = null, file = "", checked = null, busy = "", number = 0;
  const names = h("div", {}), place = h("div", { class: "editor-place" }), problems = h("div", { class: "problems", role: "status" }), verdict = h("div", { class: "verdict" });
  const kept = h("span", { class: "muted kept", role: "status" });
  const check = button("Check", () => look(true), { image: "check" });
  const save = button("Save", () => saveOnly());
  const run = button("Save and run", () => saveAndRun(), { kind: "first", image: "play" });
  const template = button("Templates", () => choose(), { image: "book" });
  const versions = button("Versions", () => showVersions(context, fileOf()), { image: "clock" });
  const preview = makePreview(context, () => flush(), () => (checked?.relations || []).map((r) => r.name));
  const tools = h("div", { class: "row tools" }, template, versions, kept, h("span", { class: "push" }), check, preview.button, save, run);
  const readOnly = h("div", { class: "notice", hidden: true }, h("p", {}, "An example: it can be run as it is. A copy of it can be edited."), copyButton(context));
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const element = h("div", { class: "stack" }, readOnly,
    h("section", { class: "card sql", "aria-label": "SQL" }, names, tools, trouble, place, problems, verdict), preview.element);
  const soon = later(() => look(false), CHECK_MS);

  async function begin() {
    const { document } = draft;
    if (!document || editor || busy === "begin") return;
    busy = "begin";
    const known = await words(document.form);
    busy = "";
    editor = new Editor(place, { label: "SQL of the application", words: known, changed: (text) => draft.edit(file, text) });
    editor.relations = document.relations || [];
    fill();
    drawTools();
    look(false);
  }

  const fileOf = () => file;
  const files = () => Object.keys(draft.files).filter((name) => name.endsWith(".sql")).concat(Object.keys(draft.files).filter((name) => !name.endsWith(".sql")));

  function fill() {
    const found = files();
    const other = !found.includes(file);
    if (other) file = found[0] || "";
    show(names, [found, file], () => found.length > 1 ? tabs("Files", found.map((name) => [name, name]), file, (name) => { file = name; fill(); }) : []);
    const anew = editor.file !== file;
    editor.file = file;
    editor.set(draft.files[file] ?? "", anew);
    editor.lock(!draft.editable);
    if (anew && checked) editor.mark(checked.problems.filter((p) => p.file === file));
  }

  function drawTools() {
    const { document, editable, state } = draft;
    readOnly.hidden = editable || !document;
    for (const each of [check, save, run, template, preview.button]) each.hidden = !editable;
    versions.hidden = !document?.versions?.length && !editable;
    preview.button.hidden ||= Boolean(context.application.managed);
    say(kept, !editable ? "" : state === "kept" ? (document.draft || !document.saved ? KEPT.kept : `Version ${document.saved.number}`) : KEPT[state]).dataset.state = state;
    for (const each of [save, run]) each.disabled = Boolean(busy) || !document || state === "conflict";
    check.disabled = busy === "check";
  }

  const report = (text) => { trouble.hidden = !text; say(trouble, text || ""); };

  async function flush() {
    if (await draft.keep()) return true;
    report(draft.state === "conflict" ? "First choose which of the two drafts to keep." : draft.trouble);
    return false;
  }

  // Marks every problem; returns the result of the check, or null if the console did not answer.
  async function look(asked) {
    soon.cancel();
    if (!draft.document) return null;
    const mine = (number += 1);
    if (asked) { busy = "check"; drawTools(); say(kept, "Checking …"); }
    let { ok, status, body } = await post(of(draft.name, "/check"), { files: draft.files });
    // Only Flink's planner can check Flink SQL. It takes some seconds, so do it only on request.
    if (ok && asked && draft.document.form === "flink" && !errorsOf(body).length) {
      const plan = await post(of(draft.name, "/plan"), { files: draft.files });
      if (plan.ok) body = { ...body, ...plan.body };
      else ({ ok, status, body } = plan);
    }
    if (asked) { busy = ""; drawTools(); }
    if (mine !== number) return null;
    if (!ok && !body.problems) {
      if (asked || status !== 404) report(body.error);
      return null;
    }
    report("");
    checked = { relations: [], statements: [], changes: [], ...body };
    if (!draft.document.saved) checked.changes = []; // without a saved version, everything would be new
    if (editor) {
      if (checked.relations.length) editor.relations = checked.relations;
      editor.mark(checked.problems.filter((p) => p.file === file || !p.file));
    }
    const errors = errorsOf(checked);
    context.problems(errors.length);
    drawProblems(problems, checked, (p) => {
      if (p.file && p.file !== file && draft.files[p.file] !== undefined) { file = p.file; fill(); }
      if (p.file === "application.json" && !/\.sql$/.test(file)) return;
      editor.go(p.line, p.column);
    });
    drawChecked(verdict, checked, lookFurther);
    if (asked) context.said(errors.length ? `${errors.length} problems` : "No problems");
    return checked;
  }

  // Asks Flink's planner for problems of the SQL, and for the steps whose saved state the draft drops.
  async function planned() {
    say(kept, "Checking the effect on saved state …").dataset.state = "keeping";
    const { ok, body } = await post(of(draft.name, "/plan"), { files: draft.files });
    drawTools();
    if (!ok) return [];
    checked = { ...checked, state: body.state };
    drawChecked(verdict, checked, lookFurther);
    return (body.state?.steps || []).filter((s) => s.effect === "dropped").map((s) => s.name);
  }

  const lookFurther = () => working("plan", planned);

  async function keepVersion() {
    report("");
    if (!(await flush())) return null;
    const ask = (more) => post(of(draft.name, "/save"), { files: draft.files, revision: draft.document.revision, ...more });
    let { ok, body } = await ask({});
    if (!ok && body.problems?.length) {
      const found = await look(true);
      if (found?.left_out?.length && (await without(found.left_out))) ({ ok, body } = await ask({ leave_out: true }));
    }
    if (!ok) {
      report(body.problems?.length ? `Not saved: ${body.problems.length === 1 ? "there is a problem" : `there are ${body.problems.length} problems`} in the SQL.` : body.error);
      if (body.problems?.[0]?.line && body.problems[0].file === file) editor.go(body.problems[0].line, body.problems[0].column);
      return null;
    }
    await draft.load();
    draft.channel.postMessage({ what: "saved", from: draft.tab });
    context.said(`Saved as version ${body.number}`);
    await context.look();
    return body;
  }

  // Pumps that can't be translated may be left out: the rest can run.
  const without = (names) => confirmed(`Save without ${names.join(", ")}?`, "These pumps can't be translated, for the reasons below the SQL: the streams that they fill stay empty. All other pumps run.", `Save without ${names.length === 1 ? "it" : "them"}`);

  async function working(what, work) {
    busy = what;
    drawTools();
    try {
      await work();
    } finally {
      busy = "";
      drawTools();
    }
  }

  const saveOnly = () => working("save", keepVersion);

  const saveAndRun = () => working("run", async () => {
    const found = await look(false);
    const job = context.snapshot?.job;
    const lost = found && !errorsOf(found).length && draft.document.draft && draft.document.saved && (job.resumable || isUp(job)) ? await planned() : [];
    if (lost.length && !(await leaves(lost))) return;
    if (!(await keepVersion())) return;
    const { ok, body } = await post(of(draft.name, "/job/run"), lost.length ? { leave_state: true } : {});
    if (!ok) return report(body.error);
    context.said("Saved; the job starts");
    context.go("results");
  });

  async function choose() {
    const found = await templates(draft.document.form);
    let picked = found[0];
    const text = h("pre", { class: "mono code" }), help = h("p", { class: "muted" });
    const pick = (each) => {
      picked = each;
      text.textContent = each?.sql ?? "";
      help.textContent = each?.help ?? "No template is known.";
    };
    pick(picked);
    const radios = h("fieldset", { class: "choices tall" }, h("legend", { class: "hidden" }, "Template"), ...found.map((each) =>
      h("label", {}, h("input", { type: "radio", name: "template", checked: each === picked, onchange: () => pick(each) }), h("span", {}, each.title))));
    await dialog({
      title: "Add SQL from a template", ok: found.length ? "Add to the SQL" : null, broad: true,
      body: [h("div", { class: "beside" }, radios, h("div", { class: "stack" }, help, text))],
      submit: () => { if (picked) editor.insert(picked.sql); return ""; },
    });
  }

  return {
    element,
    shown() { begin(); drawTools(); editor?.view.requestMeasure(); },
    drafted(what) {
      if (!editor) begin();
      else if (what === "loaded") { fill(); soon(); }
      else if (what === "edited") soon();
      drawTools();
    },
    draw(snapshot) {
      const label = isUp(snapshot.job) ? "Save and run again" : "Save and run";
      if (run.lastChild.textContent !== label) run.lastChild.textContent = label;
      preview.draw();
    },
    close() { editor?.close(); preview.close(); },
  };
}
