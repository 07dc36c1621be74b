// Builds the elements of the page. Text from the data becomes text nodes, never markup.

const SPOTIFY = "https://open.spotify.com/";

/** Create an element. Strings become text nodes; null, undefined and false are skipped. */
const el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style")
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
};
const svg = (tag, attributes, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

/** Isolate text from outside: a right-to-left name must not reorder the text around it. */
const isolated = (text) => el("bdi", {}, text);
const link = (kind, id, text) =>
  id ? el("a", { href: `${SPOTIFY}${kind}/${id}`, rel: "noreferrer" }, isolated(text)) : isolated(text);
const muted = (text) => el("span", { class: "muted" }, text);

const status = document.getElementById("status");
/** Announce a change to screen readers. */
const say = (text) => {
  status.textContent = text;
};

let ids = 0;
const card = (title, explanation, tools, ...children) => {
  const id = `t${++ids}`;
  return el(
    "section",
    { class: "card", "aria-labelledby": id },
    el("header", {}, el("h2", { id }, title), tools),
    explanation && el("p", { class: "muted" }, explanation),
    ...children,
  );
};
/** Put two cards side by side. A single card keeps the full width. */
const pair = (...cards) => {
  const some = cards.filter(Boolean);
  return some.length > 1 ? el("div", { class: "pair" }, some) : some[0];
};
/** Show large values with a name below each: pairs are [name, ...value]. */
const tiles = (pairs, wide = false) =>
  el(
    "dl",
    { class: wide ? "tiles wide" : "tiles" },
    pairs.filter(Boolean).map(([name, ...value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
const swatch = (fill) => el("span", { class: "swatch", style: { background: fill } });
/** Name the colors of a plot: items are [text or element, color]. */
const legend = (items) =>
  el(
    "ul",
    { class: "legend", role: "list" },
    items.map(([name, fill]) => el("li", {}, swatch(fill), name)),
  );

// Table cells
const dateCell = (day) => el("span", { class: "n" }, shortDate(day));
const signedCell = (value, sign, className) =>
  value ? el("span", { class: className }, `${sign}${num(value)}`) : muted("0");
/** A number with a bar beside it. `width` reserves characters for the number, which aligns the bars of a column. */
const meter = (text, part, width = null) =>
  el(
    "div",
    { class: "meter" },
    el("span", { style: width === null ? null : { "min-width": `${width}ch` } }, text),
    el("i", { style: { "--part": part }, "aria-hidden": "true" }),
  );
