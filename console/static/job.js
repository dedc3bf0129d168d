// The job: its state, its figures, and its actions.

import { of, post } from "./api.js";
import { confirmed } from "./dialogs.js";
import { count, h, icon, say, show } from "./dom.js";

const $ = (id) => document.getElementById(id);

const WORDS = {
  unknown: "Looking …", stopped: "Stopped", starting: "Starting …", created: "Starting …", initializing: "Starting …",
  running: "Running", restarting: "Restarting after a failure", failing: "Failing", failed: "Failed", stopping: "Stopping with a savepoint …",
  killed: "Killed", lost: "Killed", finished: "Finished", canceled: "Cancelled", cancelling: "Stopping …",
};

const BUSY = ["starting", "stopping", "unknown"];

export const isUp = (job) => Boolean(job.url) || job.state === "running";

export function drawJob(page, job, said) {
  const { application } = page;
  const words = WORDS[job.state] || job.state;
  if ($("job-state").textContent !== words) said(`${application.label}: ${words}`);
  say($("job-state"), words).dataset.state = job.state;
  const up = isUp(job);
  // Of a managed application only some facts are known, some minutes late.
  const facts = (up ? [
    ["checkpoint", "checkpoint", job.checkpoint_age === null ? "none yet" : `${Math.round(job.checkpoint_age)} s ago`],
    ["checkpoints", "checkpoints", count(job.checkpoints) + (job.failed_checkpoints ? `, ${count(job.failed_checkpoints)} failed lately` : "")],
    ["failed", "failed checkpoints", count(job.failed_checkpoints)],
    ["restored", "restored", count(job.restored)],
    ["behind", "behind", job.behind_seconds === null ? "no reading yet" : `${job.behind_seconds.toFixed(1)} s`],
    ["late", "late records", count(job.late)],
  ] : []).filter(([fact]) => job.measured.includes(fact)).map(([, name, value]) => [name, value]);
  show($("job-facts"), facts, () => facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  const busy = BUSY.includes(job.state);
  const saved = page.draft.document?.saved !== null || !page.draft.editable;
  show($("job-actions"), [application.name, up, busy, job.resumable, job.url, saved, job.left_behind], () => actions(application, job, up, busy || !saved, said));
  const trouble = [job.trouble, job.reason].filter(Boolean).join("\n");
  if (!$("job-trouble").asked || trouble) report(trouble, false);
}

function report(text, asked) {
  $("job-trouble").hidden = !text;
  $("job-trouble").asked = asked && Boolean(text);
  say($("job-trouble"), text);
}

const IMAGES = { stop: "stop", start: "play", resume: "play" };

function actions(application, job, up, busy, said) {
  const act = (what, label, first, body) => h("button", {
    type: "button", class: first ? "first" : null, disabled: busy,
    onclick: async () => {
      if (body && !(await leaves(job.left_behind))) return;
      const every = $("job-actions").querySelectorAll("button");
      for (const button of every) button.disabled = true;
      const { ok, body: found } = await post(of(application.name, `/job/${what}`), body);
      report(ok ? "" : found.error, true);
      if (!ok) for (const button of every) button.disabled = false;
      else said(`${application.label}: ${label} asked`);
    },
  }, icon(IMAGES[what]), label);
  const page = job.url ? h("a", { class: "button", href: job.url, target: "_blank", rel: "noreferrer" }, "Flink’s page ↗") : null;
  if (up || job.state === "starting") return [page, act("stop", "Stop with savepoint", false)].filter(Boolean);
  if (job.left_behind?.length) return [act("start", "Start without state", false), act("resume", "Resume without it", true, { leave_state: true })];
  return job.resumable ? [act("start", "Start without state", false), act("resume", "Resume", true)] : [act("start", "Start", true)];
}

// Asks whether saved state that no longer fits may be dropped.
export const leaves = (names) => confirmed("Drop saved state?", [
  "The new version does not use the saved state of these steps. It is dropped, and steps that replace them start without state.",
  h("ul", { class: "lines" }, ...names.map((name) => h("li", {}, h("span", { class: "mono" }, name), h("span", { class: "badge warm" }, "dropped")))),
], "Drop it and run");
