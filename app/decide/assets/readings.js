// What a cut does to the test rows, as engine/stats/decide.py says it, fast enough to move: the rule's cut in every replicate from
// validation rows, its readings on test rows with their intervals, and the curves over all cuts.

import { formatNumber, formatPercent, formatShare, fill, roundUp } from "./svg.js";

const TYPES = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u2: Uint16Array };
const AS_TRAINED = "as trained";
const EPS = 1e-12;
const RANKS = 140; // points of a curve over the share that is flagged
const CUTS = 110; // points of a curve over the probability
const SHARES = 41; // points of the curve over the share in use
const BINS = 10;
const SPARSE = 30; // points whose band is drawn from bootstrap draws

// A message as {head, arrays by name}; null where it is the one that is held. Bytes: u32 length of the head | head, JSON filled up to
// 8 | zlib of the arrays, each filled up to 8.
export async function readMessage(data, version) {
  const bytes = data.slice(); // a copy: Streamlit keeps its buffer
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (head.version === version) return null;
  const packed = new Blob([bytes.subarray(4 + length)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const body = await new Response(packed).arrayBuffer();
  const arrays = {};
  let at = 0;
  for (const [name, type, count] of head.arrays) {
    arrays[name] = new TYPES[type](body, at, count);
    at += Math.ceil(arrays[name].byteLength / 8) * 8;
  }
  return { head, arrays };
}

// The first place of a falling array whose value is below `value`, and how many are no smaller.
function countNoSmaller(falling, value) {
  let [low, high] = [0, falling.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (falling[middle] >= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The last place of a rising array whose value is no larger than `value`.
function findLast(rising, value) {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function findFirst(rising, value) {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const logit = (p) => {
  const kept = Math.min(1 - EPS, Math.max(EPS, p));
  return Math.log(kept) - Math.log1p(-kept);
};
const expit = (z) => 0.5 * (1 + Math.tanh(0.5 * z));

export function moveShare(p, base, share) {
  const factor = share / (1 - share) / (base / (1 - base));
  return (p * factor) / (p * factor + 1 - p);
}

function interpolate(x, xs, ys) {
  if (x <= xs[0]) return ys[0];
  const last = xs.length - 1;
  if (x >= xs[last]) return ys[last];
  const at = findLast(xs, x);
  const width = xs[at + 1] - xs[at];
  return width > 0 ? ys[at] + ((ys[at + 1] - ys[at]) * (x - xs[at])) / width : ys[at];
}

function quantile(sorted, q) {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (at - below);
}

// The place with the most cases that a budget per 1,000 allows; of equal places the first.
function fitBudget(tpr, fpr, pi, alerts) {
  const flagged = (i) => pi * tpr[i] + (1 - pi) * fpr[i];
  const most = alerts * (1 + 1e-9);
  let [low, high] = [0, tpr.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (flagged(middle) * 1000 <= most) low = middle;
    else high = middle - 1;
  }
  while (low > 0 && flagged(low - 1) >= flagged(low)) low -= 1;
  return low;
}

function precisionAt(pi, tpr, fpr) {
  const hit = pi * tpr;
  return hit + (1 - pi) * fpr > 0 ? hit / (hit + (1 - pi) * fpr) : NaN;
}

// The 95% score interval of a share of n rows (Wilson 1927).
function wilson(share, n) {
  const z = 1.959964;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return { low: middle - half, high: middle + half };
}

// Counts per knot as shares of all, from place 0, which flags nothing.
function rates(counts, from, to) {
  const out = new Float64Array(to - from + 1);
  for (let i = from; i < to; i++) out[i - from + 1] = out[i - from] + counts[i];
  const whole = out[out.length - 1];
  if (whole > 0) for (let i = 0; i < out.length; i++) out[i] /= whole;
  return [out, whole];
}

function missedCost(costs, from, to, positive) {
  const out = new Float64Array(to - from + 1);
  for (let i = from; i < to; i++) out[i - from + 1] = out[i - from] + costs[i];
  const whole = out[out.length - 1];
  return out.map((found) => (whole - found) / Math.max(positive, 1e-300));
}

const PER_1000 = [0, 1000];
const BOUNDS = {
  precision: [0, 1], recall: [0, 1], alarmRate: [0, 1], cut: [0, 1], benefit: null, cost: null,
  alerts: PER_1000, found: PER_1000, alarms: PER_1000, missed: PER_1000, alone: PER_1000,
};

export class Table {
  constructor(head, arrays) {
    this.head = head;
    this.arrays = arrays;
    this.units = {};
    this.cache = new Map();
    this.drawn = new Map(); // rates of the bootstrap draws at a place: a curve asks for many
  }

  cases(unit) {
    if (this.units[unit]) return this.units[unit];
    const { arrays } = this;
    const get = (name) => arrays[`${unit}/${name}`];
    const ends = get("ends");
    const out = [];
    for (let r = 0; r + 1 < ends.length; r++) {
      const [from, to] = [ends[r], ends[r + 1]];
      const [validTpr, vp] = rates(get("valid_tp"), from, to);
      const [validFpr, vn] = rates(get("valid_fp"), from, to);
      const [testTpr, tp] = rates(get("test_tp"), from, to);
      const [testFpr, tn] = rates(get("test_fp"), from, to);
      out.push({
        cut: get("cut").subarray(from, to), validTpr, validFpr, testTpr, testFpr,
        validMissed: get("valid_cost") ? missedCost(get("valid_cost"), from, to, vp) : null,
        testMissed: get("test_cost") ? missedCost(get("test_cost"), from, to, tp) : null,
        tied: get("valid_tied").subarray(from, to),
        validShare: vp / Math.max(vp + vn, 1e-300), testShare: tp / Math.max(tp + tn, 1), number: Math.round(tp + tn),
      });
    }
    this.units[unit] = out;
    return out;
  }

  // Probabilities of scores as trained by replicate r's calibration, at a share in use (null: the table's).
  calibrate(name, r, score, share) {
    if (name === AS_TRAINED) return score;
    const { arrays, head } = this;
    const v = head.calibrations.indexOf(name);
    let p;
    if (name === "isotonic") {
      const [from, to] = [arrays.isotonic_ends[r], arrays.isotonic_ends[r + 1]];
      p = interpolate(score, arrays.isotonic_x.subarray(from, to), arrays.isotonic_y.subarray(from, to));
    } else {
      const place = v * head.replicates + r;
      p = expit(arrays.slope[place] * logit(score) + arrays.shift[place]);
    }
    if (share === null) return p;
    return moveShare(p, arrays[name === "prior corrected" ? "natural_share" : "valid_share"][r], share);
  }

  // Per replicate, the probabilities of its knots; and all of them together, falling, without ties.
  probabilities(unit, kind, share) {
    const key = `p|${unit}|${kind}|${share}`;
    return this.keep(key, () => {
      const cases = this.cases(unit);
      const own = cases.map((one, r) => {
        const out = Float64Array.from(one.cut, (score) => this.calibrate(kind, r, score, share));
        for (let i = 1; i < out.length; i++) if (out[i] > out[i - 1]) out[i] = out[i - 1]; // rounding alone
        return out;
      });
      const all = new Float64Array(own.reduce((sum, one) => sum + one.length, 0));
      let at = 0;
      for (const one of own) {
        all.set(one, at);
        at += one.length;
      }
      all.sort();
      const pool = [];
      for (let i = all.length - 1; i >= 0; i--) if (!pool.length || all[i] < pool[pool.length - 1] - 1e-13) pool.push(all[i]);
      return { own, pool: Float64Array.from(pool) };
    });
  }

  keep(key, make, cache = this.cache, most = 24) {
    if (!cache.has(key)) {
      if (cache.size >= most) cache.delete(cache.keys().next().value);
      cache.set(key, make());
    }
    return cache.get(key);
  }

  // The cut between two neighbours of the pool: place 0 flags nothing.
  cutOf(pool, place) {
    if (place <= 0) return 1;
    if (place >= pool.length) return 0;
    return (pool[place - 1] + pool[place]) / 2;
  }

  // ---- the rule's cut in every replicate

  findPlaces(cases, own, choice, share, unit) {
    if (choice.rule === "alerts" && choice.per === "day") return this.findDayPlaces(cases, choice, share, unit);
    const out = { place: [], tpr: [], fpr: [], missed: [], cut: [], tied: [], reached: [], isDay: false };
    cases.forEach((one, r) => {
      const place = this.choosePlace(one, own[r], choice, share);
      let i = place ?? 0;
      let chosen = i;
      let tie = i - 1;
      if (choice.rule === "alerts") {
        tie = i; // the cases that no longer fit
        while (tie < one.cut.length && !one.tied[tie]) tie += 1;
        i = fitBudget(one.testTpr, one.testFpr, share ?? one.testShare, choice.alerts); // kept on test rows as in use
        chosen = chosen || i;
      }
      out.place.push(i);
      out.tpr.push(one.testTpr[i]);
      out.fpr.push(one.testFpr[i]);
      out.missed.push(one.testMissed ? one.testMissed[i] : NaN);
      out.cut.push(chosen ? own[r][chosen - 1] : NaN);
      out.tied.push(one.tied[tie] ?? 0);
      out.reached.push(place !== null);
    });
    return out;
  }

  choosePlace(one, own, choice, share) {
    const pi = share ?? one.validShare;
    const n = one.validTpr.length;
    const flagged = (i) => pi * one.validTpr[i] + (1 - pi) * one.validFpr[i];
    if (choice.rule === "hand") return countNoSmaller(own, choice.cut);
    if (choice.rule === "alerts") return fitBudget(one.validTpr, one.validFpr, pi, choice.alerts);
    const values = new Float64Array(n).fill(-Infinity); // the highest is best
    for (let i = 0; i < n; i++) {
      const [tpr, fpr, all] = [one.validTpr[i], one.validFpr[i], flagged(i)];
      if (choice.rule === "cost") values[i] = -this.cost(tpr, fpr, one.validMissed?.[i], pi, choice);
      else if (choice.rule === "f-beta") values[i] = ((1 + choice.beta ** 2) * pi * tpr) / (choice.beta ** 2 * pi + all) || 0;
      else if (all > 0 && all < 1 - 1e-12) {
        const precision = (pi * tpr) / all;
        if (choice.rule === "recall" && tpr >= choice.recall - 1e-12) values[i] = precision;
        if (choice.rule === "precision" && precision >= choice.precision - 1e-12) values[i] = tpr;
      }
    }
    const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const best = values.findIndex((value) => value >= most - 1e-12 * Math.max(1, Math.abs(most)));
    return most === -Infinity ? null : best;
  }

  cost(tpr, fpr, missed, pi, choice) {
    const miss = choice.column && missed !== undefined && missed !== null ? missed : choice.miss * (1 - tpr);
    return pi * miss + (1 - pi) * choice.alarm * fpr;
  }

  findDayPlaces(cases, choice, share, unit) {
    const { arrays } = this;
    const get = (name) => arrays[`${unit}/${name}`];
    const width = get("day_tp").length / cases.length;
    const out = { place: [], tpr: [], fpr: [], missed: [], cut: [], tied: [], reached: [], isDay: true };
    cases.forEach((one, r) => {
      const sums = (name) => {
        const total = new Float64Array(width + 1);
        for (let k = 0; k < width; k++) total[k + 1] = total[k] + get(name)[r * width + k];
        return total;
      };
      const positive = Math.max(one.testShare * one.number, 1e-300);
      const negative = Math.max(one.number - one.testShare * one.number, 1e-300);
      const tpr = sums("day_tp").map((value) => value / positive);
      const fpr = sums("day_fp").map((value) => value / negative);
      let k = Math.min(Math.floor(choice.alerts + 1e-9), width);
      if (share !== null) {
        const days = Math.max(get("days")[r], 1);
        k = 0;
        for (let i = 0; i <= width; i++) if (((share * tpr[i] + (1 - share) * fpr[i]) * one.number) / days <= choice.alerts * (1 + 1e-9)) k = i;
      }
      out.place.push(k);
      out.tpr.push(tpr[k]);
      out.fpr.push(fpr[k]);
      out.missed.push(one.testMissed ? one.testMissed[0] - sums("day_cost")[k] / positive : NaN);
      out.cut.push(k ? this.calibrate(choice.kind, r, get("valid_day_cut")[r * width + k - 1], share) : NaN);
      out.tied.push(0);
      out.reached.push(true);
    });
    return out;
  }

  // ---- readings

  // Readings per replicate (or draw) of rates at a share, or at each one's own; counts are per 1,000 rows.
  derive(tpr, fpr, missed, own, cut, share, choice) {
    const pi = share ?? own;
    const [tp, fp] = [pi * tpr, (1 - pi) * fpr];
    const flagged = tp + fp;
    const odds = cut / (1 - cut);
    return {
      alerts: 1000 * flagged, found: 1000 * tp, alarms: 1000 * fp, missed: 1000 * (pi - tp), alone: 1000 * (1 - pi - fp),
      precision: flagged > 0 ? tp / flagged : NaN, recall: tpr, alarmRate: fpr,
      benefit: 1000 * (tp - (fp > 0 ? fp * odds : 0)), cost: 1000 * this.cost(tpr, fpr, missed, pi, choice),
    };
  }

  // {mean, low, high} over replicates; of one replicate over its bootstrap draws.
  summarize(name, values, draws) {
    const bounds = name in BOUNDS ? BOUNDS[name] : [0, Infinity];
    let [sum, n] = [0, 0];
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      sum += value;
      n += 1;
    }
    const mean = n ? sum / n : NaN;
    if (draws) {
      const kept = Float64Array.from(draws).filter(Number.isFinite).sort();
      if (kept.length < 2 || !n) return { mean, low: NaN, high: NaN };
      return { mean, low: Math.min(mean, quantile(kept, 0.025)), high: Math.max(mean, quantile(kept, 0.975)) };
    }
    if (n < 2) return { mean, low: NaN, high: NaN };
    let square = 0;
    for (const value of values) if (Number.isFinite(value)) square += (value - mean) ** 2;
    const half = this.head.factors[n] * Math.sqrt(square / (n - 1));
    const ends = [mean - half, mean + half];
    return bounds ? { mean, low: Math.max(bounds[0], ends[0]), high: Math.min(bounds[1], ends[1]) } : { mean, low: ends[0], high: ends[1] };
  }

  // Of one replicate: rates of each bootstrap draw at a place: knots that are flagged, or cases a day.
  drawRates(unit, place, isDay) {
    return this.keep(`draw|${unit}|${place}|${isDay}`, () => {
      const { arrays } = this;
      const get = (name) => arrays[`${unit}/${isDay ? name.replace("block", "dayblock") : name}`];
      const [knot, block, draws] = [get("block_place"), get("block"), arrays[`${unit}/draws`]];
      const blocks = draws.length / this.head.draws;
      const names = ["block_tp", "block_fp", ...(get("block_cost") ? ["block_cost"] : [])];
      const sums = names.map(() => [new Float64Array(blocks), new Float64Array(blocks)]); // flagged, all
      for (let i = 0; i < knot.length; i++) {
        names.forEach((name, k) => {
          const value = get(name)[i];
          sums[k][1][block[i]] += value;
          if (knot[i] < place) sums[k][0][block[i]] += value;
        });
      }
      const out = [];
      for (let d = 0; d < this.head.draws; d++) {
        const total = sums.map(([flagged, all]) => {
          let [a, b] = [0, 0];
          for (let k = 0; k < blocks; k++) {
            const times = draws[d * blocks + k];
            a += times * flagged[k];
            b += times * all[k];
          }
          return [a, b];
        });
        const [[tp, positive], [fp, negative]] = total;
        out.push({
          tpr: tp / Math.max(positive, 1e-300), fpr: fp / Math.max(negative, 1e-300), own: positive / (positive + negative),
          missed: total[2] ? (total[2][1] - total[2][0]) / Math.max(positive, 1e-300) : NaN,
        });
      }
      return out;
    }, this.drawn, 160);
  }

  hasDraws(unit) {
    return this.head.replicates === 1 && Boolean(this.arrays[`${unit}/draws`]);
  }

  // Readings of cuts that are known per replicate. names: of the readings wanted.
  readRates(cases, at, share, choice, unit, names, isSparse = false) {
    const each = cases.map((one, r) => this.derive(at.tpr[r], at.fpr[r], at.missed[r], one.testShare, Number.isFinite(at.cut[r]) ? at.cut[r] : 1, share, choice));
    let draws = null;
    if (!isSparse && this.hasDraws(unit)) {
      const cut = Number.isFinite(at.cut[0]) ? at.cut[0] : 1;
      draws = this.drawRates(unit, at.place[0], at.isDay).map((draw) => this.derive(draw.tpr, draw.fpr, draw.missed, draw.own, cut, share, choice));
    }
    const out = {};
    for (const name of names) out[name] = this.summarize(name, each.map((one) => one[name]), draws?.map((one) => one[name]));
    return out;
  }

  placesAt(cases, own, cut) {
    const at = { place: [], tpr: [], fpr: [], missed: [], cut: [], isDay: false };
    cases.forEach((one, r) => {
      const i = countNoSmaller(own[r], cut);
      at.place.push(i);
      at.tpr.push(one.testTpr[i]);
      at.fpr.push(one.testFpr[i]);
      at.missed.push(one.testMissed ? one.testMissed[i] : NaN);
      at.cut.push(cut);
    });
    return at;
  }

  // Curves over the share of rows that is flagged (the same in every replicate), and over the cut (the same probability).
  curves(unit, choice, share, shapes) {
    const { own, mostCut } = shapes;
    const prices = [choice.miss, choice.alarm, choice.column].join();
    return this.keep(`curves|${unit}|${choice.kind}|${share}|${prices}`, () => {
      const cases = this.cases(unit);
      const ranks = new Curve(["alerts", "recall", "precision", "alarmRate"]);
      ranks.flagged = [];
      const lowest = 0.5 / Math.max(...cases.map((one) => one.number));
      const isSparse = this.hasDraws(unit);
      for (let k = 0; k <= RANKS; k++) {
        const q = k ? Math.min(1, lowest ** (1 - (k - 1) / (RANKS - 1))) : 0;
        const at = { place: [], tpr: [], fpr: [], missed: [], cut: [], isDay: false };
        cases.forEach((one, r) => {
          const i = findLast(this.flaggedShares(unit)[r], q + 1e-12);
          at.place.push(i);
          at.tpr.push(one.testTpr[i]);
          at.fpr.push(one.testFpr[i]);
          at.missed.push(NaN);
          at.cut.push(NaN);
        });
        const skip = isSparse && k % Math.ceil(RANKS / SPARSE) !== 0 && k !== RANKS;
        ranks.flagged.push(cases.reduce((sum, one, r) => sum + this.flaggedShares(unit)[r][at.place[r]], 0) / cases.length);
        ranks.add(this.readRates(cases, at, share, choice, unit, ranks.names, skip));
      }
      const cuts = new Curve(["benefit", "cost"]);
      cuts.cut = [];
      for (let k = 0; k <= CUTS; k++) {
        const cut = mostCut * (1 - k / CUTS) ** 2; // denser near 0
        if (cut >= 1) continue;
        cuts.cut.push(cut);
        const skip = isSparse && k % Math.ceil(CUTS / SPARSE) !== 0 && k !== CUTS;
        cuts.add(this.readRates(cases, this.placesAt(cases, own, cut), share, choice, unit, cuts.names, skip));
      }
      if (isSparse) [ranks, cuts].forEach((curve) => curve.fillEnds());
      return { ranks, cuts };
    });
  }

  flaggedShares(unit) {
    return this.keep(`flagged|${unit}`, () => this.cases(unit).map((one) => one.testTpr.map((tpr, i) => one.testShare * tpr + (1 - one.testShare) * one.testFpr[i])));
  }

  // The share of the test rows that a cut flags, averaged over replicates.
  meanFlagged(unit, own, cut) {
    const flagged = this.flaggedShares(unit);
    return own.reduce((sum, one, r) => sum + flagged[r][countNoSmaller(one, cut)], 0) / own.length;
  }

  bins(unit, kind, share, most) {
    return this.keep(`bins|${unit}|${kind}|${share}|${most}`, () => {
      const cases = this.cases(unit);
      const { own } = this.probabilities(unit, kind, share);
      const sums = Array.from({ length: BINS }, () => ({ p: 0, weight: 0, hits: 0, rows: 0, each: [] }));
      cases.forEach((one, r) => {
        const pi = share ?? one.testShare;
        const local = sums.map(() => [0, 0, 0, 0]);
        for (let i = 0; i < own[r].length; i++) {
          const [tp, fp] = [pi * (one.testTpr[i + 1] - one.testTpr[i]), (1 - pi) * (one.testFpr[i + 1] - one.testFpr[i])];
          if (!(tp + fp > 0)) continue;
          const bin = local[Math.min(BINS - 1, Math.floor((BINS * own[r][i]) / most))];
          bin[0] += tp;
          bin[1] += tp + fp;
          bin[2] += (tp + fp) * own[r][i];
          const rows = one.testShare * (one.testTpr[i + 1] - one.testTpr[i]) + (1 - one.testShare) * (one.testFpr[i + 1] - one.testFpr[i]);
          bin[3] += one.number * rows;
        }
        local.forEach(([hits, weight, p, rows], k) => {
          if (!weight) return;
          sums[k].rows += rows;
          sums[k].hits += hits;
          sums[k].weight += weight;
          sums[k].p += p;
          sums[k].each.push(hits / weight);
        });
      });
      return sums.filter(({ weight }) => weight > 0).map(({ p, weight, hits, rows, each }) => {
        const observed = hits / weight;
        if (cases.length === 1) return { predicted: p / weight, observed, ...(share === null ? wilson(observed, rows) : { low: NaN, high: NaN }) };
        const { low, high, mean } = this.summarize("recall", each);
        return { predicted: p / weight, observed, low: Math.max(0, observed - (mean - low)), high: Math.min(1, observed + (high - mean)) };
      });
    });
  }

  // ---- everything that is drawn

  read(choice, turned) {
    const { head } = this;
    const unit = choice.unit;
    const share = this.shareOf(choice);
    const cases = this.cases(unit);
    const { own, pool } = this.probabilities(unit, choice.kind, share);
    const top = Math.max(...own.map((one) => one[0]));
    const mostCut = top > 0.5 ? 1 : Math.min(1, roundUp(top));
    const places = this.findPlaces(cases, own, choice, share, unit);
    const reached = places.reached.filter(Boolean).length;
    const { ranks, cuts } = this.curves(unit, choice, share, { own, mostCut });
    const isDay = choice.per === "day" && head.hasDays;
    const perDay = head.hasDays ? cases.reduce((sum, one, r) => sum + one.number / Math.max(this.arrays[`${unit}/days`][r], 1), 0) / cases.length : NaN;
    const scale = isDay ? perDay / 1000 : 1; // alerts per 1,000 rows -> alerts as they are asked for
    const shareNow = share ?? head.shares[1];
    const now = {
      table: this, words: head.words, choice, turned, share: shareNow, shares: head.shares, isOther: share !== null, isDay, unit: isDay ? perDay : 1000,
      mostCut, mostBin: mostCut, reached, own, pool, unitName: unit,
      curves: {
        n: pool.length + 1, ranks, alerts: ranks.scaled("alerts", scale), recall: ranks.at("recall"), precision: ranks.at("precision"), alarms: ranks.at("alarmRate"),
        cut: cuts.cut, benefit: cuts.at("benefit"), cost: cuts.at("cost"),
      },
      bins: this.bins(unit, choice.kind, share, mostCut), before: choice.kind === AS_TRAINED ? [] : this.bins(unit, AS_TRAINED, share, mostCut),
      beside: this.beside(share, turned), at: null, place: null,
    };
    now.lowest = now.curves.cost.mean.reduce((best, value, i, all) => (value < all[best] ? i : best), 0);
    now.mostAlerts = this.findMostAlerts(now);
    now.mostCost = Math.max(...now.curves.cost.mean.filter((_, i) => now.curves.cut[i] >= 0.04 * mostCut));
    now.unreached = fill(head.words.unreached, { rule: fill(head.words.targets[choice.rule] ?? "", { value: formatShare(choice[choice.rule] ?? NaN) }) });
    now.text = {
      units: head.words.units[unit], title: head.title, label: head.quoted, beside: head.beside ? fill(head.words.besideNote, { title: head.beside }) : "",
      kind: head.kinds.find(({ name }) => name === choice.kind)?.title.toLowerCase() ?? "",
    };
    if (2 * reached >= cases.length) this.addReadings(now, cases, places, share, unit, scale);
    return now;
  }

  addReadings(now, cases, places, share, unit, scale) {
    const { choice } = now;
    const names = ["alerts", "found", "alarms", "missed", "alone", "precision", "recall", "alarmRate", "benefit", "cost"];
    const read = this.readRates(cases, places, share, choice, unit, names);
    const cut = this.summarize("cut", places.cut).mean;
    const { words } = now;
    now.at = {
      cut: Number.isFinite(cut) ? cut : now.mostCut, isNone: !Number.isFinite(cut), precision: read.precision, recall: read.recall, alarms: read.alarmRate, benefit: read.benefit, cost: read.cost,
      alerts: { mean: read.alerts.mean * scale, low: read.alerts.low * scale, high: read.alerts.high * scale },
      counts: { found: read.found, missed: read.missed, alarms: read.alarms, alone: read.alone },
      shares: this.overShares(cases, places, choice, unit), notes: [],
    };
    now.flagged = cases.reduce((sum, one, r) => sum + one.testShare * places.tpr[r] + (1 - one.testShare) * places.fpr[r], 0) / cases.length;
    now.place = choice.rule === "hand" ? this.placeOf(now.pool, choice.cut) : this.placeOfFlagged(now, now.flagged);
    const [low, high] = now.shares;
    const example = 10 ** Math.round(Math.log10(Math.sqrt(low * high)));
    if (example > low && example < high * 0.7) {
      const found = this.summarize("precision", cases.map((_, r) => precisionAt(example, places.tpr[r], places.fpr[r]))).mean;
      if (Number.isFinite(found)) now.at.example = { share: example, precision: found };
    }
    const ties = places.tied.reduce((sum, value) => sum + value, 0) / places.tied.length;
    if (ties > 1.5) now.at.notes.push(fill(words[choice.rule === "alerts" ? "tiesNone" : "tiesAll"], { count: formatNumber(ties), units: now.text.units }));
    if (places.isDay) now.at.notes.push(words.dayCuts);
    if (now.reached < cases.length) now.at.notes.push(fill(words.reachedIn, { part: now.reached, whole: cases.length }));
    Object.assign(now.text, {
      cut: formatShare(now.at.cut, 3), precision: formatShare(read.precision.mean), recall: formatShare(read.recall.mean),
      alerts: formatNumber(now.at.alerts.mean), hundred: formatNumber(Math.round(100 * read.recall.mean)), benefit: formatNumber(read.benefit.mean),
      cost: formatNumber(read.cost.mean), lowest: formatNumber(now.curves.cost.mean[now.lowest]), share: formatPercent(now.share),
      alarms: formatShare(read.alarmRate.mean, 3),
    });
  }

  // Precision at the cut over shares in use; places stay: at another share only the weights change.
  overShares(cases, places, choice, unit) {
    const [low, high] = this.head.shares.map(Math.log10);
    const curve = new Curve(["precision"]);
    const xs = [];
    const draws = this.hasDraws(unit) ? this.drawRates(unit, places.place[0], places.isDay) : null;
    for (let k = 0; k < SHARES; k++) {
      const x = low + ((high - low) * k) / (SHARES - 1);
      const pi = 10 ** x;
      const exact = (tpr, fpr) => precisionAt(pi, tpr, fpr);
      xs.push(x);
      curve.add({ precision: this.summarize("precision", cases.map((_, r) => exact(places.tpr[r], places.fpr[r])), draws?.map((draw) => exact(draw.tpr, draw.fpr))) });
    }
    return { x: xs, ...curve.at("precision") };
  }

  // Alerts at which most of the class are found, for the end of an axis.
  findMostAlerts(now) {
    const { alerts, recall } = now.curves;
    let most = alerts.mean[alerts.mean.length - 1];
    for (let i = 0; i < alerts.mean.length; i++) {
      if (recall.mean[i] >= 0.85) {
        most = alerts.mean[i];
        break;
      }
    }
    const wanted = Math.max(most, 1.3 * (now.choice.rule === "alerts" ? now.choice.alerts : 0), 6 * now.share * now.unit);
    return Math.min(now.unit, roundUp(Math.min(wanted, now.unit)));
  }

  beside(share) {
    const { arrays, head } = this;
    if (!head.beside) return null;
    const pi = share ?? head.shares[1];
    const [tpr, fpr] = [arrays["beside/tpr"], arrays["beside/fpr"]];
    return { recall: tpr, alarms: fpr, precision: Float64Array.from(tpr, (hit, i) => precisionAt(pi, hit, fpr[i])) };
  }

  // ---- places of a cut by hand

  placeOf(pool, cut) {
    return countNoSmaller(pool, cut);
  }

  // null: the table's share.
  shareOf(choice) {
    return choice.share >= this.head.shares[1] * (1 - 1e-9) ? null : choice.share;
  }

  // The share of the test rows that the cut shown flags; a tenth of the rare class where none is shown.
  flaggedAt(now) {
    if (!now.at) return 0.1 * this.head.shares[1];
    return now.flagged;
  }

  // The next place in a direction at which the test rows that are flagged change.
  step(now, from, by) {
    const way = Math.sign(by);
    let place = from;
    for (let k = 0; k < Math.abs(by); k++) {
      const before = this.meanFlagged(now.unitName, now.own, this.cutOf(now.pool, place));
      let next = place;
      do next += way; while (next > 0 && next < now.pool.length && Math.abs(this.meanFlagged(now.unitName, now.own, this.cutOf(now.pool, next)) - before) < 1e-12);
      if (next < 0 || next > now.pool.length) break;
      place = next;
    }
    return place;
  }

  // The place whose cut flags, on average, as many of the test rows as the cut of a curve over ranks.
  placeOfFlagged(now, share) {
    let [low, high] = [0, now.pool.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.meanFlagged(now.unitName, now.own, this.cutOf(now.pool, middle)) < share - 1e-12) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

// Readings at one point after the other.
class Curve {
  constructor(names) {
    this.names = names;
    this.values = Object.fromEntries(names.map((name) => [name, { mean: [], low: [], high: [] }]));
  }

  add(read) {
    for (const name of this.names) for (const end of ["mean", "low", "high"]) this.values[name][end].push(read[name][end]);
  }

  at(name) {
    return this.values[name];
  }

  scaled(name, scale) {
    if (scale === 1) return this.values[name];
    return Object.fromEntries(Object.entries(this.values[name]).map(([end, values]) => [end, values.map((value) => value * scale)]));
  }

  // Bands between the points that have one: as far from the line as there.
  fillEnds() {
    for (const name of this.names) {
      const { mean, low, high } = this.values[name];
      let last = -1;
      for (let i = 0; i < mean.length; i++) {
        if (!Number.isFinite(low[i])) continue;
        for (let k = last + 1; last >= 0 && k < i; k++) {
          const part = (k - last) / (i - last);
          low[k] = mean[k] - (1 - part) * (mean[last] - low[last]) - part * (mean[i] - low[i]);
          high[k] = mean[k] + (1 - part) * (high[last] - mean[last]) + part * (high[i] - mean[i]);
        }
        last = i;
      }
    }
  }
}

export { fill };
