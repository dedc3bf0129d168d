// The editor of an InputSchema: the records' format, and the columns with name, type, mapping and order.

import { button, empty, field, h, select } from "./dom.js";
import { SQL_TYPES } from "./language.js";

let lists = 0;

export class SchemaEditor {
  // `changed` gets the schema at each change; `locked`: it can only be read.
  constructor({ changed, locked = false, label = "Columns" }) {
    this.changed = changed;
    this.locked = locked;
    this.label = label;
    this.words = "";
    this.types = `types-${(lists += 1)}`;
    this.filter = h("input", { type: "search", placeholder: "Find a column", "aria-label": "Find a column", oninput: () => { this.words = this.filter.value.toLowerCase(); this.hide(); } });
    this.format = h("div", { class: "fields" });
    this.columns = h("ol", { class: "columns", "aria-label": label });
    this.add = button("Add a column", () => this.append(), { image: "plus", kind: "small" });
    this.element = h("div", { class: "stack" }, this.format, this.filter, this.columns, h("div", { class: "row" }, this.add),
      h("datalist", { id: this.types }, ...SQL_TYPES.map((type) => h("option", { value: type }))));
  }

  // Redraws only changes from elsewhere, so that the field being edited keeps its focus.
  set(schema) {
    const text = JSON.stringify(schema);
    if (text === this.known) return;
    this.known = text;
    this.schema = structuredClone(schema);
    this.draw();
  }

  tell() {
    this.known = JSON.stringify(this.schema);
    this.changed(structuredClone(this.schema));
  }

  draw() {
    this.drawFormat();
    const columns = this.schema.RecordColumns || [];
    this.columns.replaceChildren(...columns.map((column, number) => this.row(column, number)));
    if (!columns.length) this.columns.append(h("li", { class: "bare" }, empty("No columns yet: discover the schema, or add them.")));
    this.add.hidden = this.locked;
    this.filter.hidden = columns.length < 8;
    this.hide();
  }

  drawFormat() {
    const { RecordFormat: record } = this.schema;
    const csv = record.RecordFormatType === "CSV";
    const parameters = record.MappingParameters || {};
    const json = parameters.JSONMappingParameters || {}, lines = parameters.CSVMappingParameters || {};
    const turn = (type) => {
      this.schema.RecordFormat = type === "CSV"
        ? { RecordFormatType: "CSV", MappingParameters: { CSVMappingParameters: { RecordRowDelimiter: "\n", RecordColumnDelimiter: "," } } }
        : { RecordFormatType: "JSON", MappingParameters: { JSONMappingParameters: { RecordRowPath: "$" } } };
      this.draw();
      this.tell();
    };
    const text = (label, value, set, rest = {}) => {
      const input = h("input", { value, disabled: this.locked, spellcheck: "false", autocomplete: "off", class: "mono", ...rest, oninput: () => { set(input.value); this.tell(); } });
      return field(label, input);
    };
    this.format.replaceChildren(
      field("Format", select(["JSON", "CSV"], csv ? "CSV" : "JSON", turn, { disabled: this.locked })),
      ...(csv ? [
        text("Column delimiter", escaped(lines.RecordColumnDelimiter ?? ","), (v) => { lines.RecordColumnDelimiter = unescaped(v); }),
        text("Row delimiter", escaped(lines.RecordRowDelimiter ?? "\n"), (v) => { lines.RecordRowDelimiter = unescaped(v); }),
      ] : [text("Row path", json.RecordRowPath ?? "$", (v) => { json.RecordRowPath = v; })]));
  }

  row(column, number) {
    const csv = this.schema.RecordFormat.RecordFormatType === "CSV";
    const input = (name, value, rest = {}) => {
      const element = h("input", {
        value: value ?? "", disabled: this.locked, spellcheck: "false", autocomplete: "off", class: "mono", "aria-label": `${name} of column ${number + 1}`, ...rest,
        oninput: () => {
          const key = { Name: "Name", Type: "SqlType", Path: "Mapping" }[name];
          column[key] = element.value;
          if (key === "Mapping" && !element.value) delete column.Mapping;
          this.tell();
        },
      });
      return element;
    };
    const move = (by) => {
      const { RecordColumns: all } = this.schema;
      all.splice(number + by, 0, ...all.splice(number, 1));
      this.draw();
      this.tell();
      this.columns.children[number + by].querySelector(by < 0 ? "[data-move=up]" : "[data-move=down]")?.focus();
    };
    const last = number === this.schema.RecordColumns.length - 1;
    return h("li", { dataset: { column: column.Name } }, h("span", { class: "muted number" }, String(number + 1)),
      input("Name", column.Name), input("Type", column.SqlType, { list: this.types }), csv ? null : input("Path", column.Mapping, { placeholder: "$.…" }),
      this.locked ? null : h("span", { class: "moves" },
        button(`Move ${column.Name} up`, () => move(-1), { kind: "small", image: "up", bare: true, disabled: number === 0, "data-move": "up" }),
        button(`Move ${column.Name} down`, () => move(1), { kind: "small", image: "down", bare: true, disabled: last, "data-move": "down" }),
        button(`Delete ${column.Name}`, () => { this.schema.RecordColumns.splice(number, 1); this.draw(); this.tell(); }, { kind: "small", image: "trash", bare: true })));
  }

  append() {
    const csv = this.schema.RecordFormat.RecordFormatType === "CSV";
    this.schema.RecordColumns.push({ Name: "", SqlType: "VARCHAR(64)", ...(csv ? {} : { Mapping: "$." }) });
    this.draw();
    this.columns.lastElementChild.querySelector("input").focus();
    this.tell();
  }

  hide() {
    for (const row of this.columns.children) row.hidden = Boolean(this.words) && !(row.dataset.column || "").toLowerCase().includes(this.words);
  }
}

const escaped = (text) => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
const unescaped = (text) => text.replace(/\\(n|r|t|\\)/g, (_, c) => ({ n: "\n", r: "\r", t: "\t", "\\": "\\" })[c]);
