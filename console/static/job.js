// The job: its state, its figures, and what it can be asked to do.

import { ask } from "./api.js";
import { count, h, say, show } from "./dom.js";

const $ = (id) => document.getElementById(id);

const WORDS = {
  unknown: "Looking …", stopped: "Stopped", starting: "Starting …", created: "Starting …", initializing: "Starting …",
  running: "Running", restarting: "Restarting after a failure", failing: "Failing", failed: "Failed", stopping: "Stopping with a savepoint …",
  killed: "Killed", lost: "Killed", finished: "Finished", canceled: "Cancelled", cancelling: "Stopping …",
};

export function drawJob(application, job, said) {
  const words = WORDS[job.state] || job.state;
  if ($("job-state").textContent !== words) said(`${application.label}: ${words}`);
  say($("job-state"), words).dataset.state = job.state;
  const up = Boolean(job.url) || job.state === "running";
  // Of a managed application some are known only, and some minutes later.
  const facts = (up ? [
    ["checkpoint", "checkpoint", job.checkpoint_age === null ? "none yet" : `${Math.round(job.checkpoint_age)} s ago`],
    ["checkpoints", "checkpoints", count(job.checkpoints) + (job.failed_checkpoints ? `, ${count(job.failed_checkpoints)} failed lately` : "")],
    ["failed", "failed checkpoints", count(job.failed_checkpoints)],
    ["restored", "restored", count(job.restored)],
    ["behind", "behind", job.behind_seconds === null ? "no reading yet" : `${job.behind_seconds.toFixed(1)} s`],
    ["late", "late records", count(job.late)],
  ] : []).filter(([fact]) => job.measured.includes(fact)).map(([, name, value]) => [name, value]);
  show($("job-facts"), facts, () => facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  const busy = ["starting", "stopping", "unknown"].includes(job.state);
  show($("job-actions"), [application.name, up, busy, job.resumable, job.url], () => actions(application, job, up, busy, said));
  const trouble = [job.trouble, job.reason].filter(Boolean).join("\n");
  if (!$("job-trouble").asked || trouble) report(trouble, false);
}

function report(text, asked) {
  $("job-trouble").hidden = !text;
  $("job-trouble").asked = asked && Boolean(text);
  say($("job-trouble"), text);
}

function actions(application, job, up, busy, said) {
  const act = (what, label, first) => h("button", {
    type: "button", class: first ? "first" : null, disabled: busy,
    onclick: async (event) => {
      for (const button of $("job-actions").querySelectorAll("button")) button.disabled = true;
      const trouble = await ask(`/api/applications/${application.name}/job/${what}`);
      report(trouble, true);
      if (trouble) for (const button of $("job-actions").querySelectorAll("button")) button.disabled = false;
      else said(`${application.label}: ${label} asked`);
    },
  }, label);
  const page = job.url ? h("a", { class: "button", href: job.url, target: "_blank", rel: "noreferrer" }, "Flink’s page ↗") : null;
  if (up || job.state === "starting") return [act("stop", "Stop with savepoint", false), page].filter(Boolean);
  return job.resumable ? [act("resume", "Resume", true), act("start", "Start afresh", false)] : [act("start", "Start", true)];
}
