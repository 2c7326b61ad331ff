// A grid as another classifier or another scored step shows it.

const chosenClassifier = (grid) => Math.max(0, grid.scored_by.findIndex(({ name }) => name === get("classifier")));
const lastStep = (grid) => grid.steps.at(-1);
const chosenStep = (grid) => grid.steps.find((step) => String(step) === get("step")) ?? lastStep(grid);
const viewOf = (grid, classifier, step) =>
  grid.views.find((view) => view.by === classifier && view.step === step);

// The grid with the scores and outcomes of what is chosen; itself for the first classifier and the last step.
function seenAs(grid) {
  const view = viewOf(grid, chosenClassifier(grid), chosenStep(grid));
  if (!view) return grid;
  return (view.grid ??= withView(grid, view));
}

function withView(grid, view) {
  const name = grid.measured[0].name;
  const outcomes = { ...grid.outcomes, codes: [...grid.outcomes.codes] };
  view.changed.row.forEach((row, i) => {
    outcomes.codes[row] = outcomes.values.indexOf(view.changed.outcome[i]);
  });
  return finish({
    ...grid, outcomes,
    axes: grid.axes.map((axis) => (axis === grid.outcomes ? outcomes : axis)),
    rows: { ...grid.rows, [name]: view.score },
    real_score: grid.scored_by[view.by].real_score,
    bands: view.bands,
    counts: grid.counts && { ...grid.counts, ...view.counts },
  });
}

// A trial's scores under a classifier, by step; null where it has none.
function scoresInTraining(grid, row, classifier) {
  const name = grid.measured[0].name;
  const isOwn = (step) => classifier === 0 && step === lastStep(grid);
  return grid.steps.map((step) =>
    (isOwn(step) ? grid.whole.rows[name][row] : viewOf(grid, classifier, step)?.score[row]) ?? null);
}

const updates = (grid, step) => `${count(step)} of ${count(lastStep(grid))} updates`;

// Which classifier and step the score is of, and what all else is of; empty where there is no choice.
function seenWords(grid) {
  if (!grid.views.length) return "";
  const under = (words, number) =>
    (grid.scored_by.length < 2 ? "" : `${words} ${grid.scored_by[number].name}`);
  const [classifier, step] = [chosenClassifier(grid), chosenStep(grid)];
  const by = under(" under the classifier", classifier);
  const words = `${grid.scores[0].sign} is shown after ${updates(grid, step)}${by}.`;
  const rest = ` Everything else is from the end of training${under(", under", 0)}.`;
  return words + (viewOf(grid, classifier, step) ? rest : "");
}

// Why there is no choice of steps and classifiers, if there could be one.
function leftOutWords(grid) {
  const several = grid.scored_by.length > 1 || grid.steps.length > 1;
  return several && !grid.views.length
    ? "Scores of other classifiers and steps would make this page too large; the database has them." : "";
}
