// The list of applications, and how to create one: from a stream, SQL, a description, or a copy.

import { of, post, remove } from "./api.js";
import { confirmed, dialog } from "./dialogs.js";
import { button, empty, field, h, show } from "./dom.js";

const GROUPS = [["own", "Yours"], ["folder", "Folders"], ["example", "Examples"]];
const NAME = "[A-Za-z][A-Za-z0-9_]{0,47}";

export function drawApplications(element, applications, chosen) {
  const key = [chosen, applications.map((a) => [a.name, a.label, a.origin, a.running, a.state])];
  const fresh = show(element, key, () => GROUPS.flatMap(([origin, title]) => {
    const found = applications.filter((a) => (a.origin || "folder") === origin);
    if (!found.length) return [];
    return [h("h3", {}, title), h("ul", {}, ...found.map((a) => h("li", {},
      h("a", { href: `#${encodeURIComponent(a.name)}`, "aria-current": a.name === chosen ? "page" : null, title: a.title },
        h("span", { class: "dot", dataset: { state: a.running ? "running" : a.state || "stopped" } }),
        h("span", {}, a.label, a.running ? h("small", {}, "running") : a.state === "killed" || a.state === "failed" ? h("small", {}, a.state) : null)))))];
  }));
  if (fresh && !applications.length) element.replaceChildren(empty("None yet."));
}

// A unique name, made from any text.
export function freeName(words, taken) {
  const base = words.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "").slice(0, 36) || "application";
  const names = new Set(taken.map((a) => a.name));
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? base : `${base}_${n}`;
    if (!names.has(name)) return name;
  }
}

export function createApplication({ applications, said, open }) {
  let kind = "empty";
  let given = null; // { text, filename }
  const name = h("input", { required: true, pattern: NAME, value: freeName("application", applications), maxlength: 48, autocomplete: "off", spellcheck: "false", name: "name" });
  const title = h("input", { maxlength: 120, autocomplete: "off", name: "title", placeholder: "What it is for" });
  const pasted = h("textarea", { rows: 12, spellcheck: "false", name: "sql", placeholder: "CREATE OR REPLACE STREAM …" });
  const chosen = h("p", { class: "muted" }, "What describe-application printed (.json), a CloudFormation template (.yaml, .json), a Terraform file (.tf), or a program (.sql).");
  const file = h("input", {
    type: "file", accept: ".json,.yaml,.yml,.template,.tf,.hcl,.sql", name: "file",
    onchange: async () => {
      const [found] = file.files;
      if (!found) return;
      given = { text: await found.text(), filename: found.name };
      chosen.textContent = `${found.name}: ${given.text.split("\n").length} lines`;
      if (!name.edited) name.value = freeName(found.name.replace(/\.\w+$/, ""), applications);
    },
  });
  name.oninput = () => { name.edited = true; };
  const copied = h("select", { name: "copied" }, ...applications.map((a) => h("option", { value: a.name }, a.label)));
  const parts = {
    empty: h("p", { class: "muted" }, "Choose a stream, discover its schema and write SQL: step by step on the next pages."),
    sql: h("div", { class: "stack" }, field("KDA SQL", pasted)),
    description: h("div", { class: "stack" }, field("File", file), chosen),
    copy: h("div", { class: "stack" }, field("Of", copied)),
  };
  const choices = [["empty", "From a stream"], ["sql", "Paste SQL"], ["description", "Upload"], ...(applications.length ? [["copy", "Copy"]] : [])];
  const radios = h("fieldset", { class: "choices" }, h("legend", { class: "hidden" }, "How to begin"), ...choices.map(([id, label]) =>
    h("label", {}, h("input", { type: "radio", name: "kind", value: id, checked: id === kind, onchange: () => pick(id) }), h("span", {}, label))));
  const place = h("div", {});
  const pick = (id) => { kind = id; place.replaceChildren(parts[id]); };
  pick(kind);
  return dialog({
    title: "New application", ok: "Create",
    body: [radios, h("div", { class: "fields" }, field("Name", name), field("Title", title)), place],
    submit: async () => {
      if (kind === "sql" && !pasted.value.trim()) return "Paste the application's SQL first.";
      if (kind === "description" && !given) return "Choose a file first.";
      const from = {
        empty: { kind: "stream" }, sql: { kind: "sql", sql: pasted.value },
        description: given && given.filename.endsWith(".sql") ? { kind: "sql", sql: given.text } : { kind: "description", ...given },
        copy: { kind: "copy", application: copied.value },
      }[kind];
      return create({ name: name.value, title: title.value, from }, { said, open, step: kind === "empty" ? "source" : "sql" });
    },
  });
}

async function create(body, { said, open, step }) {
  const answer = await post("/api/applications", body);
  if (!answer.ok) return [answer.body.error, ...(answer.body.problems || []).slice(0, 5).map((p) => `line ${p.line}: ${p.message}`)].join("\n");
  said(`${body.name} is created`);
  await open(answer.body.name || body.name, step);
  return "";
}

export async function duplicate(application, { applications, said, opened }) {
  const name = h("input", { required: true, pattern: NAME, value: freeName(`${application.name}_copy`, applications()), maxlength: 48, spellcheck: "false", name: "name" });
  return dialog({
    title: `Duplicate ${application.label}`, ok: "Duplicate", body: [field("Name of the copy", name)],
    submit: () => create({ name: name.value, from: { kind: "copy", application: application.name } }, { said, open: opened, step: "sql" }),
  });
}

export async function deleteApplication(application, { said, look }) {
  const sure = await confirmed(`Delete ${application.label}?`, "Its SQL, versions and saved state on this machine are deleted. Streams, functions and tables are kept.", "Delete", true);
  if (!sure) return "";
  const { ok, body } = await remove(of(application.name));
  if (!ok) return body.error;
  said(`${application.label} is deleted`);
  localStorage.removeItem(`kda draft ${application.name}`);
  location.hash = "";
  await look();
  return "";
}

export const copyButton = (context, label = "Duplicate to edit") =>
  button(label, () => duplicate(context.application, context), { image: "copy" });
