// The elements of the stage: its template, and the parts that are drawn from what is shown.

import { drawEffect, drawMarker, drawStroke, drawUnsafeMark } from "./legend.js";
import { listMakingMarks, nameRows, nameUnsafe } from "./making.js";
import { makeElement } from "./svg.js";
import { TEXT } from "./text.js";

const FILM = `
<div class="film">
  <div class="film-head"><b></b><span class="quiet"></span></div>
  <div class="stage" tabindex="0" role="group">
    <canvas role="img"></canvas>
    <div class="tip" hidden></div>
    <div class="empty"></div>
  </div>
</div>`;

export const TEMPLATE = `
<div class="main">
  <div class="panel">
    <div class="head">
      <div class="joined views" role="group"></div>
      <div class="toggles"></div>
      <span class="pair-names"></span>
      <span class="chip said" role="status" hidden></span>
      <div class="actions"></div>
      <button type="button" class="icon more-actions" aria-expanded="false">\u22ef</button>
      <button type="button" class="icon help" aria-expanded="false">?</button>
    </div>
    <div class="films">${FILM}${FILM}<div class="refusal" hidden></div><div class="help-panel" hidden></div></div>
    <div class="marks"></div>
  </div>
  <div class="run-bar">
    <button type="button" class="icon play" aria-label="Play" title="Play or pause (space)"><svg class="go" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4.5v15l13-7.5z"/></svg><svg class="pause" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4.5h4.2v15H6zM13.8 4.5H18v15h-4.2z"/></svg></button>
    <div class="time" tabindex="0" role="slider" aria-label="Frame shown; the line is validation average precision"><canvas aria-hidden="true"></canvas></div>
    <button type="button" class="live" title="Follow the training" hidden>live</button>
    <select class="speed" aria-label="Speed" title="Speed (+ and -)"><option value="0.25">0.25&times;</option><option value="0.5">0.5&times;</option><option value="1" selected>1&times;</option><option value="2">2&times;</option><option value="4">4&times;</option></select>
  </div>
</div>
<div class="rail">
  <div class="pr" role="img" tabindex="0" hidden></div>
  <div class="panel side"></div>
</div>
<div class="below">
  <div class="difference-picture"><canvas role="img"></canvas></div>
  <div class="difference-words"><h2></h2><p class="quiet above"></p><p class="largest"></p></div>
  <div class="facts"><h2></h2><table></table></div>
</div>
<div class="sr" aria-live="polite"></div>`;

export function findElements(root) {
  const find = (selector) => root.querySelector(selector);
  const films = [...root.querySelectorAll(".film")].map((film) => {
    const inside = (selector) => film.querySelector(selector);
    return {
      film, name: inside("b"), note: inside(".film-head span"), stage: inside(".stage"), canvas: inside("canvas"),
      tip: inside(".tip"), empty: inside(".empty"),
    };
  });
  const ui = {
    films, head: find(".head"), views: find(".views"), said: find(".said"), toggles: find(".toggles"), names: find(".pair-names"), actions: find(".actions"), more: find(".more-actions"),
    help: find(".help"), helpPanel: find(".help-panel"), refusal: find(".refusal"), marks: find(".marks"),
    play: find(".play"), time: find(".time"), line: find(".time canvas"), live: find(".live"), speed: find(".speed"),
    pr: find(".pr"), side: find(".side"), below: find(".below"), picture: find(".difference-picture canvas"),
    aboutDifference: find(".difference-words h2"), above: find(".difference-words .above"), largest: find(".largest"),
    facts: find(".facts h2"), factRows: find(".facts table"), announcement: find("[aria-live]"),
  };
  ui.views.setAttribute("aria-label", TEXT.views);
  for (const [button, label] of [[ui.help, TEXT.help], [ui.more, TEXT.more]]) {
    button.setAttribute("aria-label", label);
    button.title = label;
  }
  ui.aboutDifference.textContent = TEXT.difference;
  return ui;
}

// The marks of the picture with their names.
export function makeMarks(film, view) {
  if (!film.scene) return [];
  const { palette, ink } = view.theme;
  const { classes, labels, majority, exact, share } = film.scene;
  const present = new Set(labels);
  const marks = [makeMark(drawMarker("circle", palette.majority, palette.edge, 3.4), classes[majority] ?? "majority")];
  const minority = classes.map((name, label) => ({ name, label })).filter(({ label }) => label !== majority && present.has(label));
  for (const { name, label } of minority.slice(0, 4)) {
    const { shape, colour } = view.markerOf(label);
    marks.push(makeMark(drawMarker(shape, colour, palette.edge, 5.2), name));
  }
  if (minority.length > 4) marks.push(makeElement("span", "quiet", `+ ${minority.length - 4}`));
  if (film.scene.faintPoints.length) {
    marks.push(makeMark(drawMarker("circle", "none", palette.minority[0], 3.6), TEXT.faint));
  }
  if (film.frames.some(({ seen }) => seen)) {
    const mark = makeMark(drawMarker("circle", palette.synthetic, palette.edge, 3.8), TEXT.seen);
    mark.dataset.mark = "seen";
    marks.push(mark);
  }
  if (film.hasPoints) {
    const isKnown = film.contributions && view.shown.contributions;
    const names = nameRows(film);
    for (const effect of isKnown ? ["lowers", "raises"] : ["unknown"]) marks.push(makeMark(drawEffect(effect, palette), names[effect]));
    if (view.shown.making) {
      for (const [picture, text] of listMakingMarks(film.scene.making, view.theme)) marks.push(makeMark(picture, text));
    }
    if (film.knowsUnsafe) {
      const mark = makeMark(drawUnsafeMark(palette, ink), nameUnsafe(film));
      mark.dataset.mark = "unsafe";
      mark.title = TEXT.unsafeMore;
      marks.push(mark);
    }
  }
  marks.push(makeMark(drawStroke(ink, 1.8, "2 4"), film.hasPoints && !film.scene.isMade ? TEXT.before : TEXT.beforeFirst));
  marks.push(makeAxes(film.scene, view));
  if (!exact) {
    const slice = makeElement("span", "quiet slice", TEXT.slice(Math.round(100 * share)));
    slice.title = TEXT.sliceMore;
    marks.push(slice);
  }
  return marks;
}

// The names of the axes, and a piece as long as it says.
function makeAxes({ axes }, view) {
  const names = makeElement("span", "quiet axes", TEXT.axes(...axes));
  names.title = names.textContent;
  if (!view.view) return names;
  const { scaleX, scaleY } = view.view;
  const sd = [0.1, 0.2, 0.5, 1, 2, 5].find((value) => value * scaleX >= 24) ?? 10;
  names.title = TEXT.scale(names.textContent, sd, Math.round(sd * scaleX), Math.round(sd * scaleY));
  return names;
}

function makeMark(picture, text) {
  const mark = makeElement("span", "mark");
  mark.title = text;
  mark.append(picture, makeElement("span", "", text));
  return mark;
}

// Switches for what is drawn. isMade: whether the film knows how its points were made.
export function makeToggles(shown, toggle, isMade) {
  const set = makeElement("div", "joined");
  set.setAttribute("role", "group");
  set.setAttribute("aria-label", TEXT.drawn);
  for (const name of ["trails", "arrows", ...(isMade ? ["making"] : [])]) {
    const button = makeElement("button", "", TEXT[name]);
    button.type = "button";
    button.setAttribute("aria-pressed", String(shown[name]));
    button.addEventListener("click", () => toggle(name));
    set.append(button);
  }
  return [set, makeElement("p", "quiet", isMade ? TEXT.aboutMaking : TEXT.aboutArrows)];
}

// What "?" shows: the keys, the switches, and the marks where they have no place under the film.
export function makeHelp(marks, toggles) {
  const list = makeElement("dl");
  for (const [key, text] of TEXT.keys) list.append(makeElement("dt", "", key), makeElement("dd", "", text));
  const switches = makeElement("div", "toggles");
  switches.append(...toggles);
  const shown = makeElement("div", "marks");
  shown.append(...marks.map((mark) => mark.cloneNode(true)));
  return [list, switches, shown];
}
