// The picture of a backtest: a line with what was expected, the chosen setting's alerts on it, a band for each setting.

import { cell, h, show } from "./dom.js";
import { escaped, paint } from "./figures.js";

const line = (name, x, y, color, dash) => ({ type: "scatter", mode: "lines", name, x, y, line: { color, dash, width: dash === "solid" ? 1.4 : 1 } });
const time = (text) => text.replace(" ", "T");

export function drawBacktest(element, list, result, chosen, key, at) {
  const setting = result.settings[chosen], own = setting.keys[key], x = own.x.map(time);
  const alerts = (each, number) => each.alerts[at.get(number)].map((place) => each.marks[place]);
  const marks = alerts(own, chosen);
  const names = result.settings.map((each, number) => `${number + 1}. ${escaped(each.name)}`);
  // Alerts of the same key; a setting with other keys has none.
  const bands = result.settings.flatMap((each, number) => {
    const same = each.keys.find((k) => k.key === own.key && k.column === own.column);
    return same ? alerts(same, number).map((mark) => [time(mark.x), names[number], number === chosen]) : [];
  });
  const data = [
    line("high", x, own.high, "@s1", "dot"), line("low", x, own.low, "@s1", "dot"), line("expected", x, own.expected, "@muted", "dot"), line(escaped(own.column), x, own.y, "@ink", "solid"),
    { type: "scatter", mode: "markers", name: "alert", x: marks.map((m) => time(m.x)), y: marks.map((m) => m.y), marker: { color: "@accent", size: 11, symbol: "diamond" } },
    { type: "scatter", mode: "markers", name: "alerts by setting", yaxis: "y2", showlegend: false, x: bands.map(([t]) => t), y: bands.map(([, name]) => name), hoverinfo: "x", marker: { color: "@accent", size: 8, symbol: "diamond" } },
  ];
  const shapes = result.labels.map(([from, to]) => ({ type: "rect", xref: "x", yref: "paper", x0: time(from), x1: time(to), y0: 0, y1: 1, line: { width: 0 }, fillcolor: "rgba(128, 128, 128, 0.18)", layer: "below" }));
  const top = Math.min(0.1 + 0.07 * names.length, 0.5);
  const layout = {
    xaxis: { type: "date", anchor: "y2", tickangle: 0, hoverformat: "%Y-%m-%d %H:%M:%S", range: [x[0], x[x.length - 1]] }, yaxis: { domain: [top + 0.04, 1] }, shapes,
    yaxis2: { type: "category", domain: [0, top], categoryorder: "array", categoryarray: [...names].reverse(), range: [-0.6, names.length - 0.4], tickvals: names, ticktext: names.map((_, n) => `${n + 1}`), title: { text: "setting" } },
  };
  const title = own.key === null ? own.column : `${own.column} of ${own.key}`;
  if (!element.firstChild) element.append(h("h4", {}), h("p", { class: "hidden" }), h("div", { class: "plot", "aria-hidden": "true" }));
  element.querySelector("h4").textContent = `${title}, ${setting.name}`;
  element.querySelector(".hidden").textContent = `${title}: ${own.x.length} points, ${marks.length} alerts at threshold ${setting.thresholds[at.get(chosen)]}.`;
  paint(element.querySelector(".plot"), { data, layout }, window.Plotly);
  show(list, [chosen, key, marks], () => h("table", {}, h("thead", {}, h("tr", {}, ...["Time", "Column", "Direction", "Value", "Expected"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...marks.slice(0, 200).map((m) => h("tr", {}, ...[m.x, m.column, m.direction, m.y, m.expected].map((value) => h("td", {}, cell(value))))))));
}
