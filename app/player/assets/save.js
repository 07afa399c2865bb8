// Save: the film as a picture, a video, an animation or a page of its own. All of it is made here, in the browser.

import { makePalette } from "./gif.js";
import { makePage } from "./page.js";
import { Painter } from "./painter.js";
import { Picture } from "./picture.js";
import { SAVE } from "./texts.js";

const VIDEO_TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/mp4"];
const VIDEO = { width: 728, rate: 30, bits: 4e6 };
const GIF = { width: 546, rate: 20, most: 240 };
const SMALL_GIF = { width: 420, frames: 40, limit: 1.95e6, hasAddress: false };
const HELD_MS = 1500; // the last frame of an animation
const REVOKE_MS = 60_000; // after which a file's address is given back: the browser has read it by then

// The button with its menu; a tool of the stage (tools.js).
export class Saver {
  constructor(stage) {
    this.stage = stage;
    this.save = null; // {name, verdict, address, differences}, from the page
    this.stopping = null; // AbortController of the file that is being made
    this.element = document.createElement("div");
    this.element.className = "save";
    this.element.innerHTML = `
      <button type="button" class="tool opener" aria-haspopup="menu" aria-expanded="false"></button>
      <div class="menu" role="menu" hidden></div>
      <div class="saving" hidden><span></span><progress max="1" value="0"></progress><button type="button" class="stop"></button></div>`;
    const find = (selector) => this.element.querySelector(selector);
    this.ui = { opener: find(".opener"), menu: find(".menu"), saving: find(".saving"), progress: find("progress") };
    this.ui.opener.textContent = SAVE.button;
    this.ui.opener.title = SAVE.hint;
    this.ui.menu.setAttribute("aria-label", SAVE.button);
    find(".saving span").textContent = SAVE.saving;
    this.ui.progress.setAttribute("aria-label", SAVE.saving);
    find(".stop").textContent = SAVE.stop;
    this.ui.menu.append(...this.makeItems());
    this.element.hidden = true;
    stage.actions.append(this.element);
    this.listen(find(".stop"));
  }

  makeItems() {
    const video = chooseVideoType();
    return Object.entries(SAVE.formats).map(([name, text]) => {
      const item = document.createElement("button");
      item.type = "button";
      item.tabIndex = -1;
      item.dataset.format = name;
      item.setAttribute("role", "menuitem");
      item.textContent = text;
      if (name === "webm" && !video) {
        item.setAttribute("aria-disabled", "true");
        item.title = SAVE.noVideo;
      }
      item.addEventListener("click", () => this.start(name));
      return item;
    });
  }

  listen(stop) {
    const { opener, menu } = this.ui;
    opener.addEventListener("click", () => this.toggle());
    stop.addEventListener("click", () => this.stopping?.abort());
    this.element.addEventListener("keydown", (event) => this.handleKey(event));
    this.element.addEventListener("focusout", (event) => {
      if (!this.element.contains(event.relatedTarget)) this.shut();
    });
    menu.addEventListener("pointerdown", (event) => event.preventDefault()); // the opener keeps the focus
  }

  // ---- as a tool ----

  receive({ save }) {
    this.save = save ?? null;
    this.element.hidden = !save;
    if (!save) this.stopping?.abort();
  }

  key(event) {
    if (event.key.toLowerCase() !== "s" || this.element.hidden) return false;
    this.open();
    return true;
  }

  close() {
    this.stopping?.abort();
  }

  // ---- menu ----

  toggle() {
    if (this.ui.menu.hidden) this.open();
    else this.shut();
  }

  open() {
    if (this.stopping || this.stage.clock.film.last < 0) return;
    this.ui.menu.hidden = false;
    this.ui.opener.setAttribute("aria-expanded", "true");
    this.ui.menu.firstElementChild.focus();
  }

  shut() {
    this.ui.menu.hidden = true;
    this.ui.opener.setAttribute("aria-expanded", "false");
  }

  handleKey(event) {
    const { menu, opener } = this.ui;
    const items = [...menu.children];
    const at = items.indexOf(this.element.getRootNode().activeElement);
    const go = (to) => items[(to + items.length) % items.length].focus();
    const action = {
      ArrowDown: () => (menu.hidden ? this.open() : go(at + 1)),
      ArrowUp: () => (menu.hidden ? this.open() : go(at < 0 ? -1 : at - 1)),
      Home: () => !menu.hidden && go(0),
      End: () => !menu.hidden && go(-1),
      Escape: () => {
        if (!menu.hidden) opener.focus();
        this.shut();
      },
    }[event.key];
    event.stopPropagation(); // the stage's keys are others
    if (!action) return;
    event.preventDefault();
    action();
  }

  // ---- files ----

  async start(format) {
    if (this.stopping || (format === "webm" && !chooseVideoType())) return;
    this.ui.opener.focus();
    this.shut();
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    const { name } = this.save;
    this.ui.saving.hidden = false;
    this.ui.opener.disabled = true;
    this.showProgress(0);
    let said = SAVE.stopped;
    try {
      const { blob, ending } = await this.make(format, signal);
      if (!signal.aborted) {
        handOut(blob, `${toFileName(name)}.${ending}`);
        said = SAVE.saved;
      }
    } catch (error) {
      if (!signal.aborted) {
        said = SAVE.failed;
        console.error("save", error);
      }
    }
    this.stopping = null;
    this.ui.saving.hidden = true;
    this.ui.opener.disabled = false;
    this.ui.opener.title = said;
    this.stage.announce(said);
    this.ui.opener.focus();
  }

  showProgress(part) {
    this.ui.progress.value = part;
  }

  async make(format, signal) {
    const { stage } = this;
    if (format === "html") return { blob: await makePage(stage, (part) => this.showProgress(part)), ending: "html" };
    const animation = { gif: GIF, small: SMALL_GIF }[format];
    const painter = new Painter(stage, animation?.width);
    const key = await painter.loadKey();
    const texts = stage.preview.isOn ? { verdict: SAVE.preview, address: "" } : this.save; // a preview has neither
    const makePicture = (options) => new Picture(painter, key, texts, options);
    if (format === "png") return { blob: await this.makePng(makePicture, painter), ending: "png" };
    if (format === "webm") return this.makeVideo(makePicture, painter.duration, signal);
    return { blob: await this.makeGif(makePicture, painter, animation, signal), ending: "gif" };
  }

  async makePng(makePicture, painter) {
    const picture = makePicture({ width: Math.max(600, painter.size[0]), ratio: 2 });
    picture.draw(painter.momentOf(this.stage.clock), true);
    return new Promise((resolve, reject) => {
      picture.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png");
    });
  }

  // Plays the film once, in its own time, and records it.
  async makeVideo(makePicture, duration, signal) {
    const picture = makePicture({ width: VIDEO.width, ratio: 1.5 });
    const mimeType = chooseVideoType();
    const stream = picture.canvas.captureStream(VIDEO.rate);
    const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: VIDEO.bits });
    const parts = [];
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    picture.draw(0);
    recorder.start(500);
    const lengthMs = 1000 * Math.max(0.5, duration);
    const began = performance.now();
    for (let passed = 0; passed < lengthMs + HELD_MS && !signal.aborted; passed = performance.now() - began) {
      picture.draw(Math.min(1, passed / lengthMs));
      this.showProgress(passed / (lengthMs + HELD_MS));
      await nextFrame();
    }
    recorder.stop();
    await ended;
    for (const track of stream.getTracks()) track.stop();
    return { blob: new Blob(parts, { type: mimeType }), ending: mimeType.startsWith("video/mp4") ? "mp4" : "webm" };
  }

  async makeGif(makePicture, { duration, theme }, { width, rate, most, frames, limit, hasAddress = true }, signal) {
    const picture = makePicture({ width, hasAddress });
    const count = frames ?? Math.min(most, Math.max(20, Math.round(duration * rate)));
    const delay = Math.max(2, Math.round((100 * duration) / count));
    const address = new URL("./gif.js", import.meta.url);
    const worker = new Worker(address, { type: "module" });
    const ask = (message, transfer) => new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
      worker.postMessage(message, transfer);
    });
    try {
      const palette = makePalette(...listColours(theme));
      const start = { width: picture.canvas.width, height: picture.canvas.height, palette, limit };
      worker.postMessage({ start });
      for (let i = 0; i < count && !signal.aborted; i++) {
        picture.draw(i / (count - 1));
        const { buffer } = picture.read();
        await ask({ frame: buffer, delay: i === count - 1 ? HELD_MS / 10 : delay }, [buffer]);
        this.showProgress((0.9 * (i + 1)) / count);
      }
      if (signal.aborted) return null;
      const { file } = await ask({ end: true });
      return new Blob([file], { type: "image/gif" });
    } finally {
      worker.terminate();
    }
  }
}

// The ramp of the surface and the other colours of the stage, the most used ones first.
function listColours({ ramp, palette, paper, ink }) {
  const others = Object.values(palette).flat().filter((value) => typeof value === "string");
  const marks = [paper, ink, palette.majority, ...palette.minority, palette.synthetic, palette.helps, ...others];
  const colours = [...new Set(marks)].map(readColour).filter(Boolean);
  return [ramp, colours];
}

// A CSS colour -> [red, green, blue], null where it is see-through or none.
function readColour(text) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = "#010203";
  pen.fillStyle = text;
  const hex = /^#(..)(..)(..)$/.exec(pen.fillStyle);
  if (!hex || (pen.fillStyle === "#010203" && text !== "#010203")) return null;
  return hex.slice(1).map((digits) => parseInt(digits, 16));
}

function chooseVideoType() {
  if (typeof MediaRecorder === "undefined" || !HTMLCanvasElement.prototype.captureStream) return undefined;
  return VIDEO_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

function toFileName(name) {
  return (name ?? "").replace(/[^\w.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "film";
}

function handOut(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
}
