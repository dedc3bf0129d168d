// What arrived at each destination.

import { clock, count, empty, h, say, show } from "./dom.js";

export function drawArrivals(element, places, said) {
  show(element, [places.map((p) => p.title)], () =>
    places.length ? places.map(frame) : empty("No destination is on: rows stay in the application."));
  places.forEach((place, number) => {
    const box = element.children[number];
    say(box.querySelector("h4"), place.total ? `${place.title}: ${count(place.total)}` : place.title);
    const list = box.querySelector("ol");
    list.dataset.kind = place.kind;
    const fresh = show(list, [place.problem, place.kind, place.total, place.newest[0]], () => {
      const problem = place.problem ? [h("li", { class: "empty" }, place.problem)] : [];
      if (!place.newest.length) return problem.length ? problem : h("li", { class: "empty" }, place.kind === "waiting" ? "Looking …" : "Nothing has arrived yet.");
      return [...problem, ...place.newest.map(entry)];
    });
    if (fresh && place.kind === "messages" && place.newest.length) said(`New message: ${place.newest[0].title}`);
  });
}

function frame(place) {
  return h("div", { class: "place" }, h("h4", {}, place.title), h("ol", { class: "results", tabindex: "0", "aria-label": place.title }));
}

function entry(r) {
  return h("li", {},
    r.time ? h("time", { datetime: r.time, title: r.time }, clock(r.time)) : null,
    r.title ? h("span", {}, r.title) : null,
    r.text ? h("pre", { class: "mono" }, r.text) : null);
}
