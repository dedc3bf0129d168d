// A tab for each in-application stream, source and error stream, with its rows as they come.

import { get, of } from "./api.js";
import { button, count, download, empty, h, say, show, tabs } from "./dom.js";
import { Explorer } from "./explorer.js";
import { Grid } from "./grid.js";

const WHY = {
  unknown: "Looking for the job …", starting: "No rows yet: the job starts.", created: "No rows yet: the job starts.",
  initializing: "No rows yet: the job starts.", restarting: "No rows yet: the job restarts after a failure.",
  stopping: "No rows: the job stops.", failing: "No rows: the job fails.", running: "",
};

export function makeResults(context) {
  const view = makeRows(context, { choose: (relation) => context.go("results", relation), chart: true });
  return {
    element: h("div", { class: "stack" }, view.element),
    theme: () => view.theme(),
    shown: () => view.choose(context.relation),
    draw: (snapshot) => view.draw(snapshot, relations(context.application)),
  };
}

export function relations(application) {
  const found = application.flow.stages.flat().filter((node) => node.relation).map((node) => node.relation);
  return [...new Set([...found, application.errors])];
}

// The tabs and the grid, of the job or of a preview of the draft.
export function makeRows(context, { choose, preview = false, chart = false }) {
  let relation = "", asking = false, names = [], heard = -1;
  const bar = h("div", {}), grid = new Grid("Rows"), explorer = chart ? new Explorer() : null;
  const search = h("input", { type: "search", placeholder: "Search rows", "aria-label": "Search rows", oninput: () => { grid.search(search.value); tell(); } });
  const pause = button("Pause", () => { grid.pause(!grid.paused); paused(); }, { image: "pause" });
  const statusText = h("span", { class: "muted reported" }), none = empty("");
  const copy = button("Copy", async () => {
    await navigator.clipboard.writeText(grid.csv());
    context.said("The rows are copied as CSV");
  }, { image: "copy" });
  const save = button("CSV", () => download(`${context.application.name}-${relation}.csv`, grid.csv(), "text/csv"), { image: "download" });
  const tools = h("div", { class: "row tools" }, pause, search, statusText, h("span", { class: "push" }), copy, save);
  const element = h("section", { class: "card rows", "aria-label": "Rows" }, bar, tools, explorer?.element, none, grid.element);

  function paused() {
    pause.replaceChildren(...button(grid.paused ? "Go on" : "Pause", null, { image: grid.paused ? "play" : "pause" }).childNodes);
    pause.setAttribute("aria-pressed", String(grid.paused));
    tell();
  }

  function tell() {
    if (grid.rows.length) {
      const lost = Boolean(grid.words) && !grid.chosen().length;
      none.hidden = !lost;
      if (lost) say(none, "No row has this text.");
    }
    say(statusText, grid.rows.length ? grid.said() + (grid.paused && grid.waiting ? ` · ${count(grid.waiting)} wait` : "") : "");
  }

  function pick(name) {
    if (name === relation) return;
    relation = name;
    heard = -1;
    grid.clear();
    grid.search(search.value);
    paused();
    explorer?.clear();
    grid.element.hidden = true;
    say(none, "Loading …").hidden = false;
    if (context.snapshot && !preview) draw(context.snapshot, names);
  }

  async function fetchRows(total) {
    if (asking) return;
    asking = true;
    const wanted = relation;
    const query = new URLSearchParams({ relation, ...(grid.last ? { after: grid.last } : {}), ...(preview ? { preview: "1" } : {}) });
    const { ok, body } = await get(of(context.application.name, `/rows?${query}`));
    asking = false;
    if (wanted !== relation) return;
    if (!ok) return void say(none, body.error);
    heard = total;
    // The console was restarted, and counts rows from 1 again.
    if (body.rows.length && body.rows[body.rows.length - 1].number < grid.last) grid.clear();
    grid.add(body.columns, body.rows);
    explorer?.add(grid);
    grid.element.hidden = !grid.rows.length;
    tools.hidden = !grid.rows.length;
    none.hidden = Boolean(grid.rows.length);
    tell();
  }

  function draw(snapshot, all) {
    names = all;
    if (!names.includes(relation)) pick(names.includes(context.relation) ? context.relation : names[0] || "");
    const key = [relation, names];
    show(bar, key, () => tabs("Relations", names.map((name) => [name, name, [" ", ""]]), relation, (name) => { pick(name); choose?.(name); show(bar, [], () => []); draw(snapshot, names); bar.querySelector("[aria-selected=true]").focus(); }));
    for (const tab of bar.querySelectorAll("[data-tab]")) {
      const found = snapshot.flow[tab.dataset.tab], badge = tab.querySelector(".badge");
      say(badge, found ? (found.rate ? `${found.rate.toFixed(1)}/s` : count(found.total)) : "–");
      badge.classList.toggle("bad", tab.dataset.tab === context.application.errors && Boolean(found));
    }
    const total = snapshot.flow[relation]?.total ?? 0;
    if (total !== heard && relation) fetchRows(total);
    if (!grid.rows.length) {
      tools.hidden = true;
      say(none, why(snapshot));
    }
  }

  function why(snapshot) {
    if (relation === context.application.errors) return "No errors.";
    const state = WHY[snapshot.job.state];
    if (state) return state;
    if (state === undefined) return preview ? "The preview does not run." : "No rows: the job does not run.";
    return Object.keys(snapshot.flow).length || preview ? "No row has come yet." : "No row has come yet: start a sender, or start the job here so that its tap is on.";
  }

  return { element, draw, choose: (name) => name && names.includes(name) && (pick(name), show(bar, [], () => []), context.snapshot && draw(context.snapshot, names)), theme: () => explorer?.draw() };
}
