// Senders to a stream, made here: a template of the Kinesis Data Generator and a rate.

import { get, post } from "./api.js";
import { dialog } from "./dialogs.js";
import { button, field, h } from "./dom.js";
import { makeSenders } from "./senders.js";

const TEMPLATE = `{
  "browseraction": "{{random.arrayElement(["Impression", "Click"])}}",
  "site": "yourwebsiteurl.domain.com"
}`;

export function makeGenerators(context, stream) {
  let senders = [], asking = false, at = 0;
  const shown = makeSenders(context, { none: "None yet.", address: (id) => `/api/senders/${encodeURIComponent(id)}`, removable: true });
  const add = button("Add a sender", () => made(), { image: "plus", kind: "small" });
  const element = h("div", { class: "stack tight" }, shown.element, h("div", { class: "row" }, add));

  async function look() {
    if (asking) return;
    asking = true;
    at = Date.now();
    const { ok, body } = await get("/api/senders");
    asking = false;
    if (ok) senders = body;
    draw();
  }

  function draw() {
    add.disabled = !stream();
    shown.draw(senders.filter((s) => s.stream === stream()));
  }

  function made() {
    const label = h("input", { required: true, maxlength: 60, value: `Sender ${senders.filter((s) => s.stream === stream()).length + 1}`, name: "label" });
    const rate = h("input", { type: "number", min: 0.1, max: 2000, step: "any", value: 1, required: true, name: "rate" });
    const template = h("textarea", { rows: 9, required: true, spellcheck: "false", name: "template" });
    template.value = TEMPLATE;
    return dialog({
      title: `Send to ${stream()}`, ok: "Start",
      body: [h("div", { class: "fields" }, field("Name", label), field("Records a second", rate)), field("Template of a record (Kinesis Data Generator)", template)],
      submit: async () => {
        const { ok, body } = await post("/api/senders", { stream: stream(), label: label.value, rate: Number(rate.value), template: template.value });
        if (ok) look();
        return ok ? "" : body.error;
      },
    });
  }

  return { element, draw, look, tick: () => Date.now() - at > 1500 && look() };
}
