// Dialogs: questions and forms.

import { button, h } from "./dom.js";

// Opens a dialog with a form. `submit` returns an error message, or nothing on success.
export function dialog({ title, body, ok = "OK", danger = false, broad = false, cancel = "Cancel", submit }) {
  return new Promise((resolve) => {
    const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
    const go = ok ? h("button", { class: danger ? "danger" : "first", type: "submit" }, ok) : null;
    const box = h("dialog", { class: broad ? "broad" : null, "aria-label": title, onclose: () => { box.remove(); resolve(box.done || false); } },
      h("form", {
        method: "dialog",
        onsubmit: async (event) => {
          event.preventDefault();
          if (go) go.disabled = true;
          const wrong = submit ? await submit(box) : "";
          if (go) go.disabled = false;
          trouble.hidden = !wrong;
          trouble.textContent = wrong || "";
          if (!wrong) box.finish(true);
        },
      },
      h("h2", {}, title), ...[body].flat(), trouble,
      h("div", { class: "row" }, button(cancel, () => box.close()), go)));
    box.finish = (value) => { box.done = value; box.close(); };
    document.body.append(box);
    box.showModal();
  });
}

export const confirmed = (title, text, ok, danger = false) =>
  dialog({ title, ok, danger, body: [text].flat().map((line) => (typeof line === "string" ? h("p", {}, line) : line)) });
