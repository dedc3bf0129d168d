import { connect } from "./link.js";
import { cell, clock, count, h, say, show } from "./dom.js";
import { drawCharts } from "./charts.js";
import { drawJob, drawSenders } from "./control.js";

const $ = (id) => document.getElementById(id);
let labs = [];
let chosen = null; // { lab, relation }
let link = null;

async function begin() {
  try {
    const answer = await fetch("/api/labs");
    if (!answer.ok) throw new Error(await answer.text());
    labs = await answer.json();
  } catch (error) {
    lost(`The console does not answer (${error.message}). Trying again …`);
    setTimeout(begin, 2000);
    return;
  }
  addEventListener("hashchange", choose);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chosen && drawCharts($("charts"), null));
  choose();
}

function choose() {
  const [name, relation] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const lab = labs.find((l) => l.name === name) || labs[0];
  const before = chosen && chosen.lab.name;
  const first = lab.flow.flat().find((node) => node.relation).relation;
  chosen = { lab, relation: relation || first };
  document.title = `${lab.title} – kda console`;
  show($("labs"), [labs.map((l) => l.name), lab.name], () =>
    labs.map((l) => h("li", {}, h("a", { href: `#${l.name}`, "aria-current": l === lab ? "page" : null, title: l.title }, l.tab))));
  say($("lab-title"), lab.title);
  if (before !== lab.name) {
    $("main").dataset.state = "loading";
    for (const id of ["rows", "errors", "results", "charts"]) show($(id), ["loading", lab.name], () => empty("Loading …"));
    say($("results-title"), lab.results);
  }
  drawFlow({});
  if (link) link.close();
  link = connect(`/api/events?lab=${encodeURIComponent(lab.name)}&relation=${encodeURIComponent(chosen.relation)}`, draw, lost);
}

function draw(snapshot) {
  if (snapshot.lab !== chosen.lab.name) return;
  $("lost").hidden = !snapshot.problem;
  if (snapshot.problem) say($("lost"), `The streams can't be read: ${snapshot.problem} Trying again …`);
  $("main").dataset.state = "live";
  say($("link"), "Live").dataset.state = "live";
  drawJob(chosen.lab, snapshot.job, said);
  drawFlow(snapshot.flow);
  drawCharts($("charts"), snapshot.charts);
  drawRows(snapshot);
  drawSenders(chosen.lab, snapshot.senders, said);
  drawResults(snapshot.results);
  drawErrors(snapshot.errors, snapshot.unreadable);
}

function lost(message) {
  $("main").dataset.state = "lost";
  $("lost").hidden = false;
  say($("lost"), message);
  say($("link"), "Connection lost").dataset.state = "lost";
}

const said = (text) => say($("said"), text);
const empty = (text) => h("p", { class: "empty" }, text);

function drawFlow(flow) {
  const stages = [...chosen.lab.flow, [{ label: chosen.lab.errors, relation: chosen.lab.errors, note: "what could not be used" }]];
  show($("flow"), [chosen.lab.name, chosen.relation], () =>
    stages.map((stage, place) =>
      h("li", { class: place === stages.length - 1 ? "aside" : null }, h("div", { class: "stage" }, ...stage.map(node)))));
  for (const rate of $("flow").querySelectorAll("[data-relation]")) {
    const found = flow[rate.dataset.relation];
    const bad = rate.dataset.relation === chosen.lab.errors && found;
    rate.closest(".node").classList.toggle("bad", Boolean(bad));
    rate.classList.toggle("idle", !found || found.rate === 0);
    say(rate, found ? `${found.sampled ? "≈ " : ""}${found.rate.toFixed(1)}/s · ${count(found.total)} ${found.total === 1 ? "row" : "rows"}` : "no rows");
  }
}

function node(node) {
  const name = h("b", {}, node.label);
  const note = h("small", {}, node.note);
  if (!node.relation) return h("div", { class: "node" }, name, note);
  const rate = h("span", { class: "rate idle", dataset: { relation: node.relation } }, "no rows");
  const href = `#${chosen.lab.name}/${encodeURIComponent(node.relation)}`;
  return h("button", {
    class: "node", type: "button", "aria-pressed": String(node.relation === chosen.relation),
    onclick: () => {
      const focused = node.relation;
      location.hash = href;
      requestAnimationFrame(() => document.querySelector(`#flow [data-relation="${CSS.escape(focused)}"]`)?.closest("button")?.focus());
    },
  }, name, note, rate);
}

function drawRows(snapshot) {
  if (snapshot.relation !== chosen.relation) return;
  say($("rows-title"), `Newest rows of ${chosen.relation}`);
  const newest = snapshot.rows;
  const tapped = Object.keys(snapshot.flow).length > 0;
  const why = newest.length ? "" : snapshot.job.state !== "running" ? "No rows: the job does not run." :
    tapped ? "No row has come yet." : "No row has come yet: start a sender, or start the job here so that its tap is on.";
  show($("rows"), [chosen.relation, newest[0]?.number, why], () => {
    if (why) return empty(why);
    const columns = [...new Set(newest.flatMap((row) => Object.keys(row.values)))].slice(0, 20);
    const numeric = new Set(columns.filter((c) => newest.every((row) => row.values[c] === null || typeof row.values[c] === "number")));
    const head = h("tr", {}, h("th", { scope: "col" }, "rowtime"),
      ...columns.map((c) => h("th", { scope: "col", class: numeric.has(c) ? "number" : null }, c)));
    return h("table", {}, h("thead", {}, head), h("tbody", {}, ...newest.map((row) =>
      h("tr", {}, h("td", { title: row.rowtime }, clock(row.rowtime)), ...columns.map((c) => {
        const text = cell(row.values[c]);
        return h("td", { class: numeric.has(c) ? "number" : null, title: text.length > 40 ? text : null }, text);
      })))));
  });
}

function drawResults(results) {
  say($("results-title"), results.total ? `${chosen.lab.results}: ${count(results.total)}` : chosen.lab.results);
  $("results").dataset.kind = results.kind;
  const fresh = show($("results"), [results.problem, results.total, results.newest[0]], () => {
    if (!results.newest.length) return h("li", { class: "empty" }, results.problem || "Nothing has arrived yet.");
    return results.newest.map((r) =>
      h("li", {}, r.time ? h("time", { datetime: r.time }, clock(r.time)) : null, h("span", {}, r.title), r.text ? h("pre", { class: "mono" }, r.text) : null));
  });
  if (fresh && results.kind === "messages" && results.newest.length) said(`New message: ${results.newest[0].title}`);
}

function drawErrors(errors, unreadable) {
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

begin();
