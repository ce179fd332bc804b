// Draws the charts of a report, links the choices to them, filters the tables. After charts.js.

// --- what is shown: schedulers and sources, in all charts and in the summary ---
const buttons = [...document.querySelectorAll(".legend button")];
const hidden = new Set();
const keyOf = (button) => ("scheduler" in button.dataset ? "scheduler " + button.dataset.scheduler : "source " + button.dataset.source);
const shownNames = (kind) => [...new Set(buttons.filter((b) => kind in b.dataset && !hidden.has(keyOf(b))).map((b) => b.dataset[kind]))];

function applyShown(id) {
  views.get(id)?.view.signal("schedulers", shownNames("scheduler")).signal("sources", shownNames("source")).runAsync();
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    const key = keyOf(button);
    hidden.has(key) ? hidden.delete(key) : hidden.add(key);
    for (const other of buttons) if (keyOf(other) === key) other.setAttribute("aria-pressed", String(!hidden.has(key)));
    for (const id of Object.keys(data.charts)) applyShown(id);
    for (const row of document.querySelectorAll("#summary-table tbody tr")) {
      row.hidden = hidden.has("scheduler " + row.dataset.scheduler) || hidden.has("source " + row.dataset.source);
    }
  });
}

async function drawCharts() {
  for (const [id, spec] of Object.entries(data.charts)) {
    const params = [{ name: "schedulers", value: shownNames("scheduler") }, { name: "sources", value: shownNames("source") }];
    await draw(id, { ...spec, params });
    applyShown(id); // what was hidden meanwhile
  }
}

// --- one run in detail ---
const runSelect = byId("run");
const coflowSelect = byId("coflow");
const several = new Set(data.runs.map((run) => run.experiment)).size > 1;
const size = (bytes) => {
  const unit = [[1e9, "GB"], [1e6, "MB"], [1e3, "KB"]].find(([value]) => bytes >= 0.9995 * value) || [1, "B"];
  return Number((bytes / unit[0]).toPrecision(3)) + " " + unit[1];
};
const seconds = (value) => (value === null ? "-" : value < 10 ? value.toFixed(3) : value.toFixed(2));

function withRows(name, values, changes = {}) {
  const spec = structuredClone(data.runCharts[name]);
  return { ...spec, ...changes, data: { name: "rows", values } };
}

function coflowRows(run) {
  const table = run.coflows;
  const finishes = table.finish_s.filter((finish) => finish !== null);
  const end = Math.max(run.flows.end_s || 0, 0, ...finishes);
  return table.coflow.map((coflow, i) => ({
    coflow, row: i, row_end: i + 0.85, arrival_s: table.arrival_s[i], end_s: table.finish_s[i] ?? end, cct_s: table.cct_s[i],
    gamma_s: table.gamma_s[i], slowdown: table.slowdown[i], flows: table.flows[i], bytes: table.bytes[i], size: size(table.bytes[i]),
  }));
}

function flowRows(run, chosen) {
  const table = run.flows;
  const rows = [];
  table.coflow.forEach((coflow, i) => {
    if (coflow !== chosen) return;
    const end = table.finish_s[i] ?? table.end_s;
    rows.push({
      label: `h${table.from[i]} → h${table.to[i]} #${table.flow[i]}`, size: size(table.bytes[i]), planned_start_s: table.planned_start_s[i],
      start_s: table.start_s[i], start_or_end_s: table.start_s[i] ?? end, finish_s: table.finish_s[i], end_s: table.start_s[i] === null ? null : end,
    });
  });
  return rows.sort((a, b) => (a.finish_s ?? Infinity) - (b.finish_s ?? Infinity));
}

async function showCoflow(coflow) {
  const run = data.runs[Number(runSelect.value)];
  coflowSelect.value = String(coflow);
  for (const row of document.querySelectorAll("#coflow-table tbody tr")) row.classList.toggle("chosen", Number(row.dataset.coflow) === coflow);
  const overview = views.get("coflows");
  if (overview) overview.view.signal("chosen", coflow).runAsync();
  const rows = flowRows(run, coflow);
  const place = run.coflows.coflow.indexOf(coflow);
  const cct = run.coflows.cct_s[place];
  byId("gantt-title").textContent = `Flows of coflow ${coflow}, ${run.label}`;
  byId("gantt-caption").textContent = rows.length
    ? `${run.coflows.flows[place]} flows, ${size(run.coflows.bytes[place])}: ` +
      (cct === null ? "not finished" : `CCT ${seconds(cct)} s, ${(cct / run.coflows.gamma_s[place]).toFixed(2)} times Gamma`) +
      ". Pale: waiting; solid: being sent."
    : "Its flows are not in this page: only those of the heaviest coflows that fit are. They are in the run's flows.csv.";
  byId("gantt").hidden = rows.length === 0;
  if (rows.length === 0) return;
  const spec = withRows("gantt", rows, { height: Math.min(600, Math.max(120, rows.length * 14)) });
  const label = rows.length <= 45 ? { labelFontSize: 10 } : null;
  for (const layer of spec.layer) layer.encoding.y.axis = label;
  await draw("gantt", spec);
}

function linkRows(links) {
  const rows = [];
  links.percent.forEach((shares, row) => shares.forEach((percent, i) => {
    if (percent > 0) rows.push({ link: links.names[row], row, row_end: row + 1, from_s: links.edges_s[i], to_s: links.edges_s[i + 1], percent });
  }));
  return rows;
}

// Where each layer begins, and its name in the middle of its rows.
function linkAxis(links) {
  const names = {};
  let first = 0;
  links.layers.forEach((layer, row) => {
    if (row + 1 === links.layers.length || links.layers[row + 1] !== layer) {
      names[Math.floor((first + row + 1) / 2)] = layer;
      first = row + 1;
    }
  });
  return { grid: false, ticks: false, values: Object.keys(names).map(Number), labelExpr: `${JSON.stringify(names)}[datum.value]`, labelFontSize: 10, labelOverlap: false };
}

const missing = { links: "link utilisation (the port counters were not sampled)", classes: "priority classes (all flows were in one)", decisions: "decision latency (measured in emulation only)" };

async function showRun() {
  const run = data.runs[Number(runSelect.value)];
  const rows = coflowRows(run);
  fillCoflows(rows, new Set(run.flows.coflow));
  for (const [name, ids] of [["links", ["links-figure", "layers-figure"]], ["classes", ["classes-figure"]], ["decisions", ["decisions-figure"]]]) {
    for (const id of ids) byId(id).hidden = run[name] === null;
  }
  const absent = Object.keys(missing).filter((name) => run[name] === null).map((name) => missing[name]);
  byId("missing").textContent = absent.length ? `Not recorded for this run: ${absent.join("; ")}.` : "";
  const overview = await draw("coflows", withRows("coflows", rows, { height: Math.min(600, Math.max(220, rows.length)) }));
  if (overview) overview.addEventListener("click", (_, item) => item && item.datum && "coflow" in item.datum && showCoflow(item.datum.coflow));
  const wanted = Number(coflowSelect.value);
  await showCoflow(rows.some((row) => row.coflow === wanted) ? wanted : rows[0].coflow);
  if (run.links) {
    const spec = withRows("links", linkRows(run.links), { height: Math.min(480, Math.max(200, run.links.names.length * 4)) });
    spec.layer[0].encoding.y.axis = linkAxis(run.links);
    spec.layer[0].encoding.y.scale.domain = [0, run.links.names.length];
    byId("links-caption").textContent = "A row per link, from the hosts up to the core and down again; the darker, the nearer to its configured rate." +
      (run.links.left_out ? ` The busiest ${run.links.names.length}; ${run.links.left_out} others are not drawn.` : "");
    await draw("links", spec);
    const means = Object.entries(run.links.mean_by_layer).flatMap(([layer, values]) => values.map((percent, i) => ({ layer, percent, at_s: run.links.edges_s[i] })));
    await draw("layers", withRows("layers", means));
  }
  if (run.decisions) {
    const table = run.decisions;
    byId("decisions-caption").textContent = table.summary;
    await draw("decisions", withRows("decisions", table.at_s.map((at_s, i) => ({ at_s, ms: table.ms[i], active_flows: table.active_flows[i], reason: table.reason[i] })).filter((row) => row.ms > 0)));
  }
  if (run.classes) {
    const table = run.classes;
    const flat = table.flows.flatMap((counts, i) => counts.map((flows, k) => ({ at_s: table.at_s[i], class: table.classes[k], flows })));
    await draw("classes", withRows("classes", flat));
  }
}

// `known`: coflows whose flows are in the page; the heaviest of them is the one shown first.
function fillCoflows(rows, known) {
  const chosen = coflowSelect.value;
  const heaviest = [...rows].sort((a, b) => known.has(b.coflow) - known.has(a.coflow) || b.bytes - a.bytes)[0];
  coflowSelect.replaceChildren(...rows.map((row) => new Option(`${row.coflow} (${row.flows} flows, ${row.size})`, row.coflow)));
  coflowSelect.value = rows.some((row) => String(row.coflow) === chosen) ? chosen : String(heaviest.coflow);
  const body = document.querySelector("#coflow-table tbody");
  body.replaceChildren(...rows.map((row) => {
    const line = document.createElement("tr");
    line.dataset.coflow = row.coflow;
    const cells = [[row.coflow], [row.arrival_s, seconds(row.arrival_s)], [row.cct_s, seconds(row.cct_s)], [row.gamma_s, seconds(row.gamma_s)],
      [row.slowdown, row.slowdown === null ? "-" : row.slowdown.toFixed(2)], [row.flows], [row.bytes, row.size]];
    for (const [value, text] of cells) {
      const cell = line.insertCell();
      cell.className = "number";
      cell.dataset.value = value ?? "";
      cell.textContent = text ?? value;
    }
    line.addEventListener("click", () => showCoflow(row.coflow));
    return line;
  }));
  const sorted = document.querySelector("#coflow-table th[aria-sort]");
  if (sorted) sortTable(sorted, sorted.getAttribute("aria-sort") === "ascending");
}

runSelect.replaceChildren(...data.runs.map((run, i) => new Option(several ? `${run.experiment}: ${run.label}` : run.label, i)));
runSelect.addEventListener("change", showRun);
coflowSelect.addEventListener("change", () => showCoflow(Number(coflowSelect.value)));

function filterChecks() {
  const run = byId("check-run").value;
  const onlyFailed = byId("only-failed").checked;
  for (const row of document.querySelectorAll("#check-table tbody tr")) {
    row.hidden = (run !== "" && row.dataset.run !== run) || (onlyFailed && row.dataset.verdict === "valid");
  }
}
byId("check-run").addEventListener("change", filterChecks);
byId("only-failed").addEventListener("change", filterChecks);

drawCharts().then(showRun).then(() => (document.documentElement.dataset.ready = "yes"));
