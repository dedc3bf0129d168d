// How busy the steps of a job are, by relation for the flow, and as a table.

import { get, of } from "./api.js";
import { count, empty, h, show } from "./dom.js";

const LOOK_MS = 3000;

export class Work {
  constructor(application) {
    this.application = application;
    this.steps = null; // not known yet
    this.asking = false;
    this.looked = 0;
  }

  // Polls the console; `drawn` is called if something is new.
  async tick(up, drawn) {
    if (!up) {
      if (this.steps?.length !== 0) { this.steps = []; drawn(); }
      return;
    }
    if (this.asking || Date.now() - this.looked < LOOK_MS) return;
    this.asking = true;
    this.looked = Date.now();
    const { ok, body } = await get(of(this.application, "/steps"));
    this.asking = false;
    this.steps = ok ? body : [];
    drawn();
  }

  // The busiest step of each relation.
  get byRelation() {
    const found = new Map();
    for (const step of this.steps || [])
      for (const relation of step.relations || [])
        if (step.busy !== null && (!found.has(relation) || found.get(relation).busy < step.busy)) found.set(relation, step);
    return found;
  }
}

const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`);

export function drawWork(element, steps) {
  show(element, steps, () => {
    if (!steps?.length) return empty(steps ? "The job does not run." : "Looking …");
    const heads = ["step", "parallel", "read", "written", "busy", "back-pressured", "idle"];
    return h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((name, i) => h("th", { scope: "col", class: i ? "number" : null }, name)))),
      h("tbody", {}, ...steps.map((step) => h("tr", {}, h("td", { title: step.name }, (step.relations || []).join(", ") || step.name),
        ...[step.parallelism, step.read, step.written].map((n) => h("td", { class: "number" }, n === null || n === undefined ? "–" : count(n))),
        ...[step.busy, step.back_pressured, step.idle].map((value, i) => h("td", { class: i === 1 && value > 0.5 ? "number bad-text" : "number" }, share(value)))))));
  });
}
