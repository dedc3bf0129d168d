// The flow as a picture: boxes from sources to destinations, and arrows between them.

import { count, h, say, show, svg } from "./dom.js";

const TRACK = 6;

// `work`: how busy each relation's step is, if known.
export function drawFlow(element, chosen, flow, open, work = new Map()) {
  const { application, relation } = chosen;
  const errors = { id: application.errors, label: application.errors, relation: application.errors, note: "records that could not be used" };
  const nodes = application.flow.stages.flat();
  const fresh = show(element, [application.name, relation], () => [
    svg("svg", { "aria-hidden": "true" }),
    h("ol", {}, ...nodes.map((node) => h("li", {}, box(node, relation, open))), h("li", { class: "aside" }, box(errors, relation, open))),
  ]);
  for (const rate of element.querySelectorAll("[data-relation]")) {
    const found = flow[rate.dataset.relation];
    const bad = rate.dataset.relation === application.errors && found;
    rate.closest(".node").classList.toggle("bad", Boolean(bad));
    rate.classList.toggle("idle", !found || found.rate === 0);
    say(rate, found ? `${found.sampled ? "≈ " : ""}${found.rate.toFixed(1)}/s · ${count(found.total)} ${found.total === 1 ? "row" : "rows"}` : "no rows");
  }
  for (const meter of element.querySelectorAll(".meter")) {
    const step = work.get(meter.dataset.of);
    meter.hidden = !step;
    if (!step) continue;
    const [busy, waits] = [step.busy, step.back_pressured || 0].map((share) => Math.round(share * 100));
    meter.firstChild.style.width = `${busy}%`;
    meter.lastChild.style.width = `${Math.min(waits, 100 - busy)}%`;
    meter.title = `busy ${busy} %${waits ? `, back-pressured ${waits} %` : ""}`;
    meter.setAttribute("aria-label", meter.title);
  }
  if (!fresh) return;
  element.arrows = arrows(nodes.map((node) => node.id), application.flow.edges);
  const tracks = Math.max(0, ...element.arrows.map((arrow) => arrow.track + 1));
  element.style.paddingLeft = tracks ? `${TRACK * tracks + 9}px` : "";
  element.observer ??= new ResizeObserver(() => drawArrows(element));
  element.observer.observe(element); // only reports changes of size
  drawArrows(element);
}

function box(node, relation, open) {
  // A long name breaks between its words.
  const name = h("b", {}, ...node.label.split(/(?<=[_\-.])|(?<=[a-z])(?=[A-Z])/).flatMap((part) => [part, h("wbr")]));
  const note = node.note ? h("small", {}, node.note) : null;
  if (!node.relation) return h("div", { class: "node", dataset: { node: node.id } }, name, note);
  const rate = h("span", { class: "rate idle", dataset: { relation: node.relation } }, "no rows");
  const meter = h("span", { class: "meter", role: "img", hidden: true, dataset: { of: node.relation } }, h("i", {}), h("i", {}));
  return h("button", {
    class: "node", type: "button", dataset: { node: node.id }, "aria-pressed": String(node.relation === relation),
    onclick: () => {
      open(node.relation);
      requestAnimationFrame(() => document.querySelector(`#flow [data-relation="${CSS.escape(node.relation)}"]`)?.closest("button")?.focus());
    },
  }, name, note, rate, meter);
}

// An arrow to the next box goes straight (track -1); others go along the left edge, those of one box on one track of their own.
function arrows(ids, edges) {
  const place = new Map(ids.map((id, number) => [id, number]));
  const busy = []; // by track: the last place that it reaches
  const tracks = new Map();
  const last = (from) => Math.max(...edges.filter(([f]) => f === from).map(([, to]) => place.get(to)));
  return [...edges].sort(([a], [b]) => place.get(a) - place.get(b)).map(([from, to]) => {
    if (place.get(to) === place.get(from) + 1) return { from, to, track: -1 };
    if (!tracks.has(from)) {
      let track = busy.findIndex((until) => until <= place.get(from));
      if (track < 0) track = busy.length;
      busy[track] = last(from);
      tracks.set(from, track);
    }
    return { from, to, track: tracks.get(from) };
  });
}

function drawArrows(element) {
  const picture = element.querySelector("svg"), frame = element.getBoundingClientRect();
  const place = (id) => {
    const r = element.querySelector(`[data-node="${CSS.escape(id)}"]`).getBoundingClientRect();
    return { left: r.left - frame.left, middle: r.left - frame.left + r.width / 2, top: r.top - frame.top, bottom: r.bottom - frame.top };
  };
  picture.setAttribute("width", frame.width);
  picture.setAttribute("height", frame.height);
  picture.replaceChildren(...element.arrows.flatMap(({ from, to, track }) => {
    const a = place(from), b = place(to);
    if (track < 0) {
      return [svg("path", { class: "line", d: `M${a.middle},${a.bottom} V${b.top - 5}` }),
        svg("path", { class: "head", d: `M${b.middle - 3.5},${b.top - 6} h7 l-3.5,5.5 z` })];
    }
    const x = 3 + TRACK * track, begin = a.bottom - 11, end = b.top + 15;
    return [svg("path", { class: "line", d: `M${a.left},${begin} H${x + 5} Q${x},${begin} ${x},${begin + 5} V${end - 5} Q${x},${end} ${x + 5},${end} H${b.left - 4}` }),
      svg("path", { class: "head", d: `M${b.left - 6},${end - 3.5} v7 l5.5,-3.5 z` })];
  }));
}
