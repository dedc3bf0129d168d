// Senders: records at a rate, each with its own start and stop.

import { ask } from "./api.js";
import { count, h, say, show } from "./dom.js";

const $ = (id) => document.getElementById(id);

export function drawSenders(application, senders, said) {
  show($("senders"), [application.name, senders.map((s) => s.id)], () => senders.length ? senders.map((s) => row(application, s, said)) : h("li", { class: "empty" }, "The application describes no senders."));
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

function row(application, sender, said) {
  const id = `rate-${application.name}-${sender.id}`;
  const input = sender.fixed ? null : h("input", { id, type: "number", min: 0.1, max: 2000, step: "any", value: sender.rate, onchange: () => button.dataset.running && go("start") });
  const go = async (what) => {
    const trouble = await ask(`/api/applications/${application.name}/senders/${sender.id}/${what}`, input && what === "start" ? { rate: Number(input.value) } : null);
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
