// What components that left the page held of their films: Streamlit may build a component anew, and a person may come back.

import { identify } from "./data.js";

const MOST = 6; // films

const kept = new Map();

// kind: of the component. what: its snapshots, with `film`.
export function keepFilm(kind, film, what) {
  if (!film.head.run || film.last < 0) return;
  kept.set(kind + identify(film.head), { ...what, film: film.snapshot() });
  if (kept.size > MOST) kept.delete(kept.keys().next().value);
}

// What was kept of the film with that head, once; undefined where nothing was.
export function recallFilm(kind, head) {
  const key = kind + identify(head);
  const what = kept.get(key);
  kept.delete(key);
  return what;
}
