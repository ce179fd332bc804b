// The network as a drawing: two lines per cable, one for each direction, coloured and widened by load.
import { svg, put } from "./drawing.js";

const STEPS = [3, 20, 45, 70, 90]; // percent up to which a load has each of the first five colours
const WIDTHS = [1.2, 1.8, 2.2, 2.6, 3.2, 3.8];
const NAMES = ["idle", "to 20 %", "to 45 %", "to 70 %", "to 90 %", "above"];
const LEAST_LABEL = 24; // pixels that a node's name needs

export const step = (percent) => {
  const found = STEPS.findIndex((limit) => percent <= limit);
  return found < 0 ? STEPS.length : found;
};

export function drawScale(list) {
  list.replaceChildren(...NAMES.map((name, place) => {
    const item = document.createElement("li");
    const sample = svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" });
    sample.append(svg("line", { x1: 2, x2: 22, y1: 4, y2: 4, class: `load${place}`, "stroke-width": WIDTHS[place] }));
    item.append(sample, name);
    return item;
  }));
}

export class Network {
  constructor(root, note) {
    this.root = root;
    this.note = note;
    this.lines = [];
  }

  describe(run) {
    this.run = run;
    this.load = [];
    this.draw();
    this.note.textContent = "";
  }

  draw() {
    if (!this.run) return;
    const { nodes, cables } = this.run;
    const width = this.root.clientWidth || 600;
    const rows = 1 + Math.max(...nodes.map(([, , row]) => row));
    const gap = Math.min(105, Math.max(70, width / 7));
    const height = (rows - 1) * gap + 40;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.style.height = `${height}px`;
    const inRow = (row) => nodes.filter((node) => node[2] === row).length;
    this.thin = Math.max(0.45, Math.min(1, width / inRow(0) / 14)); // many hosts, thinner lines
    const at = nodes.map(([, x, row]) => [x * width, height - 20 - row * gap]);
    const links = svg("g"), boxes = svg("g");
    this.lines = [];
    cables.forEach(([low, high, up, down, rate]) => {
      const [x1, y1] = at[low], [x2, y2] = at[high];
      const length = Math.hypot(x2 - x1, y2 - y1);
      const apart = Math.min(2.6, width / inRow(0) / 5);
      const [dx, dy] = [((y2 - y1) / length) * apart, ((x1 - x2) / length) * apart];
      for (const [link, side] of [[up, 1], [down, -1]]) {
        const line = svg("line", { x1: x1 + side * dx, y1: y1 + side * dy, x2: x2 + side * dx, y2: y2 + side * dy });
        const title = svg("title");
        line.append(title);
        const [from, to] = link === up ? [low, high] : [high, low];
        this.lines[link] = { line, title, rate, name: `${nodes[from][0]} → ${nodes[to][0]}`, step: -1 };
        line.addEventListener("pointerenter", () => { title.textContent = this.words(link); });
        links.append(line);
      }
    });
    nodes.forEach(([name, , row], place) => {
      const room = width / inRow(row);
      const small = room < LEAST_LABEL;
      const w = small ? Math.max(3, room * 0.6) : Math.min(38, room - 3), h = small ? Math.max(6, w) : 20;
      const box = svg("rect", {
        x: at[place][0] - w / 2, y: at[place][1] - h / 2, width: w, height: h,
        rx: row ? 4 : Math.min(w, h) / 2, class: row ? "switch" : "host",
      });
      const title = svg("title");
      title.textContent = name;
      box.append(title);
      boxes.append(box);
      if (!small) boxes.append(put(svg("text", { x: at[place][0], y: at[place][1] + 0.5 }), name));
    });
    this.root.replaceChildren(links, boxes);
    this.colour(this.load);
  }

  words(link) {
    const { name, rate } = this.lines[link];
    return `${name}: ${this.load[link] ?? 0} % of ${rate}`;
  }

  colour(load) {
    this.load = load;
    this.lines.forEach((one, link) => {
      const now = step(load[link] ?? 0);
      if (now === one.step) return;
      one.step = now;
      one.line.setAttribute("class", `load${now}`);
      one.line.setAttribute("stroke-width", WIDTHS[now] * this.thin);
    });
    const busiest = load.map((percent, link) => [percent, link]).filter(([percent]) => percent > STEPS[0])
      .sort((a, b) => b[0] - a[0]).slice(0, 4);
    const words = busiest.map(([percent, link]) => `${this.lines[link].name} ${percent} %`);
    this.note.textContent = words.length ? `Busiest: ${words.join(", ")}` : "All links are idle.";
  }
}
