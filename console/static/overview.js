// The overview of an application: its flow, charts, senders, and what arrived.

import { drawArrivals } from "./arrivals.js";
import { drawCharts } from "./charts.js";
import { button, empty, h } from "./dom.js";
import { drawFlow } from "./flow.js";
import { makeGenerators } from "./generators.js";
import { isUp } from "./job.js";
import { makeSenders } from "./senders.js";
import { Work } from "./work.js";

export function makeOverview(context) {
  const flow = h("div", { id: "flow" }), charts = h("div", { id: "charts" }), arrivals = h("div", { id: "results" });
  const senders = makeSenders(context);
  // An application made on the page also has the senders of its stream.
  const generators = context.application.form === "kda" ? makeGenerators(context) : null;
  const bare = h("div", { class: "card" }, h("h3", {}, "What to do first"),
    h("ol", { class: "todo" },
      h("li", {}, button("Choose a stream and discover its schema", () => context.go("source"), { kind: "quiet" })),
      h("li", {}, button("Write or paste the SQL, check it, run it", () => context.go("sql"), { kind: "quiet" })),
      h("li", {}, button("Look at the rows of each stream", () => context.go("results"), { kind: "quiet" })),
      h("li", {}, button("Connect a destination", () => context.go("destinations"), { kind: "quiet" }))));
  const arrived = h("section", { class: "card", "aria-labelledby": "results-title" }, h("h3", { id: "results-title" }, "What arrived"), arrivals);
  const pictured = h("section", { class: "card flow", "aria-labelledby": "flow-title" }, h("h3", { id: "flow-title" }, "Flow"), flow);
  const element = h("div", { class: "overview" },
    pictured,
    h("div", { class: "stack" },
      bare,
      h("section", { class: "card", "aria-labelledby": "charts-title" }, h("h3", { id: "charts-title" }, "Charts"), charts),
      h("div", { class: "halves" },
        h("section", { class: "card", "aria-labelledby": "senders-title" }, h("h3", { id: "senders-title" }, "Senders"), senders.element, generators?.element || ""),
        arrived)));
  charts.append(empty("Loading …"));
  const work = new Work(context.application.name);
  const drawn = () => drawFlow(flow, { application: context.application, relation: "" }, context.snapshot?.flow || {}, (relation) => context.go("results", relation), work.byRelation);
  return {
    element,
    shown() {
      drawn();
      generators?.look();
      // The window may have another width since they were drawn.
      for (const plot of charts.querySelectorAll(".js-plotly-plot")) window.Plotly.Plots.resize(plot);
    },
    drafted: (what) => what === "loaded" && generators?.look(),
    theme: () => drawCharts(charts, null),
    draw(snapshot) {
      bare.hidden = context.application.flow.stages.length > 0;
      pictured.hidden = arrived.hidden = !bare.hidden;
      element.classList.toggle("bare", !bare.hidden);
      charts.parentElement.hidden = !snapshot.charts.length && !bare.hidden;
      work.tick(isUp(snapshot.job), drawn);
      drawn();
      drawCharts(charts, snapshot.charts);
      senders.draw(snapshot.senders);
      senders.element.hidden = Boolean(generators) && !snapshot.senders.length;
      generators?.tick();
      drawArrivals(arrivals, snapshot.results, context.said);
    },
  };
}
