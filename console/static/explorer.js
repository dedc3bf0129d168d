// A chart of any numeric column over time, split by the values of another column.

import { field, h, say, select, show } from "./dom.js";
import { escaped, paint } from "./figures.js";

const COLOURS = ["@s1", "@s2", "@s3", "@s4", "@s5", "@ink"];
const MOST_POINTS = 500;

export class Explorer {
  constructor() {
    this.plot = h("div", { class: "plot", "aria-hidden": "true" });
    this.summary = h("p", { class: "hidden" });
    this.controls = h("div", { class: "row" });
    this.element = h("details", { class: "explorer chart", hidden: true, ontoggle: () => this.draw() }, h("summary", {}, "Chart"), this.controls, this.summary, this.plot);
    this.clear();
  }

  clear() {
    this.grid = null;
    this.y = this.by = "";
    this.element.hidden = true;
  }

  add(grid) {
    this.grid = grid;
    const numbers = grid.columns.filter((c) => grid.numeric.has(c) && grid.rows.some((row) => typeof row.values[c] === "number"));
    const texts = grid.columns.filter((c) => !grid.numeric.has(c));
    this.element.hidden = !numbers.length;
    if (!numbers.length) return;
    const score = numbers.find((c) => c.toLowerCase() === "anomaly_score");
    if (!numbers.includes(this.y)) this.y = score || numbers[numbers.length - 1];
    show(this.controls, [numbers, texts], () => [
      field("Column", select(numbers, this.y, (value) => { this.y = value; this.draw(); })),
      texts.length ? field("Split by", select([["", "nothing"], ...texts], this.by, (value) => { this.by = value; this.draw(); })) : null].filter(Boolean));
    this.draw();
  }

  draw() {
    if (!this.element.open || !this.grid || this.grid.paused) return;
    const rows = this.grid.rows.slice(-MOST_POINTS);
    const keys = this.by ? [...new Set(rows.map((row) => String(row.values[this.by] ?? "")).reverse())].slice(0, COLOURS.length).sort() : [""];
    const data = keys.map((key, number) => {
      const own = rows.filter((row) => !this.by || String(row.values[this.by] ?? "") === key);
      const shown = escaped(key);
      return {
        type: "scatter", mode: "lines+markers", name: this.by ? shown : this.y, x: own.map((row) => row.rowtime.replace(" ", "T").replace(/Z$/, "")),
        y: own.map((row) => row.values[this.y] ?? null), line: { color: COLOURS[number], width: 1.5 }, marker: { size: 4, color: COLOURS[number] },
      };
    });
    say(this.summary, `${this.y} over time, ${rows.length} rows.`);
    paint(this.plot, { data, layout: { xaxis: { type: "date", tickformat: "%H:%M:%S", hoverformat: "%Y-%m-%d %H:%M:%S" }, yaxis: {} } }, window.Plotly);
  }
}
