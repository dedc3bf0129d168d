// The grid of a relation's rows: new rows are added at the top and old ones removed at the bottom; search and sort.

import { brief, cell, clock, count, h } from "./dom.js";

const SHOWN = 200; // rows in the page
const KEPT = 1000; // rows to search, sort and export
const NARROW = 7, WIDE = 42; // characters

export class Grid {
  constructor(label) {
    this.head = h("tr", {});
    this.body = h("tbody", {});
    this.group = h("colgroup", {});
    this.table = h("table", { class: "grid", "aria-label": label }, this.group, h("thead", {}, this.head), this.body);
    this.element = h("div", { class: "table grid-frame", role: "region", tabindex: "0", "aria-label": label }, this.table);
    this.clear();
  }

  clear() {
    this.rows = []; // oldest first
    this.columns = [];
    this.widths = [];
    this.lines = new Map(); // by number: the rows on the page
    this.sort = null; // { column, up }
    this.words = "";
    this.paused = false;
    this.waiting = 0;
    this.body.replaceChildren();
    this.head.replaceChildren();
    this.group.replaceChildren();
  }

  get last() { return this.rows.length ? this.rows[this.rows.length - 1].number : 0; }

  // `rows`: oldest first; known ones are skipped.
  add(columns, rows) {
    const fresh = rows.filter((row) => row.number > this.last);
    if (!fresh.length && this.columns.length) return;
    this.rows.push(...fresh);
    if (this.rows.length > KEPT) this.rows.splice(0, this.rows.length - KEPT);
    const other = columns.length && columns.join("\n") !== this.columns.join("\n");
    if (other) {
      this.columns = [...columns];
      this.header();
    }
    this.measure(fresh);
    if (this.paused && !other) this.waiting += fresh.length;
    else if (this.sort || this.words || other) this.redraw();
    else this.prepend(fresh);
  }

  header() {
    this.lines.clear(); // draw all rows again, with these columns
    this.numeric = new Set(this.columns.filter((c) => this.rows.every((row) => row.values[c] === null || row.values[c] === undefined || typeof row.values[c] === "number")));
    this.head.replaceChildren(...["rowtime", ...this.columns].map((column) => {
      const state = this.sort?.column === column ? (this.sort.up ? "ascending" : "descending") : "none";
      return h("th", { scope: "col", "aria-sort": state, class: this.numeric.has(column) ? "number" : null },
        h("button", { type: "button", onclick: () => this.order(column), title: `Sort by ${column}` }, column));
    }));
    this.group.replaceChildren(h("col", {}), ...this.columns.map(() => h("col", {})));
    this.widths = this.columns.map((c) => Math.min(WIDE, Math.max(NARROW, c.length + 1)));
    this.layout();
  }

  // Columns grow with longer values but never shrink, so that nothing jumps.
  measure(rows) {
    let grown = false;
    this.columns.forEach((column, i) => {
      for (const row of rows.slice(-60)) {
        const wide = Math.min(WIDE, this.text(row, column).length);
        if (wide > this.widths[i]) { this.widths[i] = wide; grown = true; }
      }
    });
    if (grown) this.layout();
  }

  layout() {
    const [time, ...rest] = this.group.children;
    if (!time) return;
    time.style.width = "14ch";
    rest.forEach((col, i) => { col.style.width = `${this.widths[i] + 3}ch`; });
    this.table.style.width = `${14 + this.widths.reduce((a, b) => a + b + 3, 0)}ch`;
  }

  text(row, column) {
    return brief(cell(row.values[column]), row.rowtime);
  }

  line(row) {
    return h("tr", {}, h("td", { title: row.rowtime }, clock(row.rowtime, true)), ...this.columns.map((c) => {
      const full = cell(row.values[c]), short = brief(full, row.rowtime);
      const none = row.values[c] === null || row.values[c] === undefined;
      return h("td", { class: none ? "none" : this.numeric.has(c) ? "number" : null, title: full.length > WIDE || full !== short ? full : null }, none ? "NULL" : short);
    }));
  }

  prepend(rows) {
    for (const row of rows.slice(-SHOWN)) {
      const line = this.line(row);
      this.lines.set(row.number, line);
      this.body.prepend(line);
    }
    while (this.body.rows.length > SHOWN) {
      const [oldest] = this.lines.keys();
      this.lines.get(oldest).remove();
      this.lines.delete(oldest);
    }
  }

  // The rows to show: newest first, or in the chosen order.
  chosen() {
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.rows.filter((row) => {
      if (!words.length) return true;
      const line = this.columns.map((c) => cell(row.values[c])).join("\n").toLowerCase();
      return words.every((word) => line.includes(word));
    }).reverse();
    if (!this.sort) return found;
    const { column, up } = this.sort;
    const of = (row) => (column === "rowtime" ? row.rowtime : row.values[column]);
    return found.sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (x === y) return 0;
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return (x < y ? -1 : 1) * (up ? 1 : -1);
    });
  }

  redraw() {
    const shown = this.chosen().slice(0, SHOWN), before = this.lines;
    this.lines = new Map([...shown].reverse().map((row) => [row.number, before.get(row.number) ?? this.line(row)]));
    this.body.replaceChildren(...shown.map((row) => this.lines.get(row.number)));
  }

  order(column) {
    const now = this.sort;
    if (now?.column !== column) this.sort = { column, up: false };
    else this.sort = now.up ? null : { column, up: true };
    this.header();
    this.measure(this.rows);
    this.redraw();
    this.head.querySelector(`[title="${CSS.escape(`Sort by ${column}`)}"]`)?.focus();
  }

  search(words) {
    this.words = words;
    this.redraw();
  }

  pause(paused) {
    this.paused = paused;
    this.waiting = 0;
    if (!paused) this.redraw();
  }

  csv() {
    const quoted = (value) => {
      const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const rows = this.chosen();
    if (!this.sort) rows.reverse();
    return [["rowtime", ...this.columns], ...rows.map((row) => [row.rowtime, ...this.columns.map((c) => row.values[c])])].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
  }

  said() {
    const found = this.words ? this.chosen().length : this.rows.length;
    return this.words ? `${count(found)} of ${count(this.rows.length)} rows` : `newest ${count(Math.min(found, SHOWN))} rows`;
  }
}
