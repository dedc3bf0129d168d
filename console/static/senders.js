// Senders of an application or a stream: each sends records at a rate, and can be started and stopped.

import { of, post } from "./api.js";
import { count, h, icon, say, show } from "./dom.js";

const words = (s) => {
  const failed = s.failed ? `, ${count(s.failed)} failed` : "";
  return s.trouble || (s.sent ? `${s.per_second.toFixed(1)}/s · ${count(s.sent)} sent${failed}` : s.running ? "starting …" : "not started");
};

export function makeSenders(context, { none = "The application describes no senders.", act: acts } = {}) {
  const list = h("ul", { class: "senders" }), trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const ask = acts || ((sender, what, body) => post(of(context.application.name, `/senders/${encodeURIComponent(sender.id)}/${what}`), body));
  const act = async (sender, what, body) => {
    const { ok, body: found } = await ask(sender, what, body);
    trouble.hidden = ok;
    say(trouble, ok ? "" : found.error);
    if (ok) context.said(`${sender.label}: ${what === "start" ? "started" : "stopped"}`);
  };
  const row = (sender, number) => {
    const rate = sender.fixed ? null : h("input", {
      id: `rate-${acts ? "stream" : "own"}-${number}`, type: "number", min: 0.1, max: 2000, step: "any", value: sender.rate,
      onchange: () => go.dataset.running && act(sender, "start", { rate: Number(rate.value) }),
    });
    const go = h("button", { type: "button", class: "small", onclick: () => (go.dataset.running ? act(sender, "stop") : act(sender, "start", rate ? { rate: Number(rate.value) } : undefined)) });
    return h("li", { dataset: { sender: sender.id } },
      h("div", {}, h("span", {}, sender.label), h("small", {}, "not started")),
      rate ? h("label", { for: rate.id }, rate, " /s") : h("span", { class: "muted" }, "paced"),
      go);
  };
  return {
    element: h("div", {}, list, trouble),
    draw(senders) {
      show(list, senders.map((s) => [s.id, s.label, s.fixed]), () => senders.length ? senders.map(row) : h("li", { class: "empty" }, none));
      senders.forEach((sender, number) => {
        const item = list.children[number], go = item.querySelector("button"), facts = item.querySelector("small");
        if (go.dataset.running !== (sender.running ? "yes" : "")) {
          go.dataset.running = sender.running ? "yes" : "";
          go.replaceChildren(icon(sender.running ? "stop" : "play"), sender.running ? "Stop" : "Start");
          go.setAttribute("aria-label", `${sender.running ? "Stop" : "Start"} ${sender.label}`);
        }
        facts.classList.toggle("bad", Boolean(sender.trouble));
        say(facts, words(sender));
      });
    },
  };
}
