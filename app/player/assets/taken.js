// The script of a saved page (page.js writes it): the verdict, the stage with its films, the paired differences, the address.

import mount from "./stage.js";
import { formatChange } from "./svg.js";

const texts = JSON.parse(document.getElementById("texts").textContent);
const message = Uint8Array.from(atob(document.getElementById("films").textContent), (letter) => letter.charCodeAt(0));
const { words } = texts;
const root = document.getElementById("taken");
const stage = make("div", { className: "taken-stage" });
const wantsDark = matchMedia("(prefers-color-scheme: dark)");

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function setTheme(isDark) {
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  themeButton.textContent = isDark ? words.light : words.dark;
  showStage(); // reads the colours again
}

function showStage() {
  mount({ data: message, parentElement: stage, setTriggerValue() {}, setStateValue() {} });
}

// The paired differences as numbers; the stage draws them.
function listDifferences(differences) {
  const rows = differences.map(({ label, mean, low, high, n }) => {
    const isKnown = Number.isFinite(low) && Number.isFinite(high);
    const interval = isKnown ? words.interval.replace("{low}", formatChange(low)).replace("{high}", formatChange(high)) : "";
    const cells = [formatChange(mean), interval, n > 1 ? `n = ${n}` : ""].map((textContent) => make("td", { textContent }));
    return make("tr", {}, make("th", { scope: "row", textContent: label }), ...cells);
  });
  return make("table", {}, make("caption", { textContent: words.differences }), make("tbody", {}, ...rows));
}

const themeButton = make("button", { type: "button", className: "theme" });
themeButton.addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
wantsDark.addEventListener("change", () => setTheme(wantsDark.matches));
root.append(make("header", {}, make("h1", { textContent: texts.verdict || texts.name }), themeButton), stage);
if (texts.differences.length) root.append(listDifferences(texts.differences));
root.append(make("footer", {}, make("span", { textContent: words.made }), make("span", { className: "address", textContent: texts.address })));
setTheme(wantsDark.matches);
