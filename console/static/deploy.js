// Deployment to the managed service: shows resources, permissions and cost before it starts.

import { get, of, post } from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, empty, h } from "./dom.js";

const money = (dollars, digits = 2) => `$ ${Number(dollars).toFixed(digits)}`;

export function makeDeploy(context) {
  const name = context.application.name;
  const place = h("div", { class: "stack tight" });
  const look = button("What would it cost?", () => ask(), {});
  const element = h("div", { class: "stack tight" }, h("p", { class: "muted" }, "The same application on Managed Service for Apache Flink, with a role that may do what it needs and nothing else."), h("div", { class: "row" }, look), place);

  async function ask() {
    look.disabled = true;
    place.replaceChildren(h("p", { class: "busy" }, "Calculating …"));
    const { ok, body } = await get(of(name, "/deploy"));
    look.disabled = false;
    place.replaceChildren(...(ok ? plan(body) : [empty(body.error)]));
  }

  function plan({ command, resources, role, cost, state }) {
    const list = (title, lines) => h("details", {}, h("summary", {}, title), h("ul", { class: "lines" }, ...lines));
    const said = h("p", { class: "trouble", role: "alert", hidden: true });
    const go = button("Deploy", async () => {
      const sure = await confirmed(`Deploy ${context.application.label}?`, `It costs about ${money(cost.running_an_hour)} an hour while it runs (${money(cost.running_a_month, 0)} a month), ${money(cost.stopped_an_hour)} while it is stopped.`, "Deploy");
      if (!sure) return;
      const { ok, body } = await post(of(name, "/deploy"));
      said.hidden = ok;
      said.textContent = ok ? "" : body.error;
      if (ok) ask();
    }, { kind: "first", hidden: !state.possible, disabled: Boolean(state.running) });
    return [
      h("dl", { class: "costs" }, ...[["an hour", money(cost.running_an_hour)], ["a month", money(cost.running_a_month, 0)], ["an hour while stopped", money(cost.stopped_an_hour)]]
        .map(([when, price]) => h("div", {}, h("dt", {}, when), h("dd", {}, price)))),
      h("div", { class: "table" }, h("table", {}, h("tbody", {}, ...cost.lines.map((line) => h("tr", {}, h("td", {}, line.what), h("td", { class: "number" }, `${money(line.dollars_an_hour, 4)} an hour`)))))),
      cost.note ? h("p", { class: "note" }, cost.note) : null,
      list(`Resources: ${resources.length}`, resources.map((r) => h("li", {}, h("span", { class: "badge" }, r.type), h("span", { class: "mono" }, r.name)))),
      list("What its role may do", role.map((r) => h("li", {}, h("b", { class: "mono" }, [r.actions].flat().join(", ")), h("span", { class: "mono muted" }, [r.resource].flat().join(", "))))),
      state.lines?.length ? h("pre", { class: "mono log" }, state.lines.join("\n")) : null,
      state.possible ? null : h("p", { class: "muted" }, "This console uses a local AWS. To deploy, run this on a machine with credentials:"),
      h("pre", { class: "mono code" }, command), said, h("div", { class: "row" }, go),
    ].filter(Boolean);
  }

  return { element };
}
