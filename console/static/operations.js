// Operations: properties, the log, the support bundle, and deleting an application.

import { get, of } from "./api.js";
import { deleteApplication, duplicate } from "./applications.js";
import { button, empty, h, icon, say, show } from "./dom.js";
import { makeDeploy } from "./deploy.js";
import { isUp } from "./job.js";
import { makeProperties } from "./properties.js";
import { drawWork, Work } from "./work.js";

const LOG_MS = 2500;

export function makeOperations(context) {
  const name = context.application.name;
  let last = 0, asking = false, filter = "";
  const failure = h("pre", { class: "mono failure", hidden: true }), lines = h("pre", { class: "mono log", tabindex: "0", "aria-label": "Log" });
  const search = h("input", { type: "search", placeholder: "Search the log", "aria-label": "Search the log", oninput: () => { filter = search.value.toLowerCase(); fill(); } });
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const properties = makeProperties(context), deploy = makeDeploy(context), work = new Work(name), steps = h("div", { class: "table" });
  let log = [];
  lines.append(empty("Looking …"));
  const bundle = h("a", { class: "button", href: of(name, "/bundle"), download: `${name}-support.zip` }, icon("download"), "Support bundle");
  const remove = button("Delete", async () => {
    const wrong = await deleteApplication(context.application, context);
    trouble.hidden = !wrong;
    say(trouble, wrong || "");
  }, { kind: "danger", image: "trash" });
  const element = h("div", { class: "stack" },
    h("section", { class: "card", "aria-labelledby": "log-title" },
      h("div", { class: "row" }, h("h3", { id: "log-title" }, "Log"), h("span", { class: "push" }), search), failure, lines),
    h("section", { class: "card", "aria-labelledby": "steps-title" }, h("h3", { id: "steps-title" }, "Steps"), steps),
    h("div", { class: "halves" },
      h("section", { class: "card", "aria-labelledby": "deploy-title" }, h("h3", { id: "deploy-title" }, "Deploy"), deploy.element),
      h("section", { class: "card", "aria-labelledby": "care-title" }, h("h3", { id: "care-title" }, "Support"),
      h("p", { class: "muted" }, "The bundle has versions, description, SQL, plan, settings without secrets, the last errors and the log’s end."),
      h("div", { class: "row care" }, bundle, button("Duplicate", () => duplicate(context.application, context), { image: "copy" }), remove), trouble)),
    h("section", { class: "card", "aria-labelledby": "properties-title" }, h("h3", { id: "properties-title" }, "Properties"), properties.element));

  async function look() {
    if (asking || Date.now() - last < LOG_MS) return;
    asking = true;
    last = Date.now();
    const { ok, body } = await get(of(name, "/log"));
    asking = false;
    if (!ok) return void show(lines, [body.error], () => body.error);
    log = body.lines || [];
    failure.hidden = !body.failure;
    say(failure, body.failure || "");
    fill();
  }

  function fill() {
    const found = filter ? log.filter((line) => line.toLowerCase().includes(filter)) : log;
    const low = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 30;
    const fresh = show(lines, found, () => (found.length ? found.join("\n") : empty(log.length ? "No line has this text." : "Nothing yet: the job writes here when it runs.")));
    if (fresh && low) lines.scrollTop = lines.scrollHeight;
  }

  return {
    element,
    shown() { remove.hidden = context.application.origin !== "own"; look(); properties.look(); },
    draw(snapshot) {
      look();
      drawWork(steps, work.steps);
      work.tick(isUp(snapshot.job), () => drawWork(steps, work.steps));
    },
  };
}
