import { h, say, show } from "./dom.js";
import { paint, tableRows } from "./figures.js";

let last = [];

// `figures` null: draw the same figures again, for example after a change of the theme.
export function drawCharts(element, figures) {
  const again = figures === null;
  if (!again) last = figures;
  const key = last.map((figure) => figure.id);
  show(element, key, () => last.map(frame));
  for (const figure of last) {
    const box = element.querySelector(`[data-figure="${figure.id}"]`);
    const points = figure.data.some((trace) => trace.x.length);
    const text = JSON.stringify(figure);
    if (box.drawn === text && !again) continue;
    box.drawn = text;
    box.querySelector(".empty").hidden = points;
    box.querySelector(".plot").hidden = !points;
    box.querySelector("details").hidden = !points;
    say(box.querySelector(".hidden"), figure.summary);
    if (points) paint(box.querySelector(".plot"), figure, window.Plotly);
    fill(box, figure);
  }
}

function frame(figure) {
  const table = h("div", { class: "table", tabindex: "0", role: "region", "aria-label": `${figure.title}, as a table` });
  const details = h("details", { ontoggle: () => fill(details.closest(".chart"), last.find((f) => f.id === figure.id)) },
    h("summary", {}, "As a table"), table);
  return h("figure", { class: figure.kind === "scatter" ? "chart tall" : "chart", dataset: { figure: figure.id }, style: null, "aria-label": figure.title },
    h("h4", {}, figure.title), h("p", { class: "hidden" }, figure.summary),
    h("p", { class: "empty" }, "Nothing to draw yet."), h("div", { class: "plot", "aria-hidden": "true" }), details);
}

function fill(box, figure) {
  if (!figure || !box.querySelector("details").open) return;
  show(box.querySelector(".table"), figure.data, () => h("table", {},
    h("thead", {}, h("tr", {}, ...["", "x", "y", "note"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...tableRows(figure).map((row) => h("tr", {}, ...row.map((text) => h("td", {}, text)))))));
}
