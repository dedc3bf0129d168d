import { count, h, say, show } from "./dom.js";

const $ = (id) => document.getElementById(id);

async function ask(path, body) {
  let message = "";
  try {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: body ? JSON.stringify(body) : null,
    });
    if (!answer.ok) message = (await answer.json().catch(() => ({}))).error || `The console answered ${answer.status}.`;
  } catch {
    message = "The console does not answer.";
  }
  return message;
}

const WORDS = {
  unknown: "Looking …", stopped: "Stopped", starting: "Starting …", created: "Starting …", initializing: "Starting …",
  running: "Running", restarting: "Restarting after a failure", failing: "Failing", failed: "Failed", stopping: "Stopping with a savepoint …",
  killed: "Killed", lost: "Killed", finished: "Finished", canceled: "Cancelled", cancelling: "Stopping …",
};

export function drawJob(lab, job, said) {
  const words = WORDS[job.state] || job.state;
  if ($("job-state").textContent !== words) said(`${lab.title}: ${words}`);
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
  show($("job-actions"), [lab.name, up, busy, job.resumable, job.url], () => actions(lab, job, up, busy, said));
  const trouble = [job.trouble, job.reason].filter(Boolean).join("\n");
  if (!$("job-trouble").asked || trouble) told(trouble, false);
}

function told(text, asked) {
  $("job-trouble").hidden = !text;
  $("job-trouble").asked = asked && Boolean(text);
  say($("job-trouble"), text);
}

function actions(lab, job, up, busy, said) {
  const act = (what, label, first) => h("button", {
    type: "button", class: first ? "first" : null, disabled: busy,
    onclick: async (event) => {
      for (const button of $("job-actions").querySelectorAll("button")) button.disabled = true;
      const trouble = await ask(`/api/labs/${lab.name}/job/${what}`);
      told(trouble, true);
      if (trouble) for (const button of $("job-actions").querySelectorAll("button")) button.disabled = false;
      else said(`${lab.title}: ${label} asked`);
    },
  }, label);
  const page = job.url ? h("a", { class: "button", href: job.url, target: "_blank", rel: "noreferrer" }, "Flink’s page ↗") : null;
  if (up || job.state === "starting") return [act("stop", "Stop with savepoint", false), page].filter(Boolean);
  return job.resumable ? [act("resume", "Resume", true), act("start", "Start afresh", false)] : [act("start", "Start", true)];
}

export function drawSenders(lab, senders, said) {
  show($("senders"), [lab.name, senders.map((s) => s.id)], () => senders.map((s) => row(lab, s, said)));
  for (const sender of senders) {
    const item = $("senders").querySelector(`[data-sender="${sender.id}"]`);
    const button = item.querySelector("button");
    say(button, sender.running ? "Stop" : "Start");
    button.setAttribute("aria-label", `${sender.running ? "Stop" : "Start"} ${sender.label}`);
    button.dataset.running = sender.running ? "yes" : "";
    const facts = item.querySelector("small");
    facts.classList.toggle("bad", Boolean(sender.trouble));
    const failed = sender.failed ? `, ${count(sender.failed)} failed` : "";
    say(facts, sender.trouble || (sender.sent ? `${sender.per_second.toFixed(1)}/s · ${count(sender.sent)} sent${failed}` : sender.running ? "starting …" : "not started"));
  }
}

function row(lab, sender, said) {
  const id = `rate-${lab.name}-${sender.id}`;
  const input = sender.fixed ? null : h("input", { id, type: "number", min: 0.1, max: 2000, step: "any", value: sender.rate, onchange: () => button.dataset.running && go("start") });
  const go = async (what) => {
    const trouble = await ask(`/api/labs/${lab.name}/senders/${sender.id}/${what}`, input && what === "start" ? { rate: Number(input.value) } : null);
    $("sender-trouble").hidden = !trouble;
    say($("sender-trouble"), trouble);
    if (!trouble) said(`${sender.label}: ${what === "start" ? "started" : "stopped"}`);
  };
  const button = h("button", { type: "button", onclick: () => go(button.dataset.running ? "stop" : "start") }, "Start");
  return h("li", { dataset: { sender: sender.id } },
    h("div", {}, h("span", {}, sender.label), h("small", {}, "not started")),
    input ? h("label", { for: id }, input, " /s") : h("span", { class: "muted" }, "paced"),
    button);
}
