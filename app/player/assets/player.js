// The player: a film alone, with its controls. This file mounts it, and joins its parts: film (data.js), clock, view, timeline,
// legend, captions.

import { Captions } from "./captions.js";
import { Clock } from "./clock.js";
import { Film } from "./data.js";
import { keepFilm, recallFilm } from "./kept.js";
import { Legend } from "./legend.js";
import { Loop } from "./loop.js";
import { makeMount } from "./mounting.js";
import { Timeline } from "./timeline.js";
import { FilmView } from "./view.js";
import { Words } from "./words.js";

const TEMPLATE = `
<div class="top"><span class="badge"></span><span class="caption"></span><span class="readout"></span></div>
<div class="stage" tabindex="0" role="group">
  <canvas role="img"></canvas>
  <span class="axis x"></span><span class="axis y"></span>
  <div class="notes"><span class="zoomed" hidden></span><button type="button" class="hint" hidden></button><span class="slice" hidden></span></div>
  <div class="tip" hidden></div>
  <div class="empty"></div>
</div>
<div class="time" tabindex="0" role="slider" aria-label="Frame shown; the line is validation average precision"><canvas aria-hidden="true"></canvas></div>
<div class="bar">
  <div class="set" role="group" aria-label="Playback">
    <button type="button" class="icon back" aria-label="One frame back" title="One frame back (left arrow)"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 5h2.5v14H6zM20 5v14L9.5 12z"/></svg></button>
    <button type="button" class="icon play" aria-label="Play" title="Play or pause (space)"><svg class="go" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4.5v15l13-7.5z"/></svg><svg class="pause" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4.5h4.2v15H6zM13.8 4.5H18v15h-4.2z"/></svg></button>
    <button type="button" class="icon next" aria-label="One frame forward" title="One frame forward (right arrow)"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M15.5 5H18v14h-2.5zM4 5l10.5 7L4 19z"/></svg></button>
    <button type="button" class="live" title="Follow the training" hidden>live</button>
    <select class="speed" aria-label="Speed" title="Speed (+ and -)"><option value="0.25">0.25&times;</option><option value="0.5">0.5&times;</option><option value="1" selected>1&times;</option><option value="2">2&times;</option><option value="4">4&times;</option></select>
  </div>
  <div class="set magnify"><span class="label">movement</span><div class="set joined" role="group" aria-label="Magnify movement"></div></div>
</div>
<div class="bar legend" role="group" aria-label="Legend; the buttons show and hide"></div>
<div class="sr" aria-live="polite"></div>
<div class="sr keys">Space plays and pauses. Left and right arrows step. Home and End jump. Plus and minus change the speed. Square brackets go through the synthetic points; Escape lets go.</div>`;

class Player {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "lab-player";
    this.root.style.visibility = "hidden"; // until the style sheet, which is a file of its own, is there
    this.root.innerHTML = TEMPLATE;
    parent.append(this.root);
    this.ui = findElements(this.root);
    this.redraws = 0;

    const refresh = () => this.refresh();
    const invalidate = () => this.loop.invalidate();
    const announce = () => this.captions.announce();
    const setFactor = (factor) => this.setFactor(factor);
    const showSelection = () => this.captions.showTip();
    this.film = new Film({ reset: (head) => this.reset(head), showChunk: (change) => this.showChunk(change) });
    this.clock = new Clock(this.root, this.film, { refresh, invalidate, announce, setFactor });
    this.view = new FilmView(this.root, this.ui, this.film, this.clock, { invalidate, showSelection });
    this.words = new Words(this.film, this.clock, this.view);
    this.captions = new Captions(this.root, this.ui, this.film, this.clock, this.view, this.words);
    this.timeline = new Timeline(this.ui, this.film, this.clock, this.view, this.words, invalidate);
    this.legend = new Legend(this.root, this.ui, this.film, this.clock, this.view, invalidate);

    this.loop = new Loop(this.root, {
      draw: (elapsedMs) => this.advance(elapsedMs), isMoving: () => this.clock.isMoving, blur: () => this.blur(),
    });
    this.listeners = new AbortController();
    this.sizes = new ResizeObserver(() => this.resize());
    this.listen();
    this.refresh();
  }

  // ---- data ----

  receive(data, { trigger }) {
    this.film.request = (from) => trigger("need", from);
    if (this.view.readTheme()) this.legend.draw();
    this.invalidate();
    this.film.receive(data);
  }

  // Another film begins: as it was left where it is known.
  reset(head) {
    this.film.reset(head);
    this.clock.reset();
    this.view.reset();
    const kept = recallFilm("player", head);
    if (!kept) return;
    this.film.restore(kept.film);
    this.clock.restore(kept.clock);
    this.view.restore(kept.view);
    this.view.layout();
    this.legend.draw();
  }

  showChunk({ hasScene, hasContributions, isFirst, isEnd }) {
    this.clock.joinGroup(this.film.head.group);
    if (hasScene) this.view.clearLayers();
    this.view.layout();
    if (hasScene || hasContributions) this.legend.draw();
    if (hasContributions) this.captions.announce();
    if (isFirst) this.clock.begin();
    if (isEnd && !this.clock.isLive) this.captions.announce();
    this.clock.electLeader();
    this.refresh();
    this.invalidate();
  }

  // ---- drawing ----

  invalidate() {
    this.loop.invalidate();
  }

  advance(elapsedMs) {
    this.clock.advance(elapsedMs);
    this.draw();
  }

  // Without a graphics card a sharp picture can be too slow to move smoothly: then it is drawn with one pixel per px.
  blur() {
    if (this.view.dpr <= 1) return;
    this.view.maxDpr = 1;
    this.resize();
  }

  resize() {
    this.view.resize();
    this.timeline.resize();
    this.draw(); // at once: an emptied canvas must not be painted
  }

  draw() {
    if (!this.view.size || !this.root.isConnected) return;
    this.view.draw();
    this.timeline.draw();
    this.captions.update();
    this.redraws += 1;
    this.root.dataset.redraws = this.redraws;
  }

  setFactor(factor) {
    this.view.factor = factor;
    this.refresh();
    this.invalidate();
  }

  // ---- state ----

  // Brings the controls, and all that does not depend on the frame shown, up to date.
  refresh() {
    const { ui, film, clock, view } = this;
    Object.assign(this.root.dataset, {
      status: film.status, frames: film.frames.length, gaps: film.gaps, playing: String(clock.showsPlaying),
      live: String(clock.isLive && !film.hasEnded), magnify: view.factor, speed: clock.speed, dark: String(view.theme.isDark),
    });
    this.root.setAttribute("aria-label", "Player");
    ui.badge.textContent = film.status;
    ui.badge.title = film.head.text ?? "";
    this.refreshControls();
    this.refreshStage();
    if (this.legend.hasPoints !== film.hasPoints) this.legend.draw();
    this.captions.invalidate();
  }

  refreshControls() {
    const { ui, film, clock, view } = this;
    const isEmpty = film.last < 0;
    const speed = String(clock.speed);
    for (const control of [ui.back, ui.play, ui.next, ui.speed]) control.disabled = isEmpty;
    ui.play.setAttribute("aria-label", clock.showsPlaying ? "Pause" : "Play");
    ui.live.hidden = film.hasEnded || isEmpty || clock.isLive;
    if (ui.speed.value !== speed) ui.speed.value = speed;
    ui.time.setAttribute("aria-valuemin", isEmpty ? 0 : 1);
    ui.time.setAttribute("aria-valuemax", film.frames.length);
    ui.time.setAttribute("aria-disabled", String(isEmpty));
    ui.magnify.hidden = !film.scene || !film.hasMoves;
    ui.zoomed.hidden = view.factor === 1 || ui.magnify.hidden;
    ui.zoomed.textContent = `movement \u00d7${view.factor}`;
    for (const button of ui.factors.children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.factor) === view.factor));
    }
  }

  refreshStage() {
    const { ui, film } = this;
    const { scene, status, head } = film;
    ui.empty.hidden = Boolean(scene);
    if (!scene) {
      const makeLine = (text) => Object.assign(document.createElement("span"), { textContent: text });
      ui.empty.replaceChildren(makeLine(status), makeLine(this.words.describeAbsence()));
    }
    ui.axisX.textContent = scene?.axes[0] ?? "";
    ui.axisY.textContent = scene?.axes[1] ?? "";
    ui.slice.hidden = !scene || scene.exact;
    if (!ui.slice.hidden) {
      const share = Math.round(scene.share * 100);
      ui.slice.textContent = `a slice through the training mean, not the boundary; the plane holds ${share}% of the variance`;
    }
    const title = head.title ? `${head.title}: ` : "";
    ui.stage.setAttribute("aria-label", `${title}synthetic points over the decision surface, ${status}`);
    if (!ui.canvas.hasAttribute("aria-label") || film.last < 0) ui.canvas.setAttribute("aria-label", this.words.describePicture());
  }

  // ---- events of the page ----

  listen() {
    const { ui, clock, view } = this;
    this.on(clock.reducedMotion, "change", () => clock.settle());
    this.on(ui.play, "click", () => clock.toggle());
    this.on(ui.back, "click", () => clock.stepBack());
    this.on(ui.next, "click", () => clock.stepForward());
    this.on(ui.live, "click", () => clock.goLive());
    this.on(ui.speed, "change", () => clock.setSpeed(Number(ui.speed.value)));
    this.on(ui.hint, "click", () => {
      clock.setFactor(Number(ui.hint.dataset.factor));
      ui.stage.focus();
    });
    this.on(this.root, "keydown", (event) => this.handleKey(event));
    view.listen((...given) => this.on(...given));
    this.timeline.listen((...given) => this.on(...given));
    this.sizes.observe(ui.stage);
    this.sizes.observe(ui.time);
  }

  on(target, name, action) {
    target.addEventListener(name, action, { signal: this.listeners.signal });
  }

  handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { clock, view, film } = this;
    const action = {
      " ": () => clock.toggle(),
      ArrowLeft: () => clock.stepBack(),
      ArrowRight: () => clock.stepForward(),
      Home: () => clock.seek(0),
      End: () => clock.seek(film.last),
      "+": () => clock.changeSpeed(1),
      "=": () => clock.changeSpeed(1),
      "-": () => clock.changeSpeed(-1),
      "[": () => this.selectNext(-1),
      "]": () => this.selectNext(1),
      Escape: () => view.select(-1, null),
    }[event.key];
    if (!action || (film.last < 0 && event.key !== "Escape")) return;
    const control = event.target.closest("button, select");
    if (control && (event.key === " " || control.tagName === "SELECT")) return; // the control's own keys
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  selectNext(by) {
    if (this.view.selectNext(by)) this.captions.announceSelection();
  }

  close() {
    keepFilm("player", this.film, { clock: this.clock.snapshot(), view: this.view.snapshot() });
    this.loop.close();
    this.listeners.abort();
    this.sizes.disconnect();
    this.film.close();
    this.clock.leaveGroup();
    this.root.remove();
  }
}

function findElements(root) {
  const find = (selector) => root.querySelector(selector);
  const ui = {
    badge: find(".badge"), caption: find(".caption"), readout: find(".readout"),
    stage: find(".stage"), canvas: find(".stage canvas"), axisX: find(".axis.x"), axisY: find(".axis.y"),
    zoomed: find(".zoomed"), slice: find(".slice"), hint: find(".hint"), tip: find(".tip"), empty: find(".empty"),
    time: find(".time"), line: find(".time canvas"),
    back: find(".back"), play: find(".play"), next: find(".next"), live: find(".live"), speed: find(".speed"),
    magnify: find(".magnify"), factors: find(".joined"), legend: find(".legend"), announcement: find("[aria-live]"),
  };
  find(".keys").id = "keys";
  ui.stage.setAttribute("aria-describedby", "keys");
  return ui;
}

export default makeMount(Player);
