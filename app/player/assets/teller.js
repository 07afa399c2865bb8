// What the stage says of the frame that it shows: to a screen reader, in tips and facts, and in attributes that tests read.

import { countBins, describeBins, drawBins } from "./hardness.js";
import { nameUnsafe } from "./making.js";
import { formatShare, makeElement } from "./svg.js";
import { TEXT } from "./text.js";

export class Teller {
  constructor(stage) {
    this.stage = stage;
    this.told = ""; // what the texts were written for
  }

  // The texts are written again with the next picture.
  invalidate() {
    this.told = "";
  }

  tell() {
    const { stage } = this;
    const [left] = stage.views;
    const { index } = stage.clock;
    const selected = left.findSelected();
    const key = [index, selected, left.hovered?.real, left.film.number, left.film.last, stage.view, stage.clock.isMoving, left.shown.arrows, left.size].join("|");
    if (key === this.told) return;
    this.told = key;
    this.setData(index);
    const isThere = Boolean(left.film.frames[index]);
    stage.ui.time.setAttribute("aria-valuenow", Math.max(0, index) + 1);
    stage.ui.time.setAttribute("aria-valuetext", isThere ? stage.words[0].describePlace(index) : TEXT.noFrame);
    this.tellDifference();
    this.showSelection();
  }

  // What tests and style sheets read of the frame shown.
  setData(index) {
    const { stage } = this;
    const [left, right] = stage.views;
    const { film } = left;
    const data = stage.root.dataset;
    const n = (film.frames[index]?.points.length ?? 0) / 2;
    const moves = left.measureMoves(index);
    const effects = n ? left.listEffects(n) : [];
    data.frame = index < 0 ? "" : index;
    data.phase = film.frames[index]?.phase ?? "";
    data.points = n;
    const unsafe = film.countUnsafe(index);
    data.unsafe = unsafe ?? "";
    const mark = stage.ui.marks.querySelector("[data-mark=unsafe] span");
    if (mark) {
      const before = mark.textContent.length;
      mark.textContent = unsafe === null ? nameUnsafe(film) : TEXT.unsafeCount(unsafe, n, !film.scene.isMade);
      if (mark.textContent.length !== before) stage.head.fitMarks();
    }
    this.tellSeen(index);
    data.drawn = moves.length ? moves[moves.length >> 1].toFixed(2) : "";
    data.arrows = n && left.showsArrows(n) ? left.drawnArrows : "";
    data.lowers = effects.filter((effect) => effect === "lowers").length;
    data.raises = effects.filter((effect) => effect === "raises").length;
    data.other = stage.isPair ? Math.max(-1, stage.follower.index) : "";
    data.otherPhase = stage.isPair ? right.film.frames[stage.follower.index]?.phase ?? "" : "";
    data.seconds = film.seconds.map((value) => value.toFixed(3)).join(" ");
  }

  // How many rows the member saw that the frame adds, and how hard they were.
  tellSeen(index) {
    const { stage } = this;
    const [{ film, theme }] = stage.views;
    const count = film.countSeen(index);
    stage.root.dataset.seen = count ?? "";
    const mark = stage.ui.marks.querySelector("[data-mark=seen]");
    if (!mark || count === null) return;
    const bins = countBins(film, index);
    mark.querySelector("svg").replaceWith(drawBins(bins, theme.palette));
    mark.querySelector("span").textContent = TEXT.seenCount(count);
    mark.title = describeBins(bins);
  }

  tellDifference() {
    const { ui, difference, root, isPair, view, filmViews } = this.stage;
    root.dataset.difference = isPair && difference.isKnown ? difference.now.toFixed(3) : "";
    root.dataset.largest = isPair && difference.isKnown ? difference.largest.toFixed(3) : "";
    if (!isPair) return;
    const label = filmViews[0]?.label ?? "";
    ui.above.textContent = difference.isKnown ? (difference.largest > 0 ? TEXT.above(label) : TEXT.paper) : TEXT.otherPlane;
    const sentence = difference.isKnown ? TEXT.largest(formatShare(difference.largest), formatShare(difference.most, 1)) : "";
    ui.largest.textContent = sentence;
    ui.picture.setAttribute("aria-label", `${TEXT.difference}. ${ui.above.textContent} ${sentence}`);
    if (view === "difference" && difference.isKnown) ui.marks.replaceChildren(makeElement("span", "", `${ui.above.textContent} ${sentence}`));
  }

  showSelection() {
    const { stage } = this;
    const hasFacts = stage.ui.below.clientHeight > 0; // they say the same of a copy, and cover nothing
    stage.views.forEach((view, i) => {
      const { tip } = view.ui;
      const isTold = hasFacts && !i && view.findSelected() >= 0;
      const lines = view.film.scene && !view.ui.film.hidden && !isTold ? stage.words[i].describeSelection().filter(Boolean) : [];
      tip.hidden = !lines.length;
      tip.replaceChildren(...lines.map((line) => makeElement("div", "", line)));
      view.placeTip();
    });
    const selected = stage.views[0].findSelected();
    stage.root.dataset.selected = selected >= 0 ? selected : "";
    if (stage.view === "both") this.showFacts(selected);
  }

  showFacts(selected) {
    const { ui, clock, words } = this.stage;
    const { facts, factRows } = ui;
    const n = (clock.film.frames[clock.index]?.points.length ?? 0) / 2;
    facts.textContent = selected < 0 ? (n ? TEXT.noPoint : "") : TEXT.point(selected + 1, n);
    facts.classList.toggle("quiet", selected < 0);
    factRows.replaceChildren(...(selected < 0 ? [] : words[0].listFacts(selected)).map(([name, value]) => {
      const row = makeElement("tr");
      row.append(makeElement("td", "", name), makeElement("td", "", value));
      return row;
    }));
  }
}
