// Goodput over time, and the distribution of completion times so far beside those of earlier runs.
import { frame, put, rate, svg, ticks, time } from "./drawing.js";

const MOST_POINTS = 600;

export function thin(points) {
  return points.length > MOST_POINTS ? points.filter((_, place) => place % 2 === 0) : points;
}

export function drawGoodput(root, points) {
  const end = Math.max(5, ...points.map(([at]) => at)), most = Math.max(1e4, ...points.map(([, value]) => value)) * 1.08;
  const { parts, toX, toY } = frame(root, {
    x: (at) => at / end, y: (value) => value / most,
    xTicks: ticks(end, 6).map((at) => [at, `${Number(at.toPrecision(3))} s`]),
    yTicks: ticks(8 * most).map((bits) => [bits / 8, rate(bits / 8)]),
  });
  if (points.length > 1) {
    const path = points.map(([at, value]) => `${toX(at).toFixed(1)},${toY(Math.max(value, 0)).toFixed(1)}`).join("L");
    const last = points[points.length - 1][0];
    parts.push(svg("path", { class: "area", d: `M${toX(points[0][0])},${toY(0)}L${path}L${toX(last)},${toY(0)}Z` }));
    parts.push(svg("path", { class: "curve", d: `M${path}` }));
  }
  root.replaceChildren(...parts);
}

// runs: [{title, hue, coflows, ccts: [s, ...]}, ...]; the last is the one that goes. A curve ends at the share that has
// finished, so that a run whose long coflows are still to come does not look better than it is.
export function drawCcts(root, legend, runs) {
  const drawn = runs.filter((run) => run.ccts.length);
  const all = drawn.flatMap((run) => run.ccts);
  const least = Math.log10(Math.max(1e-4, Math.min(...all, 1) * 0.9)), most = Math.log10(Math.max(...all, 0.1) * 1.1);
  const decades = [];
  for (let power = Math.floor(least); power <= most; power += 1) {
    for (const factor of most - least > 2.2 ? [1] : [1, 2, 5]) decades.push(factor * 10 ** power);
  }
  const { parts, toX, toY } = frame(root, {
    x: (s) => (Math.log10(s) - least) / (most - least), y: (share) => share,
    xTicks: decades.filter((s) => Math.log10(s) >= least && Math.log10(s) <= most).map((s) => [s, time(s)]),
    yTicks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, `${100 * share} %`]),
  });
  drawn.forEach((run) => {
    const sorted = [...run.ccts].sort((a, b) => a - b);
    let d = `M${toX(sorted[0])},${toY(0)}`;
    sorted.forEach((s, place) => { d += `H${toX(s).toFixed(1)}V${toY((place + 1) / run.coflows).toFixed(1)}`; });
    parts.push(svg("path", { class: `curve hue${run.hue}${run === runs[runs.length - 1] ? "" : " earlier"}`, d }));
  });
  root.replaceChildren(...parts);
  legend.replaceChildren(...drawn.map((run) => {
    const item = document.createElement("span"), colour = document.createElement("i");
    item.className = `hue${run.hue}${run === runs[runs.length - 1] ? " now" : ""}`;
    item.append(colour, put(document.createElement("b"), run.title).textContent);
    return item;
  }));
}
