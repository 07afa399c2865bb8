// The texts around a player's picture: caption, readout, hint, tip, and what a screen reader is told.

import { TEXT } from "./text.js";
import { FACTORS } from "./view.js";
import { formatSd, median, NO_SCORE } from "./words.js";

const MIN_VISIBLE_MOVE = 5; // px: below this the largest move cannot be seen
const MAX_DRAWN = 300; // synthetic points in a film, at most

export class Captions {
  constructor(root, ui, film, clock, view, words) {
    this.root = root;
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.view = view;
    this.words = words;
    this.shownIndex = -1; // the frame that the texts are of
    this.shownKey = ""; // what else they depend on
  }

  // The texts are written again with the next picture.
  invalidate() {
    this.shownKey = "";
  }

  update() {
    const { index } = this.clock;
    const { film, view } = this;
    const { contributions, arrows } = view.shown;
    const key = [
      contributions, arrows, view.factor, view.findSelected(), view.size, film.last, film.status, film.head.title,
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
    const { film, view } = this;
    const data = this.root.dataset;
    const n = (film.frames[index]?.points.length ?? 0) / 2;
    const moves = view.measureMoves(index);
    data.frame = index < 0 ? "" : index;
    data.points = n;
    data.unsafe = film.countUnsafe(index) ?? "";
    data.seen = film.countSeen(index) ?? "";
    data.drawn = moves.length ? median(moves).toFixed(2) : "";
    data.contributions = index >= 0 && view.shown.contributions && film.contributionsOf(n) ? "shown" : "";
    data.arrows = index >= 0 && view.showsArrows(n) ? "shown" : "";
  }

  showFrame(index) {
    const { ui, film } = this;
    const frame = film.frames[index];
    const parts = [];
    if (film.head.title) parts.push(film.head.title);
    if (frame) {
      parts.push(this.words.describePhase(frame.phase), `epoch ${frame.epoch}`, `step ${frame.step.toLocaleString("en")}`);
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
    const { ui, film, view } = this;
    const moved = this.words.sortMoved(film.frames[index]);
    ui.readout.replaceChildren();
    if (moved.length) {
      const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
      const points = ` synthetic point${moved.length > 1 ? "s" : ""}${moved.length >= MAX_DRAWN ? " drawn" : ""}: median move `;
      ui.readout.append(bold(String(moved.length)), points, bold(formatSd(median(moved))));
      ui.readout.append(", largest ", bold(formatSd(moved.at(-1))));
      const unsafe = film.countUnsafe(index);
      if (unsafe !== null) ui.readout.append(", unsafe ", bold(String(unsafe)));
    }
    const seen = film.countSeen(index);
    if (seen !== null) ui.readout.append(TEXT.seenCount(seen));
    const moves = view.measureMoves(index);
    const largest = moves.length ? moves.at(-1) / view.factor : 0;
    const suggested = FACTORS.find((factor) => factor > view.factor && largest * factor >= 20) ?? FACTORS.at(-1);
    const isSettled = index - film.startIndex >= 3 || index === film.last;
    const isTiny = largest * view.factor < MIN_VISIBLE_MOVE && suggested > view.factor;
    const isHinted = moves.length > 0 && moved.at(-1) > 0 && isTiny && isSettled;
    ui.hint.hidden = !isHinted;
    if (!isHinted) return;
    ui.hint.textContent = `points moved ${formatSd(median(moved))}: press \u00d7${suggested} to magnify`;
    ui.hint.dataset.factor = suggested;
  }

  showTip() {
    const { tip } = this.ui;
    const lines = this.film.scene ? this.words.describeSelection() : [];
    const selected = this.view.findSelected();
    tip.hidden = !lines.length;
    this.root.dataset.selected = selected >= 0 ? selected : "";
    const makeLine = (text) => Object.assign(document.createElement("div"), { textContent: text });
    tip.replaceChildren(...lines.filter(Boolean).map(makeLine));
    this.view.placeTip();
  }

  announce() {
    const { ui, film } = this;
    const summary = this.words.summarise();
    ui.canvas.setAttribute("aria-label", this.words.describePicture());
    if (ui.announcement.textContent !== summary && film.hasEnded) ui.announcement.textContent = summary;
  }

  announceSelection() {
    this.ui.announcement.textContent = this.words.describeSelection().join(", ");
  }
}
