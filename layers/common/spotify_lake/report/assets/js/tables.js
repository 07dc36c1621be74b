// Tables that can be sorted, filtered and expanded.

const FIRST_ROWS = 25;

/** Compare two values of a column. Missing values come last in both directions. */
const compareValues = (a, b, sign) => {
  const missing = [a, b].map((value) => value === null || value === undefined);
  if (missing[0] || missing[1]) return missing[0] - missing[1];
  return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
};

/** Keep a number and the word after it on one line. */
const unbroken = (text) => text.replace(/(\d) (?=\p{L})/gu, "$1\u00a0");

/** Put a table, or a drawing, into a frame that scrolls sideways and shows where there is more of it. */
const scrollFrame = (caption, table, { low = false, hint = "Scroll sideways for more columns →" } = {}) => {
  const scroll = el(
    "div",
    { class: low ? "scroll low" : "scroll", role: "region", tabindex: "0", "aria-label": caption },
    table,
  );
  const frame = el(
    "div",
    { class: "frame" },
    el("p", { class: "hint", "aria-hidden": "true" }, hint),
    el("div", { class: "edges" }, scroll),
  );
  const mark = () => {
    const beyond = scroll.scrollWidth - scroll.clientWidth;
    frame.classList.toggle("wide", beyond > 1);
    frame.classList.toggle("more-left", scroll.scrollLeft > 1);
    frame.classList.toggle("more-right", scroll.scrollLeft < beyond - 1);
  };
  scroll.addEventListener("scroll", mark, { passive: true });
  const sizes = new ResizeObserver(mark);
  sizes.observe(scroll);
  sizes.observe(table);
  return frame;
};

/** The choices of a table in the address, as NAME.sort, NAME.find and NAME.all. A table without a name has none. */
const tableChoices = (name) => ({
  get: (what) => (name ? getChoice(`${name}.${what}`) : null),
  set: (what, value) => name && setChoice(`${name}.${what}`, value),
});

/**
 * A table that sorts by any column.
 *
 * columns: {label, title, value(row), cell(row), number, ascending, head, kind, unsorted}; falsy columns are skipped.
 * name: keeps sorting, filter and length in the address.
 * sort: [column, descending]; without it, rows keep their order.
 * limit: number of rows shown at first. search(row): the text to filter by. low: limit the height and scroll inside.
 */
const sortable = (
  caption,
  someColumns,
  rows,
  { name = null, sort = null, limit = FIRST_ROWS, search = null, low = false } = {},
) => {
  const columns = someColumns.filter(Boolean);
  const choices = tableChoices(name);
  const [, sign, label] = /^(-?)(.*)$/s.exec(choices.get("sort") ?? "");
  const chosen = label ? columns.findIndex((column) => column.label === label && !column.unsorted) : -1;
  let [sorted, descending] = chosen >= 0 ? [chosen, sign === "-"] : sort || [null, false];
  let shownRows = rows;
  let all = rows.length <= limit || choices.get("all") !== null;
  const canFilter = search && rows.length > limit;
  let sought = (canFilter && choices.get("find")) || "";
  const made = new Map();
  const body = el("tbody");
  const more = el("button", {
    type: "button",
    class: "more",
    onclick: () => {
      all = true;
      choices.set("all", "");
      fill();
    },
  });
  const nothing = el("p", {});
  const none = el(
    "div",
    { class: "none" },
    nothing,
    el(
      "button",
      {
        type: "button",
        onclick: () => {
          filter.value = "";
          seek("");
          filter.focus();
        },
      },
      "Clear the filter",
    ),
  );
  const heads = columns.map((column, number) =>
    el(
      "th",
      { scope: "col", class: column.number ? "n" : null },
      column.unsorted
        ? el("span", { class: "unseen" }, column.label)
        : el("button", { type: "button", title: column.title, onclick: () => order(number) }, unbroken(column.label)),
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
    body.replaceChildren(...(all ? shownRows : shownRows.slice(0, limit)).map(makeRow));
    more.hidden = all || shownRows.length <= limit;
    more.textContent = `Show all ${num(shownRows.length)}`;
    none.hidden = shownRows.length > 0 || !sought;
    nothing.textContent = none.hidden ? "" : `Nothing in this table matches “${sought}”.`;
    frame.hidden = !none.hidden;
  };
  const arrange = () => {
    const wanted = sought.toLowerCase();
    shownRows = wanted ? rows.filter((row) => search(row).toLowerCase().includes(wanted)) : [...rows];
    if (sorted !== null) {
      const { value } = columns[sorted];
      shownRows.sort((one, other) => compareValues(value(one), value(other), descending ? -1 : 1));
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[sorted].setAttribute("aria-sort", descending ? "descending" : "ascending");
    }
    fill();
  };
  const order = (number) => {
    descending = number === sorted ? !descending : Boolean(columns[number].number && !columns[number].ascending);
    sorted = number;
    arrange();
    choices.set("sort", `${descending ? "-" : ""}${columns[sorted].label}`);
    say(`${caption}: sorted by ${columns[sorted].label}, ${descending ? "descending" : "ascending"}`);
  };
  const seek = (text) => {
    sought = text.trim();
    arrange();
    choices.set("find", sought || null);
    say(shownRows.length ? `${count(shownRows.length, "row")} of ${num(rows.length)}` : nothing.textContent);
  };
  const filter =
    canFilter &&
    el("input", {
      class: "filter",
      type: "search",
      placeholder: "Filter…",
      "aria-label": `Filter: ${caption}`,
      value: sought,
      oninput: (event) => seek(event.target.value),
    });
  const frame = scrollFrame(
    caption,
    el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, heads)), body),
    { low },
  );
  arrange();
  return { filter, table: el("div", {}, frame, none, more) };
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
