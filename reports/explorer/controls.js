// The controls: built once for a grid, then only set to what is chosen, so that nobody loses the focus.

function buildControls(grid) {
  rebuild(find(".choices"), [
    given.grids.length > 1 && select("grid", "Trials", given.grids.map(({ name }, i) => [String(i), name]),
      (value) => chooseGrid(value)),
    make("fieldset", { class: "chips" }, make("legend", {}, "Families"), grid.families.map(familyChip)),
    select("score", "Score", grid.scores.map(({ name, label }) => [name, label]),
      (score) => choose({ score, range: null, bar: null, page: null })),
    classifierChoice(grid),
    stepSlider(grid),
    select("bins", "Bins", [["", "automatic"], ...BINS.map((n) => [String(n), String(n)])],
      (bins) => choose({ bins, bar: null, page: null })),
    select("unit", "Height", [["percent", "percent"], ["count", "count"]],
      (unit) => choose({ unit, bar: null, page: null })),
    presetChoice(grid),
    panelChoice(grid),
    isPublished(grid) && make("label", { class: "chip" }, make("input", { type: "checkbox", "data-control": "paper",
      change: (event) => choose({ paper: event.target.checked ? null : "off", bar: null, page: null }) }),
      make("span", {}, "the paper’s bars")),
    grid.rows.marks.some(Boolean) && make("label", { class: "chip", title: marksWords(grid) },
      make("input", { type: "checkbox", "data-control": "unmarked",
        change: (event) => choose({ unmarked: event.target.checked ? "on" : null, bar: null, page: null }) }),
      make("span", {}, "unmarked trials only")),
  ]);
  rebuild(find(".axes"),
    make("p", { class: "aside" },
      "No box ticked = no filter. Families that don’t vary this setting are not filtered."),
    grid.axes.map(axisFilter),
    make("fieldset", { class: "span" }, make("legend", {}, "the chosen score"), rangeInputs("range", "score")),
    make("button", { type: "button", click: () => choose(filterChanges(grid, {})) }, "Clear all filters"));
}

function chooseGrid(grid) {
  chosen = new Map([["grid", encode(grid)]]);
  choose({});
}

function select(key, label, options, change) {
  return make("label", { class: "select" }, make("span", {}, label),
    make("select", { "data-control": key, change: (event) => change(event.target.value) },
      options.map(([value, words]) => make("option", { value }, words))));
}

function familyChip(family) {
  const input = make("input", { type: "checkbox", "data-family": family.name, change: chooseFamilies });
  return make("label", { class: "chip", style: `--hue: ${colour(family)}` },
    input, make("i", { "aria-hidden": "true" }), make("span", {}, family.label));
}

function chooseFamilies() {
  const boxes = [...home.querySelectorAll("[data-family]")];
  const on = boxes.filter((box) => box.checked).map((box) => box.dataset.family);
  choose({ families: on.length === boxes.length ? null : on.length ? on : ["none"], bar: null, page: null });
}

// Whether a paper has bars to compare these trials with; the presets are the choices of its figures.
const isPublished = (grid) => Object.keys(grid.published).length > 0;

const marksWords = (grid) =>
  `A mark says that a trial may not be what its score suggests: ${grid.marks.map(({ label }) => label).join(", ")}.`;

// Only where trials were scored by several classifiers, and the page holds their scores.
function classifierChoice(grid) {
  if (grid.scored_by.length < 2 || !grid.views.length) return null;
  return select("classifier", "Classifier", grid.scored_by.map(({ name }) => [name, name]), (name) =>
    choose({ classifier: name === grid.scored_by[0].name ? null : name, range: null, bar: null, page: null }));
}

// Only where trials were scored in training, and the page holds these scores.
function stepSlider(grid) {
  if (grid.steps.length < 2 || !grid.views.length) return null;
  const input = (event) => {
    const step = grid.steps[Number(event.target.value)];
    choose({ step: step === lastStep(grid) ? null : String(step), range: null, bar: null, page: null });
  };
  return make("label", { class: "select slider" }, make("span", {}, "Training length"),
    make("input", { type: "range", min: 0, max: grid.steps.length - 1, step: 1, "data-control": "step", input }),
    make("output", {}));
}

function presetChoice(grid) {
  if (!isPublished(grid)) return null;
  const figure2 = grid.presets.filter(({ figure }) => figure === 2);
  return make("fieldset", { class: "chips" }, make("legend", {}, "Figure 2"), figure2.map(({ key, label, filters }) => {
    const click = () => choose(filterChanges(grid, filters));
    return make("button", { type: "button", class: "chip", "data-preset": key, click }, label);
  }));
}

function panelChoice(grid) {
  const figure3 = grid.presets.filter(({ figure }) => figure === 3);
  if (!figure3.length) return null;
  const options = [["", "choose a panel"], ...figure3.map(({ key, label }) => [key, label])];
  return select("panel", "Figure 3", options, (key) =>
    choose(filterChanges(grid, grid.presets.find((preset) => preset.key === key)?.filters ?? {})));
}

function axisFilter(axis) {
  const content = axis.numbers ? rangeInputs(filterKey(axis), axis.name) : axis.values.map((value) =>
    make("label", { class: "chip" }, make("input", { type: "checkbox", "data-axis": axis.name, value,
      change: () => chooseValues(axis) }), make("span", {}, value)));
  const legend = make("legend", {}, axis.name, axis.printed && ` (${axis.printed})`);
  return make("fieldset", { class: axis.numbers ? "span" : "chips" }, legend, content);
}

function chooseValues(axis) {
  const boxes = [...home.querySelectorAll("[data-axis]")].filter((box) => box.dataset.axis === axis.name);
  const on = boxes.filter((box) => box.checked).map((box) => box.value);
  choose({ [filterKey(axis)]: on.length && on.length < boxes.length ? on : null, bar: null, page: null });
}

function rangeInputs(key, label) {
  return ["from", "to"].map((end) => make("label", {}, make("span", {}, end),
    make("input", { type: "number", step: "any", "data-range": key, "data-end": end, "aria-label": `${label} ${end}`,
      change: () => chooseRange(key) })));
}

function chooseRange(key) {
  const inputs = [...home.querySelectorAll("[data-range]")].filter((input) => input.dataset.range === key);
  const [from, to] = inputs.map((input) => input.value);
  choose({ [key]: from || to ? `${from},${to}` : null, bar: null, page: null });
}

// Sets every control to what is chosen.
function setControls(grid, preset, paperWords, nBins) {
  const classifier = grid.scored_by[chosenClassifier(grid)]?.name;
  const values = {
    grid: get("grid"), score: chosenScore(grid).name, classifier, bins: chosenBins() ?? "", unit: get("unit"),
  };
  for (const [key, value] of Object.entries(values)) {
    const control = find(`[data-control=${key}]`);
    if (control) control.value = value;
  }
  find("[data-control=bins] option").textContent = chosenBins() ? "automatic" : `automatic, ${nBins}`;
  setSlider(grid);
  for (const box of home.querySelectorAll("[data-family]")) box.checked = isShown(box.dataset.family);
  for (const button of home.querySelectorAll("[data-preset]")) {
    button.setAttribute("aria-pressed", String(button.dataset.preset === preset?.key));
  }
  for (const box of home.querySelectorAll("[data-axis]")) {
    box.checked = list(`f.${box.dataset.axis}`).includes(box.value);
  }
  for (const input of home.querySelectorAll("[data-range]")) {
    input.value = get(input.dataset.range).split(",")[input.dataset.end === "from" ? 0 : 1] ?? "";
  }
  const panel = find("[data-control=panel]");
  if (panel) panel.value = preset?.figure === 3 ? preset.key : "";
  const paper = find("[data-control=paper]");
  if (paper) {
    paper.checked = get("paper") === "on";
    paper.disabled = Boolean(paperWords);
    paper.parentNode.title = paperWords;
  }
  const unmarked = find("[data-control=unmarked]");
  if (unmarked) unmarked.checked = isUnmarkedOnly();
  const active = activeFilters(grid).map(({ axis }) => axis.name).concat(bounds(get("range")) ? ["score"] : [])
    .concat(isUnmarkedOnly() ? ["unmarked only"] : []);
  find(".filters summary").textContent = active.length ? `Filters: ${active.join(", ")}` : "Filters: none";
}

function setSlider(grid) {
  const slider = find("[data-control=step]");
  if (!slider) return;
  slider.value = grid.steps.indexOf(chosenStep(grid));
  const words = `after ${updates(grid, chosenStep(grid))}`;
  slider.setAttribute("aria-valuetext", words);
  slider.parentNode.querySelector("output").textContent = words;
}

function isShown(family) {
  const on = list("families");
  return !on.length || on.includes(family);
}
