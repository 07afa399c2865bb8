// The player's texts: caption, readout, hint, tip, and what a screen reader is told. Names in the data are a stranger's: they
// reach the page by textContent and attributes only.

import { CHOSEN } from "./data.js";
import { FACTORS } from "./stage.js";

const MIN_VISIBLE_MOVE = 5; // px: below this the largest move cannot be seen
const MAX_DRAWN = 300; // synthetic points in a film, at most
const NO_SCORE = "validation AP not known yet";

export class Captions {
  constructor(root, ui, film, clock, stage) {
    this.root = root;
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.stage = stage;
    this.shownIndex = -1; // the frame that the texts are of
    this.shownKey = ""; // what else they depend on
  }

  // The texts are written again with the next picture.
  invalidate() {
    this.shownKey = "";
  }

  update() {
    const { index } = this.clock;
    const { film, stage } = this;
    const { contributions, arrows } = stage.shown;
    const key = [
      contributions, arrows, stage.factor, stage.findSelected(), stage.size, film.last, film.status, film.head.title,
      this.clock.isMoving,
    ].join("|");
    if (index === this.shownIndex && key === this.shownKey) return;
    this.shownIndex = index;
    this.shownKey = key;
    this.setData(index);
    this.showFrame(index);
    this.showMoves(index);
    this.showTip();
  }

  // What tests and style sheets read of the frame shown.
  setData(index) {
    const { film, stage } = this;
    const data = this.root.dataset;
    const n = (film.frames[index]?.points.length ?? 0) / 2;
    const moves = stage.measureMoves(index);
    data.frame = index < 0 ? "" : index;
    data.points = n;
    data.drawn = moves.length ? median(moves).toFixed(2) : "";
    data.contributions = index >= 0 && stage.shown.contributions && film.contributionsOf(n) ? "shown" : "";
    data.arrows = index >= 0 && stage.showsArrows(n) ? "shown" : "";
  }

  showFrame(index) {
    const { ui, film } = this;
    const frame = film.frames[index];
    const parts = [];
    if (film.head.title) parts.push(film.head.title);
    if (frame) {
      parts.push(this.describePhase(frame.phase), `epoch ${frame.epoch}`, `step ${frame.step.toLocaleString("en")}`);
      parts.push(Number.isNaN(frame.score) ? NO_SCORE : `validation AP ${frame.score.toFixed(3)}`);
    } else if (film.scene) parts.push("no frame yet");
    ui.caption.textContent = parts.join(" \u00b7 ");
    ui.caption.title = ui.caption.textContent;
    ui.time.setAttribute("aria-valuenow", Math.max(0, index) + 1);
    const place = frame ? `frame ${index + 1} of ${film.frames.length}, ${parts.join(", ")}` : "no frame yet";
    ui.time.setAttribute("aria-valuetext", place);
  }

  // How far the points have moved, and a hint where that is too little to see.
  showMoves(index) {
    const { ui, film, stage } = this;
    const moved = this.sortMoved(film.frames[index]);
    ui.readout.replaceChildren();
    if (moved.length) {
      const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
      const points = ` synthetic point${moved.length > 1 ? "s" : ""}${moved.length >= MAX_DRAWN ? " drawn" : ""}: median move `;
      ui.readout.append(bold(String(moved.length)), points, bold(formatSd(median(moved))));
      ui.readout.append(", largest ", bold(formatSd(moved.at(-1))));
    }
    const moves = stage.measureMoves(index);
    const largest = moves.length ? moves.at(-1) / stage.factor : 0;
    const suggested = FACTORS.find((factor) => factor > stage.factor && largest * factor >= 20) ?? FACTORS.at(-1);
    const isSettled = index - film.startIndex >= 3 || index === film.last;
    const isTiny = largest * stage.factor < MIN_VISIBLE_MOVE && suggested > stage.factor;
    const isHinted = moves.length > 0 && moved.at(-1) > 0 && isTiny && isSettled;
    ui.hint.hidden = !isHinted;
    if (!isHinted) return;
    ui.hint.textContent = `points moved ${formatSd(median(moved))}: press \u00d7${suggested} to magnify`;
    ui.hint.dataset.factor = suggested;
  }

  showTip() {
    const { tip } = this.ui;
    const lines = this.film.scene ? this.describeSelection() : [];
    const selected = this.stage.findSelected();
    tip.hidden = !lines.length;
    this.root.dataset.selected = selected >= 0 ? selected : "";
    const makeLine = (text) => Object.assign(document.createElement("div"), { textContent: text });
    tip.replaceChildren(...lines.filter(Boolean).map(makeLine));
    this.stage.placeTip();
  }

  announce() {
    const { ui, film } = this;
    const summary = this.summarise();
    this.describePicture();
    if (ui.announcement.textContent !== summary && film.hasEnded) ui.announcement.textContent = summary;
  }

  announceSelection() {
    this.ui.announcement.textContent = this.describeSelection().join(", ");
  }

  // Thousandths of a sd, sorted.
  sortMoved(frame) {
    return frame ? Array.from(frame.moved).sort((p, q) => p - q) : [];
  }

  // ---- sentences ----

  describePhase(name) {
    return this.film.labels[name] ?? (name === CHOSEN ? "the chosen epoch" : toWords(name));
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
      if (contributions) {
        const helpful = [...contributions.values].filter((value) => value < 0).length;
        text += ` To first order ${helpful} of ${contributions.ranks.size} synthetic points lower the validation loss.`;
      }
      if (!exact) text += ` A slice through the training mean; the plane holds ${Math.round(share * 100)}% of the variance.`;
    }
    this.ui.canvas.setAttribute("aria-label", text);
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
    const selected = this.stage.findSelected();
    const real = this.stage.hovered?.real;
    if (selected >= 0) return this.describeSynthetic(selected);
    if (real === undefined) return [];
    const { labels, classes, majority } = this.film.scene;
    return [`real point #${real + 1}`, classes[labels[real]] ?? "", labels[real] === majority ? "majority" : "minority"];
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
    const row = film.findSourceRow(i);
    const name = classes[originLabels[i]];
    if (row !== undefined) lines.push(`copied from real point #${row + 1}${name ? ` (${name})` : ""}`);
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
function formatSigned(value) {
  return `${value > 0 ? "+" : ""}${Number(value.toPrecision(3))}`.replaceAll("-", "\u2212");
}

function formatSd(thousandths) {
  if (thousandths >= 65535) return "more than 65 sd";
  const value = thousandths / 1000;
  return `${value === 0 ? "0" : value < 0.1 ? value.toFixed(3) : value.toFixed(2)} sd`;
}

function median(sorted) {
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
