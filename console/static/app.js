// The page: the chosen application and step, and drawing each snapshot.

import { get } from "./api.js";
import { drawApplications, createApplication } from "./applications.js";
import { makeBacktest } from "./backtest.js";
import { makeDestinations } from "./destinations.js";
import { button, empty, h, say, show } from "./dom.js";
import { Draft } from "./draft.js";
import { drawJob, isUp } from "./job.js";
import { connect } from "./link.js";
import { makeOperations } from "./operations.js";
import { makeOverview } from "./overview.js";
import { makeResults } from "./results.js";
import { makeSource } from "./source.js";
import { makeSql } from "./sql.js";

const $ = (id) => document.getElementById(id);
const STEPS = {
  overview: ["Overview", makeOverview], source: ["Source", makeSource], sql: ["SQL", makeSql], results: ["Results", makeResults],
  backtest: ["Backtest", makeBacktest],  destinations: ["Destinations", makeDestinations], operations: ["Operations", makeOperations],
};
const said = (text) => say($("said"), text);
let applications = [];
let page = null; // of the chosen application: { application, step, relation, draft, steps, snapshot }
let link = null;

async function begin() {
  const { ok, body } = await get("/api/applications");
  if (!ok) {
    lost(`${body.error} Trying again …`);
    return void setTimeout(begin, 2000);
  }
  applications = body;
  addEventListener("hashchange", choose);
  addEventListener("pagehide", () => page?.draft.close());
  $("new").onclick = () => createApplication({ applications, said, open: opened });
  $("skip").onclick = () => $("main").focus();
  $("drawer").onclick = () => drawer(!$("side").classList.contains("open"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page?.steps.get(page.step)?.theme?.());
  choose();
  setInterval(look, 3000);
}

function drawer(open) {
  $("side").classList.toggle("open", open);
  $("drawer").setAttribute("aria-expanded", String(open));
}

// Loads the list again, for what runs and what another tab created.
async function look() {
  if (document.hidden) return;
  const { ok, body } = await get("/api/applications");
  if (!ok || JSON.stringify(body) === JSON.stringify(applications)) return;
  applications = body;
  const now = page && applications.find((a) => a.name === page.application.name);
  if (!now) return choose();
  page.application = now;
  drawApplications($("applications"), applications, now.name);
}

async function opened(name, step = "sql") {
  await look();
  location.hash = `#${encodeURIComponent(name)}/${step}`;
}

function choose() {
  const [name, step, relation] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const application = applications.find((a) => a.name === name) || applications.find((a) => a.running) || applications[0];
  drawer(false);
  if (!application) return nothing();
  const chosen = stepsOf(application).includes(step) ? step : "overview";
  if (page?.application.name !== application.name) start(application);
  page.step = chosen;
  page.relation = relation || page.relation || firstRelation(application);
  document.title = `${application.label} – kda console`;
  drawApplications($("applications"), applications, application.name);
  say($("title"), application.label);
  say($("about"), application.title === application.label ? "" : application.title);
  drawSteps();
  if (!page.steps.has(chosen)) page.steps.set(chosen, STEPS[chosen][1](context()));
  const shown = page.steps.get(chosen);
  if ($("step").firstChild !== shown.element) $("step").replaceChildren(shown.element);
  shown.shown?.();
  listen();
  if (page.snapshot) shown.draw?.(page.snapshot);
}

// A backtest needs a forest or a detector.
const stepsOf = (application) => Object.keys(STEPS).filter((step) => step !== "backtest" || application.backtest);

const firstRelation = (application) => application.flow.stages.flat().find((node) => node.relation)?.relation || "";

function nothing() {
  page?.draft.close();
  page = null;
  link?.close();
  link = null;
  $("main").dataset.state = "live";
  document.title = "kda console";
  say($("title"), "No application yet");
  say($("about"), "");
  say($("link"), "");
  say($("job-state"), "").dataset.state = "unknown";
  show($("job-actions"), ["none"], () => []);
  show($("job-facts"), ["none"], () => []);
  show($("steps"), ["none"], () => []);
  $("job-trouble").hidden = true;
  $("notices").replaceChildren();
  $("step").replaceChildren(h("div", { class: "card" },
    empty("Paste the SQL of a Kinesis Data Analytics application, upload its description, or start with a stream."),
    button("New application", () => $("new").click(), { kind: "first", image: "plus" })));
  drawApplications($("applications"), applications, "");
}

function start(application) {
  page?.draft.close();
  page?.steps.forEach((step) => step.close?.());
  const draft = new Draft(application.name, (what) => drafted(draft, what));
  page = { application, draft, steps: new Map(), snapshot: null, relation: "", heard: "" };
  $("main").dataset.state = "loading";
  say($("job-state"), "Looking …").dataset.state = "unknown";
  show($("job-actions"), ["none"], () => []);
  show($("job-facts"), ["none"], () => []);
  $("job-trouble").hidden = true;
  draft.load();
}

function context() {
  const mine = page;
  return {
    get application() { return mine.application; },
    get snapshot() { return mine.snapshot; },
    get relation() { return mine.relation; },
    draft: mine.draft,
    said,
    opened,
    go: (step, relation) => { location.hash = `#${[mine.application.name, step, relation].filter(Boolean).map(encodeURIComponent).join("/")}`; },
    look,
    applications: () => applications,
    problems: (count) => { mine.problems = count; drawSteps(); },
  };
}

function drafted(draft, what) {
  if (draft !== page?.draft) return;
  for (const step of page.steps.values()) step.drafted?.(what);
  if (what === "loaded" && page.steps.size) listen();
  drawSteps();
  notices(draft);
}

function notices(draft) {
  const key = [draft.name, draft.state, draft.trouble, draft.others.size > 0, draft.theirs?.revision];
  show($("notices"), key, () => {
    const found = [];
    if (draft.state === "failed") found.push(note("bad", `The application can't be read: ${draft.trouble}`, button("Try again", () => draft.load())));
    if (draft.state === "unkept") found.push(note("bad", `What you type is kept in this browser only: ${draft.trouble}`, button("Try again", () => draft.keep())));
    if (draft.state === "conflict")
      found.push(note("bad", "Another tab changed this draft while you typed here. Nothing is lost: both are kept until you choose.",
        button("Take the other one", () => draft.settle(false)), button("Keep mine", () => draft.settle(true))));
    else if (draft.others.size > 0) found.push(note("", "This application is open in another tab too: what is typed there appears here."));
    return found;
  });
}

const note = (kind, text, ...buttons) => h("div", { class: `notice ${kind}`, role: "status" }, h("p", {}, text), ...buttons);

function drawSteps() {
  const { application, draft, snapshot, step } = page;
  const errors = snapshot?.flow[application.errors]?.total || 0;
  const badges = {
    sql: page.problems ? [`${page.problems} ${page.problems === 1 ? "problem" : "problems"}`, "bad"] : draft.document?.draft && draft.editable ? ["draft", "warm"] : null,
    results: errors ? [`${errors.toLocaleString("en")} ${errors === 1 ? "error" : "errors"}`, "bad"] : null,
  };
  show($("steps"), [application.name, application.backtest, step, badges], () => stepsOf(application).map((id) =>
    h("li", {}, h("a", { href: `#${encodeURIComponent(application.name)}/${id}`, "aria-current": id === step ? "page" : null },
      STEPS[id][0], badges[id] ? h("span", { class: `badge ${badges[id][1]}` }, badges[id][0]) : null))));
  const current = $("steps").querySelector("[aria-current]"), bar = $("steps");
  if (current && (current.offsetLeft < bar.scrollLeft || current.offsetLeft + current.offsetWidth > bar.scrollLeft + bar.clientWidth)) bar.scrollLeft = current.offsetLeft - 20;
}

// Draws the steps of an application that was never saved, which has no events.
const UNSAVED = { flow: {}, charts: [], senders: [], results: [], errors: [], rows: [], job: { state: "unsaved", measured: [] } };

function listen() {
  const { document } = page.draft;
  if (!document) return;
  if (document.editable && !document.saved) {
    link?.close();
    link = null;
    page.heard = "";
    page.snapshot = { ...UNSAVED, application: page.application.name };
    $("main").dataset.state = "live";
    $("lost").hidden = true;
    say($("link"), "").dataset.state = "";
    say($("job-state"), "Not saved yet").dataset.state = "unknown";
    show($("job-actions"), ["none"], () => []);
    return void page.steps.get(page.step)?.draw?.(page.snapshot);
  }
  const query = new URLSearchParams({ application: page.application.name, relation: page.relation });
  if (page.heard === page.application.name && link) return;
  page.heard = page.application.name;
  link?.close();
  link = connect(`/api/events?${query}`, draw, lost);
}

function draw(snapshot) {
  if (!page || snapshot.application !== page.application.name) return;
  page.snapshot = snapshot;
  // The first start creates its tap and error streams.
  const early = page.application.origin === "own" && !isUp(snapshot.job);
  const problem = snapshot.problem && !early ? `The streams can't be read: ${snapshot.problem} Trying again …` : page.application.problem;
  $("lost").hidden = !problem;
  say($("lost"), problem || "");
  $("main").dataset.state = "live";
  say($("link"), "Live").dataset.state = "live";
  drawJob(page, snapshot.job, said);
  drawSteps();
  page.steps.get(page.step).draw?.(snapshot);
}

function lost(message) {
  $("main").dataset.state = "lost";
  $("lost").hidden = false;
  say($("lost"), message);
  say($("link"), "Connection lost").dataset.state = "lost";
}

begin();
