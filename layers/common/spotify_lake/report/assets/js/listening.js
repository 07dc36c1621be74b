// The view of plays: its period, and what is shown about times. listening_songs.js has songs, artists and playlists.

const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PERIOD_NAMES = ["4 weeks", "6 months", "Year", "All"];
const PERIOD_KEYS = ["4w", "6m", "1y", "all"];
const SHADES = 4; // in the style sheet
const HEAT_TOP = 22; // room for the labels of columns

/** A time listened, short. */
const spent = (seconds) => {
  if (seconds < 60) return seconds ? "< 1 min" : "0 min";
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 359820 ? `${(seconds / 3600).toFixed(1)} h` : `${num(Math.round(seconds / 3600))} h`;
};
/** The same, marked if a part of it is an estimate. */
const spentCell = (seconds, estimated) =>
  estimated
    ? el("abbr", { title: `${spent(estimated)} of it estimated` }, "≈\u00a0", spent(seconds))
    : spent(seconds);
const spentText = (seconds, estimated) => (estimated ? `about ${spent(seconds)}` : spent(seconds));

/** The periods that are shorter than the history, and the whole of it. */
const listeningPeriods = () => {
  const span = listening.last - listening.first + 1;
  return [...listening.periods.map((days) => days < span), true].flatMap((is, number) => (is ? [number] : []));
};
const firstDayOf = (period) =>
  period === AGES_OF_ALL ? listening.first : listening.last - listening.periods[period] + 1;

/** Columns of bars by month. Each dataset is {label, fill, values}. */
const monthBars = (description, first, datasets, format) =>
  plot(description, () => ({
    type: "bar",
    data: {
      labels: datasets[0].values.map((_, number) => monthName(first + number)),
      datasets: datasets.map(({ label, fill, values, stack }) => ({
        label,
        data: values,
        stack,
        backgroundColor: token(fill),
        barPercentage: 0.95,
        categoryPercentage: 0.9,
        maxBarThickness: 40,
      })),
    },
    options: {
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 14 } },
        y: { border: { display: false }, ticks: { precision: 0, maxTicksLimit: 6 } },
      },
      plugins: {
        tooltip: {
          filter: ({ raw }) => raw > 0,
          callbacks: { label: (item) => ` ${item.dataset.label}: ${format(item.raw)}` },
        },
      },
    },
  }));

// --- Totals ---

const listeningTiles = (period) => {
  const total = (name) => sum(listening.kinds.map((row) => within(row[name], period)));
  const from = Math.max(0, firstDayOf(period) - listening.first);
  const days = listening.plays.slice(from).filter((_, number) => listening.seconds[from + number] > 0);
  const [songs, artists] = listening.different[period];
  const starts = sum(listening.starts.slice(0, period + 1));
  const skips = sum(listening.skips.slice(0, period + 1));
  return tiles([
    [
      total("estimated") ? `listened, ${spent(total("estimated"))} of it estimated` : "listened",
      spent(total("seconds")),
    ],
    ["plays of 30 seconds or more", num(total("plays"))],
    ["different songs", num(songs)],
    ["different artists", num(artists)],
    [`of ${count(listening.seconds.length - from, "day")} with plays`, num(days.length)],
    starts > 0 && ["of songs skipped", percent(skips, starts)],
  ]);
};

const kindsCard = (period) => {
  const names = { song: "Songs", video: "Videos of songs", episode: "Podcasts", chapter: "Audiobooks", other: "Other" };
  const rows = listening.kinds.filter((row) => within(row.seconds, period) || within(row.plays, period));
  if (!rows.some(({ kind }) => kind === "episode" || kind === "chapter")) return null;
  const all = sum(rows.map((row) => within(row.seconds, period)));
  const table = sortable(
    "Kinds of plays",
    [
      { label: "Kind", head: true, value: (row) => names[row.kind] },
      ...timeColumns(period),
      {
        label: "Share",
        title: "Share of the time listened",
        value: (row) => within(row.seconds, period) / (all || 1),
        cell: (row) => meter(percent(within(row.seconds, period), all), within(row.seconds, period) / (all || 1), 4),
      },
    ],
    rows,
    { name: "kinds", sort: [1, true] },
  );
  return card("Podcasts and audiobooks", null, null, table.table);
};

// --- Times ---

const shadeOf = (value, top) => (value ? Math.min(SHADES, 1 + Math.floor((SHADES * value) / top)) : 0);
/** What most values do not exceed: a few very long days would leave all others pale. */
const highValue = (values) => {
  const some = values.filter(Boolean).sort((a, b) => a - b);
  return some.length ? some[Math.floor(0.95 * (some.length - 1))] || 1 : 1;
};
const shadeLegend = () =>
  el(
    "p",
    { class: "shades muted", "aria-hidden": "true" },
    "less",
    Array.from({ length: SHADES + 1 }, (_, shade) => el("i", { class: `shade${shade}` })),
    "more",
  );

/** Cells in rows and columns, each {row, column, shade, text, isGap}; pointing at one shows its text below. */
const heatMap = (description, cells, labels, { columns, rows, width, height, left, hint }) => {
  const told = el("p", { class: "told muted" }, "Point at a square, or tap it, for its numbers.");
  const tell = ({ target }) => {
    if (target.dataset.text) told.textContent = target.dataset.text;
  };
  const drawing = svg(
    "svg",
    {
      class: columns > 24 ? "heat long" : "heat",
      role: "img",
      "aria-label": description,
      viewBox: `0 0 ${left + columns * width} ${HEAT_TOP + rows * height}`,
    },
    ...labels.map(({ x, y, text, anchor }) =>
      svg("text", { x: left + x * width, y: HEAT_TOP + y * height, "text-anchor": anchor }, text),
    ),
    ...cells.map(({ row, column, shade, text, isGap }) =>
      svg("rect", {
        x: left + column * width,
        y: HEAT_TOP + row * height,
        width: width - 2,
        height: height - 2,
        rx: 2,
        class: `shade${shade}${isGap ? " gap" : ""}`,
        "data-text": text,
      }),
    ),
  );
  drawing.addEventListener("pointerover", tell);
  drawing.addEventListener("click", tell);
  return el("div", {}, scrollFrame(description, drawing, { hint }), told);
};

const weekdayOf = (day) => (dateOf(day).getUTCDay() + 6) % 7;
const dayText = (day) => {
  const number = day - listening.first;
  const gap = isInGap(day) ? " Plays may be missing." : "";
  return `${longDate(day)}: ${spentText(listening.seconds[number] || 0, listening.estimated[number])}, ${count(listening.plays[number] || 0, "play")}.${gap}`;
};
const isInGap = (day) => listening.gaps.some(({ first, last }) => first <= day && day <= last);

const calendar = (first, last) => {
  const begin = first - weekdayOf(first);
  const columns = Math.floor((last - begin) / WEEK) + 1;
  const days = Array.from({ length: last - first + 1 }, (_, number) => first + number);
  const top = highValue(listening.seconds);
  const cells = days
    .filter((day) => day >= listening.first && day < listening.first + listening.seconds.length)
    .map((day) => ({
      row: weekdayOf(day),
      column: Math.floor((day - begin) / WEEK),
      shade: shadeOf(listening.seconds[day - listening.first], top),
      text: dayText(day),
      isGap: isInGap(day),
    }));
  const months = days
    .filter((day) => dateOf(day).getUTCDate() === 1)
    .map((day) => ({ x: Math.floor((day - begin) / WEEK), y: -0.4, text: dayMonth(day).split(" ")[1] }));
  const names = [0, 2, 4, 6].map((row) => ({ x: -0.3, y: row + 0.75, text: WEEKDAYS[row].slice(0, 2), anchor: "end" }));
  const heard = days.filter((day) => listening.seconds[day - listening.first] > 0).length;
  return heatMap(
    `Calendar of the time listened on each day from ${longDate(first)} to ${longDate(last)}: ${count(heard, "day")} with plays.`,
    cells,
    [...months, ...names],
    { columns: Math.max(columns, 53), rows: 7, width: 15, height: 15, left: 24, hint: "← Scroll sideways for older days" },
  );
};

const calendarCard = () => {
  const yearOf = (day) => dateOf(day).getUTCFullYear();
  const final = listening.first + listening.seconds.length - 1;
  const years = [];
  for (let year = yearOf(final); year >= yearOf(listening.first); year--) years.push(String(year));
  let chosen = years.includes(getChoice("year")) ? getChoice("year") : null;
  const frame = el("div", {});
  const days = () => {
    if (!chosen) return [final - 364, final];
    const day = (month) => Date.UTC(Number(chosen), month, 1) / DAY_MS - start / DAY_MS;
    return [day(0), day(12) - 1];
  };
  const draw = () => {
    frame.replaceChildren(calendar(...days()));
    // Where the calendar is wider than the screen, its newest days show first.
    const scroll = frame.querySelector(".scroll");
    requestAnimationFrame(() => scroll.scrollTo(chosen ? 0 : scroll.scrollWidth, 0));
  };
  const chooser = el(
    "select",
    {
      class: "filter",
      "aria-label": "Year of the calendar",
      onchange: ({ target }) => {
        chosen = target.value || null;
        setChoice("year", chosen, { step: true });
        draw();
      },
    },
    el("option", { value: "" }, "Last 12 months"),
    years.map((year) => el("option", { value: year, selected: year === chosen }, year)),
  );
  draw();
  const data = plotData("Time listened by day", () => {
    const [first, last] = days();
    const rows = Array.from({ length: last - first + 1 }, (_, number) => first + number).filter(
      (day) => listening.seconds[day - listening.first] > 0,
    );
    return [
      [
        { label: "Day", head: true, value: (day) => day, cell: shortDate },
        {
          label: "Time",
          number: true,
          value: (day) => listening.seconds[day - listening.first],
          cell: (day) => spentCell(listening.seconds[day - listening.first], listening.estimated[day - listening.first]),
        },
        { label: "Plays", number: true, value: (day) => listening.plays[day - listening.first] },
      ],
      rows,
    ];
  });
  chooser.addEventListener("change", data.rebuild);
  return card("Calendar", null, chooser, frame, shadeLegend(), data.details);
};

const clockCard = (period) => {
  const seconds = Array.from({ length: 7 * 24 }, (_, hour) =>
    sum(listening.hours.slice(0, period + 1).map((values) => values[hour])),
  );
  const top = Math.max(...seconds) || 1;
  const most = seconds.indexOf(Math.max(...seconds));
  const time = (hour) => `${String(hour).padStart(2, "0")}:00`;
  const name = (number) => `${WEEKDAYS[Math.floor(number / 24)]}, ${time(number % 24)} to ${time((number % 24) + 1)}`;
  const cells = seconds.map((value, number) => ({
    row: Math.floor(number / 24),
    column: number % 24,
    shade: shadeOf(value, top),
    text: `${name(number)}: ${spent(value)}, ${percent(value, sum(seconds))} of the time.`,
  }));
  const hoursShown = [0, 6, 12, 18].map((hour) => ({ x: hour, y: -0.25, text: time(hour) }));
  const names = WEEKDAYS.map((day, row) => ({ x: -0.2, y: row + 0.65, text: day.slice(0, 3), anchor: "end" }));
  const description = `Most is heard on ${name(most)}. A play belongs to the hour in which it ended, in the time zone ${listening.zone}.`;
  const data = plotData("Time listened by weekday and hour", () => [
    [
      { label: "Hour", head: true, value: (hour) => hour, cell: time },
      ...WEEKDAYS.map((day, row) => ({
        label: day.slice(0, 3),
        number: true,
        value: (hour) => seconds[row * 24 + hour],
        cell: (hour) => spent(seconds[row * 24 + hour]),
      })),
    ],
    Array.from({ length: 24 }, (_, hour) => hour),
  ]);
  return card(
    "Listening clock",
    description,
    null,
    heatMap(`Squares for each hour of the week. ${description}`, cells, [...hoursShown, ...names], {
      columns: 24,
      rows: 7,
      width: 26,
      height: 24,
      left: 46,
    }),
    shadeLegend(),
    data.details,
  );
};

const monthsCard = () => {
  const first = monthOf(listening.first);
  const length = monthOf(listening.first + listening.seconds.length - 1) - first + 1;
  const exact = Array(length).fill(0);
  const estimated = Array(length).fill(0);
  listening.seconds.forEach((seconds, number) => {
    const month = monthOf(listening.first + number) - first;
    estimated[month] += listening.estimated[number];
    exact[month] += seconds - listening.estimated[number];
  });
  const inHours = (values) => values.map((seconds) => seconds / 3600);
  const isPart = sum(estimated) > 0;
  const best = exact.map((seconds, month) => seconds + estimated[month]);
  const most = best.indexOf(Math.max(...best));
  const description = `Most in ${monthName(first + most)}: ${spentText(best[most], estimated[most])}.${isPart ? " Spotify's API does not say how long a song was played: its time is estimated by the song's length and the start of the next play." : ""}`;
  const data = plotData("Time listened by month", () => [
    [
      { label: "Month", head: true, value: (month) => month, cell: (month) => monthName(first + month) },
      { label: "Time", number: true, value: (month) => best[month], cell: (month) => spent(best[month]) },
      isPart && {
        label: "Of it estimated",
        number: true,
        value: (month) => estimated[month],
        cell: (month) => spent(estimated[month]),
      },
    ],
    best.map((_, month) => month),
  ]);
  return card(
    "Hours by month",
    description,
    null,
    isPart &&
      legend([
        ["exact", "var(--c0)"],
        ["estimated", "var(--c5)"],
      ]),
    monthBars(
      `Bar chart of hours by month. ${description}`,
      first,
      [
        { label: "exact", fill: "c0", values: inHours(exact), stack: "hours" },
        ...(isPart ? [{ label: "estimated", fill: "c5", values: inHours(estimated), stack: "hours" }] : []),
      ],
      (value) => `${value.toFixed(1)} h`,
    ),
    data.details,
  );
};

const gapsCard = () => {
  if (!listening.gap_count) return null;
  const options = { dateStyle: "medium", timeStyle: "short", timeZone: zoneKnown(listening.zone) };
  const format = new Intl.DateTimeFormat("en-GB", options);
  const at = (seconds) => el("span", { class: "n" }, format.format(new Date(seconds * 1000)));
  const table = sortable(
    "Times in which plays may be missing",
    [
      { label: "From", head: true, value: (row) => row.start, cell: (row) => at(row.start) },
      { label: "To", value: (row) => row.end, cell: (row) => at(row.end) },
      { label: "Length", number: true, value: (row) => row.end - row.start, cell: (row) => spent(row.end - row.start) },
    ],
    listening.gaps,
    { name: "gaps", sort: [0, true], limit: 8 },
  );
  return card(
    `${count(listening.gap_count, "gap")} between polls`,
    "Spotify keeps the last 50 plays, and more than these were played between two polls. The calendar marks these days. The extended streaming history closes the gaps once it is imported.",
    null,
    table.table,
  );
};
/** A time zone that this browser knows. */
const zoneKnown = (zone) => {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
};

// --- The view ---

const listeningView = () => {
  const choices = listeningPeriods();
  const usual = choices[Math.max(0, choices.length - 2)];
  const named = PERIOD_KEYS.indexOf(getChoice("period"));
  let period = choices.includes(named) ? named : usual;
  const ofPeriod = el("div", { class: "stack" });
  const lists = el("div", { class: "stack" });
  const fill = () => {
    ofPeriod.replaceChildren(...periodCards(period).filter(Boolean));
    lists.replaceChildren(...[skipsCard(period), pair(unlistedCard(period), neverCard())].filter(Boolean));
    span.textContent = periodText(period);
  };
  const span = el("p", { class: "muted", id: "span" });
  const buttons = choices.map((one) =>
    el(
      "button",
      {
        type: "button",
        "aria-pressed": String(one === period),
        onclick: () => {
          period = one;
          buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(choices[number] === period)));
          setChoice("period", period === usual ? null : PERIOD_KEYS[period], { step: true });
          fill();
          say(`Showing ${periodText(period)}`);
        },
      },
      PERIOD_NAMES[one],
    ),
  );
  fill();
  return [
    el(
      "div",
      { class: "head" },
      el("h1", {}, "Listening"),
      choices.length > 1 && el("div", { class: "segments", role: "group", "aria-label": "Period" }, buttons),
      span,
    ),
    ofPeriod,
    calendarCard(),
    monthsCard(),
    discoveryCard(),
    playedListsCard(),
    lists,
    gapsCard(),
    aboutPlaysCard(),
  ];
};

const periodText = (period) =>
  period === AGES_OF_ALL
    ? `All plays, ${longDate(listening.first)} to ${longDate(listening.last)}`
    : `${longDate(firstDayOf(period))} to ${longDate(listening.last)}, the last day with plays`;

const periodCards = (period) => [
  listeningTiles(period),
  heardSongsCard(period),
  pair(heardArtistsCard(period), heardAlbumsCard(period)),
  clockCard(period),
  kindsCard(period),
];

const aboutPlaysCard = () =>
  card(
    "About these numbers",
    null,
    null,
    el(
      "p",
      {},
      `Every play counts once, by the best source that has it: the extended streaming history, then account data, then Spotify's API. Numbers of plays leave out those of less than 30 seconds; times include them. Songs are told apart by title and artist, since Spotify gives the same song new ids. Times marked ≈ are estimated at least in part. Account data does not name albums. Periods end on ${longDate(listening.last)}, the last day with plays. Days and hours are in the time zone ${listening.zone}.`,
    ),
  );
