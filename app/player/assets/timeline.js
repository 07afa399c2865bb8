// The timeline: phases and validation average precision over the film; a person drags along it.

import { fitCanvas, locate, strokePath } from "./stage.js";
import { toWords } from "./words.js";

const BAND_TOP = 16; // px: above it stand the phases' names
const MARGIN = 8; // px, left and right of the first and the last frame
const MIN_SPAN = 0.02; // of the score's axis

export class Timeline {
  // invalidate(): the picture has changed.
  constructor(ui, film, clock, stage, captions, invalidate) {
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.stage = stage;
    this.captions = captions;
    this.invalidate = invalidate;
    this.pen = ui.line.getContext("2d");
    this.size = null; // [width, height] in px
    this.pointed = null; // the frame that a pointer is over
    this.isDragging = false;
  }

  resize() {
    this.size = fitCanvas(this.ui.line, this.ui.time, this.stage.dpr);
  }

  // ---- pointer ----

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
    const [width] = this.size;
    const [x] = locate(this.ui.line, event);
    return Math.round(Math.min(1, Math.max(0, (x - MARGIN) / (width - 2 * MARGIN))) * Math.max(0, this.film.last));
  }

  // ---- scales ----

  xOf(position) {
    const { last } = this.film;
    return MARGIN + (this.size[0] - 2 * MARGIN) * (last > 0 ? position / last : 1);
  }

  yOf(score) {
    const { lowest, highest } = this.film;
    const [, height] = this.size;
    const span = Math.max(highest - lowest, MIN_SPAN);
    const bottom = (highest + lowest) / 2 - span / 2;
    return height - 7 - ((score - bottom) / span) * (height - BAND_TOP - 15);
  }

  // ---- drawing ----

  draw() {
    if (!this.size) return;
    const { pen, film, stage } = this;
    const [width, height] = this.size;
    pen.setTransform(stage.dpr, 0, 0, stage.dpr, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.textBaseline = "alphabetic";
    pen.font = `600 11px ${stage.font}`;
    if (film.last < 0) {
      this.drawEmpty();
      return;
    }
    this.drawTitle(this.drawPhases());
    const accent = stage.theme.isDark ? "#56B4E9" : "#0072B2";
    this.drawScores(accent);
    if (film.isChosen(film.last) && film.last) this.drawChosen();
    if (this.pointed !== null && !this.isDragging) this.drawMarker(this.pointed, stage.theme.fadeInk(0.5), true);
    this.drawMarker(this.clock.position, accent, false);
  }

  drawEmpty() {
    const { pen } = this;
    const { theme } = this.stage;
    const [width, height] = this.size;
    pen.fillStyle = theme.fadeInk(0.06);
    pen.fillRect(0, BAND_TOP, width, height - BAND_TOP);
    pen.fillStyle = theme.fadeInk(0.6);
    pen.textAlign = "left";
    pen.fillText("validation AP", MARGIN, 11);
  }

  // A band for each phase, its name above it where there is room; px where the last name ends.
  drawPhases() {
    const { pen, film } = this;
    const { theme } = this.stage;
    const [width, height] = this.size;
    const starts = film.frames.map((_, i) => i).filter((i) => !i || film.frames[i].phase !== film.frames[i - 1].phase);
    let labelEnd = 0;
    starts.forEach((start, i) => {
      const { phase } = film.frames[start];
      const left = i ? this.xOf(start - 0.5) : 0;
      const right = i + 1 < starts.length ? this.xOf(starts[i + 1] - 0.5) : width;
      const gap = i ? 1 : 0;
      pen.fillStyle = theme.fadeInk(i % 2 ? 0.115 : 0.055);
      pen.fillRect(left + gap, BAND_TOP, right - left - gap, height - BAND_TOP);
      const room = right - left - 8;
      const label = [this.captions.describePhase(phase), toWords(phase)].find((text) => pen.measureText(text).width <= room);
      pen.textAlign = "left";
      if (!label) return;
      pen.fillStyle = theme.fadeInk(0.72);
      pen.fillText(label, left + (i ? 5 : MARGIN), 11);
      labelEnd = left + pen.measureText(label).width + 16;
    });
    return labelEnd;
  }

  drawTitle(labelEnd) {
    const { pen, stage } = this;
    const [width] = this.size;
    const title = Number.isNaN(this.film.lowest) ? "validation AP not known yet" : "validation AP";
    pen.font = `11px ${stage.font}`;
    if (width - labelEnd <= pen.measureText(title).width + 10) return;
    pen.textAlign = "right";
    pen.fillStyle = stage.theme.fadeInk(0.6);
    pen.fillText(title, width - MARGIN, 11);
  }

  // The curve, strong up to the clock's position.
  drawScores(accent) {
    const { pen } = this;
    const [, height] = this.size;
    pen.lineJoin = pen.lineCap = "round";
    this.traceScores();
    strokePath(pen, this.stage.theme.fadeInk(0.3), 2);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, this.xOf(this.clock.position), height);
    pen.clip();
    this.traceScores();
    strokePath(pen, accent, 2.6);
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

  // Where in training the chosen epoch was.
  drawChosen() {
    const { pen, film, stage } = this;
    const [width, height] = this.size;
    const index = film.trainedIndex(film.last);
    const x = this.xOf(index);
    const y = this.yOf(film.frames[index].score);
    const isKnown = !Number.isNaN(y);
    pen.beginPath();
    pen.arc(x, isKnown ? y : height - 7, 4, 0, 7);
    pen.fillStyle = stage.theme.paper;
    pen.fill();
    strokePath(pen, stage.theme.ink, 1.6);
    pen.font = `11px ${stage.font}`;
    const half = pen.measureText("chosen").width / 2;
    pen.fillStyle = stage.theme.fadeInk(0.8);
    pen.textAlign = "center";
    const textY = isKnown && y < height - 22 ? height - 5 : height - 19;
    pen.fillText("chosen", Math.min(width - half - 4, Math.max(half + 4, x)), textY);
  }

  // A vertical line with the score: at the clock's position, or where a pointer is.
  drawMarker(position, colour, isPointed) {
    const { pen, film } = this;
    const { theme } = this.stage;
    const [, height] = this.size;
    const at = Math.min(film.last, Math.floor(position + 1e-6));
    const a = film.frames[at].score;
    const b = film.frames[Math.min(at + 1, film.last)].score;
    const score = Number.isNaN(b) ? a : a + (b - a) * (position - at);
    const x = this.xOf(position);
    const y = this.yOf(score);
    pen.beginPath();
    pen.moveTo(x, BAND_TOP - 2);
    pen.lineTo(x, height);
    strokePath(pen, colour, isPointed ? 1 : 1.6);
    if (!Number.isNaN(score)) {
      pen.beginPath();
      pen.arc(x, y, isPointed ? 3 : 5, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
      strokePath(pen, theme.paper, 1.5);
    }
    const known = Number.isNaN(a) ? (isPointed ? "no AP yet" : "") : `AP ${a.toFixed(3)}`;
    const text = (isPointed ? `frame ${at + 1}: ` : "") + known;
    const isHigh = y < (BAND_TOP + height) / 2;
    if (text) this.drawMarkerText(text, x, isHigh ? height - 19 : BAND_TOP + 2, colour, isPointed);
  }

  drawMarkerText(text, x, top, colour, isPointed) {
    const { pen } = this;
    const { theme, font } = this.stage;
    pen.font = `600 11px ${font}`;
    const width = pen.measureText(text).width + 10;
    const left = x + 8 + width > this.size[0] ? x - 8 - width : x + 8;
    pen.fillStyle = isPointed ? theme.ink : theme.paper;
    pen.beginPath();
    pen.roundRect(left, top, width, 16, 5);
    pen.fill();
    if (!isPointed) strokePath(pen, colour, 1);
    pen.fillStyle = isPointed ? theme.paper : theme.ink;
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    pen.fillText(text, left + 5, top + 12);
  }
}
