// Senders to the chosen stream: templates of the Kinesis Data Generator, each at a rate.

import { forget, list, post } from "./api.js";
import { inputOf, read, write } from "./description.js";
import { dialog } from "./dialogs.js";
import { button, field, h, select } from "./dom.js";
import { makeSenders } from "./senders.js";

const OWN = " own";
const TEMPLATE = `{
  "browseraction": "{{random.arrayElement(["Impression", "Click"])}}",
  "site": "yourwebsiteurl.domain.com"
}`;

const LOOK_MS = 2500;

export function makeGenerators(context, stream = () => inputOf(read(context.draft.files)).stream) {
  let senders = [], looked = 0;
  const changed = () => { forget("/api/streams"); look(); };
  const at = (what) => `/api/streams/${encodeURIComponent(stream())}/${what}`;
  const shown = makeSenders(context, {
    none: "None yet: records can come from anywhere, or from a sender here.",
    act: async (sender, what, body) => {
      const answer = await post(at(what === "start" ? "send" : "stop"), what === "start" ? { template: sender.template, rate: body.rate } : { template: sender.template });
      changed();
      return answer;
    },
  });
  const add = button("Add a sender", () => made(), { image: "plus", kind: "small" });
  const element = h("div", { class: "stack tight" }, shown.element, h("div", { class: "row" }, add));

  async function look() {
    looked = Date.now();
    const { ok, body } = await list("/api/streams", 2);
    if (ok) senders = body.find((s) => s.kind === "kinesis" && s.name === stream())?.senders || [];
    draw();
  }

  function draw() {
    add.disabled = !stream();
    shown.draw(senders.map((s) => ({ fixed: false, per_second: s.running ? s.rate : 0, ...s, id: s.template, label: s.template })));
  }

  async function made() {
    const { ok, body } = await list("/api/generators", 3600);
    const known = ok ? body : [];
    let chosen = known[0]?.name || OWN;
    const rate = h("input", { type: "number", min: 0.1, max: 2000, step: "any", value: 1, required: true, name: "rate" });
    const label = h("input", { maxlength: 60, value: "Records", name: "label" });
    const template = h("textarea", { rows: 9, spellcheck: "false", name: "template" });
    const named = field("Name", label), statusText = h("p", { class: "note" });
    const pick = (name) => {
      chosen = name;
      template.value = known.find((each) => each.name === name)?.text ?? TEMPLATE;
      template.readOnly = name !== OWN;
      named.hidden = name !== OWN;
      statusText.textContent = name === OWN ? "Your own template becomes part of the application: save the application to start the sender." : "";
    };
    const choice = select([...known.map((each) => each.name), ...(context.draft.editable ? [[OWN, "Your own template …"]] : [])], chosen, pick, { name: "generator" });
    pick(chosen);
    return dialog({
      title: `Send to ${stream()}`, ok: "Start",
      body: [h("div", { class: "fields" }, field("What", choice), field("Records per second", rate), named), field("Template of a record (Kinesis Data Generator)", template), statusText],
      submit: async () => {
        if (chosen === OWN) {
          const tree = read(context.draft.files);
          write(context.draft, { ...tree, Senders: [...(tree.Senders || []), { label: label.value, text: template.value, rate: Number(rate.value) }] });
          return "";
        }
        const answer = await post(at("send"), { template: chosen, rate: Number(rate.value) });
        changed();
        return answer.ok ? "" : answer.body.error;
      },
    });
  }

  return { element, look, tick: () => Date.now() - looked > LOOK_MS && look() };
}
