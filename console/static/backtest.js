// The backtest: tries settings of a detector on existing rows, and shows the alerts at each threshold.

import { get, of, post, remove } from "./api.js";
import { drawBacktest } from "./backtest_chart.js";
import { button, count, field, h, say, select, show } from "./dom.js";

const LOOK_MS = 1000;
const HOURS = [["1", "the last hour"], ["6", "the last 6 hours"], ["24", "the last day"], ["168", "the last week"], ["8760", "all it has"]];

export function makeBacktest(context) {
  const path = of(context.application.name, "/backtest");
  let about = null, asking = false, last = 0, drawn = 0, result = null, chosen = 0, key = 0, origin = "";
  const at = new Map(); // by setting: the index of its threshold
  const note = h("p", { class: "muted" }), origins = h("div", { class: "fields" });
  const file = h("input", { type: "file", accept: ".jsonl,.json,.txt,.csv" });
  const hours = select(HOURS, "24", () => {});
  const settings = h("textarea", { rows: "3", placeholder: "side=above\nsub_sample_size=128 threshold=1.8", spellcheck: "false" });
  const labels = h("textarea", { rows: "3", placeholder: "2026-03-02T10:00:00Z,2026-03-02T11:00:00Z", spellcheck: "false" });
  const suggest = h("input", { type: "checkbox", checked: true });
  const run = button("Run the backtest", () => start(), { kind: "first", image: "play" }), stop = button("Stop", () => remove(path), { image: "stop" });
  const state = h("span", { class: "muted", role: "status" }), trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const table = h("div", { class: "table" }), keys = h("div", { class: "row" }), suggestions = h("div", {});
  const slider = h("input", { type: "range", min: "0", step: "1", oninput: () => { at.set(chosen, Number(slider.value)); draw(); } });
  const threshold = field("Threshold", slider), statusText = h("p", { class: "reported", "aria-live": "polite" });
  const chart = h("figure", { class: "chart tall backtest", "aria-label": "Values, what was expected, and the alerts" }), list = h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Alerts" });
  const found = h("section", { class: "card backtest-found", "aria-labelledby": "backtest-found", hidden: true },
    h("h3", { id: "backtest-found" }, "Alerts by setting"), table, suggestions, h("div", { class: "fields backtest-controls" }, threshold, keys), statusText, chart,
    h("details", {}, h("summary", {}, "Alerts as a table"), list));
  const element = h("div", { class: "stack" },
    h("section", { class: "card", "aria-labelledby": "backtest-title" }, h("h3", { id: "backtest-title" }, "Try settings on existing rows"), note,
      h("div", { class: "stack tight backtest-form" }, origins,
        h("div", { class: "fields two backtest-texts" },
          field("Settings to try, one per line: the detector’s properties that differ", settings),
          field("Known anomalies, one per line: from,to in UTC", labels)),
        h("label", { class: "check" }, suggest, "Suggest window, sample size and threshold"),
        h("div", { class: "row" }, run, stop, state), trouble)), found);

  // Until it is known where rows can come from, there is nothing to start.
  run.disabled = true;
  stop.hidden = true;
  const report = (text) => { trouble.hidden = !text; say(trouble, text || ""); };

  async function look(force = false) {
    if (asking || (!force && Date.now() - last < LOOK_MS)) return;
    asking = true;
    last = Date.now();
    try {
      const answer = await get(path);
      if (!answer.ok) return void report(answer.body.error);
      const before = about;
      about = answer.body;
      if (about.number && about.number !== drawn) await fetchResult();
      if (before?.running && !about.running && about.rows) origin = "same";
      form();
    } finally {
      asking = false;
    }
  }

  async function fetchResult() {
    const { ok, body } = await get(`${path}/result`);
    if (!ok) return void report(body.error);
    drawn = about.number;
    result = body;
    chosen = key = 0;
    at.clear();
    result.settings.forEach((setting, number) => at.set(number, setting.own));
    draw();
  }

  function form() {
    say(note, about.assumed ? `Alerts for ${about.of}, as “detector: on” in the description would report them.` : `Alerts of ${about.detector} for the rows of ${about.of}.`);
    const choices = [["tap", `Rows of ${about.of} that its tap still has`], ...(about.streams.length ? [["stream", `Records of ${about.streams.join(", ")}, through Flink`]] : []),
      ["recording", "A recording (kda record), through Flink"], ...(about.rows ? [["same", `The same rows again: ${about.rows}`]] : [])];
    if (!choices.some(([id]) => id === origin)) origin = "tap";
    show(origins, [choices, origin], () => [field("Rows", select(choices, origin, (value) => { origin = value; form(); })),
      ...(origin === "recording" ? [field("File", file)] : origin === "same" ? [] : [field("How far back", hours)])]);
    run.disabled = about.running;
    stop.hidden = !about.running;
    say(state, about.running ? about.said : "").className = about.running ? "busy" : "muted";
    if (!about.running && about.error) report(about.error);
  }

  async function start() {
    report("");
    run.disabled = true;
    say(state, "Starting the backtest …").className = "busy";
    if (origin === "recording" && file.files[0]) {
      say(state, "Uploading the recording …").className = "busy";
      const wrong = await sent(file.files[0]);
      if (wrong) return void (report(wrong), say(state, ""), run.disabled = false);
    }
    const asked = { from: origin, hours: Number(hours.value), settings: settings.value.split("\n").map((line) => line.trim()).filter(Boolean), labels: labels.value, suggest: suggest.checked };
    const { ok, body } = await post(path, asked);
    if (!ok) report(body.error);
    await look(true);
  }

  async function sent(recording) {
    try {
      const answer = await fetch(`${path}/recording`, { method: "PUT", body: recording });
      return answer.ok ? "" : (await answer.json()).error;
    } catch {
      return "The console does not answer.";
    }
  }

  function draw() {
    found.hidden = !result;
    if (!result) return;
    const setting = result.settings[chosen], place = at.get(chosen), known = Boolean(result.labels.length);
    const heads = ["Setting", "Threshold", "Alerts", "In 1,000 rows", ...(known ? ["Precision", "Recall", "Delay"] : [])];
    show(table, [drawn, chosen, [...at]], () => h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((text, n) => h("th", { scope: "col", class: n ? "number" : null }, text)))),
      h("tbody", {}, ...result.settings.map((each, number) => h("tr", { "aria-selected": String(number === chosen) }, h("th", { scope: "row" }, h("label", { class: "check" },
        h("input", { type: "radio", name: "setting", checked: number === chosen, onchange: () => { chosen = number; key = 0; draw(); table.querySelector(":checked").focus(); } }), each.name)),
      ...figures(each, at.get(number), known).map((text) => h("td", { class: "number" }, text)))))));
    show(suggestions, [drawn], () => (result.suggestions.length ? [h("dl", { class: "suggested" }, ...result.suggestions.map((s) =>
      h("div", {}, h("dt", {}, `${s.of.replaceAll("_", " ")} ${Number(s.value.toPrecision(4))}`), h("dd", {}, s.reason))))] : []));
    slider.max = String(setting.thresholds.length - 1);
    slider.value = String(place);
    slider.setAttribute("aria-valuetext", String(setting.thresholds[place]));
    say(threshold.querySelector("label"), `Threshold ${setting.thresholds[place]}${place === setting.own ? "" : `, set to ${setting.thresholds[setting.own]}`}`);
    show(keys, [drawn, chosen], () => (setting.keys.length > 1 ? [field("Line", select(setting.keys.map((k, n) => [String(n), k.key ?? "all rows"]), String(key), (value) => { key = Number(value); draw(); }))] : []));
    const alerts = setting.fits[place].alerts;
    say(statusText, `${count(result.rows)} rows from ${result.from.slice(0, 19)} to ${result.to.slice(0, 19)}: ${count(alerts)} ${alerts === 1 ? "alert" : "alerts"}.`);
    drawBacktest(chart, list, result, chosen, key, at);
  }

  const figures = (setting, place, known) => {
    const { alerts, precision, recall, delay } = setting.fits[place];
    const part = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
    return [String(setting.thresholds[place]), count(alerts), ((1000 * alerts) / result.rows).toFixed(2), ...(known ? [part(precision), part(recall), delay === null ? "–" : `${Number(delay.toPrecision(4))} s`] : [])];
  };

  return { element, shown() { look(true); draw(); }, theme: () => draw(), draw() { look(); } };
}
