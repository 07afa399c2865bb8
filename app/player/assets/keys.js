// The keys of the stage.

// What a key does, undefined where it does nothing.
export function findAction(stage, key) {
  const { clock } = stage;
  return {
    " ": () => clock.toggle(),
    ArrowLeft: () => clock.stepBack(),
    ArrowRight: () => clock.stepForward(),
    Home: () => clock.seek(0),
    End: () => clock.seek(clock.film.last),
    "+": () => clock.changeSpeed(1),
    "=": () => clock.changeSpeed(1),
    "-": () => clock.changeSpeed(-1),
    "[": () => stage.selectNext(-1),
    "]": () => stage.selectNext(1),
    Escape: () => stage.letGo(),
    v: () => stage.nextView(),
    a: () => stage.toggleShown("arrows"),
    t: () => stage.toggleShown("trails"),
    "?": () => stage.toggleHelp(),
  }[key.length === 1 ? key.toLowerCase() : key];
}
