// Tables that can be sorted, filtered and expanded.

const FIRST_ROWS = 25;

/** Compare two values of a column. Missing values come last in both directions. */
const compareValues = (a, b, sign) => {
  const missing = [a, b].map((value) => value === null || value === undefined);
  if (missing[0] || missing[1]) return missing[0] - missing[1];
  return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
};

/**
 * A table that sorts by any column.
 *
 * columns: {label, title, value(row), cell(row), number, ascending, head, kind, unsorted}; falsy columns are skipped.
 * sort: [column, descending]; without it, rows keep their order.
 * limit: number of rows shown at first. search(row): the text to filter by. low: limit the height and scroll inside.
 */
const sortable = (caption, someColumns, rows, { sort = null, limit = FIRST_ROWS, search = null, low = false } = {}) => {
  const columns = someColumns.filter(Boolean);
  let [sorted, descending] = sort || [null, false];
  let shown = rows;
  let all = rows.length <= limit;
  let sought = "";
  const made = new Map();
  const body = el("tbody");
  const more = el("button", {
    type: "button",
    class: "more",
    onclick: () => {
      all = true;
      fill();
    },
  });
  const heads = columns.map((column, number) =>
    el(
      "th",
      { scope: "col", class: column.number ? "n" : null },
      column.unsorted
        ? el("span", { class: "unseen" }, column.label)
        : el("button", { type: "button", title: column.title, onclick: () => order(number) }, column.label),
    ),
  );
  const makeCell = (column, row) =>
    el(
      column.head ? "th" : "td",
      {
        scope: column.head ? "row" : null,
        class: [column.number && "n", column.head && "name", column.kind].filter(Boolean).join(" ") || null,
      },
      column.cell ? column.cell(row) : (column.value(row) ?? "–"),
    );
  const makeRow = (row) => {
    if (!made.has(row))
      made.set(
        row,
        el(
          "tr",
          {},
          columns.map((column) => makeCell(column, row)),
        ),
      );
    return made.get(row);
  };
  const fill = () => {
    body.replaceChildren(...(all ? shown : shown.slice(0, limit)).map(makeRow));
    more.hidden = all || shown.length <= limit;
    more.textContent = `Show all ${num(shown.length)}`;
  };
  const arrange = () => {
    shown = sought ? rows.filter((row) => search(row).toLowerCase().includes(sought)) : [...rows];
    if (sorted !== null) {
      const { value } = columns[sorted];
      shown.sort((one, other) => compareValues(value(one), value(other), descending ? -1 : 1));
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[sorted].setAttribute("aria-sort", descending ? "descending" : "ascending");
    }
    fill();
  };
  const order = (number) => {
    descending = number === sorted ? !descending : Boolean(columns[number].number && !columns[number].ascending);
    sorted = number;
    arrange();
    say(`${caption}: sorted by ${columns[sorted].label}, ${descending ? "descending" : "ascending"}`);
  };
  const filter =
    search &&
    rows.length > limit &&
    el("input", {
      class: "filter",
      type: "search",
      placeholder: "Filter…",
      "aria-label": `Filter: ${caption}`,
      oninput: (event) => {
        sought = event.target.value.trim().toLowerCase();
        arrange();
        say(`${count(shown.length, "row")} of ${num(rows.length)}`);
      },
    });
  arrange();
  const table = el(
    "div",
    { class: low ? "scroll low" : "scroll", role: "region", tabindex: "0", "aria-label": caption },
    el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, heads)), body),
  );
  return { filter, table: el("div", {}, table, more) };
};

/** The data behind a plot as a table, built when it is first opened. `make` returns its columns and rows. */
const plotData = (caption, make) => {
  const details = el("details", {}, el("summary", {}, "Show data"));
  let built = false;
  const build = () => {
    if (!details.open || built) return;
    built = true;
    const [columns, rows] = make();
    details.append(sortable(caption, columns, rows, { limit: Infinity, low: true }).table);
  };
  const rebuild = () => {
    built = false;
    details.querySelectorAll(":scope > div").forEach((old) => old.remove());
    build();
  };
  details.addEventListener("toggle", build);
  return { details, rebuild };
};
