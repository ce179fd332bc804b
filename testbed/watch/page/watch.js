// Follows the runs of one command: takes in the server's events and redraws at most once per frame.
import { drawCcts, drawGoodput, thin } from "./charts.js";
import { put, rate, size, time } from "./drawing.js";
import { Network, drawScale } from "./network.js";

const PHASES = ["bring-up", "prepare", "replay", "drain", "take-down", "done"];
const SHOWN_FINISHED = 10, MOST_LINES = 40, HUES = 6;
const $ = (id) => document.getElementById(id);

const network = new Network($("network"), $("busiest"));
const runs = []; // each: description, phase, state, finished (id -> row), points, said, end
let asked = false;

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
const ccts = (run) => [...run.finished.values()].map((row) => row[2]);
const slowdown = (run) => mean([...run.finished.values()].map((row) => row[3]).filter((value) => value !== null));
const words = (value, form) => (value === null ? "–" : form(value));
const times = (value) => `${value.toFixed(2)}×`;

function element(name, text, className = "") {
  const made = put(document.createElement(name), text);
  if (className) made.className = className;
  return made;
}

const take = {
  run(description) {
    const found = runs.find((run) => run.number === description.number);
    if (found) runs.length = runs.indexOf(found); // the stream has begun anew
    runs.push({ ...description, phase: "bring-up", state: null, finished: new Map(), points: [], said: [], end: null });
    document.querySelector("main").hidden = false;
    network.describe(description);
  },
  phase(name, run) { run.phase = name; },
  say(line, run) { run.said = [...run.said, line].slice(-MOST_LINES); },
  finished(rows, run) { rows.forEach((row) => run.finished.set(row[0], row)); },
  history(points, run) { run.points = points.slice(0, -1); },
  state(state, run) {
    run.state = state;
    run.points = thin([...run.points, [state.at_s, state.rate_Bps]]);
  },
  end(end, run) {
    run.end = end;
    if (run.state) run.state = { ...run.state, load: run.state.load.map(() => 0), active: end.error ? run.state.active : [] };
  },
};

function drawHead(run) {
  $("run-number").textContent = run.runs > 1 ? `run ${run.number} of ${run.runs}` : "";
  $("experiment").textContent = `${run.experiment}: ${run.scheduler}`;
  const how = [run.topology, run.workload, `enforcement: ${run.enforcement.join(", ")}`, `control: ${run.control}`];
  if (run.repeat > 0) how.push(`repeat ${run.repeat}`);
  $("setting").textContent = how.join(" · ");
  document.title = `${run.scheduler}: ${run.end ? run.end.verdict || "failed" : run.phase}`;
  const now = PHASES.indexOf(run.end && !run.end.error ? "done" : run.phase);
  $("phases").replaceChildren(...PHASES.map((name, place) => {
    const stopped = run.end && run.end.error && place === now;
    const last = name === "done" && place === now;
    const item = element("li", name, stopped ? "stopped" : place < now || last ? "past" : place === now ? "now" : "");
    if (place === now) item.setAttribute("aria-current", "step");
    return item;
  }));
}

function drawVerdict(run) {
  const card = $("verdict"), end = run.end;
  card.hidden = !end;
  if (!end) return;
  card.className = end.verdict || "failed";
  const [title, list, note] = card.children;
  title.textContent = end.error ? `This run failed: ${end.error}` : `This run is ${end.verdict}`;
  list.replaceChildren(...end.checks.map((one) => element("li", one.words ? `${one.check}; ${one.words}` : one.check)));
  note.textContent = end.directory ? `Records: ${end.directory}` : "";
}

function drawFigures(run) {
  const state = run.state, shown = ccts(run);
  const figures = state ? [
    ["elapsed", time(state.at_s)],
    ["coflows", state.coflows_done, `of ${state.coflows}`],
    ["received", size(state.bytes_done), `of ${size(state.bytes)}`],
    ["goodput", rate(run.end ? 0 : Math.max(state.rate_Bps, 0))],
    ["active flows", run.end ? 0 : state.active_flows],
    ["mean CCT", words(mean(shown), time)],
    ["CCT/Gamma", words(slowdown(run), times)],
  ] : [["elapsed", "–"], ["coflows", "–"], ["received", "–"], ["goodput", "–"], ["active flows", "–"],
    ["mean CCT", "–"], ["CCT/Gamma", "–"]];
  $("figures").replaceChildren(...figures.map(([name, value, rest]) => {
    const box = document.createElement("div"), figure = element("dd", value);
    if (rest) figure.append(" ", element("small", rest));
    box.append(element("dt", name), figure);
    return box;
  }));
}

function drawFaults(run) {
  const faults = run.state ? run.state.faults : [];
  $("faults").textContent = faults.length ? `Faults: ${faults.map(([at, what]) => `${time(at)} ${what}`).join("; ")}` : "";
}

function drawActive(run) {
  const rows = run.state ? run.state.active : [];
  const known = new Map([...$("active").children].map((item) => [item.dataset.coflow, item]));
  $("active").replaceChildren(...rows.map(([id, received, total, since, over, flows]) => {
    const item = known.get(String(id)) || coflowItem(id);
    const [line, bar] = item.children;
    const bytes = total === null ? size(received) : `${size(received)} of ${size(total)}`;
    line.children[1].textContent = `${bytes} · ${over}/${flows} flows · ${time(since)}`;
    bar.classList.toggle("unknown", total === null);
    bar.firstChild.style.width = `${total ? Math.min(100, (100 * received) / total).toFixed(1) : 0}%`;
    bar.setAttribute("aria-valuenow", total ? Math.min(100, Math.round((100 * received) / total)) : 0);
    return item;
  }));
  const more = run.state ? run.state.more : 0;
  const none = run.end ? "None: the run has ended." : run.phase === "replay" ? "None at this instant." : "None yet.";
  const blind = run.control === "none" ? " Without a coordinator, progress is known only when the hosts tell it at the end." : "";
  $("active-note").textContent = (more ? `and ${more} more` : rows.length ? "" : none) + blind;
}

function coflowItem(id) {
  const item = document.createElement("li"), line = element("div", "", "words"), bar = element("div", "", "bar");
  item.dataset.coflow = id;
  line.append(element("b", `coflow ${id}`), document.createElement("span"));
  bar.append(document.createElement("i"));
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", `coflow ${id}`);
  item.append(line, bar);
  return item;
}

function tableRow(cells) {
  const row = document.createElement("tr");
  row.append(...cells.map((cell) => element("td", cell)));
  return row;
}

function drawTables(run) {
  const last = [...run.finished.values()].sort((a, b) => b[1] + b[2] - a[1] - a[2]).slice(0, SHOWN_FINISHED);
  $("finished").replaceChildren(...last.map(([id, arrival, cct, factor, bytes]) =>
    tableRow([id, `${arrival.toFixed(2)} s`, time(cct), words(factor, times), size(bytes)])));
  $("finished-part").hidden = !last.length;
  $("runs").replaceChildren(...runs.map((one) => {
    const outcome = one.end ? one.end.verdict || "failed" : one.phase;
    const name = one.repeat ? `${one.scheduler}, repeat ${one.repeat}` : one.scheduler;
    const cells = [one.number, name, one.finished.size, words(mean(ccts(one)), time), words(slowdown(one), times), outcome];
    const row = tableRow(cells);
    if (one.end) row.lastChild.className = outcome;
    return row;
  }));
  $("said").textContent = run.said.join("\n");
}

function drawAll() {
  asked = false;
  const run = runs[runs.length - 1];
  if (!run) return;
  drawHead(run);
  drawVerdict(run);
  drawFigures(run);
  if (run.state) network.colour(run.state.load);
  drawFaults(run);
  drawActive(run);
  drawGoodput($("goodput"), run.points);
  const curves = runs.map((one) => ({ title: one.repeat ? `${one.scheduler}, repeat ${one.repeat}` : one.scheduler,
    hue: (one.number - 1) % HUES, ccts: ccts(one), coflows: Math.max(one.state?.coflows ?? 0, one.finished.size) }));
  drawCcts($("cct"), $("cct-legend"), curves);
  drawTables(run);
}

function draw() {
  if (!asked) requestAnimationFrame(drawAll);
  asked = true;
}

function link(state, text) {
  $("link").className = state;
  $("link").textContent = text;
}

drawScale($("scale"));
const events = new EventSource("events");
for (const [kind, act] of Object.entries(take)) {
  events.addEventListener(kind, (event) => { act(JSON.parse(event.data), runs[runs.length - 1]); draw(); });
}
events.addEventListener("open", () => link("live", "live"));
events.addEventListener("error", () => link("lost", "no answer; trying again"));
events.addEventListener("bye", () => {
  events.close();
  const run = runs[runs.length - 1];
  link("over", run && run.end ? "run ended; this page keeps what it has" : "the run's command has ended");
  draw();
});
let width = 0;
new ResizeObserver(() => {
  if (width === document.body.clientWidth) return;
  width = document.body.clientWidth;
  network.draw();
  draw();
}).observe(document.body);
