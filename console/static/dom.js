// Makes elements without markup: every text is set as text, so that a record can't inject HTML.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Replaces an element's children only if what they show has changed, to keep focus, selection and scroll position.
export function show(element, key, make) {
  const text = JSON.stringify(key);
  if (element.shown === text) return false;
  element.shown = text;
  element.replaceChildren(...[make()].flat());
  return true;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  return element;
}

export const count = (number) => Number(number).toLocaleString("en");

export function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  // Flink omits trailing zeros of a time.
  const moment = /^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z?)$/.exec(value);
  return moment ? `${moment[1]}.${(moment[2] || "").padEnd(3, "0")}${moment[3]}` : String(value);
}

// Only the time of day, if it is on the same day as another time.
export const brief = (text, beside) => (/^\d{4}-\d\d-\d\d[ T]\d\d:/.test(text) && text.slice(0, 10) === (beside || "").slice(0, 10) ? text.slice(11) : text);

export function clock(moment, milliseconds = false) {
  const found = /(\d\d:\d\d:\d\d)(?:\.(\d+))?/.exec(moment || "");
  if (!found) return String(moment || "");
  return milliseconds ? `${found[1]}.${(found[2] || "").padEnd(3, "0").slice(0, 3)}` : found[1];
}

export const empty = (text) => h("p", { class: "empty" }, text);

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  plus: "M8 3v10M3 8h10", play: "M4.5 3l8 5-8 5z", stop: "M4 4h8v8H4z", pause: "M5.5 3v10M10.5 3v10", check: "M3 8.5l3.5 3.5L13 4.5",
  copy: "M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z", download: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10", trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 9h5.8l.6-9",
  up: "M8 13V3.5M4 7l4-4 4 4", down: "M8 3v9.5M4 9l4 4 4-4", close: "M4 4l8 8M12 4l-8 8", refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2v3.6M6.2 8h3.6", book: "M3 2.5h10v11H3zM5.5 5.5h5M5.5 8h5M5.5 10.5h3",
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2.2 1.3", upload: "M8 11V3M4.5 6L8 2.5 11.5 6M3 13.5h10",
};

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const icon = (name) => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));

// A button with an icon and a label; a bare one has the label only for screen readers and as a tooltip.
export function button(label, onclick, { kind = "", image = null, bare = false, ...rest } = {}) {
  const names = [kind, bare ? "icon" : ""].filter(Boolean).join(" ") || null;
  return h("button", { type: "button", class: names, onclick, ...(bare ? { "aria-label": label, title: label } : {}), ...rest }, image ? icon(image) : null, bare ? null : label);
}

let fields = 0;
export function field(label, control) {
  control.id ||= `field-${(fields += 1)}`;
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

export function select(options, value, onchange, rest = {}) {
  const element = h("select", { onchange: () => onchange(element.value), ...rest },
    ...options.map((option) => {
      const [key, label] = Array.isArray(option) ? option : [option, option];
      return h("option", { value: key, selected: key === value }, label);
    }));
  return element;
}

// Tabs with the usual keys; the caller draws the chosen panel.
export function tabs(label, names, chosen, choose) {
  const buttons = names.map(([id, text, badge]) => h("button", {
    type: "button", role: "tab", "aria-selected": String(id === chosen), tabindex: id === chosen ? 0 : -1, dataset: { tab: id }, onclick: () => choose(id),
  }, text, badge ? h("span", { class: `badge ${badge[1] || ""}` }, badge[0]) : null));
  return h("div", {
    class: "tabs", role: "tablist", "aria-label": label,
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
      event.preventDefault();
      next.focus();
      next.click();
    },
  }, ...buttons);
}

export function later(work, milliseconds) {
  let timer = 0;
  const asked = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => { timer = 0; work(...given); }, milliseconds);
  };
  asked.cancel = () => clearTimeout(timer);
  return asked;
}

export function download(name, content, type) {
  const link = h("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
