// The player's sentences on one film. Names in the data are a stranger's: they reach the page by textContent and attributes only.

import { CHOSEN, NEAREST } from "./data.js";
import { TEXT } from "./text.js";
import { UNIT } from "./units.js";

export const NO_SCORE = "validation AP not known yet";

export class Words {
  constructor(film, clock, view) {
    this.film = film;
    this.clock = clock;
    this.view = view;
  }

  // Thousandths of a sd, sorted.
  sortMoved(frame) {
    return frame ? Array.from(frame.moved).sort((p, q) => p - q) : [];
  }

  describePhase(name) {
    return this.film.labels[name] ?? (name === CHOSEN ? "the chosen epoch" : toWords(name));
  }

  // A frame in one sentence: phase, epoch, step, score.
  describePlace(index) {
    const { frames } = this.film;
    const { phase, epoch, step, score } = frames[index];
    const parts = [this.describePhase(phase), `epoch ${epoch}`, `step ${step.toLocaleString("en")}`];
    parts.push(Number.isNaN(score) ? NO_SCORE : `validation AP ${score.toFixed(3)}`);
    return `frame ${index + 1} of ${frames.length}, ${parts.join(", ")}`;
  }

  summarise() {
    const { film } = this;
    if (film.last < 0) return `${film.status}. ${this.describeAbsence()}`;
    const moved = this.sortMoved(film.frames[film.last]);
    const scores = film.frames.map((frame) => frame.score).filter((score) => !Number.isNaN(score));
    const moves = moved.length ? `Synthetic points: ${moved.length}, median move ${formatSd(median(moved))}` : "No synthetic points";
    const course = scores.length ? `validation AP ${scores[0].toFixed(2)} to ${scores.at(-1).toFixed(2)}` : NO_SCORE;
    return `${moves}; ${course}.`;
  }

  // The text alternative of the stage's canvas.
  describePicture() {
    const { scene, contributions } = this.film;
    let text = this.summarise();
    if (scene) {
      const { classes, labels, axes, exact, share } = scene;
      const counts = classes.map((name, number) => `${labels.reduce((sum, label) => sum + (label === number), 0)} of ${name}`);
      text += ` Real points: ${counts.join(", ")}, over the decision surface, ${axes[0]} against ${axes[1]}.`;
      const unsafe = this.film.countUnsafe(this.film.last);
      if (unsafe !== null) {
        text += ` ${unsafe} of ${this.film.frames.at(-1).unsafe.length} synthetic points are unsafe, marked by a cross. ${TEXT.unsafeMore}`;
      }
      if (contributions) {
        const helpful = [...contributions.values].filter((value) => value < 0).length;
        text += ` To first order ${helpful} of ${contributions.ranks.size} synthetic points lower the validation loss.`;
      }
      if (!exact) text += ` A slice through the training mean; the plane holds ${Math.round(share * 100)}% of the variance.`;
    }
    return text;
  }

  // Why there is no picture.
  describeAbsence() {
    if (this.film.head.text) return this.film.head.text;
    return {
      waiting: "The run waits for its turn; the picture begins with the first frame.",
      training: "Training has begun; the first frame is on its way.",
      finished: "This run left no picture.",
      cancelled: "The run was cancelled before its first frame.",
      failed: "The run failed before its first frame.",
      interrupted: "The run was interrupted before its first frame.",
      "engine silent": "The engine has not been heard of; the picture goes on when it is back.",
    }[this.film.status];
  }

  // Lines on the point that is hovered or selected.
  describeSelection() {
    const selected = this.view.findSelected();
    const real = this.view.hovered?.real;
    if (selected >= 0) return this.describeSynthetic(selected);
    if (real === undefined) return [];
    const { labels, classes, majority } = this.film.scene;
    return [`real point #${real + 1}`, classes[labels[real]] ?? "", labels[real] === majority ? "majority" : "minority"];
  }

  // [name, value] rows on a synthetic point.
  listFacts(i) {
    const { film, clock } = this;
    const { points, moved, unsafe } = film.frames[clock.index];
    const known = film.contributionsOf(moved.length);
    const value = known?.values[i];
    const effect = value < 0 ? "lowers" : value > 0 ? "raises" : "unknown";
    const size = Number.isFinite(value) ? String(Number(Math.abs(value).toPrecision(2))) : "";
    return [
      [TEXT.effect, TEXT.effects[effect](size)],
      [TEXT.moved, formatSd(moved[i])],
      [TEXT.nearest, this.describeNearest(points[2 * i], points[2 * i + 1])],
      ...(unsafe ? [[TEXT.unsafeFact.name, unsafe[i] ? TEXT.unsafeFact.yes : TEXT.unsafeFact.no]] : []),
    ];
  }

  // The row nearest to a place of the scene, in the plane.
  describeNearest(x, y) {
    const { points, labels, classes, half } = this.film.scene;
    let nearest = Infinity;
    let row = 0;
    for (let i = 0; i < labels.length; i++) {
      const distance = Math.hypot(((points[2 * i] - x) / UNIT) * half[0], ((points[2 * i + 1] - y) / UNIT) * half[1]);
      if (distance < nearest) [nearest, row] = [distance, i];
    }
    return TEXT.nearestRow(classes[labels[row]] ?? "", formatSd(1000 * nearest));
  }

  describeSynthetic(i) {
    const { film, clock } = this;
    const { classes, originLabels, exact } = film.scene;
    const { moved } = film.frames[clock.index];
    const lines = [`synthetic point #${i + 1}`, `moved ${formatSd(moved[i])}`];
    const known = film.contributionsOf(moved.length);
    if (known?.ranks.has(i)) {
      const value = known.values[i];
      const effect = value < 0 ? "lowers" : value > 0 ? "raises" : "leaves";
      const rank = `rank ${known.ranks.get(i)} of ${known.ranks.size}`;
      lines.push(`at the chosen epoch ${effect} validation loss: ${formatSigned(value)} per unit of step, ${rank}`);
    }
    if (film.frames[clock.index].unsafe?.[i]) lines.push("unsafe: nearest to a hidden majority row");
    const row = film.findSourceRow(i);
    const name = classes[originLabels[i]];
    const verb = film.scene.made?.kind === NEAREST ? "nearest in its class:" : film.scene.isMade ? "made from" : "copied from";
    if (row !== undefined) lines.push(`${verb} real point #${row + 1}${name ? `, ${name}` : ""}`);
    const probability = film.probabilityAt(clock.index, i);
    if (probability === null) lines.push("outside the surface");
    else lines.push(`${exact ? "" : "slice here: "}P(minority) ${probability.toFixed(2)}`);
    return lines;
  }
}

// An identifier as words.
export function toWords(name) {
  return name.replace(/[_-]/g, " ");
}

// A value with three figures and a true minus.
export function formatSigned(value) {
  return `${value > 0 ? "+" : ""}${Number(value.toPrecision(3))}`.replaceAll("-", "\u2212");
}

export function formatSd(thousandths) {
  if (thousandths >= 65535) return "more than 65 sd";
  const value = thousandths / 1000;
  return `${value === 0 ? "0" : value < 0.1 ? value.toFixed(3) : value.toFixed(2)} sd`;
}

export function median(sorted) {
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
