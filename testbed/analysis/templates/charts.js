"use strict";
// Draws charts and sorts tables, for every page. Data: the JSON element `data`.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

// Colours of axes and text are the page's own, so light, dark and print need no second drawing.
const axis = {
  labelColor: "currentColor", titleColor: "currentColor", tickColor: "currentColor", domainColor: "currentColor",
  gridColor: "currentColor", gridOpacity: 0.13, tickOpacity: 0.4, domainOpacity: 0.5, labelOverlap: "greedy",
  labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal",
};
const config = {
  background: null, font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
  view: { stroke: null }, axis,
  legend: { labelColor: "currentColor", titleColor: "currentColor", labelFontSize: 11, titleFontSize: 11, labelLimit: 140 },
  range: { category: ["#1f83c9", "#d55e00", "#009e73", "#c264a0", "#b8860b", "#7b6bd6", "#2a9d9d", "#9c6644"] },
};
const options = {
  mode: "vega-lite", renderer: "svg", config, tooltip: { disableDefaultStyle: false },
  actions: { export: true, source: false, compiled: false, editor: false },
};

const views = new Map();
// One drawing at a time for each place: a later one replaces an earlier one, whichever is ready first.
async function draw(id, spec) {
  const turn = (draw.turns[id] = (draw.turns[id] || 0) + 1);
  const place = byId(id);
  const result = await vegaEmbed(place, spec, { ...options, downloadFileName: id });
  if (turn !== draw.turns[id]) return result.finalize(), null;
  if (views.has(id)) views.get(id).finalize();
  views.set(id, result);
  place.dataset.drawn = turn;
  return result.view;
}
draw.turns = {};

// --- tables ---
function sortTable(heading, ascending) {
  const table = heading.closest("table");
  const place = [...heading.parentElement.children].indexOf(heading);
  const numeric = heading.dataset.kind === "number";
  const key = (row) => {
    const cell = row.children[place];
    if (!numeric) return cell.textContent.trim();
    const value = parseFloat(cell.dataset.value);
    return Number.isNaN(value) ? null : value;
  };
  const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what has no figure stays last
    const order = numeric ? a - b : a.localeCompare(b);
    return ascending ? order : -order;
  });
  for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    sortTable(heading, heading.getAttribute("aria-sort") !== "ascending");
  });
}
