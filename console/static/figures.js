// Draws charts on the page and in the report: figures with roles for colours, each with a table.

const ROLES = ["ink", "muted", "accent", "s1", "s2", "s3", "s4", "s5"];

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries([...ROLES, "line", "card", "soft"].map((name) => [name, of(name)]));
}

function coloured(value, palette) {
  if (Array.isArray(value)) return value;
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner, palette)]));
  return typeof value === "string" && value.startsWith("@") && ROLES.includes(value.slice(1)) ? palette[value.slice(1)] : value;
}

function axis(palette, own = {}) {
  const title = own.title ? { title: { ...own.title, font: { size: 12 }, standoff: 8 } } : {};
  return { gridcolor: palette.line, zeroline: false, linecolor: palette.line, automargin: true, fixedrange: true, ...own, ...title };
}

export function paint(element, figure, Plotly) {
  const palette = colours();
  // On a phone, more labels would be drawn at an angle.
  const few = element.clientWidth < 480 && figure.layout.xaxis?.type === "date" ? { nticks: 4 } : {};
  const layout = {
    ...figure.layout,
    xaxis: axis(palette, { ...few, ...figure.layout.xaxis }),
    yaxis: axis(palette, figure.layout.yaxis),
    ...(figure.layout.yaxis2 ? { yaxis2: axis(palette, figure.layout.yaxis2) } : {}),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: palette.muted },
    hoverlabel: { bgcolor: palette.card, bordercolor: palette.line, font: { color: palette.ink } },
    margin: { l: 52, r: 8, t: 26, b: 8 },
    legend: { orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom" },
    showlegend: true,
    dragmode: false,
    uirevision: "same",
  };
  return Plotly.react(element, coloured(figure.data, palette).map((t) => coloured(t, palette)), layout, {
    displayModeBar: false,
    responsive: true,
  });
}

// Escapes HTML in a record's text, as Plotly would interpret some of it.
export const escaped = (text) => text.slice(0, 60).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const plain = (text) => (typeof text === "number" ? String(Number(text.toPrecision(6))) : String(text ?? "")).replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

// The chart's numbers as a table, newest first, for those who can't see it.
export function tableRows(figure, most = 100) {
  const rows = [];
  for (const trace of figure.data)
    trace.x.forEach((x, i) => {
      if (x !== null && trace.y[i] !== null && trace.y[i] !== undefined)
        rows.push([trace.name, plain(x), plain(trace.y[i]), plain(trace.text ? trace.text[i] : "")]);
    });
  return rows.slice(-most).reverse();
}
