// Elements without markup: every text is set as text, so what a record holds can't become a page.

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

// Replace an element's children only where what they show has changed: focus, selection and scrolling stay.
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
  // Flink leaves out the last digits of a time where they are zeros.
  const moment = /^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z?)$/.exec(value);
  return moment ? `${moment[1]}.${(moment[2] || "").padEnd(3, "0")}${moment[3]}` : String(value);
}

// Of a time on the same day as another, the clock alone.
export const brief = (text, beside) => (/^\d{4}-\d\d-\d\d[ T]\d\d:/.test(text) && text.slice(0, 10) === (beside || "").slice(0, 10) ? text.slice(11) : text);

export function clock(moment, milliseconds = false) {
  const found = /(\d\d:\d\d:\d\d)(?:\.(\d+))?/.exec(moment || "");
  if (!found) return String(moment || "");
  return milliseconds ? `${found[1]}.${(found[2] || "").padEnd(3, "0").slice(0, 3)}` : found[1];
}

export const empty = (text) => h("p", { class: "empty" }, text);
