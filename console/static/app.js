// The page: which application and relation is chosen, and who draws what of each snapshot.

import { drawCharts } from "./charts.js";
import { empty, h, say, show } from "./dom.js";
import { drawFlow } from "./flow.js";
import { drawJob } from "./job.js";
import { connect } from "./link.js";
import { drawResults } from "./results.js";
import { drawErrors, drawRows } from "./rows.js";
import { drawSenders } from "./senders.js";

const $ = (id) => document.getElementById(id);
let applications = [];
let chosen = null; // { application, relation }
let link = null;

async function begin() {
  try {
    const answer = await fetch("/api/applications");
    if (!answer.ok) throw new Error(await answer.text());
    applications = await answer.json();
  } catch (error) {
    lost(`The console does not answer (${error.message}). Trying again …`);
    setTimeout(begin, 2000);
    return;
  }
  if (!applications.length) return void nothing();
  addEventListener("hashchange", choose);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chosen && drawCharts($("charts"), null));
  choose();
}

function nothing() {
  $("main").dataset.state = "live";
  say($("title"), "No application");
  say($("link"), "");
  show($("rows"), ["none"], () => empty("There is no application to show: name its folder, kda console FOLDER."));
}

function choose() {
  const [name, relation] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const application = applications.find((a) => a.name === name) || applications.find((a) => a.running) || applications[0];
  const before = chosen && chosen.application.name;
  const first = application.flow.stages.flat().find((node) => node.relation).relation;
  chosen = { application, relation: relation || first };
  document.title = `${application.label} – kda console`;
  show($("applications"), [applications.map((a) => a.name), application.name], () =>
    applications.map((a) => h("li", {}, h("a", { href: `#${a.name}`, "aria-current": a === application ? "page" : null, title: a.title }, a.label))));
  $("applications").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  say($("title"), application.label);
  say($("about"), application.title);
  if (before !== application.name) {
    $("main").dataset.state = "loading";
    for (const id of ["rows", "errors", "results", "charts"]) show($(id), ["loading", application.name], () => empty("Loading …"));
  }
  drawFlow($("flow"), chosen, {}, open);
  if (link) link.close();
  const query = new URLSearchParams({ application: application.name, relation: chosen.relation });
  link = connect(`/api/events?${query}`, draw, lost);
}

function open(relation) {
  location.hash = `#${chosen.application.name}/${encodeURIComponent(relation)}`;
}

function draw(snapshot) {
  const { application } = chosen;
  if (snapshot.application !== application.name) return;
  const problem = snapshot.problem ? `The streams can't be read: ${snapshot.problem} Trying again …` : application.problem;
  $("lost").hidden = !problem;
  say($("lost"), problem);
  $("main").dataset.state = "live";
  say($("link"), "Live").dataset.state = "live";
  drawJob(application, snapshot.job, said);
  drawFlow($("flow"), chosen, snapshot.flow, open);
  drawCharts($("charts"), snapshot.charts);
  drawRows(chosen, snapshot);
  drawSenders(application, snapshot.senders, said);
  drawResults($("results"), snapshot.results, said);
  drawErrors(snapshot.errors, snapshot.flow[application.errors]?.total || 0, snapshot.unreadable);
}

function lost(message) {
  $("main").dataset.state = "lost";
  $("lost").hidden = false;
  say($("lost"), message);
  say($("link"), "Connection lost").dataset.state = "lost";
}

const said = (text) => say($("said"), text);

begin();
