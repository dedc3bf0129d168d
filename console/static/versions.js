// Saved versions: shows what changed in each, and restores one.

import { get, of } from "./api.js";
import { dialog } from "./dialogs.js";
import { button, clock, empty, h } from "./dom.js";
import { difference } from "./editor.js";
import { words } from "./language.js";

export async function showVersions(context, file) {
  const { draft } = context;
  const { versions = [], form } = draft.document;
  const known = await words(form);
  let view = null, shown = null;
  const place = h("div", { class: "diff-place" }), about = h("p", { class: "muted" });
  const back = button("Take this version into the draft", async () => {
    for (const [name, text] of Object.entries(shown.files)) draft.edit(name, text);
    draft.changed("loaded");
    context.said(`Version ${shown.number} is in the draft`);
    back.closest("dialog").close();
  }, { disabled: true });

  async function pick(number) {
    const { ok, body } = await get(of(draft.name, `/versions/${number}`));
    view?.destroy();
    place.replaceChildren();
    if (!ok) return place.append(empty(body.error));
    shown = body;
    back.disabled = !draft.editable;
    const changed = Object.keys({ ...body.files, ...draft.files }).filter((name) => body.files[name] !== draft.files[name]);
    about.textContent = changed.length ? `From version ${number} to the draft: ${changed.join(", ")} changed.` : `The draft is the same as version ${number}.`;
    const name = changed.includes(file) || !changed.length ? file : changed[0];
    view = difference(place, body.files[name] ?? "", draft.files[name] ?? "", known);
  }

  const newest = [...versions].sort((a, b) => b.number - a.number);
  const radios = h("fieldset", { class: "choices tall" }, h("legend", { class: "hidden" }, "Version"), ...newest.map((v, i) =>
    h("label", {}, h("input", { type: "radio", name: "version", checked: i === 0, onchange: () => pick(v.number) }),
      h("span", {}, `Version ${v.number}`, h("small", {}, [v.time && `${v.time.slice(0, 10)} ${clock(v.time)}`, v.note, v.number === draft.document.running_version && "runs"].filter(Boolean).join(" · "))))));
  if (newest.length) pick(newest[0].number);
  const dropped = button("Back to the saved version", async () => {
    const wrong = await draft.drop();
    if (wrong) about.textContent = wrong;
    else dropped.closest("dialog").close();
  }, { hidden: !draft.document.draft || !draft.document.saved || !draft.editable });
  await dialog({
    title: "Versions", ok: null, cancel: "Close", broad: true,
    body: newest.length ? [h("div", { class: "beside" }, h("div", { class: "stack" }, radios, dropped), h("div", { class: "stack" }, about, place, h("div", { class: "row" }, back)))]
      : [empty("Nothing is saved yet: each Save makes a version.")],
  });
  view?.destroy();
}
