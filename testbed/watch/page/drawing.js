// What the drawings have in common: elements, figures with units, axes. Texts are set as text, never as markup.
export function svg(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function put(element, text) {
  element.textContent = text;
  return element;
}

const three = (value) => (Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3))));

function scaled(value, unit) {
  for (const [prefix, factor] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(value) >= 0.9995 * factor) return `${three(value / factor)} ${prefix}${unit}`;
  }
  return `${three(value)} ${unit}`;
}

export const size = (bytes) => scaled(bytes, "B").replace("kB", "KB");
export const rate = (bytesPerS) => scaled(8 * bytesPerS, "bit/s");

export function time(s) {
  if (s >= 100) return `${Math.floor(Math.round(s) / 60)} min ${Math.round(s) % 60} s`;
  return s >= 0.9995 || s === 0 ? `${Number(s.toPrecision(3))} s` : `${Number((s * 1000).toPrecision(3))} ms`;
}

const LEFT = 66, BOTTOM = 22, TOP = 8, RIGHT = 12;

// An empty chart in a root: its axes with the ticks [value, words], and functions from values to pixels.
export function frame(root, { x, y, xTicks, yTicks }) {
  const width = root.clientWidth || 500, height = root.clientHeight || 200;
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const toX = (value) => LEFT + x(value) * (width - LEFT - RIGHT);
  const toY = (value) => height - BOTTOM - y(value) * (height - BOTTOM - TOP);
  const parts = [];
  for (const [value, words] of yTicks) {
    parts.push(svg("line", { x1: LEFT, x2: width - RIGHT, y1: toY(value), y2: toY(value), class: "axis" }));
    parts.push(put(svg("text", { x: LEFT - 8, y: toY(value) + 4, "text-anchor": "end" }), words));
  }
  let free = -Infinity;
  for (const [value, words] of xTicks) {
    if (toX(value) < free) continue;
    free = toX(value) + 12 + 6.5 * words.length;
    parts.push(put(svg("text", { x: toX(value), y: height - 5, "text-anchor": "middle" }), words));
  }
  return { parts, toX, toY };
}

// Round values from 0 up to a maximum, about `count` of them.
export function ticks(most, count = 4) {
  const rough = most / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, place) => place * step);
}
