// Destinations: where each stream's rows go, whether it can be reached, and what arrived there.

import { list, post } from "./api.js";
import { drawArrivals } from "./arrivals.js";
import { copyButton } from "./applications.js";
import { outputsOf, read, TARGETS, withOutputs, write } from "./description.js";
import { dialog } from "./dialogs.js";
import { button, field, h, say, select, show } from "./dom.js";
import { relations } from "./results.js";

export function makeDestinations(context) {
  const { draft } = context;
  const places = h("ul", { class: "lines places" }), arrivals = h("div", { class: "arrived" });
  const add = button("Connect a destination", () => edit(-1), { image: "plus", kind: "first" });
  const hint = h("p", { class: "note" }, "Changes of destinations are part of the draft: apply them with Save and run on the SQL page.");
  const element = h("div", { class: "stack" },
    h("section", { class: "card", "aria-labelledby": "destinations-title" }, h("h3", { id: "destinations-title" }, "Destinations"), places, h("div", { class: "row" }, add), hint),
    h("section", { class: "card", "aria-labelledby": "arrived-title" }, h("h3", { id: "arrived-title" }, "What arrived"), arrivals));

  function keep(change) {
    const tree = read(draft.files), all = outputsOf(tree);
    change(all);
    write(draft, withOutputs(tree, all));
    draw();
  }

  function draw() {
    const kda = draft.document?.form === "kda";
    add.hidden = hint.hidden = !draft.editable || !kda;
    const outputs = kda ? outputsOf(read(draft.files)) : [];
    const nodes = context.application.flow;
    show(places, [kda, draft.editable, outputs, nodes, Boolean(draft.document)], () => {
      if (!draft.document) return [h("li", { class: "empty" }, "Loading …")];
      if (!kda) {
        const ends = nodes.stages.flat().filter((n) => !n.relation && nodes.edges.some(([, to]) => to === n.id));
        const from = (id) => nodes.edges.filter(([, to]) => to === id).map(([f]) => f).join(", ");
        return ends.length ? ends.map((n) => h("li", {}, h("b", { class: "mono" }, from(n.id)), h("span", { class: "muted" }, "→"), h("span", {}, n.label), n.note ? h("span", { class: "badge" }, n.note) : null))
          : [h("li", { class: "empty" }, "No destination is on: rows stay in the application.")];
      }
      if (!outputs.length) return [h("li", { class: "empty" }, "None yet: rows stay in the application.")];
      return outputs.map((o, number) => {
        const statusText = h("span", { class: "muted", role: "status" });
        return h("li", {}, h("b", { class: "mono" }, o.of), h("span", { class: "muted" }, "→"), h("span", {}, o.name || "not chosen"), h("span", { class: "badge" }, TARGETS[o.type][0]), statusText,
          h("span", { class: "push row" }, button("Test", () => tested(o, statusText), { kind: "small", "aria-label": `Test ${o.name}` }),
            draft.editable ? button("Edit", () => edit(number), { kind: "small", "aria-label": `Edit ${o.name}` }) : null,
            draft.editable ? button(`Disconnect ${o.name}`, () => keep((all) => all.splice(number, 1)), { kind: "small", image: "trash", bare: true }) : null));
      });
    });
    if (!kda && draft.document && !draft.editable && !places.querySelector("button")) places.append(h("li", { class: "bare" }, copyButton(context)));
  }

  async function tested({ type, name }, statusText) {
    say(statusText, "Asking …").className = "busy";
    const { ok, body } = await post("/api/destinations/test", { type, name });
    const fine = ok && body.ok;
    say(statusText, fine ? body.message || "It can be reached." : body.message || body.error).className = fine ? "good-text" : "bad-text";
    return fine;
  }

  function streams() {
    const known = (draft.document.relations || []).filter((r) => !["source", "reference"].includes(r.kind)).map((r) => r.name);
    const found = known.length ? known : relations(context.application).filter((name) => name !== context.application.errors);
    return [...new Set([...found, context.application.errors])];
  }

  async function edit(number) {
    const outputs = outputsOf(read(draft.files));
    const names = streams();
    const now = { of: names.at(-2) || names[0], type: "lambda", name: "", key: "", format: "JSON", ...outputs[number] };
    if (!names.includes(now.of)) names.unshift(now.of);
    const place = h("div", { class: "fields two" }), statusText = h("p", { class: "muted", role: "status" }), choices = h("datalist", { id: "targets" });
    const { ok, body: targets } = await list("/api/targets", 5);
    const controls = () => {
      const known = (ok && targets[now.type]) || [];
      choices.replaceChildren(...known.map((name) => h("option", { value: typeof name === "string" ? name : name.name })));
      const name = h("input", { value: now.name, required: true, name: "target", list: "targets", class: "mono", autocomplete: "off", placeholder: now.type === "s3" ? "s3://bucket/folder" : known.length ? "Choose or type" : "", oninput: () => { now.name = name.value.trim(); } });
      const key = h("input", { value: now.key, name: "key", class: "mono", oninput: () => { now.key = key.value.trim(); } });
      place.replaceChildren(
        field("In-application stream", select(names, now.of, (value) => { now.of = value; }, { name: "of" })),
        field("Goes to", select(Object.entries(TARGETS).map(([type, [label]]) => [type, label]), now.type, (value) => { now.type = value; now.name = ""; controls(); }, { name: "type" })),
        field(now.type === "s3" ? "Address" : "Name", name), ...(now.type === "dynamodb" ? [field("Key column", key)] : []),
        field("Format", select(["JSON", "CSV"], now.format, (value) => { now.format = value; }, { name: "format" })));
    };
    controls();
    await dialog({
      title: number < 0 ? "Connect a destination" : "Destination", ok: number < 0 ? "Connect" : "Keep",
      body: [place, choices, h("div", { class: "row" }, button("Test the connection", () => (now.name ? tested(now, statusText) : say(statusText, "Name it first.")), { kind: "small" }), statusText)],
      submit: () => {
        keep((all) => (number < 0 ? all.push(now) : all.splice(number, 1, now)));
        return "";
      },
    });
  }

  return { element, shown: draw, drafted: (what) => what !== "kept" && draw(), draw(snapshot) { draw(); drawArrivals(arrivals, snapshot.results, context.said); } };
}
