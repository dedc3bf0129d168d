// A sample of a stream: its rows by a schema, its raw records, and its errors.

import { post } from "./api.js";
import { button, cell, count, empty, h, later, say, show, tabs } from "./dom.js";

export class Sample {
  constructor({ discovered }) {
    this.discovered = discovered;
    this.found = null; // { sample, schema, raw, formatted, errors }
    this.tab = "formatted";
    this.number = 0;
    this.state = h("span", { class: "muted", role: "status" });
    this.bar = h("div", {});
    this.place = h("div", { class: "table sample", tabindex: "0", role: "region", "aria-label": "Sample of the stream" });
    this.again = button("Refresh", () => this.decode(this.schema), { kind: "small", image: "refresh", hidden: true });
    this.element = h("div", { class: "stack tight" }, h("div", { class: "row" }, this.state, h("span", { class: "push" }), this.again), this.bar, this.place);
    this.soon = later((schema) => this.decode(schema), 400);
    this.draw();
  }

  async discover(stream, kind, preprocess) {
    say(this.state, "Reading some seconds of the stream …").className = "busy";
    const { ok, body } = await post("/api/discover", { stream, kind, ...(preprocess ? { preprocess } : {}) });
    this.state.className = ok ? "muted" : "trouble";
    if (!ok) {
      say(this.state, body.error);
      return false;
    }
    this.found = body;
    this.schema = body.schema || this.schema;
    this.tell();
    if (!body.schema) this.tab = "raw";
    this.draw();
    if (body.schema) this.discovered(body.schema, body.path);
    return true;
  }

  forget() {
    this.found = null;
    say(this.state, "");
    this.draw();
  }

  // Decodes the same records with another schema, without reading the stream again.
  async decode(schema) {
    this.schema = schema;
    if (!this.found) return;
    const mine = (this.number += 1);
    const { ok, body } = await post("/api/decode", { sample: this.found.sample, schema });
    if (mine !== this.number) return;
    this.state.className = ok ? "muted" : "trouble";
    if (!ok) return void say(this.state, body.error);
    this.found = { ...this.found, ...body };
    this.tell();
    this.draw();
  }

  tell() {
    const { raw, formatted, errors, problem } = this.found;
    if (problem) this.state.className = "trouble";
    say(this.state, problem || `${count(raw.length)} records, ${count(formatted.length)} rows${errors.length ? `, ${count(errors.length)} errors` : ""}`);
  }

  draw() {
    const { found, tab } = this;
    this.again.hidden = !found;
    this.bar.hidden = !found;
    if (!found) return this.place.replaceChildren(empty("No sample yet: choose a stream and discover its schema."));
    const badges = { formatted: [count(found.formatted.length)], raw: [count(found.raw.length)], errors: [count(found.errors.length), found.errors.length ? "bad" : ""] };
    show(this.bar, [tab, badges], () => tabs("Sample", [["formatted", "Formatted", badges.formatted], ["raw", "Raw", badges.raw], ["errors", "Errors", badges.errors]], tab, (name) => {
      this.tab = name;
      this.draw();
      this.bar.querySelector("[aria-selected=true]").focus();
    }));
    this.place.replaceChildren(...{ formatted: () => rows(found, this.schema), raw: () => found.raw.slice(0, 200).map((text) => h("pre", { class: "mono record" }, text)), errors: () => refused(found.errors) }[tab]());
  }
}

function rows({ formatted, errors }, schema) {
  if (!formatted.length) return [empty(errors.length ? "No row: every record is refused. The Errors tab says why." : "These records give no rows.")];
  const columns = schema?.RecordColumns?.map((c) => c.Name).filter((name) => name in formatted[0]) || [];
  const all = columns.length ? columns : Object.keys(formatted[0]);
  const numeric = new Set(all.filter((c) => formatted.every((row) => row[c] === null || typeof row[c] === "number")));
  return [h("table", {}, h("thead", {}, h("tr", {}, ...all.map((c) => h("th", { scope: "col", class: numeric.has(c) ? "number" : null }, c)))),
    h("tbody", {}, ...formatted.slice(0, 100).map((row) => h("tr", {}, ...all.map((c) => {
      const none = row[c] === null || row[c] === undefined, text = cell(row[c]);
      return h("td", { class: none ? "none" : numeric.has(c) ? "number" : null, title: text.length > 40 ? text : null }, none ? "NULL" : text);
    })))))];
}

function refused(errors) {
  if (!errors.length) return [empty("No errors: every record becomes a row.")];
  return errors.slice(0, 100).map((e) => h("div", { class: "error" }, h("b", {}, e.name), h("span", {}, e.message), h("pre", { class: "mono" }, e.record)));
}
