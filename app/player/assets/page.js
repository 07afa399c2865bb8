// A film as one HTML file: the stage's own modules, the films and what the page says of them. It asks for nothing: its policy
// forbids every request. taken.js is the script of that file.

import { joinChunks, packFilm } from "./pack.js";
import { SAVE } from "./texts.js";

const MOST_BYTES = 5e6;
const LONGEST_WAIT_MS = 10_000; // for the second film
const POLICY = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:; font-src data:";
const IMPORT = /\b(from|import)\s*\x22\.\/([\w.-]+\.js)\x22/g;

// The file. showProgress(part): from 0 to 1.
export async function makePage(stage, showProgress) {
  const [modules, styles] = await Promise.all([collectModules("taken.js"), collectStyles(["player.css", "taken.css"])]);
  showProgress(0.4);
  const { name, verdict, address, differences } = stage.side.save;
  const texts = { name, verdict, address, differences: differences ?? [], words: SAVE.page };
  await needFilms(stage);
  let films = stage.films.filter(({ last, scene }) => last >= 0 && scene);
  const views = films.length > 1 ? stage.listViews() : stage.listViews().slice(0, 1);
  const own = { view: stage.view, views, differences: stage.side.differences ?? differences };
  const side = { ...stage.side, ...own, whatif: null, edit: null, save: null, companions: null };
  for (;;) {
    const message = await packFilms(films, side);
    showProgress(0.8);
    const blob = new Blob([write({ modules, styles, texts, message })], { type: "text/html" });
    if (blob.size <= MOST_BYTES || films.every(({ frames }) => frames.length < 4)) return blob;
    films = films.map(leaveOutEveryOther);
  }
}

// Waits for the second film, which the page sends when it is asked for; without it the file has one.
async function needFilms(stage) {
  const [, second] = stage.films;
  const isMissing = () => second.last < 0 || !second.hasEnded;
  if (!stage.listViews().some(({ name }) => name === "both") || !isMissing()) return;
  stage.send("need", { film: 1, first: 0 });
  for (const end = performance.now() + LONGEST_WAIT_MS; isMissing() && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function packFilms(films, side) {
  return joinChunks(await Promise.all(films.map((film, i) => packFilm(film, i ? {} : { side }))));
}

// The film with every second frame; the last two, of which one may be the chosen epoch's, stay.
function leaveOutEveryOther({ scene, frames, contributions, head, labels, status }) {
  return { scene, frames: frames.filter((_, i) => i % 2 === 0 || i > frames.length - 3), contributions, head, labels, status };
}

// Name -> text of a module and of all it imports. `./x.js` is called `lab/x.js`: in a file there is nothing to be relative to.
async function collectModules(first) {
  const modules = {};
  const collect = async (name) => {
    modules[name] = "";
    const text = await read(name);
    modules[name] = text.replace(IMPORT, '$1 "lab/$2"');
    await Promise.all([...text.matchAll(IMPORT)].filter(([, , other]) => !(other in modules)).map(([, , other]) => collect(other)));
  };
  await collect(first);
  return modules;
}

async function collectStyles(names) {
  return (await Promise.all(names.map(read))).join("\n");
}

async function read(name) {
  const answer = await fetch(new URL(`./${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.text();
}

function write({ modules, styles, texts, message }) {
  const toAddress = (text) => `data:text/javascript;base64,${toBase64(new TextEncoder().encode(text))}`;
  const imports = Object.fromEntries(Object.entries(modules).map(([name, text]) => [`lab/${name}`, toAddress(text)]));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(texts.verdict || texts.name)}</title>
<style>
${styles.replaceAll("</", "<\\/")}
</style>
<script type="importmap">${JSON.stringify({ imports })}</script>
</head>
<body>
<main id="taken"></main>
<script type="application/json" id="texts">${escapeJson(texts)}</script>
<script type="application/octet-stream" id="films">${toBase64(message)}</script>
<script type="module" src="${imports["lab/taken.js"]}"></script>
</body>
</html>
`;
}

function escapeText(text) {
  return (text ?? "").replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

function escapeJson(value) {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

function toBase64(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000)));
  return btoa(parts.join(""));
}
