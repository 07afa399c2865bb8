// The head of the stage: the switch between views, switches for what is drawn, the chip, and what "?" shows.

import { makeHelp, makeMarks, makeToggles } from "./layout.js";
import { formatShare, makeElement } from "./svg.js";
import { TEXT } from "./text.js";

export class Head {
  constructor(stage) {
    this.stage = stage;
  }

  refresh() {
    const { stage } = this;
    const { ui } = stage;
    const views = stage.listViews();
    const key = JSON.stringify(views.map(({ name, label }) => [name, label]));
    if (ui.views.dataset.key !== key) {
      ui.views.dataset.key = key;
      ui.views.replaceChildren(...views.map(({ name, label }) => this.makeViewButton(name, label)));
    }
    for (const button of ui.views.children) button.setAttribute("aria-pressed", String(button.dataset.view === stage.view));
    ui.views.hidden = views.length < 2;
    ui.names.textContent = this.describePair();
    const { isKnown } = stage.difference;
    const isRefused = stage.isPair && stage.films.every(({ last }) => last >= 0) && !isKnown;
    ui.refusal.hidden = !isRefused || stage.view !== "difference";
    ui.refusal.textContent = TEXT.otherPlane;
    this.showChip(isRefused && stage.view === "both" ? TEXT.otherPlane : "");
    const marks = makeMarks(stage.clock.film, stage.views[0]);
    ui.marks.replaceChildren(...marks);
    this.fitMarks();
    this.refreshSwitches(marks);
  }

  // Where the key is too long for its place, the names of the axes are left to "?".
  fitMarks() {
    const { marks } = this.stage.ui;
    marks.classList.remove("tight", "cut");
    for (const name of ["tight", "cut"]) if (marks.scrollWidth > marks.clientWidth) marks.classList.add(name); // cut: names end in dots
  }

  // A few words on a pair, where the key has no place: whose film is where, or how far the surfaces differ.
  describePair() {
    const { view, filmViews, isPair, difference } = this.stage;
    if (!isPair || filmViews.length < 2) return "";
    if (view === "difference") return difference.isKnown ? TEXT.largestShort(formatShare(difference.largest)) : "";
    return TEXT.sides(filmViews[0].label, filmViews[1].label);
  }

  refreshSwitches(marks) {
    const { stage } = this;
    const { ui, root, theme } = stage;
    const { shown } = stage.views[0];
    const key = JSON.stringify([shown, marks.map(({ textContent }) => textContent), theme.key]);
    if (ui.helpPanel.dataset.key === key) return;
    ui.helpPanel.dataset.key = key;
    const focused = root.getRootNode().activeElement?.textContent;
    const make = () => makeToggles(shown, (name) => stage.toggleShown(name), Boolean(stage.clock.film.scene?.making));
    const wasInside = ui.toggles.contains(root.getRootNode().activeElement);
    ui.toggles.replaceChildren(...make());
    ui.helpPanel.replaceChildren(...makeHelp(marks, make()));
    if (wasInside) [...ui.toggles.querySelectorAll("button")].find(({ textContent }) => textContent === focused)?.focus();
  }

  makeViewButton(name, label) {
    const button = makeElement("button", "", label);
    button.type = "button";
    button.dataset.view = name;
    button.title = label;
    button.addEventListener("click", () => this.stage.setView(name));
    return button;
  }

  // The chip over the film: a tool's word, the preview's, the page's, or what is wrong with the pair.
  showChip(refusal) {
    const { stage } = this;
    const { said } = stage.ui;
    const { film } = stage.clock;
    const words = [stage.word, stage.preview.word, refusal, stage.isMissing ? TEXT.loading : "", stage.isNarrow ? this.describePair() : "", stage.side.chip, film.status === "engine silent" ? film.status : ""];
    const text = words.find(Boolean) ?? (film.status === "cancelled" && film.last >= 0 ? TEXT.stopped : "");
    said.hidden = !text;
    if (said.textContent !== text) said.textContent = text;
  }
}
