// The six pictures: what each draws of the curves, where the cut lies in it, and which cut lies under the pointer.
//
// Each: axes(now), draw(frame, now), at(now) -> {x, y, text} of the cut, find(frame, now, x, y) -> the place of a cut, alt(now).
// now: what `readings.js` computes: curves over all cuts, and the readings at the cut (null where no cut reaches the rule).

import { fill, formatEnd, formatNumber, formatPercent, formatShare, makeSvg, roundUp } from "./svg.js";

const UNIT = [[0, "0"], [0.5, ".5"], [1, "1"]];

function halves(most, format = formatEnd) {
  return [[0, "0"], [most / 2, format(most / 2)], [most, format(most)]];
}

// The point of a curve nearest to (x, y) in pixels.
function findNearest(frame, xs, ys, x, y) {
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) continue;
    const far = (frame.x(frame.clip(xs[i], "x")) - x) ** 2 + (frame.y(frame.clip(ys[i], "y")) - y) ** 2;
    if (far < least) [best, least] = [i, far];
  }
  return best;
}

// The place of the cut that flags as many rows as a point of a curve over ranks.
function placeOfRank(now, k) {
  return now.table.placeOfFlagged(now, now.curves.ranks.flagged[k]);
}

// The place of the cut under the pointer, where x is the cut.
function placeAcross(frame, now, x) {
  return now.table.placeOf(now.pool, Math.min(1, Math.max(0, frame.value(x))));
}

const precision = {
  name: "pr",
  turn: "roc",
  forward: false, // to the right: lower cuts
  axes: (now) => ({ x: [0, 1], y: [0, 1], xTicks: UNIT, yTicks: UNIT, xName: now.turned ? now.words.falseRate : now.words.recall }),
  lines: ({ curves, turned }) => (turned ? [curves.alarms.mean, curves.recall] : [curves.recall.mean, curves.precision]),
  draw(frame, now) {
    const [xs, ys] = this.lines(now);
    if (now.turned) frame.line([0, 1], [0, 1], "random");
    else frame.line([0, 1], [now.share, now.share], "random");
    frame.band(xs, ys.low, ys.high);
    if (now.beside) frame.line(now.turned ? now.beside.alarms : now.beside.recall, now.turned ? now.beside.recall : now.beside.precision, "beside");
    frame.line(xs, ys.mean, "main");
  },
  at: (now) => (now.turned
    ? { x: now.at.alarms.mean, y: now.at.recall.mean, text: fill(now.words.pointAt, { y: formatShare(now.at.recall.mean), x: formatShare(now.at.alarms.mean, 3) }) }
    : { x: now.at.recall.mean, y: now.at.precision.mean, text: fill(now.words.pointAt, { y: formatShare(now.at.precision.mean), x: formatShare(now.at.recall.mean) }) }),
  find(frame, now, x, y) {
    const [xs, ys] = this.lines(now);
    return placeOfRank(now, findNearest(frame, xs, ys.mean, x, y));
  },
};

const gains = {
  name: "gains",
  forward: false,
  axes: (now) => ({ x: [0, now.mostAlerts], y: [0, 1], xTicks: halves(now.mostAlerts), yTicks: UNIT, xName: fill(now.words[now.isDay ? "alertsDay" : "alerts"], now.text) }),
  draw(frame, now) {
    const { alerts, recall } = now.curves;
    frame.line([0, now.mostAlerts], [0, now.mostAlerts / now.unit], "random");
    frame.band(alerts.mean, recall.low, recall.high);
    frame.line(alerts.mean, recall.mean, "main");
    const level = Math.min(1, now.mostAlerts / now.unit);
    frame.write(frame.x(now.mostAlerts * 0.97), frame.y(level) - 7, now.words.atRandom, { class: "t", "text-anchor": "end" });
  },
  at: (now) => ({ x: now.at.alerts.mean, y: now.at.recall.mean, text: fill(now.words.ofHundred, { count: formatNumber(Math.round(100 * now.at.recall.mean)) }) }),
  find: (frame, now, x, y) => placeOfRank(now, findNearest(frame, now.curves.alerts.mean, now.curves.recall.mean, x, y)),
};

const benefit = {
  name: "benefit",
  forward: true,
  axes(now) {
    const most = 1000 * now.share;
    return { x: [0, now.mostCut], y: [-0.12 * most, most], xTicks: halves(now.mostCut), yTicks: halves(most), xName: now.words.checkAt };
  },
  draw(frame, now) {
    const { cut, benefit: net } = now.curves;
    const all = (at) => 1000 * (now.share - ((1 - now.share) * at) / (1 - at));
    const xs = Array.from({ length: 200 }, (_, i) => (now.mostCut * i) / 200).filter((at) => all(at) >= frame.axes.y[0]);
    frame.line(xs, xs.map(all), "beside");
    frame.line([0, now.mostCut], [0, 0], "none");
    frame.band(cut, net.low, net.high);
    frame.line(cut, net.mean, "main");
    const end = xs[xs.length - 1] ?? 0;
    frame.write(frame.x(end) + 6, frame.y(0) - 6, now.words.flagAll, { class: "t halo" });
    frame.write(frame.x(now.mostCut * 0.62), frame.y(0) + 14, now.words.flagNone, { class: "t halo", "text-anchor": "middle" });
  },
  at: (now) => ({ x: now.at.cut, y: now.at.benefit.mean, text: formatNumber(now.at.benefit.mean) }),
  find: placeAcross,
};

const cost = {
  name: "cost",
  forward: true,
  axes(now) {
    const most = roundUp(now.mostCost);
    return { x: [0, now.mostCut], y: [0, most], xTicks: halves(now.mostCut), yTicks: halves(most), xName: now.words.cut };
  },
  draw(frame, now) {
    const { cut, cost: costs } = now.curves;
    frame.band(cut, costs.low, costs.high);
    frame.line(cut, costs.mean, "main");
    const lowest = now.lowest;
    const [x, y] = [frame.x(frame.clip(cut[lowest], "x")), frame.y(frame.clip(costs.mean[lowest], "y"))];
    frame.behind.append(makeSvg("circle", { class: "open", cx: x, cy: y, r: 4.5 }));
    const right = x < frame.width * 0.5;
    const below = y < frame.y(0) - 8;
    const text = fill(now.words.lowest, { cost: formatNumber(costs.mean[lowest]) });
    frame.write(x + (right ? 4 : -4), below ? Math.min(y + 20, frame.y(0) - 4) : y - 24, text, { class: "t halo", "text-anchor": right ? "start" : "end" });
  },
  at: (now) => ({ x: now.at.cut, y: now.at.cost.mean, text: formatNumber(now.at.cost.mean) }),
  find: placeAcross,
};

const reliability = {
  name: "reliability",
  forward: true,
  axes: (now) => ({ x: [0, now.mostBin], y: [0, now.mostBin], xTicks: halves(now.mostBin), yTicks: halves(now.mostBin), xName: now.words.predicted }),
  draw(frame, now) {
    frame.line([0, now.mostBin], [0, now.mostBin], "random");
    for (const bin of now.before) {
      if (bin.predicted <= now.mostBin) frame.behind.append(makeSvg("circle", { class: "before", cx: frame.x(bin.predicted), cy: frame.y(frame.clip(bin.observed, "y")), r: 3.2 }));
    }
    for (const bin of now.bins) {
      const x = frame.x(frame.clip(bin.predicted, "x"));
      const ends = [bin.low, bin.high].map((value) => frame.y(frame.clip(value, "y")));
      if (ends.every(Number.isFinite)) frame.behind.append(makeSvg("line", { class: "whisker", x1: x, x2: x, y1: ends[0], y2: ends[1] }));
      frame.behind.append(makeSvg("circle", { class: "bin", cx: x, cy: frame.y(frame.clip(bin.observed, "y")), r: 4.2 }));
    }
    frame.write(frame.x(now.mostBin) - 4, frame.y(0) - 8, now.words.observedUp, { class: "t halo", "text-anchor": "end" });
  },
  at: (now) => ({ x: now.at.cut, y: null, text: "" }),
  find: placeAcross,
};

const shares = {
  name: "shares",
  forward: true,
  upright: true,
  axes(now) {
    const [low, high] = now.shares.map(Math.log10);
    const ticks = [];
    for (let power = Math.ceil(low - 1e-9); power <= high - 0.25; power++) ticks.push([power, formatPercent(10 ** power)]);
    ticks.push([high, formatPercent(now.shares[1])]);
    return { x: [low, high], y: [0, 1], xTicks: ticks, yTicks: UNIT, xName: now.words.shareLog };
  },
  draw(frame, now) {
    if (!now.at) return;
    const { x, mean, low, high } = now.at.shares;
    frame.band(x, low, high);
    frame.line(x, mean, "main");
    const far = now.at.example;
    if (!far) return;
    frame.behind.append(makeSvg("circle", { class: "open", cx: frame.x(Math.log10(far.share)), cy: frame.y(far.precision), r: 4 }));
    const text = fill(now.words.atShare, { precision: formatShare(far.precision), count: Math.round(1 / far.share).toLocaleString("en") });
    const under = far.precision > 0.12;
    const x0 = frame.x(Math.log10(far.share));
    const room = frame.x(Math.log10(now.share)) - x0;
    const isNear = room > 0 && room < 110; // no room before the line of the cut
    frame.write(x0 + (isNear ? -8 : 8), frame.y(far.precision) + (under ? 15 : -10), text, { class: "t halo", "text-anchor": isNear ? "end" : "start" });
  },
  at: (now) => ({ x: Math.log10(now.share), y: now.at.precision.mean, text: fill(now.words.here, { precision: formatShare(now.at.precision.mean) }) }),
  // Up and down: the cut whose precision, at the share in use, lies under the pointer.
  find: (frame, now, x, y) => {
    const { recall, precision: exact } = now.curves;
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < exact.mean.length; i++) {
      if (!Number.isFinite(exact.mean[i])) continue;
      const far = Math.abs(frame.y(exact.mean[i]) - y) - 1e-6 * recall.mean[i]; // of equal ones the one that finds most
      if (far < least) [best, least] = [i, far];
    }
    return placeOfRank(now, best);
  },
};

export const PICTURES = [precision, gains, benefit, cost, reliability, shares];
