// The table of trials: those that pass the filters, or those of the chosen bar; sorted, some on each page.

const PAGE_ROWS = 25;

function columnsOf(grid) {
  const rows = grid.rows;
  const plain = (name, label, digits) => ({
    name, label, number: true, place: (row) => rows[name][row] ?? NaN, words: (row) => fixed(rows[name][row], digits),
  });
  const [first, ...others] = grid.measured.map(({ name, label, decimals }) => plain(name, signOf(label), decimals));
  return [
    { ...first, words: (row) => trialLink(grid, row, rows[first.name][row] == null ? grid.outcome(row)
      : first.words(row), { "data-key": `trial ${rows.trial_id[row]}` }) },
    { name: "samples", label: "samples", unsorted: true, words: (row) => thumbnail(grid, row) },
    { name: "family", label: "family", place: (row) => grid.family[row], words: (row) => familyOf(grid, row).label },
    rows.marks.some(Boolean) && { name: "marks", label: "marks", unsorted: true, words: (row) => markTags(grid, row) },
    ...others,
    ...grid.axes.map((axis) => ({
      name: axis.name, label: axis.name,
      number: Boolean(axis.numbers) || axis.values.every((value) => !Number.isNaN(Number(value))),
      place: (row) => axisPlace(axis, row), words: (row) => axisText(axis, row),
    })),
    plain("duration_s", "seconds", 1),
    { name: "trial", label: "trial", unsorted: true,
      words: (row) => trialLink(grid, row, rows.trial_id[row].slice(0, 8)) },
  ].filter(Boolean);
}

function thumbnail(grid, row) {
  if (grid.rows.sheet[row] === 2) return make("span", { class: "aside", title: LEFT_OUT }, "not in this copy");
  return sheetImage(grid, row, { class: "strip", alt: "" }) ?? "";
}

// Rows in the chosen order; those without a value come last either way, equals in the order of the grid.
function sorted(grid, rows) {
  const text = chosenSort(grid);
  const sign = text.startsWith("-") ? -1 : 1;
  const column = columnsOf(grid).find(({ name }) => name === text.replace(/^-/, ""));
  if (!column?.place) return rows;
  const places = new Map(rows.map((row) => [row, column.place(row)]));
  return [...rows].sort((a, b) => {
    const [p, q] = [places.get(a), places.get(b)];
    if (Number.isNaN(p) || Number.isNaN(q)) return Number.isNaN(p) - Number.isNaN(q) || a - b;
    return sign * (p - q) || a - b;
  });
}

function showTable(grid, rows, words) {
  const order = sorted(grid, rows);
  const pages = Math.max(1, Math.ceil(order.length / PAGE_ROWS));
  const page = Math.min(pages, Math.max(1, Math.trunc(Number(get("page"))) || 1));
  const part = order.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS);
  const columns = columnsOf(grid);
  rebuild(find(".listed"), words);
  const table = make("table", { class: "list" },
    make("thead", {}, make("tr", {}, rankHeading(grid), columns.map((column) => heading(grid, column)))),
    make("tbody", {}, part.map((row) => make("tr", {}, numberCell(rank(grid, row)),
      columns.map((column) => make("td", { class: column.number ? "number" : column.name }, column.words(row)))))));
  const region = make("div", { class: "wide trials", tabindex: "0", role: "region", "aria-label": "Trials" }, table);
  const hint = make("p", { class: "aside" }, "The table goes on to the right: scroll it sideways for all columns.");
  rebuild(find(".rows"), hint, region, pages > 1 && pager(page, pages));
  hint.hidden = region.scrollWidth <= region.clientWidth;
}

const rank = (grid, row) => (rankOf(grid, row) === undefined ? NONE : count(rankOf(grid, row)));

const rankHeading = (grid) => make("th", { class: "number", scope: "col",
  title: `place by ${grid.scores[0].sign} among all scored trials listed on this page` }, "rank");

function heading(grid, { name, label, number, unsorted }) {
  if (unsorted) return make("th", { scope: "col" }, label);
  const now = chosenSort(grid);
  const state = now === name ? "ascending" : now === `-${name}` ? "descending" : null;
  const arrow = { ascending: " ↑", descending: " ↓" }[state] ?? "";
  const next = state === "descending" || (!state && !number) ? name : `-${name}`;
  return make("th", { scope: "col", class: number ? "number" : null, "aria-sort": state },
    make("button", { type: "button", "data-key": `sort ${name}`,
      click: () => choose({ sort: next === bestFirst(grid) ? null : next, page: null }) }, label + arrow));
}

function pager(page, pages) {
  const to = (words, target) => make("button", { type: "button", "data-key": `page ${words}`,
    disabled: target < 1 || target > pages, click: () => choose({ page: String(target) }) }, words);
  return make("nav", { class: "pager", "aria-label": "Pages of the table" }, to("Previous", page - 1),
    make("span", {}, `page ${count(page)} of ${count(pages)}`), to("Next", page + 1));
}
