// The timeline: phases and validation average precision over the film's time; a person drags along it.

import { fitCanvas, locate, strokePath } from "./pen.js";
import { toWords } from "./words.js";

const BAND_TOP = 15; // px: above it stand the phases' names
const TICKS = 5; // px: below the bands a tick stands for each frame
const MARGIN = 8; // px, left and right of the first and the last frame
const MIN_SPAN = 0.02; // of the score's axis

export class Timeline {
  // ui: {time, line}. invalidate(): the picture has changed.
  constructor(ui, film, clock, view, words, invalidate) {
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.view = view; // whose colours and font it takes
    this.words = words;
    this.invalidate = invalidate;
    this.other = null; // {film, positionAt}: a second film, and where it is when the first is at a position
    this.pen = ui.line.getContext("2d");
    this.size = null; // [width, height] in px
    this.pointed = null; // the frame that a pointer is over
    this.isDragging = false;
  }

  resize() {
    this.size = fitCanvas(this.ui.line, this.ui.time, this.view.dpr);
  }

  // ---- pointer ----

  listen(on) {
    const { time } = this.ui;
    on(time, "pointerdown", (event) => this.startDrag(event));
    on(time, "pointermove", (event) => this.movePointer(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) on(time, name, () => this.stopDrag());
    on(time, "pointerleave", () => this.setPointed(null));
  }

  startDrag(event) {
    if (this.film.last < 0 || event.button) return;
    this.ui.time.setPointerCapture(event.pointerId);
    this.isDragging = true;
    this.clock.seek(this.findFrame(event));
  }

  movePointer(event) {
    if (this.film.last < 0) return;
    if (this.isDragging) this.clock.seek(this.findFrame(event));
    else this.setPointed(this.findFrame(event));
  }

  stopDrag() {
    this.isDragging = false;
  }

  setPointed(frame) {
    this.pointed = frame;
    this.invalidate();
  }

  // The number of the frame nearest to an event.
  findFrame(event) {
    const { film, size } = this;
    const [x] = locate(this.ui.line, event);
    const share = Math.min(1, Math.max(0, (x - MARGIN) / (size[0] - 2 * MARGIN)));
    return Math.round(film.positionAt(share * film.duration));
  }

  // ---- scales ----

  xOf(position) {
    const { film, size } = this;
    return MARGIN + (size[0] - 2 * MARGIN) * (film.duration > 0 ? film.timeAt(position) / film.duration : 1);
  }

  // The score's axis holds both films.
  yOf(score) {
    const films = [this.film, this.other?.film].filter((film) => film && !Number.isNaN(film.lowest));
    const lowest = Math.min(...films.map((film) => film.lowest));
    const highest = Math.max(...films.map((film) => film.highest));
    const span = Math.max(highest - lowest, MIN_SPAN);
    const bottom = (highest + lowest) / 2 - span / 2;
    return this.bottom - 4 - ((score - bottom) / span) * (this.bottom - BAND_TOP - 8);
  }

  get bottom() { return this.size[1] - TICKS - 2; }

  // ---- drawing ----

  draw() {
    if (!this.size) return;
    const { pen, film, view } = this;
    const [width, height] = this.size;
    pen.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.textBaseline = "alphabetic";
    pen.font = `600 11px ${view.font}`;
    if (film.last < 0) {
      this.drawEmpty();
      return;
    }
    this.drawTitle(this.drawPhases());
    this.drawTicks();
    const { accent } = view.theme;
    if (this.other) this.drawOther();
    this.drawScores(accent);
    if (film.isChosen(film.last) && film.last) this.drawChosen();
    if (this.pointed !== null && !this.isDragging) this.drawMarker(this.pointed, view.theme.fadeInk(0.5), true);
    this.drawMarker(this.clock.position, accent, false);
  }

  drawEmpty() {
    const { pen } = this;
    const { theme } = this.view;
    const [width] = this.size;
    pen.fillStyle = theme.fadeInk(0.06);
    pen.fillRect(0, BAND_TOP, width, this.bottom - BAND_TOP);
    pen.fillStyle = theme.fadeInk(0.6);
    pen.textAlign = "left";
    pen.fillText("validation AP", MARGIN, 11);
  }

  // A band for each phase, its name above it where there is room; px where the last name ends.
  drawPhases() {
    const { pen, film } = this;
    const { theme } = this.view;
    const [width] = this.size;
    const starts = film.frames.map((_, i) => i).filter((i) => !i || film.frames[i].phase !== film.frames[i - 1].phase);
    let labelEnd = 0;
    starts.forEach((start, i) => {
      const { phase } = film.frames[start];
      const left = i ? this.xOf(start - 0.5) : 0;
      const right = i + 1 < starts.length ? this.xOf(starts[i + 1] - 0.5) : width;
      const gap = i ? 1 : 0;
      pen.fillStyle = theme.fadeInk(i % 2 ? 0.115 : 0.055);
      pen.fillRect(left + gap, BAND_TOP, right - left - gap, this.bottom - BAND_TOP);
      const room = right - left - 8;
      const label = [this.words.describePhase(phase), toWords(phase)].find((text) => pen.measureText(text).width <= room);
      pen.textAlign = "left";
      if (!label) return;
      pen.fillStyle = theme.fadeInk(0.72);
      pen.fillText(label, left + (i ? 5 : MARGIN), 11);
      labelEnd = left + pen.measureText(label).width + 16;
    });
    return labelEnd;
  }

  // The score at the pointer, else where the film stands.
  drawTitle(labelEnd) {
    const { pen, view, film } = this;
    const [width] = this.size;
    const isPointed = this.pointed !== null && !this.isDragging;
    const frame = film.frames[isPointed ? this.pointed : this.clock.index];
    const score = Number.isNaN(frame.score) ? "" : ` ${frame.score.toFixed(3).replace(/^0/, "")}`;
    const names = isPointed ? [`frame ${this.pointed + 1}, validation AP${score}`] : [`validation AP${score}`, `AP${score}`];
    pen.font = `11px ${view.font}`;
    const text = names.find((name) => width - labelEnd > pen.measureText(name).width + 10);
    if (!text || Number.isNaN(film.lowest)) return;
    pen.textAlign = "right";
    pen.fillStyle = view.theme.fadeInk(0.72);
    pen.fillText(text, width - MARGIN, 11);
  }

  // One for each frame: they stand closer where little moves.
  drawTicks() {
    const { pen, film, size } = this;
    pen.beginPath();
    let before = -2;
    for (let i = 0; i <= film.last; i++) {
      const x = this.xOf(i);
      if (x - before < 1.5) continue;
      before = x;
      pen.moveTo(x, size[1] - TICKS);
      pen.lineTo(x, size[1] - 1);
    }
    strokePath(pen, this.view.theme.fadeInk(0.4), 1);
  }

  // The curve, strong up to the clock's position.
  drawScores(accent) {
    const { pen } = this;
    const [, height] = this.size;
    pen.lineJoin = pen.lineCap = "round";
    this.traceScores();
    strokePath(pen, this.view.theme.fadeInk(0.3), 2);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, this.xOf(this.clock.position), height);
    pen.clip();
    this.traceScores();
    strokePath(pen, accent, 2.4);
    pen.restore();
  }

  traceScores() {
    const { pen } = this;
    pen.beginPath();
    let isOpen = false;
    this.film.frames.forEach(({ score }, i) => {
      const isKnown = !Number.isNaN(score);
      if (isKnown && isOpen) pen.lineTo(this.xOf(i), this.yOf(score));
      else if (isKnown) {
        pen.moveTo(this.xOf(i), this.yOf(score));
        pen.lineTo(this.xOf(i) + 0.01, this.yOf(score)); // a score alone is a dot
      }
      isOpen = isKnown;
    });
  }

  // The second film's scores, dashed, where they belong in the time of the first.
  drawOther() {
    const { pen, film, other, view } = this;
    pen.beginPath();
    let isOpen = false;
    for (let i = 0; i <= film.last; i++) {
      const { score } = other.film.frames[Math.floor(other.positionAt(i))] ?? { score: NaN };
      if (Number.isNaN(score)) continue;
      if (isOpen) pen.lineTo(this.xOf(i), this.yOf(score));
      else pen.moveTo(this.xOf(i), this.yOf(score));
      isOpen = true;
    }
    pen.setLineDash([6, 4]);
    strokePath(pen, view.theme.other, 1.8);
    pen.setLineDash([]);
  }

  // Where in training the chosen epoch was.
  drawChosen() {
    const { pen, film, view } = this;
    const index = film.trainedIndex(film.last);
    const y = this.yOf(film.frames[index].score);
    pen.beginPath();
    pen.arc(this.xOf(index), Number.isNaN(y) ? this.bottom - 4 : y, 4, 0, 7);
    pen.fillStyle = view.theme.paper;
    pen.fill();
    strokePath(pen, view.theme.ink, 1.6);
  }

  // A vertical line at the clock's position, or where a pointer is.
  drawMarker(position, colour, isPointed) {
    const { pen, film, size } = this;
    const at = Math.min(film.last, Math.floor(position + 1e-6));
    const a = film.frames[at].score;
    const b = film.frames[Math.min(at + 1, film.last)].score;
    const score = Number.isNaN(b) ? a : a + (b - a) * (position - at);
    const x = this.xOf(position);
    pen.beginPath();
    pen.moveTo(x, BAND_TOP - 1);
    pen.lineTo(x, size[1]);
    strokePath(pen, colour, isPointed ? 1 : 2);
    if (Number.isNaN(score)) return;
    pen.beginPath();
    pen.arc(x, this.yOf(score), isPointed ? 3 : 5, 0, 7);
    pen.fillStyle = colour;
    pen.fill();
    strokePath(pen, this.view.theme.paper, 1.5);
  }
}
