// The newest rows of the chosen relation, and the error stream.

import { brief, cell, clock, count, empty, h, say, show } from "./dom.js";

const $ = (id) => document.getElementById(id);
const WHY = {
  unknown: "Looking for the job …", starting: "No rows yet: the job starts.", created: "No rows yet: the job starts.",
  initializing: "No rows yet: the job starts.", restarting: "No rows yet: the job restarts after a failure.",
  stopping: "No rows: the job stops.", failing: "No rows: the job fails.", running: "",
};

export function drawRows(chosen, snapshot) {
  if (snapshot.relation !== chosen.relation) return;
  say($("rows-title"), `Newest rows of ${chosen.relation}`);
  const newest = snapshot.rows;
  const tapped = Object.keys(snapshot.flow).length > 0;
  const waiting = tapped ? "No row has come yet." : "No row has come yet: start a sender, or start the job here so that its tap is on.";
  const why = newest.length ? "" : WHY[snapshot.job.state] ?? "No rows: the job does not run.";
  show($("rows"), [chosen.relation, newest[0]?.number, why || (newest.length ? "" : waiting)], () => {
    if (!newest.length) return empty(why || waiting);
    const columns = [...new Set(newest.flatMap((row) => Object.keys(row.values)))].slice(0, 20);
    const numeric = new Set(columns.filter((c) => newest.every((row) => row.values[c] === null || typeof row.values[c] === "number")));
    const head = h("tr", {}, h("th", { scope: "col" }, "rowtime"),
      ...columns.map((c) => h("th", { scope: "col", class: numeric.has(c) ? "number" : null }, c)));
    return h("table", {}, h("thead", {}, head), h("tbody", {}, ...newest.map((row) =>
      h("tr", {}, h("td", { title: row.rowtime }, clock(row.rowtime, true)), ...columns.map((c) => {
        const text = cell(row.values[c]), short = brief(text, row.rowtime);
        return h("td", { class: numeric.has(c) ? "number" : null, title: text.length > 40 || short !== text ? text : null }, short);
      })))));
  });
}

export function drawErrors(errors, total, unreadable) {
  say($("errors-title"), total ? `Error stream: ${count(total)} ${total === 1 ? "record" : "records"}` : "Error stream");
  show($("errors"), [errors[0]?.number, unreadable], () => {
    const note = unreadable ? [h("p", { class: "trouble" }, `${count(unreadable)} records of the tap can't be read.`)] : [];
    if (!errors.length) return [...note, empty("No errors.")];
    return [...note, ...errors.map((row) =>
      h("div", { class: "error" },
        h("time", { datetime: row.rowtime }, clock(row.rowtime)),
        h("b", {}, cell(row.values.error_name)),
        h("span", {}, cell(row.values.message)),
        row.values.record ? h("pre", { class: "mono", title: "the record" }, row.values.record) : null))];
  });
}
