"use strict";
// The page. Everything shown comes from the JSON in #data and is put on the page as text, never as markup.
(() => {
  const { generated_at, content } = JSON.parse(document.getElementById("data").textContent);
  const DAY_MS = 86400000, WEEK = 7, MONTH = 30;
  const MOST_BARS = 120; // more snapshots than this are added up by the week
  const FIRST_ROWS = 25, LINES = 10, TOP = 4, BANDS = 8, MOST_PICKED = 20;
  const SPOTIFY = "https://open.spotify.com/";

  // --- Reading the data: rows are arrays, as content.py describes them ---

  const { playlists, artist_days: artistDays } = content;
  const albums = content.albums.map(([id, name, year, image]) => ({ id, name, year, image }));
  const artists = content.artists.map(([id, name]) => ({ id, name: name || "Unnamed artist" }));
  const songs = content.songs.map(([id, name, kind, by, album, seconds, explicit, popularity]) => ({
    id, kind, seconds, explicit, popularity,
    name: name || "Untitled",
    artists: by.map((number) => artists[number]),
    album: album === null ? null : albums[album],
  }));
  const expand = (runs) => runs.flatMap((run) => (Array.isArray(run) ? Array(run[1]).fill(run[0]) : [run]));
  const readEntry = ([song, position, weekAgo, days, best, first, added, start, places]) => ({
    song: songs[song], position, weekAgo, days, best, first, added, start, places: expand(places),
  });
  const readArtist = ([artist, start, counts]) => {
    const values = Array(start).fill(0).concat(expand(counts));
    return { artist: artists[artist], at: (number) => values[number] || 0 };
  };

  const start = content.first ? Date.parse(content.first) : 0;
  const lastDay = content.last ? (Date.parse(content.last) - start) / DAY_MS : 0;
  const format = (options) => {
    const formatter = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
    return (day) => formatter.format(start + day * DAY_MS);
  };
  const longDate = format({ day: "numeric", month: "long", year: "numeric" });
  const shortDate = format({ day: "numeric", month: "short", year: "numeric" });
  const dayMonth = format({ day: "numeric", month: "short" });
  const monthYear = format({ month: "short", year: "numeric" });
  const dateOf = (day) => new Date(start + day * DAY_MS);
  const isoDate = (day) => dateOf(day).toISOString().slice(0, 10);
  const integers = new Intl.NumberFormat("en-GB");
  const num = (value) => integers.format(value);
  const count = (value, one, many = `${one}s`) => `${num(value)} ${value === 1 ? one : many}`;
  const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(part && part / whole < 0.1 ? 1 : 0)}%` : "–");
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const hours = (seconds) => (seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const by = (song) => song.artists.map((artist) => artist.name).join(", ");
  const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text);
  const newest = (playlist) => playlist.days[playlist.days.length - 1];
  const hasEnded = (playlist) => newest(playlist) < lastDay;
  const since = (playlist, values, days) =>
    sum(values.filter((_, number) => playlist.days[number] > newest(playlist) - days));
  const size = (playlist) => playlist.counts[playlist.counts.length - 1];

  /** Years as [year, songs] to the year that halves them. */
  const medianYear = (years) => {
    let half = sum(years.map(([, n]) => n)) / 2;
    for (const [year, n] of years) if ((half -= n) <= 0) return year;
    return null;
  };

  // --- Building the page ---

  /** Make an element. A text child becomes text; null and false are left out. */
  const el = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "style") for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  };
  /** Foreign text, kept apart from its surroundings whatever its direction of writing. */
  const own = (text) => el("bdi", {}, text);
  const link = (kind, id, text) => (id ? el("a", { href: `${SPOTIFY}${kind}/${id}`, rel: "noreferrer" }, own(text)) : own(text));
  const cover = (image, what) =>
    image && el("a", { href: image, rel: "noreferrer", "aria-label": `Cover of ${what}` }, "cover");
  const svg = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  let ids = 0;
  const card = (title, explanation, tools, ...children) => {
    const id = `t${++ids}`;
    return el("section", { class: "card", "aria-labelledby": id },
      el("header", {}, el("h2", { id }, title), tools), explanation && el("p", { class: "muted" }, explanation), ...children);
  };
  const tiles = (pairs, wide = false) =>
    el("dl", { class: wide ? "tiles wide" : "tiles" },
      pairs.filter(Boolean).map(([name, ...value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  const status = document.getElementById("status");
  const say = (text) => { status.textContent = text; };

  const songCell = (song, extra) => [
    el("b", {}, link("track", song.id, song.name)),
    song.explicit ? [" ", el("abbr", { class: "tag", title: "Explicit" }, "E")] : null,
    song.kind !== "song" ? [" ", el("span", { class: "tag" }, { episode: "podcast", local: "local file", unavailable: "not available" }[song.kind] || song.kind)] : null,
    song.artists.length > 0 && el("span", { class: "by" }, song.artists.flatMap((artist, number) => [number ? ", " : null, link("artist", artist.id, artist.name)])),
    extra,
  ];
  const moveCell = (entry) => {
    if (entry.weekAgo === null) return el("span", { class: "muted" }, "–");
    if (entry.weekAgo === 0) return el("span", { class: "tag" }, "new");
    const climbed = entry.weekAgo - entry.position;
    if (climbed === 0) return el("span", { class: "muted", role: "img", "aria-label": "unchanged" }, "=");
    return climbed > 0
      ? el("span", { class: "up", role: "img", "aria-label": `up ${climbed}` }, `▲ ${climbed}`)
      : el("span", { class: "down", role: "img", "aria-label": `down ${-climbed}` }, `▼ ${-climbed}`);
  };
  const climbed = (entry) => (entry.weekAgo ? entry.weekAgo - entry.position : null);

  // --- Tables ---

  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  /**
   * A table that sorts by any column.
   * columns: {label, value(row), cell(row), number, head, kind, unsorted}; sort: [column, descending].
   */
  const sortable = (caption, columns, rows, { sort = null, limit = FIRST_ROWS, search = null, low = false } = {}) => {
    let [by, descending] = sort || [null, false];
    let shown = rows, all = rows.length <= limit, sought = "";
    const made = new Map();
    const body = el("tbody");
    const more = el("button", { type: "button", class: "more", onclick: () => { all = true; fill(); } });
    const heads = columns.map((column, number) =>
      el("th", { scope: "col", class: column.number ? "n" : null },
        column.unsorted ? el("span", { class: "unseen" }, column.label)
          : el("button", { type: "button", title: column.title, onclick: () => order(number) }, column.label)));
    const makeRow = (row) => {
      if (!made.has(row)) {
        made.set(row, el("tr", {}, columns.map((column) =>
          el(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: [column.number && "n", column.head && "name", column.kind].filter(Boolean).join(" ") || null },
            column.cell ? column.cell(row) : column.value(row) ?? "–"))));
      }
      return made.get(row);
    };
    const fill = () => {
      body.replaceChildren(...(all ? shown : shown.slice(0, limit)).map(makeRow));
      more.hidden = all || shown.length <= limit;
      more.textContent = `Show all ${num(shown.length)}`;
    };
    const arrange = () => {
      shown = sought ? rows.filter((row) => search(row).toLowerCase().includes(sought)) : [...rows];
      if (by === null) return fill();
      const value = columns[by].value, sign = descending ? -1 : 1;
      shown.sort((one, other) => {
        const a = value(one), b = value(other);
        if (a === null || b === null || a === undefined || b === undefined) return (a ?? null) === (b ?? null) ? 0 : (a ?? null) === null ? 1 : -1;
        return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
      });
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[by].setAttribute("aria-sort", descending ? "descending" : "ascending");
      fill();
    };
    const order = (number) => {
      descending = number === by ? !descending : Boolean(columns[number].number && !columns[number].ascending);
      by = number;
      arrange();
      say(`${caption}: sorted by ${columns[by].label}, ${descending ? "descending" : "ascending"}`);
    };
    const filter = search && rows.length > limit && el("input", {
      class: "filter", type: "search", placeholder: "Filter …", "aria-label": `Filter: ${caption}`,
      oninput: (event) => {
        sought = event.target.value.trim().toLowerCase();
        arrange();
        say(`${count(shown.length, "row")} of ${num(rows.length)}`);
      },
    });
    arrange();
    const table = el("div", { class: low ? "scroll low" : "scroll", role: "region", tabindex: "0", "aria-label": caption },
      el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, heads)), body));
    return { filter, table: el("div", {}, table, more), refresh: () => { made.clear(); fill(); } };
  };

  /** What a chart shows, as a table that is made when somebody asks for it. */
  const numbers = (caption, makeColumnsAndRows) => {
    const details = el("details", {}, el("summary", {}, "Numbers of this chart"));
    let built = false;
    const build = () => {
      if (!details.open || built) return;
      built = true;
      const [columns, rows] = makeColumnsAndRows();
      details.append(sortable(caption, columns, rows, { limit: Infinity, low: true }).table);
    };
    details.addEventListener("toggle", build);
    return { details, forget: () => { built = false; details.querySelectorAll(":scope > div").forEach((old) => old.remove()); build(); } };
  };

  // --- Charts ---

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const narrow = matchMedia("(max-width: 600px)");
  let charts = [];
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const color = (number) => token(`c${number % 10}`);
  const faint = (hex, alpha) => `${hex}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.plugins.legend.display = false;
  const applyTheme = () => {
    Chart.defaults.color = token("muted");
    Chart.defaults.borderColor = token("line");
    Object.assign(Chart.defaults.plugins.tooltip, {
      backgroundColor: token("surface"), titleColor: token("muted"), bodyColor: token("ink"), borderColor: token("line"),
      borderWidth: 1, padding: 10, cornerRadius: 8, boxPadding: 5, usePointStyle: true, titleFont: { weight: "500" },
    });
  };

  /** Draw now and after a change of theme. `options` makes the configuration anew each time. */
  const plot = (description, options, tall = false) => {
    const canvas = el("canvas", { role: "img", "aria-label": description });
    const figure = el("div", { class: tall ? "plot tall" : "plot" }, canvas);
    const drawing = { chart: null, draw: () => { drawing.chart?.destroy(); drawing.chart = new Chart(canvas, options()); }, canvas };
    charts.push(drawing);
    return Object.assign(figure, { drawing });
  };

  /** Put ticks where a calendar has them, as many as there is room for. */
  const calendar = (first, last, width) => {
    const span = last - first, ticks = [], most = Math.min(12, Math.max(3, Math.floor(width / 85)));
    if (span <= 75) {
      const step = Math.max(1, Math.ceil(span / most));
      for (let day = last; day >= first; day -= step) ticks.unshift(day);
    } else {
      const months = Math.max(1, Math.ceil(span / 30.4 / most));
      const every = [1, 2, 3, 4, 6, 12].find((choice) => choice >= months) || 12;
      const date = dateOf(first);
      for (let month = 0; ; month++) {
        const at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1 + month, 1);
        const day = Math.round((at - start) / DAY_MS);
        if (day > last) break;
        if (new Date(at).getUTCMonth() % every === 0) ticks.push(day);
      }
    }
    return ticks;
  };
  const timeAxis = (first, last) => {
    const label = last - first <= 75 ? dayMonth : monthYear;
    const edge = first === last ? 1 : 0;
    return {
      type: "linear", min: first - edge, max: last + edge, grid: { display: false },
      afterBuildTicks: (axis) => { axis.ticks = calendar(first, last, axis.chart.width).map((value) => ({ value })); },
      ticks: { callback: (value) => label(value), maxRotation: 0, autoSkip: false },
    };
  };

  const fit = (ctx, text, width) => {
    let length = text.length;
    while (length > 4 && ctx.measureText(cut(text, length)).width > width) length--;
    return cut(text, length);
  };
  /** Names at the ends of lines, moved apart where they would overlap. */
  const endLabels = {
    id: "endLabels",
    afterDatasetsDraw(chart) {
      if (narrow.matches) return;
      const { ctx, chartArea } = chart, height = 15;
      const labels = chart.data.datasets.flatMap((dataset, number) => {
        const point = chart.getDatasetMeta(number).data.at(-1);
        const value = dataset.data.at(-1);
        return dataset.atEnd && value && value.y !== null ? [{ y: point.y, wanted: point.y, dataset, number }] : [];
      }).sort((a, b) => a.y - b.y);
      labels.forEach((label, number) => { if (number) label.y = Math.max(label.y, labels[number - 1].y + height); });
      let floor = chartArea.bottom + 6;
      for (const label of labels.toReversed()) { label.y = Math.min(label.y, floor); floor = label.y - height; }
      ctx.save();
      ctx.textBaseline = "middle";
      for (const { y, wanted, dataset, number } of labels) {
        const dimmed = chart.focused !== undefined && chart.focused !== number;
        ctx.globalAlpha = dimmed ? 0.25 : 1;
        ctx.strokeStyle = ctx.fillStyle = dataset.ownColor;
        ctx.lineWidth = 1;
        ctx.beginPath();
        ctx.moveTo(chartArea.right + 6, wanted);
        ctx.lineTo(chartArea.right + 14, y);
        ctx.stroke();
        ctx.font = `${chart.focused === number ? 650 : 500} 12px ${Chart.defaults.font.family}`;
        ctx.fillText(fit(ctx, `${dataset.data.at(-1).y}  ${dataset.label}`, chart.width - chartArea.right - 20), chartArea.right + 18, y);
      }
      ctx.restore();
    },
  };
  const emphasize = (chart, number) => {
    if (chart.focused === number) return;
    chart.focused = number;
    chart.data.datasets.forEach((dataset, other) => {
      dataset.borderColor = number === undefined || other === number ? dataset.ownColor : faint(dataset.ownColor, 0.16);
      dataset.borderWidth = other === number ? 3.5 : 2.2;
    });
    chart.update("none");
  };

  /** Lines of positions; number one is at the top. */
  const bumpOptions = (lines, first, last) => () => {
    const lowest = Math.max(2, ...lines.flatMap((line) => line.points.map((point) => point.y || 0)));
    const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000].find((choice) => lowest / choice <= 9) || 5000;
    const places = [1, ...Array.from({ length: Math.floor(lowest / step) }, (_, n) => (n + 1) * step).filter((n) => n > 1)];
    return {
      type: "line",
      data: {
        datasets: lines.map(({ entry, points, number }) => ({
          label: entry.song.name, data: points, ownColor: color(number), borderColor: color(number), entry,
          backgroundColor: color(number), borderWidth: 2.2, cubicInterpolationMode: "monotone", borderJoinStyle: "round",
          borderDash: number >= 10 ? [6, 3] : [], spanGaps: false, atEnd: entry.position !== null, clip: 8,
          pointRadius: (context) => {
            const at = context.dataIndex, here = points[at]?.y;
            if (!here) return 0;
            const before = points[at - 1]?.y, after = points[at + 1]?.y;
            return at === points.length - 1 || (!before && !after) ? 3.5 : !before || !after ? 2.5 : 0;
          },
          pointHoverRadius: 5, pointBorderWidth: 0,
        })),
      },
      options: {
        layout: { padding: { right: narrow.matches ? 8 : 190, top: 8, left: 2 } },
        interaction: { mode: "nearest", intersect: false, axis: "xy" },
        onHover: (_event, found, chart) => emphasize(chart, found[0]?.datasetIndex),
        scales: {
          x: timeAxis(first, last),
          y: {
            reverse: true, min: 1, max: lowest, border: { display: false },
            afterBuildTicks: (axis) => { axis.ticks = places.map((value) => ({ value })); },
            ticks: { autoSkip: false },
          },
        },
        plugins: {
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => longDate(item.parsed.x),
              label: (item) => [`${item.parsed.y}.  ${cut(item.dataset.label, 48)}`, cut(by(item.dataset.entry.song), 52)],
            },
          },
        },
      },
      plugins: [endLabels, { id: "leave", afterEvent: (chart, { event }) => { if (event.type === "mouseout") emphasize(chart, undefined); } }],
    };
  };

  const legend = (items) =>
    el("ul", { class: "legend", role: "list" }, items.map(([name, fill]) =>
      el("li", {}, el("span", { class: "swatch", style: { background: fill } }), own(name))));

  // --- Parts of both views ---

  /** Add up what came and went by day, or by week where days are many. */
  const flows = (lists) => {
    const days = new Map();
    for (const { days: on, entered, left } of lists) {
      on.forEach((day, number) => {
        const flow = days.get(day) || { day, entered: 0, left: 0 };
        flow.entered += entered[number];
        flow.left += left[number];
        days.set(day, flow);
      });
    }
    const daily = [...days.values()].sort((a, b) => a.day - b.day);
    if (daily.length <= MOST_BARS) return { flows: daily, weekly: false };
    const weeks = new Map();
    for (const { day, entered, left } of daily) {
      const monday = day - ((dateOf(day).getUTCDay() + 6) % 7);
      const week = weeks.get(monday) || { day: monday, entered: 0, left: 0 };
      week.entered += entered;
      week.left += left;
      weeks.set(monday, week);
    }
    return { flows: [...weeks.values()], weekly: true };
  };

  const flowCard = (lists) => {
    const { flows: bars, weekly } = flows(lists);
    const title = "Entering and leaving";
    if (bars.length < 2) return card(title, "There is one snapshot so far. What enters and leaves shows from the second on.");
    const entered = sum(bars.map((bar) => bar.entered)), left = sum(bars.map((bar) => bar.left));
    if (!entered && !left) return card(title, `Nothing entered or left since ${longDate(bars[0].day)}.`);
    const busiest = bars.reduce((a, b) => (b.entered + b.left > a.entered + a.left ? b : a));
    const when = (day) => (weekly ? `week of ${longDate(day)}` : longDate(day));
    const description = `${count(entered, "entry", "entries")} came and ${num(left)} went since ${longDate(bars[0].day)}; most in the ${weekly ? "" : "snapshot of "}${when(busiest.day)}, with ${num(busiest.entered)} in and ${num(busiest.left)} out.`;
    const first = bars[0].day, last = bars.at(-1).day, unit = weekly ? WEEK : 1;
    const label = last - first <= 75 ? dayMonth : monthYear;
    const labelled = (width) => new Map(calendar(first, last, width).map((tick) => [bars.findIndex((bar) => bar.day + unit > tick), label(tick)]));
    const figure = plot(`Bar chart. ${description}`, () => ({
      type: "bar",
      data: {
        labels: bars.map((bar) => bar.day),
        datasets: [
          { label: "entered", data: bars.map((bar) => bar.entered), backgroundColor: token("in") },
          { label: "left", data: bars.map((bar) => -bar.left), backgroundColor: token("out") },
        ].map((dataset) => ({ ...dataset, stack: "flow", borderRadius: 2, barPercentage: 0.92, categoryPercentage: 0.9, maxBarThickness: 26 })),
      },
      options: {
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { stacked: true, grid: { display: false }, ticks: { autoSkip: false, maxRotation: 0, callback(_, at) { return labelled(this.chart.width).get(at) ?? null; } } },
          y: { stacked: true, border: { display: false }, ticks: { precision: 0, maxTicksLimit: 7, callback: (value) => num(Math.abs(value)) } },
        },
        plugins: { tooltip: { callbacks: { title: ([item]) => when(bars[item.dataIndex].day), label: (item) => ` ${num(Math.abs(item.raw))} ${item.dataset.label}` } } },
      },
    }));
    const table = numbers(`Entries that entered and left by ${weekly ? "week" : "snapshot"}`, () => [[
      { label: weekly ? "Week of" : "Day", value: (bar) => bar.day, cell: (bar) => shortDate(bar.day), head: true },
      { label: "Entered", number: true, value: (bar) => bar.entered },
      { label: "Left", number: true, value: (bar) => bar.left },
    ], bars]);
    return card(title, description, null,
      legend([["entered", "var(--in)"], ["left", "var(--out)"]]), figure, table.details);
  };

  /** Entries of some playlists together on each of the artist days. */
  const entriesOn = (lists) => artistDays.map((day) => sum(lists.map((playlist) => {
    const at = playlist.days.indexOf(day);
    return at < 0 ? 0 : playlist.counts[at];
  })));

  const artistCards = (counted, lists) => {
    const totals = entriesOn(lists);
    const onDays = artistDays.map((_, number) => number).filter((number) => totals[number] > 0);
    if (!counted.length || !onDays.length) return [];
    const now = onDays.at(-1);
    const then = onDays.findLast((number) => artistDays[number] <= artistDays[now] - MONTH);
    const rows = counted.map((row) => ({ ...row, now: row.at(now), then: then === undefined ? null : row.at(then) }));
    const ranked = [...rows].filter((row) => row.now).sort((a, b) => b.now - a.now);
    const most = ranked[0]?.now || 1;
    const table = sortable("Artists", [
      { label: "Artist", value: (row) => row.artist.name, cell: (row) => link("artist", row.artist.id, row.artist.name), head: true },
      { label: "Songs", number: false, value: (row) => row.now, title: "Songs in the list; a song by two artists counts for both",
        cell: (row) => el("div", { class: "meter" }, el("span", {}, num(row.now)), el("i", { style: { "--part": row.now / most }, "aria-hidden": "true" })) },
      { label: "Share", number: true, value: (row) => row.now / totals[now], cell: (row) => percent(row.now, totals[now]) },
      then !== undefined && { label: `Since ${dayMonth(artistDays[then])}`, number: true, value: (row) => row.now - row.then,
        cell: (row) => (row.now === row.then ? el("span", { class: "muted" }, "=")
          : el("span", { class: row.now > row.then ? "up" : "down" }, `${row.now > row.then ? "+" : "−"}${Math.abs(row.now - row.then)}`)) },
    ].filter(Boolean), ranked, { sort: [1, true], limit: 12, search: (row) => row.artist.name });
    const today = card("Artists now", `Songs of each artist on ${longDate(artistDays[now])}, and their share of the entries.`, table.filter, table.table);
    if (onDays.length < 2) return [today];

    const totalOf = (row) => sum(onDays.map((number) => row.at(number) / totals[number]));
    const bands = [...rows].sort((a, b) => totalOf(b) - totalOf(a)).slice(0, BANDS);
    const share = (row, number) => (100 * row.at(number)) / totals[number];
    const leader = bands[0];
    const description = `${leader.artist.name} has the largest share over the whole time: ${share(leader, onDays[0]).toFixed(1)}% of the entries on ${shortDate(artistDays[onDays[0]])}, ${share(leader, now).toFixed(1)}% on ${shortDate(artistDays[now])}.`;
    const figure = plot(`Stacked area chart of the ${bands.length} artists with the largest share. ${description}`, () => ({
      type: "line",
      data: {
        datasets: bands.map((row, band) => ({
          label: row.artist.name, data: onDays.map((number) => ({ x: artistDays[number], y: share(row, number) })),
          fill: band ? "-1" : "origin", backgroundColor: faint(color(band), 0.78), borderColor: token("surface"), borderWidth: 1,
          pointRadius: 0, pointHoverRadius: 0, pointStyle: "rectRounded", cubicInterpolationMode: "monotone",
        })),
      },
      options: {
        interaction: { mode: "index", intersect: false, axis: "x" },
        scales: {
          x: timeAxis(artistDays[onDays[0]], artistDays[now]),
          y: { stacked: true, min: 0, border: { display: false }, ticks: { maxTicksLimit: 6, callback: (value) => `${value}%` } },
        },
        plugins: { tooltip: {
          reverse: true, itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
          callbacks: {
            title: ([item]) => longDate(item.parsed.x), label: (item) => ` ${cut(item.dataset.label, 32)}  ${item.raw.y.toFixed(1)}%`,
            labelColor: (item) => ({ backgroundColor: color(item.datasetIndex), borderColor: color(item.datasetIndex) }),
          },
        } },
      },
    }));
    const table2 = numbers("Share of the artists by day, in percent", () => [[
      { label: "Day", value: (number) => artistDays[number], cell: (number) => shortDate(artistDays[number]), head: true },
      ...bands.map((row) => ({ label: row.artist.name, number: true, value: (number) => share(row, number), cell: (number) => share(row, number).toFixed(1) })),
    ], onDays]);
    const over = card("Artists over time", description, null,
      legend(bands.map((row, band) => [row.artist.name, `var(--c${band})`])), figure, table2.details);
    return [over, today];
  };

  const yearsCard = (years) => {
    if (!years.length) return null;
    const known = new Map(years), first = years[0][0], last = years.at(-1)[0];
    const total = sum(years.map(([, n]) => n));
    const byDecade = last - first > 70;
    const width = byDecade ? 10 : 1;
    const bins = [];
    for (let year = byDecade ? Math.floor(first / 10) * 10 : first; year <= last; year += width) {
      bins.push([year, sum(Array.from({ length: width }, (_, n) => known.get(year + n) || 0))]);
    }
    const name = (year) => (byDecade ? `${year}s` : String(year));
    const best = bins.reduce((a, b) => (b[1] > a[1] ? b : a));
    const fresh = sum(years.filter(([year]) => year >= dateOf(lastDay).getUTCFullYear() - 1).map(([, n]) => n));
    const description = `Half of the songs are from ${medianYear(years)} or before; most are from ${byDecade ? "the " : ""}${name(best[0])}.${fresh ? ` ${percent(fresh, total)} came out this year or last.` : ""}`;
    const figure = plot(`Bar chart. ${description}`, () => ({
      type: "bar",
      data: { labels: bins.map(([year]) => name(year)), datasets: [{ label: "songs", data: bins.map(([, n]) => n), backgroundColor: token("c3"), borderRadius: 2, categoryPercentage: 0.92, barPercentage: 0.95, maxBarThickness: 40 }] },
      options: {
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 14 } },
          y: { border: { display: false }, beginAtZero: true, ticks: { precision: 0, maxTicksLimit: 6 } },
        },
        plugins: { tooltip: { displayColors: false, callbacks: { label: (item) => count(item.raw, "song") } } },
      },
    }));
    const table = numbers("Songs by release year", () => [[
      { label: byDecade ? "Decade" : "Year", value: (bin) => bin[0], cell: (bin) => name(bin[0]), head: true },
      { label: "Songs", number: true, value: (bin) => bin[1] },
    ], bins]);
    return card("Release years", description, null, figure, table.details);
  };

  const popularityCard = (steps, mean = null) => {
    if (!steps) return null;
    const name = (step) => `${step * 10}–${step === 9 ? 100 : step * 10 + 9}`;
    const total = sum(steps), best = steps.indexOf(Math.max(...steps));
    const description = `Spotify's popularity, 0 to 100, of ${count(total, "song")}: most have ${name(best)}${mean === null ? "" : `, and the mean is ${mean}`}.`;
    const figure = plot(`Bar chart. ${description}`, () => ({
      type: "bar",
      data: { labels: steps.map((_, step) => name(step)), datasets: [{ label: "songs", data: steps, backgroundColor: token("c1"), borderRadius: 2, categoryPercentage: 0.94, barPercentage: 0.95 }] },
      options: {
        interaction: { mode: "index", intersect: false },
        scales: { x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 8 } }, y: { border: { display: false }, ticks: { precision: 0, maxTicksLimit: 6 } } },
        plugins: { tooltip: { displayColors: false, callbacks: { title: ([item]) => `Popularity ${item.label}`, label: (item) => count(item.raw, "song") } } },
      },
    }));
    const table = numbers("Songs by popularity", () => [[
      { label: "Popularity", value: (row) => row[0], cell: (row) => name(row[0]), head: true },
      { label: "Songs", number: true, value: (row) => row[1] },
    ], steps.map((n, step) => [step, n])]);
    return card("Popularity", description, null, figure, table.details);
  };
  const pair = (...cards) => {
    const some = cards.filter(Boolean);
    return some.length > 1 ? el("div", { class: "pair" }, some) : some[0];
  };

  // --- Overview ---

  const spark = (playlist) => {
    const values = playlist.counts;
    if (values.length < 2) return null;
    const low = Math.min(...values), high = Math.max(...values), span = newest(playlist) - playlist.days[0];
    const points = values.map((value, number) => [
      (84 * (playlist.days[number] - playlist.days[0])) / span,
      high === low ? 11 : 20 - (18 * (value - low)) / (high - low),
    ]);
    return svg("svg", { class: "spark", viewBox: "0 0 84 22", "aria-hidden": "true", preserveAspectRatio: "none" },
      svg("path", { d: `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}` }));
  };

  const addYears = (lists) => {
    const total = new Map();
    for (const { years } of lists) for (const [year, n] of years) total.set(year, (total.get(year) || 0) + n);
    return [...total].sort((a, b) => a[0] - b[0]);
  };
  const addPopularity = (lists) => {
    const some = lists.filter((playlist) => playlist.popularity);
    return some.length ? Array.from({ length: 10 }, (_, step) => sum(some.map((playlist) => playlist.popularity[step]))) : null;
  };

  const overview = () => {
    const entries = sum(playlists.map(size)), seconds = sum(playlists.map((playlist) => playlist.seconds));
    const came = sum(playlists.map((playlist) => since(playlist, playlist.entered, WEEK)));
    const went = sum(playlists.map((playlist) => since(playlist, playlist.left, WEEK)));
    const known = sum(playlists.map((playlist) => playlist.songs));
    const age = Math.floor((Date.parse(generated_at) - Date.parse(content.last)) / DAY_MS);
    const table = sortable("Playlists", [
      { label: "Playlist", value: (p) => p.name, head: true,
        cell: (p) => [el("b", {}, el("a", { href: address(p) }, own(p.name))), p.owner && el("span", { class: "by" }, own(p.owner)),
          hasEnded(p) && el("span", { class: "by down" }, `not seen since ${shortDate(newest(p))}`)] },
      { label: "Entries", number: true, value: size, cell: (p) => num(size(p)) },
      { label: "Entries over time", unsorted: true, cell: spark },
      { label: "In", title: "Entered in the last seven days", number: true, value: (p) => since(p, p.entered, WEEK), cell: (p) => signed(since(p, p.entered, WEEK), "+", "up") },
      { label: "Out", title: "Left in the last seven days", number: true, value: (p) => since(p, p.left, WEEK), cell: (p) => signed(since(p, p.left, WEEK), "−", "down") },
      { label: "Length", number: true, value: (p) => p.seconds, cell: (p) => (p.seconds ? hours(p.seconds) : "–") },
      { label: "Median year", number: true, value: (p) => medianYear(p.years) },
      { label: "Explicit", number: true, value: (p) => (p.songs ? p.explicit / p.songs : null), cell: (p) => percent(p.explicit, p.songs) },
      { label: "Popularity", title: "Mean of Spotify's popularity", number: true, value: (p) => p.mean_popularity },
      { label: "Snapshots", number: true, value: (p) => p.days.length, cell: (p) => num(p.days.length) },
    ].filter((column) => column.label !== "Popularity" || playlists.some((p) => p.popularity)), playlists, { limit: 30, search: (p) => p.name });
    return [
      el("div", { class: "head" },
        el("h1", {}, "All playlists"),
        el("p", {}, `${count(playlists.length, "playlist")} with ${count(entries, "entry", "entries")} on ${longDate(lastDay)}. In the seven days before, ${num(came)} entered and ${num(went)} left.`),
        age > 2 && el("p", { class: "muted" }, `The newest snapshot was ${count(age, "day")} old when this page was made.`)),
      tiles([
        ["different songs", num(content.different_songs)],
        ["different artists", num(content.different_artists)],
        ["of music", hours(seconds)],
        ["explicit", percent(sum(playlists.map((playlist) => playlist.explicit)), known)],
        ["median release year", String(medianYear(addYears(playlists)) ?? "–")],
        [lastDay ? `days since ${shortDate(0)}` : `day: ${shortDate(0)}`, num(lastDay + 1)],
      ]),
      card("Playlists", null, table.filter, table.table),
      flowCard(playlists),
      pair(...artistCards(content.top_artists.map(readArtist), playlists)),
      pair(yearsCard(addYears(playlists)), popularityCard(addPopularity(playlists))),
      about(),
    ];
  };
  const signed = (value, sign, className) => (value ? el("span", { class: className }, `${sign}${num(value)}`) : el("span", { class: "muted" }, "0"));

  const about = () => card("About these numbers", null, null,
    el("p", {}, "They are read from the lake's tables through Athena. A day with several snapshots counts by its last. An entry is known by its song: a song that stands in a list twice counts once, at its better position, and entries that Spotify no longer names count only in the number of entries. Artists are counted by song. “In” and “out” compare a snapshot with the one before it, even when days lie between them."),
    el("p", {}, "Positions are shown for each of the last 92 days, and for one snapshot a week before that. ",
      playlists.some((playlist) => playlist.popularity) ? null : "Spotify gives no popularity to apps that were registered after February 2026, so there is none here."));

  // --- A playlist ---

  const events = (playlist) => {
    if (!playlist.events.length) return null;
    const days = new Map();
    for (const [day, step, song, position, stayed] of playlist.events) {
      days.set(day, [...(days.get(day) || []), { step, song: songs[song], position, stayed }]);
    }
    return card("News", "What entered and left in the last month, newest first.", null,
      el("div", { class: "events", tabindex: "0", role: "region", "aria-label": "What entered and left" }, [...days].map(([day, list]) =>
        el("div", {}, el("h3", {}, longDate(day)), el("ul", { role: "list" }, list.map(({ step, song, position, stayed }) =>
          el("li", {},
            el("span", { class: step > 0 ? "up" : "down", role: "img", "aria-label": step > 0 ? "entered" : "left" }, step > 0 ? "+" : "−"),
            el("span", {}, link("track", song.id, song.name), song.artists.length > 0 && el("span", { class: "muted" }, " ", own(by(song)))),
            el("span", { class: "muted" }, step > 0 ? `at ${position}` : `${count(stayed, "day")} in all`))))))));
  };

  const highlights = (current) => {
    const best = (list, value) => list.reduce((top, entry) => (top === null || value(entry) > value(top) ? entry : top), null);
    const climber = best(current.filter((entry) => climbed(entry) > 0), climbed);
    const fresh = best(current.filter((entry) => entry.weekAgo === 0), (entry) => -entry.position);
    const oldest = best(current, (entry) => entry.days * 10000 - entry.position);
    const tile = (title, entry, text) => entry && [title, own(entry.song.name), el("span", {}, own(by(entry.song))), el("span", {}, text(entry))];
    const list = [
      tile("Highest newcomer of the week", fresh, (entry) => `entered, now at ${entry.position}`),
      tile("Climbed most in a week", climber, (entry) => `from ${entry.weekAgo} to ${entry.position}`),
      tile("Longest in the list", oldest, (entry) => `${count(entry.days, "snapshot")}, now at ${entry.position}`),
    ].filter(Boolean);
    return list.length ? tiles(list, true) : null;
  };

  const positions = (playlist, current) => {
    const { samples } = playlist, last = samples.at(-1);
    const pool = [...current, ...playlist.former.map(readEntry)].filter((entry) => entry.places.length);
    const ranges = [["30 days", 30], ["90 days", 90], ["1 year", 365]].filter(([, days]) => last - samples[0] > days);
    ranges.push(["All", last - samples[0] + 1]);
    let from = last - (ranges.length > 1 ? ranges[Math.min(1, ranges.length - 2)] : ranges[0])[1] + 1;
    const place = (entry, number) => entry.places[number - entry.start] || 0;
    const inRange = () => samples.map((_, number) => number).filter((number) => samples[number] >= from);
    const leading = () => {
      const numbersInRange = inRange();
      const score = (entry) => sum(numbersInRange.map((number) => { const at = place(entry, number); return at ? Math.max(0, 11 - at) : 0; }));
      const onTop = current.filter((entry) => entry.position <= TOP && entry.places.length);
      const others = pool.map((entry) => [score(entry), entry]).filter(([points, entry]) => points && !onTop.includes(entry))
        .sort((a, b) => b[0] - a[0]).slice(0, LINES - onTop.length).map(([, entry]) => entry);
      return [...onTop, ...others].sort((a, b) => (a.position ?? 1e6) - (b.position ?? 1e6));
    };
    let picked = leading(), chosen = false;
    const numbering = new Map();
    const numberOf = (entry) => {
      if (!numbering.has(entry)) {
        const taken = new Set(picked.filter((one) => numbering.has(one)).map((one) => numbering.get(one)));
        numbering.set(entry, Array.from({ length: MOST_PICKED + 1 }, (_, n) => n).find((n) => !taken.has(n)));
      }
      return numbering.get(entry);
    };
    const lines = () => picked.map((entry) => ({
      entry, number: numberOf(entry),
      points: inRange().map((number) => ({ x: samples[number], y: place(entry, number) || null })),
    }));
    const describe = () => {
      if (samples.length < 2) return "There is one snapshot so far; lines begin with the second.";
      return `The first four on ${longDate(last)}, and the songs that were longest among the first ten${from > samples[0] ? ` since ${longDate(from)}` : ""}. Tick songs in the table below to add their lines.`;
    };
    const figure = plot("", () => bumpOptions(lines(), Math.max(from, samples[0]), last)(), true);
    const keys = el("ul", { class: "legend", role: "list" });
    const table = numbers("Positions by day", () => [[
      { label: "Day", value: (number) => samples[number], cell: (number) => shortDate(samples[number]), head: true },
      ...picked.map((entry) => ({ label: entry.song.name, number: true, ascending: true, value: (number) => place(entry, number) || null })),
    ], inRange()]);
    const segments = el("div", { class: "segments", role: "group", "aria-label": "Days shown" });
    const note = el("p", { class: "muted" });
    const listeners = [];
    const update = (redraw = true) => {
      if (!chosen) { picked = leading(); numbering.clear(); }
      picked.forEach(numberOf);
      note.textContent = describe();
      figure.drawing.canvas.setAttribute("aria-label", `Line chart of positions, the first at the top: ${picked.map((entry) => `${entry.song.name} (${entry.position ? `now ${entry.position}` : "no longer in the list"})`).join(", ")}.`);
      keys.replaceChildren(...picked.map((entry, number) => el("li", {}, el("button", {
        type: "button", title: "Take this line out", "aria-label": `Take ${entry.song.name} out of the chart`,
        onclick: () => { pick(entry, false); keys.querySelectorAll("button")[Math.min(number, picked.length - 1)]?.focus(); },
        onmouseenter: () => emphasize(figure.drawing.chart, number), onmouseleave: () => emphasize(figure.drawing.chart, undefined),
        onfocus: () => emphasize(figure.drawing.chart, number), onblur: () => emphasize(figure.drawing.chart, undefined),
      }, el("span", { class: "swatch", style: { background: `var(--c${numberOf(entry) % 10})` } }), own(cut(entry.song.name, 30))))));
      segments.replaceChildren(...ranges.map(([name, days]) => el("button", {
        type: "button", "aria-pressed": String(from === last - days + 1),
        onclick: (event) => { from = last - days + 1; update(); segments.children[ranges.findIndex((range) => range[0] === event.target.textContent)]?.focus(); },
      }, name)));
      segments.hidden = ranges.length < 2;
      table.forget();
      listeners.forEach((listener) => listener());
      if (redraw) figure.drawing.draw();
    };
    const pick = (entry, on) => {
      chosen = true;
      picked = picked.filter((one) => one !== entry);
      if (!on) numbering.delete(entry);
      if (on && picked.length < MOST_PICKED) picked.push(entry);
      say(`${entry.song.name} ${on ? "added to" : "taken out of"} the chart`);
      update();
    };
    update(false);
    const section = card("Positions over time", null, segments, note, keys, figure, table.details);
    return { section: samples.length > 1 ? section : card("Positions over time", describe()), pick, numberOf, isPicked: (entry) => picked.includes(entry), onchange: (listener) => listeners.push(listener), canPick: (entry) => samples.length > 1 && entry.places.length > 0 };
  };

  const entriesCard = (playlist, current, chart) => {
    const boxes = new Map();
    const box = (entry) => {
      if (!chart.canPick(entry)) return null;
      const input = el("input", { type: "checkbox", "aria-label": `Show ${entry.song.name} in the chart`, onchange: (event) => chart.pick(entry, event.target.checked) });
      boxes.set(entry, input);
      mark(entry, input);
      return input;
    };
    const mark = (entry, input) => {
      input.checked = chart.isPicked(entry);
      if (input.checked) input.style.setProperty("--mine", `var(--c${chart.numberOf(entry) % 10})`);
      else input.style.removeProperty("--mine");
    };
    chart.onchange(() => boxes.forEach((input, entry) => mark(entry, input)));
    const popular = current.some((entry) => entry.song.popularity !== null);
    const table = sortable(`Entries of ${playlist.name}`, [
      playlist.samples.length > 1 && { label: "In the chart", unsorted: true, cell: box },
      { label: "#", title: "Position", number: true, ascending: true, value: (entry) => entry.position },
      { label: "7 days", title: "Moved in seven days", number: true, value: (entry) => (entry.weekAgo === 0 ? 100000 - entry.position : climbed(entry)), cell: moveCell },
      { label: "Song", head: true, value: (entry) => entry.song.name, cell: (entry) => songCell(entry.song) },
      { label: "Album", kind: "album", value: (entry) => entry.song.album?.name ?? null,
        cell: ({ song: { album } }) => (album ? [link("album", album.id, album.name || "Untitled"), album.image && [" · ", cover(album.image, album.name || "the album")]] : "–") },
      { label: "Year", number: true, value: (entry) => entry.song.album?.year ?? null },
      { label: "Snapshots", title: "Snapshots with this entry", number: true, value: (entry) => entry.days },
      { label: "Best", title: "Best position", number: true, ascending: true, value: (entry) => entry.best },
      { label: "Added", value: (entry) => entry.added ?? entry.first, cell: (entry) => el("span", { class: "n" }, shortDate(entry.added ?? entry.first)) },
      { label: "Length", number: true, value: (entry) => entry.song.seconds, cell: (entry) => (entry.song.seconds === null ? "–" : clock(entry.song.seconds)) },
      popular && { label: "Pop.", title: "Spotify's popularity, 0 to 100", number: true, value: (entry) => entry.song.popularity },
    ].filter(Boolean), current, { search: (entry) => `${entry.song.name} ${by(entry.song)} ${entry.song.album?.name ?? ""}` });
    return card(hasEnded(playlist) ? "In the list when last seen" : "In the list now",
      playlist.unlisted ? `The first ${num(current.length)}; ${num(playlist.unlisted)} more are in the table playlist_entries.` : null,
      table.filter, table.table);
  };

  const inAndOut = (playlist) => {
    const [came, went] = [since(playlist, playlist.entered, WEEK), since(playlist, playlist.left, WEEK)];
    return came || went ? [signed(came, "+", "up"), " ", signed(went, "−", "down")] : ["none"];
  };

  const playlistView = (playlist) => {
    const current = playlist.entries.map(readEntry).sort((a, b) => a.position - b.position);
    const last = newest(playlist);
    const head = el("div", { class: "head" },
      el("h1", {}, own(playlist.name)),
      playlist.description && el("p", {}, own(playlist.description)),
      el("p", { class: "links" },
        playlist.owner && el("span", {}, "by ", own(playlist.owner)),
        playlist.id && el("a", { href: `${SPOTIFY}playlist/${playlist.id}`, rel: "noreferrer" }, "Open in Spotify"),
        playlist.image && el("a", { href: playlist.image, rel: "noreferrer" }, "Cover image"),
        playlist.followers !== null && el("span", {}, count(playlist.followers, "follower"))));
    const parts = [head];
    if (hasEnded(playlist)) {
      parts.push(el("p", { class: "note" }, `There is no snapshot of this playlist after ${longDate(last)}. What follows is how it was then.`));
    }
    parts.push(tiles([
      [`entries on ${shortDate(last)}`, num(size(playlist))],
      playlist.seconds > 0 && ["of music", hours(playlist.seconds)],
      playlist.days.length > 1 && ["in and out, seven days", ...inAndOut(playlist)],
      playlist.songs > 0 && ["explicit", percent(playlist.explicit, playlist.songs)],
      playlist.years.length > 0 && ["median release year", String(medianYear(playlist.years))],
      [`snapshot${playlist.days.length === 1 ? " on" : "s since"} ${shortDate(playlist.days[0])}`, num(playlist.days.length)],
    ]));
    if (current.length) {
      const chart = positions(playlist, current);
      parts.push(highlights(current), chart.section, entriesCard(playlist, current, chart));
    } else {
      parts.push(card("Positions over time", size(playlist) ? "None of the entries has a name that could be followed." : "This playlist is empty. Its songs show here from the next snapshot on."));
    }
    parts.push(pair(flowCard([playlist]), events(playlist)));
    parts.push(pair(...artistCards(playlist.artists.map(readArtist), [playlist])));
    parts.push(pair(yearsCard(playlist.years), popularityCard(playlist.popularity, playlist.mean_popularity)));
    return parts;
  };

  // --- The charts of the warehouse ---

  /** What the page shows of the charts, with days counted as the playlists' are. */
  const chartDay = (day) => day - start / DAY_MS;
  const readCharts = () => {
    const found = content.charts;
    if (!found) return null;
    const known = found.songs.map(([id, name, artist]) => ({ id, name: name || "Untitled", artist: artist || "" }));
    return {
      ...found, first: chartDay(found.first), last: chartDay(found.last), unit: found.period === "weekly" ? "week" : "day",
      regions: found.regions.map((region) => ({
        ...region, first: chartDay(region.first), last: chartDay(region.last),
        artists: region.artists.map(([name, streams, days, titles, peak]) => ({ name, streams, days, titles, peak })),
        songs: region.songs.map(([song, peak, reached, atPeak, days, streams, now]) => ({ song: known[song], peak, reached: chartDay(reached), atPeak, days, streams, now })),
      })),
      spread: found.spread.map(([song, first, region, peak, reached]) => ({ song: known[song], first: chartDay(first), region, peak, reached })),
      ahead: found.ahead.map(([region, song, viral, entered, peak]) => ({ region, song: known[song], viral: chartDay(viral), entered: chartDay(entered), peak })),
      viral: found.viral.map(([region, entered, before]) => ({ region, entered, before })),
    };
  };

  const chartsView = () => {
    const found = readCharts(), { regions, unit } = found, name = `${found.period === "weekly" ? "Weekly" : "Daily"} ${found.title}`;
    const Units = unit === "week" ? "Weeks" : "Days";
    const age = Math.floor((Date.parse(generated_at) - dateOf(found.last)) / DAY_MS);
    const titleCell = ({ song }) => [el("b", {}, link("track", song.id, song.name)), song.artist && el("span", { class: "by" }, own(song.artist))];
    const sought = ({ song }) => `${song.name} ${song.artist}`;
    const meter = (text, part, width = 0) =>
      el("div", { class: "meter" }, el("span", { style: { "min-width": `${width}ch` } }, text), el("i", { style: { "--part": part }, "aria-hidden": "true" }));

    const artistsCard = (region) => {
      const listed = region.artists, measured = listed.some((artist) => artist.streams !== null);
      if (!listed.length) return null;
      const most = listed[0], top = (measured ? most.streams : most.days) || 1;
      const table = sortable(`Artists of ${region.name}`, [
        { label: "Artist", head: true, value: (row) => row.name, cell: (row) => own(row.name) },
        measured && { label: "Streams", title: "Streams of the songs while they were in the chart; a song by two artists counts for both", value: (row) => row.streams, cell: (row) => meter(num(row.streams ?? 0), (row.streams ?? 0) / top, num(top).length) },
        measured && region.streams && { label: "Share", title: "Share of all streams of the chart", number: true, value: (row) => row.streams, cell: (row) => percent(row.streams ?? 0, region.streams) },
        { label: Units, title: `${Units} with a song in the chart`, number: true, value: (row) => row.days, cell: (row) => num(row.days) },
        { label: "Songs", number: true, value: (row) => row.titles },
        { label: "Peak", title: "Best rank of any of the songs", number: true, ascending: true, value: (row) => row.peak },
      ].filter(Boolean), listed, { sort: measured ? [1, true] : [1, true] });
      const description = measured
        ? `${most.name} leads with ${num(most.streams)} streams${region.streams ? `, ${percent(most.streams, region.streams)} of those of the chart` : ""}. Streams outside the chart are not known.`
        : `${most.name} was in it for ${count(most.days, unit)}. This chart has no streams.`;
      return card(measured ? "Top artists by streams" : "Top artists", description, null, table.table);
    };

    const songsCard = (region) => {
      if (!region.songs.length) return null;
      const longest = region.songs.reduce((a, b) => (b.days > a.days ? b : a)), highest = region.songs[0];
      const description = `${highest.song.name} was at number ${num(highest.peak)} for ${count(highest.atPeak, unit)}. ${longest === highest ? "It" : longest.song.name} was in the chart longest, for ${num(longest.days)} of ${count(region.charts, unit)}. These are the songs that were highest, and those that stayed longest.`;
      const table = sortable(`Songs of ${region.name}`, [
        { label: "Song", head: true, value: (row) => row.song.name, cell: titleCell },
        { label: "Peak", title: "Best rank", number: true, ascending: true, value: (row) => row.peak },
        { label: "First reached", title: "First day at that rank", value: (row) => row.reached, cell: (row) => el("span", { class: "n" }, shortDate(row.reached)) },
        { label: `${Units} there`, title: `${Units} at the best rank`, number: true, value: (row) => row.atPeak },
        { label: `${Units} in chart`, number: true, value: (row) => row.days },
        region.streams !== null && { label: "Streams", number: true, value: (row) => row.streams, cell: (row) => (row.streams === null ? "–" : num(row.streams)) },
        { label: "At the end", title: `Rank on ${longDate(region.last)}`, number: true, ascending: true, value: (row) => row.now, cell: (row) => (row.now === null ? el("span", { class: "muted" }, "out") : num(row.now)) },
      ].filter(Boolean), region.songs, { search: sought });
      return card(`Peak positions and ${unit}s in the chart`, description, table.filter, table.table);
    };

    const spreadCard = () => {
      const others = regions.filter((region) => region.name !== "Global");
      if (others.length < 2) return null;
      const title = "Around the world";
      if (!found.spread.length) return card(title, `No song came new into the chart of a region on these ${unit}s.`);
      const drawn = found.spread.slice(0, BANDS).filter((row) => row.reached.length > 1);
      const furthest = found.spread[0], all = furthest.reached.at(-1);
      const description = `Songs that no region had in its first chart of these ${unit}s. ${furthest.song.name} began in ${furthest.region} on ${longDate(furthest.first)} and came to ${count(furthest.reached.length, "region")}${all ? ` in ${count(all, "day")}` : " at once"}.`;
      const half = (row) => row.reached[Math.ceil(row.reached.length / 2) - 1];
      const table = sortable("Songs by regions", [
        { label: "Song", head: true, value: (row) => row.song.name, cell: titleCell },
        { label: "Regions", value: (row) => row.reached.length, title: "Regions whose chart it came into; Global is not counted", cell: (row) => meter(num(row.reached.length), row.reached.length / others.length, 2) },
        { label: "First in", value: (row) => row.region, cell: (row) => own(row.region) },
        { label: "First day", value: (row) => row.first, cell: (row) => el("span", { class: "n" }, shortDate(row.first)) },
        { label: "Half after", title: "Days until half of these regions had it", number: true, value: half, cell: (row) => count(half(row), "day") },
        { label: "All after", title: "Days until all of them had had it", number: true, value: (row) => row.reached.at(-1), cell: (row) => count(row.reached.at(-1), "day") },
        { label: "Peak", title: "Best rank in any region", number: true, ascending: true, value: (row) => row.peak },
      ], found.spread, { limit: 12, search: sought });
      if (!drawn.length) return card(title, description, table.filter, table.table);
      const points = (row) => row.reached.map((day, number) => ({ x: day, y: number + 1 })).filter((point, number, list) => list[number + 1]?.x !== point.x);
      const end = Math.max(1, ...drawn.map((row) => row.reached.at(-1)));
      const figure = plot(`Line chart of the regions that had each song, day by day after its first. ${description}`, () => ({
        type: "line",
        data: {
          datasets: drawn.map((row, number) => ({
            label: row.song.name, data: points(row), borderColor: color(number), backgroundColor: color(number), borderWidth: 2.2,
            stepped: "before", pointRadius: 2, pointHoverRadius: 5, pointBorderWidth: 0,
          })),
        },
        options: {
          interaction: { mode: "nearest", intersect: false, axis: "xy" },
          scales: {
            x: { type: "linear", min: 0, max: end, grid: { display: false }, title: { display: true, text: "days since its first" }, ticks: { precision: 0, maxTicksLimit: 10 } },
            y: { min: 0, suggestedMax: 5, border: { display: false }, title: { display: true, text: "regions" }, ticks: { precision: 0, maxTicksLimit: 7 } },
          },
          plugins: { tooltip: { displayColors: false, callbacks: { title: ([item]) => `${count(item.parsed.x, "day")} after its first`, label: (item) => `${cut(item.dataset.label, 48)}: ${count(item.parsed.y, "region")}` } } },
        },
      }));
      const keys = legend(drawn.map((row, number) => [cut(row.song.name, 30), `var(--c${number})`]));
      const days = [...new Set(drawn.flatMap((row) => row.reached))].sort((a, b) => a - b);
      const steps = numbers("Regions by days since the song's first", () => [[
        { label: "Days", head: true, value: (day) => day },
        ...drawn.map((row) => ({ label: row.song.name, number: true, value: (day) => row.reached.filter((at) => at <= day).length })),
      ], days]);
      return card(title, description, table.filter, keys, figure, steps.details, table.table);
    };

    const viralCards = () => {
      if (!found.viral.length && !found.ahead.length) return [];
      const entered = sum(found.viral.map((row) => row.entered)), before = sum(found.viral.map((row) => row.before));
      const title = `Viral before the ${found.title}`;
      const ahead = (row) => row.entered - row.viral;
      const songs = found.ahead.length > 0 && sortable("Songs that were viral before", [
        { label: "Song", head: true, value: (row) => row.song.name, cell: titleCell },
        { label: "Region", value: (row) => row.region, cell: (row) => own(row.region) },
        { label: "Ahead", title: `From the first day in the viral chart to that in the ${found.title}`, number: true, value: ahead, cell: (row) => count(ahead(row), "day") },
        { label: found.title, title: `First day in the ${found.title}`, value: (row) => row.entered, cell: (row) => el("span", { class: "n" }, shortDate(row.entered)) },
        { label: "Peak", title: `Best rank in the ${found.title}`, number: true, ascending: true, value: (row) => row.peak },
      ], found.ahead, { limit: 12, search: (row) => `${sought(row)} ${row.region}` });
      const left = card(title, songs
        ? `Songs that were in the viral chart of a region before its ${found.title} on these ${unit}s, the highest first.`
        : `No song was in the viral chart of a region before its ${found.title} on these ${unit}s.`, songs && songs.filter, songs && songs.table);
      if (!entered) return [left];
      const rows = [...found.viral].sort((a, b) => b.before / b.entered - a.before / a.entered || b.entered - a.entered);
      const most = Math.max(...rows.map((row) => row.before / row.entered)) || 1;
      const table = sortable("Viral before, by region", [
        { label: "Region", head: true, value: (row) => row.region, cell: (row) => own(row.region) },
        { label: "Share", value: (row) => row.before / row.entered, cell: (row) => meter(percent(row.before, row.entered), row.before / row.entered / most, 4) },
        { label: "New songs", title: `Songs that were viral before, of those that came into the ${found.title} after its first chart`, number: true, value: (row) => row.entered, cell: (row) => `${num(row.before)} of ${num(row.entered)}` },
      ], rows, { sort: [1, true], limit: 12, search: (row) => row.region });
      return [left, card("By region", `Of ${count(entered, "song")} that came new into the ${found.title} of a region, ${num(before)} had been in its viral chart before: ${percent(before, entered)}.`, table.filter, table.table)];
    };

    const regional = el("div", { class: "stack" });
    const fill = (region) => {
      const span = region.first === region.last ? `on ${longDate(region.last)}` : `from ${longDate(region.first)} to ${longDate(region.last)}`;
      regional.replaceChildren(...[
        el("p", { class: "muted" }, `${name} of `, own(region.name), ` ${span}: ${count(region.charts, unit)}.`),
        artistsCard(region), songsCard(region)].filter(Boolean));
    };
    const chooser = el("select", {
      class: "filter", id: "region",
      onchange: (event) => { fill(regions[event.target.value]); say(`Showing ${regions[event.target.value].name}`); },
    }, regions.map((region, number) => el("option", { value: number }, region.name)));
    fill(regions[0]);
    const countries = regions.filter((region) => region.name !== "Global").length;
    const where = [regions[0].name === "Global" && "Global", countries && count(countries, "region")].filter(Boolean).join(" and ");
    return [
      el("div", { class: "head" },
        el("h1", {}, "Charts"),
        el("p", {}, `${name} of ${where}, ${found.first === found.last ? `of ${longDate(found.last)}` : `${longDate(found.first)} to ${longDate(found.last)}`}: the last charts that were loaded into the lake.`),
        el("p", { class: "muted" }, "They count all listeners, not your playlists. Global is a chart of its own, to which the regions are not added. ",
          age > 31 && `The newest chart was ${count(age, "day")} old when this page was made.`)),
      regions.length > 1 && el("p", { class: "choice" }, el("label", { for: "region" }, "Region"), chooser),
      regional, spreadCard(), pair(...viralCards()),
    ];
  };

  const emptyView = () => [el("section", { class: "card center" },
    el("h1", {}, "No snapshots yet"),
    el("p", {}, "The lake is deployed and Athena answers, but no playlist has been collected so far."),
    el("p", {}, "Sign in with ", el("code", {}, "make login"), ", wait for the daily run or invoke the extract function, then make this page again with ", el("code", {}, "make report"), "."))];

  // --- Finding one's way ---

  playlists.sort((a, b) => collator.compare(a.name, b.name));
  const main = document.getElementById("main"), nav = document.getElementById("nav"), picker = document.getElementById("picker");
  const address = (playlist) => `#playlist=${playlists.indexOf(playlist)}`;
  const views = [
    ["#overview", "All playlists", null, () => (playlists.length ? overview() : emptyView())],
    ...(content.charts ? [["#charts", "Charts", null, chartsView]] : []),
    ...playlists.map((playlist) => [address(playlist), playlist.name, playlist, () => playlistView(playlist)]),
  ];

  const show = (moveFocus) => {
    const [hash, name, playlist, view] = views.find(([known]) => known === location.hash) || views[0];
    charts.forEach((drawing) => drawing.chart?.destroy());
    charts = [];
    main.replaceChildren(...view().filter(Boolean));
    charts = charts.filter((drawing) => main.contains(drawing.canvas));
    charts.forEach((drawing) => drawing.draw());
    nav.querySelectorAll("a").forEach((a) => (a.getAttribute("href") === hash ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current")));
    picker.value = hash;
    document.title = [hash === "#overview" ? null : name, "Spotify Lake", content.last && longDate(lastDay)].filter(Boolean).join(" · ");
    if (moveFocus) { scrollTo(0, 0); main.focus({ preventScroll: true }); }
  };

  const themeButton = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const themed = () => {
    themeButton.textContent = isDark() ? "Light" : "Dark";
    themeButton.setAttribute("aria-label", isDark() ? "Change to light colors" : "Change to dark colors");
    applyTheme();
    charts.forEach((drawing) => drawing.draw());
  };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* a browser that keeps nothing still changes colors */ } };
  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  if (["light", "dark"].includes(remembered())) document.documentElement.dataset.theme = remembered();
  themeButton.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    remember(document.documentElement.dataset.theme);
    themed();
  });
  system.addEventListener("change", themed);
  narrow.addEventListener("change", () => charts.forEach((drawing) => drawing.draw()));

  if (views.length > 1) {
    nav.append(el("ul", { role: "list" }, views.map(([hash, name, playlist]) =>
      el("li", {}, el("a", { href: hash }, own(name), playlist && el("span", { "aria-label": count(size(playlist), "entry", "entries") }, num(size(playlist))))))));
    picker.append(...views.map(([hash, name]) => el("option", { value: hash }, name)));
    picker.addEventListener("change", () => { location.hash = picker.value; });
    picker.closest(".picker").hidden = false;
  } else {
    picker.closest(".picker").hidden = true;
  }
  document.getElementById("footer").append(
    `Made on ${new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }).format(new Date(generated_at))} UTC by Spotify Lake, from data of Spotify, with which it has no connection. This page asks nothing of any server. Charts: Chart.js.`);
  addEventListener("hashchange", () => show(true));
  applyTheme();
  show(false);
  themed();
  document.documentElement.dataset.ready = "";
})();
