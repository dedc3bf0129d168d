// Reference tables: a file in S3, joined to the stream by a key.

import { post } from "./api.js";
import { read, referencesOf, withReferences, write, emptySchema } from "./description.js";
import { dialog } from "./dialogs.js";
import { button, field, h, say, show } from "./dom.js";
import { SchemaEditor } from "./schema.js";

export function makeReferences(context) {
  const { draft } = context;
  const list = h("ul", { class: "lines" });
  const add = button("Add a reference table", () => edit(-1), { image: "plus", kind: "small" });
  const element = h("div", { class: "stack tight" }, list, h("div", { class: "row" }, add));

  function keep(change) {
    const tree = read(draft.files), all = referencesOf(tree);
    change(all);
    write(draft, withReferences(tree, all));
    draw();
  }

  function draw() {
    const tree = read(draft.files);
    add.hidden = !draft.editable;
    show(list, [tree?.ReferenceDataSourceDescriptions, draft.editable], () => {
      const all = referencesOf(tree);
      if (!all.length) return [h("li", { class: "empty" }, "None.")];
      return all.map((each, number) => h("li", {}, h("b", { class: "mono" }, each.table), h("span", { class: "mono" }, `s3://${each.bucket}/${each.key}`),
        draft.editable ? h("span", { class: "push row" }, button(`Edit ${each.table}`, () => edit(number), { kind: "small" }),
          button(`Delete ${each.table}`, () => keep((found) => found.splice(number, 1)), { kind: "small", image: "trash", bare: true })) : null));
    });
  }

  function edit(number) {
    const before = referencesOf(read(draft.files))[number] || { table: "", bucket: "", key: "", schema: emptySchema() };
    let schema = before.schema;
    const editor = new SchemaEditor({ changed: (found) => { schema = found; }, label: "Columns of the table" });
    editor.set(schema);
    const table = h("input", { value: before.table, required: true, name: "table", class: "mono" });
    const bucket = h("input", { value: before.bucket, required: true, name: "bucket", class: "mono" });
    const key = h("input", { value: before.key, required: true, name: "key", class: "mono", placeholder: "folder/file.csv" });
    const statusText = h("span", { class: "muted", role: "status" });
    const discover = button("Discover columns", async () => {
      if (!bucket.value || !key.value) return void say(statusText, "Name the bucket and the file first.");
      discover.disabled = true;
      say(statusText, "Reading the file …");
      const { ok, body } = await post("/api/discover", { stream: key.value.trim(), kind: "s3", path: `s3://${bucket.value.trim()}/${key.value.trim()}` });
      discover.disabled = false;
      if (!ok || !body.schema) return void (say(statusText, body.error || body.problem).className = "bad-text");
      schema = body.schema;
      editor.set(schema);
      say(statusText, `${body.raw.length} lines${body.header ? "; the first is a header, and becomes an error row" : ""}`).className = "muted";
    }, { kind: "small", image: "refresh" });
    dialog({
      title: number < 0 ? "Reference table" : `Reference table ${before.table}`, ok: "Keep", broad: true,
      body: [h("div", { class: "fields" }, field("Name in SQL", table), field("Bucket", bucket), field("File", key)), h("div", { class: "row" }, discover, statusText), editor.element],
      submit: () => {
        if (!schema.RecordColumns.length) return "Add the table's columns first.";
        const made = { ...before, table: table.value.trim(), bucket: bucket.value.trim(), key: key.value.trim(), schema };
        keep((all) => (number < 0 ? all.push(made) : all.splice(number, 1, made)));
        return "";
      },
    });
  }

  return { element, draw };
}
