// An application's properties, each with its default, bounds and meaning.

import { get, of, put } from "./api.js";
import { button, empty, h, say } from "./dom.js";

export function makeProperties(context) {
  const name = context.application.name;
  const place = h("div", { class: "properties" }), statusText = h("span", { class: "muted", role: "status" });
  const keep = button("Save the properties", () => save(), { disabled: true, kind: "first" });
  const search = h("input", { type: "search", placeholder: "Find a property", "aria-label": "Find a property", oninput: hide });
  const element = h("div", { class: "stack tight" }, search, place, h("div", { class: "row" }, keep, statusText));
  const changed = new Map(), set = new Map(); // by group.key
  let known = false;
  place.append(empty("Loading …"));

  async function look() {
    if (known) return;
    const { ok, body } = await get(of(name, "/properties"));
    if (!ok) return place.replaceChildren(empty(body.error));
    known = true;
    set.clear();
    fill(body.groups);
  }

  function fill(groups) {
    search.hidden = groups.reduce((sum, g) => sum + g.properties.length, 0) < 12;
    place.replaceChildren(...(groups.length ? groups.map((g) => h("fieldset", { dataset: { group: g.name } }, h("legend", {}, g.name), ...g.properties.map((p) => row(g.name, p)))) : [empty("None.")]));
  }

  function row(group, p) {
    const id = `${group}.${p.key}`, value = p.value ?? "";
    const bounds = /\d to \d|or more|more than/.test(p.help || "") ? "" : [p.minimum !== undefined && p.minimum !== null ? `from ${p.minimum}` : "", p.maximum !== undefined && p.maximum !== null ? `to ${p.maximum}` : ""].filter(Boolean).join(" ");
    const said = h("small", {}, [p.help, bounds, p.default === null || p.default === undefined || p.default === "" ? "" : `default ${p.default}`].filter(Boolean).join(" · "));
    if (p.set) set.set(id, String(value));
    const choices = p.choices?.length ? p.choices : p.type === "boolean" ? ["true", "false"] : null;
    const input = h(choices ? "select" : "input", {
      id: `property-${id}`, class: "mono", ...(choices ? {} : { value, spellcheck: "false", autocomplete: "off", placeholder: p.default ?? "" }),
      oninput: () => {
        if (input.value === String(value)) changed.delete(id);
        else changed.set(id, input.value);
        input.removeAttribute("aria-invalid");
        keep.disabled = !changed.size;
      },
    }, ...(choices || []).map((each) => h("option", { value: each, selected: String(each) === String(value) }, String(each))));
    return h("div", { class: "property", dataset: { key: id } }, h("label", { for: input.id, class: "mono" }, p.key), input, said);
  }

  function hide() {
    const words = search.value.toLowerCase();
    for (const line of place.querySelectorAll(".property")) line.hidden = Boolean(words) && !line.textContent.toLowerCase().includes(words) && !line.dataset.key.includes(words);
    for (const group of place.querySelectorAll("fieldset")) group.hidden = !group.querySelector(".property:not([hidden])");
  }

  async function save() {
    keep.disabled = true;
    const { ok, body } = await put(of(name, "/properties"), { assignments: Object.fromEntries([...set, ...changed]) });
    keep.disabled = ok;
    for (const input of place.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    if (!ok) {
      for (const problem of body.problems || []) place.querySelector(`[data-key="${CSS.escape(problem.key || "")}"] :is(input, select)`)?.setAttribute("aria-invalid", "true");
      say(statusText, body.error).className = "bad-text";
      return;
    }
    changed.clear();
    known = false;
    await look();
    say(statusText, "Saved; the next start uses them.").className = "good-text";
  }

  return { element, look };
}
