// One trial: its settings, scores, attempts and samples, how to repeat it, and the way to its neighbours.

function showTrial(grid, id) {
  const row = grid.place.get(id);
  const back = make("p", {}, make("a", { href: hashWith({ trial: null }), class: "back" }, "← All trials"));
  const heading = make("h4", { tabindex: "-1" }, `Trial ${id}`);
  if (row === undefined) {
    const why = grid.counts
      ? "It is not in the random sample that this page lists" : "There is no such trial in this grid";
    rebuild(find(".one"), back, heading, make("p", {}, `${why}; the database may have it.`));
    return heading;
  }
  const family = familyOf(grid, row);
  heading.style.setProperty("--hue", colour(family));
  const settings = [...settingsOf(grid, row), ...Object.entries(grid.training)];
  rebuild(find(".one"), back, heading,
    make("p", {}, `${family.label}, ${outcomeWords(grid, row)}${comparedWithReal(grid, row)}`),
    make("p", { class: "aside" }, seenWords(grid.whole)), marksInWords(grid, row), byScore(grid, row),
    make("div", { class: "sides" },
      make("div", {}, samplesOf(grid, row), scoreTable(grid, row),
        make("h5", {}, "Repeat it"), make("pre", {}, command(id))),
      make("div", {},
        make("h5", {}, "Settings"), facts(settings),
        make("h5", {}, "Training"), facts(trainingOf(grid, row)))),
    attemptTable(grid, row), elsewhere(grid, row));
  return heading;
}

function marksInWords(grid, row) {
  return marksOf(grid, row).map(({ label, meaning }) => make("p", {}, make("b", {}, `Marked: ${label}. `), meaning));
}

function outcomeWords(grid, row) {
  const outcome = grid.outcome(row);
  const [{ name, label, decimals }] = grid.measured;
  return outcome === "scored" ? `scored ${fixed(grid.rows[name][row], decimals)}${unitOf(label)}` : outcome;
}

function command(id) {
  const quoted = /^[\w-]+$/.test(id) ? id : `'${id.replaceAll("'", `'"'"'`)}'`;
  return `python -m sweep rerun ${quoted} --db ${given.database}`;
}

function samplesOf(grid, row) {
  return sheetImage(grid, row, { class: "sheet" }) ?? make("p", { class: "absent" }, absentWords(grid, row));
}

// The scores at the end, and those by classifier and step where there are others.
function scoreTable(grid, row) {
  const values = grid.measured.map(({ name, decimals }) => fixed(grid.whole.rows[name][row], decimals));
  const line = [count(lastStep(grid)), ...values];
  const head = ["updates", ...grid.measured.map(({ label }) => label)];
  return [make("h5", {}, "Scores"), learningCurve(grid, row), simpleTable(head, [line], true),
    scoresByClassifier(grid, row)];
}

function comparedWithReal(grid, row) {
  const [{ name, label }] = grid.measured;
  const value = grid.rows[name][row];
  if (value == null || !grid.real_score) return "";
  const share = fixed((100 * value) / grid.real_score, 1);
  return `, ${share} % of the score of real data (${fixed(grid.real_score)}${unitOf(label)})`;
}

function scoresByClassifier(grid, row) {
  if (!grid.views.length) return null;
  const [{ label, decimals }] = grid.measured;
  const lines = grid.scored_by.map(({ name }, number) =>
    [name, ...scoresInTraining(grid, row, number).map((score) => fixed(score, decimals))]);
  return [make("h5", {}, `${label}, by classifier and number of updates`),
    simpleTable(["classifier", ...grid.steps.map(count)], lines, true)];
}

// Score during training as a line, from 0 to the higher of its highest and a third of the score of real data.
function learningCurve(grid, row) {
  const end = lastStep(grid);
  const scores = scoresInTraining(grid, row, chosenClassifier(grid));
  const points = scores.map((score, i) => [grid.steps[i], score]).filter(([, score]) => score != null);
  if (points.length < 2) return null;
  const top = Math.max(grid.real_score / 3, ...points.map(([, score]) => score)) || 1;
  const x = (step) => (SPARK.width * step) / end;
  const y = (score) => SPARK.height - (SPARK.height * score) / top;
  const told = points.map(([step, score]) => `${fixed(score, 2)} after ${count(step)} updates`);
  const words = `Score during training: ${told.join(", ")}`;
  const height = y(grid.real_score / 3);
  const third = grid.real_score ? draw("line", { x1: 0, x2: SPARK.width, y1: height, y2: height }) : null;
  const viewBox = `-4 -4 ${SPARK.width + 8} ${SPARK.height + 8}`;
  const picture = draw("svg", { class: "growth", viewBox, role: "img", "aria-label": words },
    draw("title", {}, words), third,
    draw("polyline", { points: points.map(([step, score]) => `${x(step)},${y(score)}`).join(" ") }),
    points.map(([step, score]) => draw("circle", { cx: x(step), cy: y(score), r: 3 })));
  const more = third ? ". The grey line is a third of the score of real data." : "";
  return make("figure", { class: "growing", style: `--hue: ${colour(familyOf(grid, row))}` },
    picture, make("figcaption", {}, words, more));
}

const SPARK = { width: 320, height: 72 };

function simpleTable(head, lines, numbers) {
  const kind = { class: numbers ? "number" : null };
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": head.join(", ") }, make("table", {},
    make("thead", {}, make("tr", {}, head.map((words) => make("th", { scope: "col", ...kind }, words)))),
    make("tbody", {}, lines.map((line) => make("tr", {}, line.map((words) => make("td", kind, words)))))));
}

function trainingOf(grid, row) {
  const { rows } = grid;
  const measures = grid.measures.filter(({ name }) => rows[name][row] != null);
  return [
    ...measures.map(({ name, label }) => [label, short(rows[name][row])]),
    ["device", coded(rows.device, row)],
    ["seconds", fixed(rows.duration_s[row], 1)],
    ["place in the random order", count(rows.position[row] + 1)],
    ["started", moment(rows.started[row])],
    ["finished", moment(rows.finished[row])],
  ];
}

function attemptTable(grid, row) {
  const { attempts } = grid;
  const own = attempts.row.flatMap((r, i) => (r === row ? [i] : []));
  const lines = own.map((i) => [
    coded(attempts.outcome, i), coded(attempts.reason, i), moment(attempts.started[i]), moment(attempts.ended[i]),
  ]);
  const head = ["outcome", "reason", "started", "ended"];
  return make("div", {}, make("h5", {}, "Attempts"),
    lines.length ? simpleTable(head, lines, false) : make("p", {}, "No attempt has ended."));
}

// The trials of its family that score just below and just above.
function byScore(grid, row) {
  const [{ name, higher, decimals }] = grid.measured;
  const values = grid.rows[name];
  const own = [...grid.family.keys()].filter((r) => grid.family[r] === grid.family[row] && values[r] != null);
  own.sort((a, b) => values[a] - values[b] || a - b);
  const at = own.indexOf(row);
  if (at < 0) return null;
  const link = (target, before, after, rel) => target !== undefined
    && trialLink(grid, target, before + fixed(values[target], decimals) + after, { rel, "data-key": rel });
  const rank = count(higher ? own.length - at : at + 1);
  return make("nav", { class: "pager", "aria-label": "Neighbours by score" },
    link(own[at - 1], "← next lower: ", "", "prev"),
    make("span", {}, `rank ${rank} of ${count(own.length)} ${familyOf(grid, row).label} scores`),
    link(own[at + 1], "next higher: ", " →", "next"));
}

// Trials of the other families that have the same values on every axis that both vary. Where some agree on all axes,
// only these are shown.
function elsewhere(grid, row) {
  const own = familyOf(grid, row).name;
  const parts = grid.families.filter(({ name }) => name !== own).map((family) => {
    const other = grid.families.indexOf(family);
    const shared = grid.axes.filter(({ name, only }) => name !== "outcome" && only.has(own) && only.has(family.name));
    const agreeing = (r) => shared.every((axis) => axisText(axis, r) === axisText(axis, row));
    const same = [...grid.family.keys()].filter((r) => grid.family[r] === other && agreeing(r));
    const exact = same.filter((r) => grid.axes.every((axis) => axis === grid.outcomes || agrees(grid, axis, row, r)));
    return [family, exact.length ? exact : same.slice(0, 12)];
  });
  if (!parts.length) return null;
  const cards = ([family, rows]) => (rows.length
    ? rows.map((r) => card(grid, r, differing(grid, r, row))) : [make("p", {}, `${family.label}: none`)]);
  return make("div", {}, make("h5", {}, "The same settings in other families"),
    make("div", { class: "gallery" }, parts.flatMap(cards)));
}

// Whether two trials have one value on an axis, be it varied in their family or kept fixed.
function agrees(grid, axis, a, b) {
  return axisText(axis, a) === axisText(axis, b) || [a, b].some((row) => axisText(axis, row) === NONE);
}

function differing(grid, row, from) {
  const axes = grid.axes.filter((axis) => axis !== grid.outcomes && !agrees(grid, axis, row, from));
  return axes.map((axis) => `${axis.name} ${axisText(axis, row)}`).join(", ");
}

function card(grid, row, words) {
  const family = familyOf(grid, row);
  return make("figure", { class: "card", style: `--hue: ${colour(family)}` },
    sheetImage(grid, row) ?? make("p", { class: "absent" }, absentWords(grid, row)),
    make("figcaption", {},
      make("b", {}, family.label), " ", trialLink(grid, row, outcomeWords(grid, row)), " ", markTags(grid, row),
      words ? make("span", {}, words) : null));
}
