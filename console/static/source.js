// The source: its stream, the schema of its records, the function that they pass first, and reference tables.

import { forget, list, post } from "./api.js";
import { copyButton } from "./applications.js";
import { inputOf, inputs, read, withInput, write } from "./description.js";
import { dialog } from "./dialogs.js";
import { button, count, empty, field, h, say, show, tabs } from "./dom.js";
import { makeGenerators } from "./generators.js";
import { makeReferences } from "./references.js";
import { Sample } from "./sample.js";
import { SchemaEditor } from "./schema.js";

const KINDS = { kinesis: "Kinesis stream", firehose: "Firehose landing" };

export function makeSource(context) {
  const { draft } = context;
  const several = h("div", { class: "several" }), choice = h("div", { class: "fields" }), statusText = h("p", { class: "muted" }), trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const sample = new Sample({ discovered: (schema, path) => change({ schema, path: path || "" }) });
  const schema = new SchemaEditor({ changed: (found) => { change({ schema: found }, false); sample.soon(found); } });
  const discover = button("Discover schema", () => discovered(), { kind: "first", image: "refresh" });
  const demo = button("Create demo stream", () => created({}), { image: "plus" });
  const fresh = button("New stream", () => named(), { image: "plus" });
  const generators = makeGenerators(context, () => now().stream);
  const references = makeReferences(context);
  const actions = h("div", { class: "row source-actions" }, discover, demo, fresh, statusText);
  const facts = h("div", { class: "stack", hidden: true });
  const editing = h("div", { class: "stack" },
    h("section", { class: "card", "aria-labelledby": "stream-title" }, h("h3", { id: "stream-title" }, "Stream"), several, choice, actions, trouble),
    h("div", { class: "halves wide-left" },
      h("div", { class: "stack" },
        h("section", { class: "card", "aria-labelledby": "schema-title" }, h("h3", { id: "schema-title" }, "Schema"), schema.element),
        h("section", { class: "card", "aria-labelledby": "generators-title" }, h("h3", { id: "generators-title" }, "Senders to this stream"), generators.element),
        h("section", { class: "card", "aria-labelledby": "references-title" }, h("h3", { id: "references-title" }, "Reference tables"), references.element)),
      h("section", { class: "card", "aria-labelledby": "sample-title" }, h("h3", { id: "sample-title" }, "Sample"), sample.element)));
  const element = h("div", { class: "stack" }, facts, editing);
  let streams = null, functions = [], number = 0, at = 0;
  const now = () => inputOf(read(draft.files), number);

  const report = (text) => { trouble.hidden = !text; say(trouble, text || ""); };

  function change(part, redraw = true) {
    const tree = read(draft.files);
    if (!tree) return;
    write(draft, withInput(tree, { ...inputOf(tree, number), ...part }, number));
    if (redraw) draw();
  }

  async function look(seconds = 3) {
    at = Date.now();
    const [found, targets] = await Promise.all([list("/api/streams", seconds), list("/api/targets", 10)]);
    report(found.ok ? "" : found.body.error);
    streams = found.ok ? found.body : [];
    functions = targets.ok ? targets.body.lambda || [] : [];
    draw();
  }

  async function created(body) {
    report("");
    for (const each of [demo, fresh]) each.disabled = true;
    say(statusText, "Creating the stream …").className = "busy";
    const { ok, body: found } = await post("/api/streams", body);
    for (const each of [demo, fresh]) each.disabled = false;
    say(statusText, "").className = "muted";
    if (!ok) {
      report(found.error);
      return found.error;
    }
    forget("/api/streams");
    change({ kind: "kinesis", stream: found.name });
    await look();
    generators.look();
    context.said(`The stream ${found.name} is created`);
    if (body.template === undefined) discovered();
    return "";
  }

  function named() {
    const name = h("input", { required: true, pattern: "[a-zA-Z0-9_.\\-]{1,128}", name: "stream", autocomplete: "off", spellcheck: "false" });
    dialog({ title: "New stream", ok: "Create", body: [field("Name", name)], submit: () => created({ name: name.value, template: null }) });
  }

  async function discovered() {
    const input = now();
    if (!input.stream) return report("Choose a stream first, or create one.");
    report("");
    discover.disabled = true;
    await sample.discover(input.stream, input.kind, input.preprocess);
    discover.disabled = false;
  }

  function draw() {
    const { document, editable } = draft;
    const kda = document?.form === "kda";
    editing.hidden = !kda;
    facts.hidden = Boolean(kda && editable);
    show(facts, [document?.form, editable, kda ? null : context.application.flow], () => {
      if (!document) return empty("Loading …");
      const note = editable ? [] : [h("div", { class: "notice" }, h("p", {}, "An example: it can be run as it is. A copy of it can be edited."), copyButton(context))];
      const { stages, edges } = context.application.flow;
      const begins = stages.flat().filter((node) => !node.relation && edges.some(([from]) => from === node.id));
      const reader = (node) => edges.filter(([from]) => from === node.id).map(([, to]) => to).join(", ");
      const known = kda ? [] : [h("section", { class: "card" }, h("h3", {}, "Sources"), h("ul", { class: "lines" }, ...begins.map((node) =>
        h("li", {}, h("span", {}, node.label), node.note ? h("span", { class: "badge" }, node.note) : null, h("span", { class: "muted" }, "→"), h("b", { class: "mono" }, reader(node))))),
      h("p", { class: "note" }, "Its sources and their columns are in its files, on the SQL page."))];
      return [...note, ...known];
    });
    if (!kda) return;
    const tree = read(draft.files);
    if (!tree) return report("application.json can't be read as JSON: fix it on the SQL page.");
    number = Math.min(number, inputs(tree).length - 1);
    const input = inputOf(tree, number);
    show(several, [inputs(tree).map((i) => i.InAppStreamNames), number], () => inputs(tree).length < 2 ? [] : tabs("Sources", inputs(tree).map((_, n) => [String(n), inputOf(tree, n).names.join(", ")]), String(number), (n) => { number = Number(n); draw(); }));
    actions.hidden = !editable;
    schema.locked = !editable;
    show(choice, [input.kind, input.stream, input.names, input.preprocess, streams?.map((s) => [s.name, s.kind, s.shards]), functions, editable], () => controls(input, editable));
    schema.set(input.schema);
    references.draw();
  }

  function controls(input, editable) {
    const known = (streams || []).map((s) => [`${s.kind} ${s.name}`, `${s.name} · ${KINDS[s.kind] || s.kind}${s.shards ? `, ${count(s.shards)} ${s.shards === 1 ? "shard" : "shards"}` : ""}`]);
    const before = input.stream ? `${input.kind} ${input.stream}` : "";
    if (before && !known.some(([key]) => key === before)) known.unshift([before, `${input.stream} · ${streams ? "not found here" : KINDS[input.kind]}`]);
    if (!before) known.unshift(["", streams ? (streams.length ? "Choose a stream …" : "No stream here yet") : "Looking …"]);
    const stream = h("select", {
      name: "stream", disabled: !editable, onchange: () => {
        const [kind, ...rest] = stream.value.split(" ");
        change({ kind, stream: rest.join(" "), path: "" });
        sample.forget();
        generators.look();
      },
    }, ...known.map(([key, label]) => h("option", { value: key, selected: key === before }, label)));
    const called = h("input", { value: input.names.join(", "), disabled: !editable, class: "mono", pattern: "[A-Za-z_][A-Za-z0-9_, ]*", name: "names", onchange: () => change({ names: called.value.split(",").map((name) => name.trim()).filter(Boolean) }) });
    const names = ["", ...new Set([...functions, input.preprocess].filter(Boolean))];
    const first = h("select", { name: "preprocess", disabled: !editable, onchange: () => change({ preprocess: first.value }) },
      ...names.map((name) => h("option", { value: name, selected: name === input.preprocess }, name || "Off")));
    return [field("Stream", stream), field("Name in the application", called), field("Function that records pass first", first)];
  }

  return {
    element,
    shown() { draw(); look(); generators.look(); },
    drafted: (what) => what !== "kept" && draw(),
    draw() { generators.tick(); if (Date.now() - at > 8000) look(); },
  };
}
