// The forecast of the chart: the last weeks of a song with the next days, and how good the forecasts were.

const SIMPLE = {
  naive: "assuming the streams of today",
  drift: "continuing the change of the last 14 days",
  "seasonal naive": "repeating the same weekday of the week before",
};

const thousands = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const fraction = (value, digits = 0) => `${(100 * value).toFixed(digits)}%`;
/** The scores are errors of logarithms. */
const relativeError = (error) => fraction(Math.expm1(error), 1);
const between = (low, high) => (low === high ? num(low) : `${num(low)} to ${num(high)}`);

/** The days of a forecast: those of the past that are shown, and those ahead; a day may be both. */
const forecastDays = (charts, { past, streams, low, high }) => {
  const first = charts.last - past.length + 1;
  const { made } = charts.forecast;
  return Array.from({ length: made + streams.length - first + 1 }, (_, number) => {
    const ahead = first + number - made - 1;
    const at = (values) => (ahead < 0 ? null : values[ahead]);
    return { day: first + number, past: past[number] ?? null, streams: at(streams), low: at(low), high: at(high) };
  });
};

const forecastPlot = (charts, chosen) =>
  plot("", () => {
    const row = chosen();
    const days = forecastDays(charts, row);
    const { made } = charts.forecast;
    const line = (name, number, options) => ({
      label: name,
      // The lines of the forecast begin at the last known value.
      data: days.map((day) => ({ x: day.day, y: name !== "past" && day.day === made ? day.past : day[name] })),
      borderColor: color(number),
      backgroundColor: color(number),
      borderWidth: 2.2,
      pointRadius: 0,
      pointHoverRadius: 4,
      pointBorderWidth: 0,
      ...options,
    });
    const edge = { borderWidth: 0, pointHoverRadius: 0, backgroundColor: faint(color(1), 0.22) };
    return {
      type: "line",
      data: {
        datasets: [
          line("past", 0, { pointRadius: ({ dataIndex: at }) => (days[at - 1]?.past || days[at + 1]?.past ? 0 : 2.5) }),
          line("streams", 1, { borderDash: [5, 4] }),
          line("low", 1, edge),
          line("high", 1, { ...edge, fill: "-1" }),
        ],
      },
      options: {
        interaction: { mode: "index", intersect: false, axis: "x" },
        scales: {
          x: timeAxis(days[0].day, days.at(-1).day),
          y: {
            grace: "8%",
            border: { display: false },
            title: { display: true, text: "streams" },
            ticks: { maxTicksLimit: 6, callback: (value) => thousands.format(value) },
          },
        },
        plugins: {
          tooltip: {
            displayColors: false,
            filter: ({ datasetIndex, dataIndex: at }) =>
              datasetIndex === 0 || (datasetIndex === 1 && days[at].streams !== null),
            callbacks: {
              title: ([item]) => longDate(item.parsed.x),
              label: ({ datasetIndex, dataIndex: at }) =>
                datasetIndex === 0
                  ? `${num(days[at].past)} streams`
                  : [`Forecast: ${num(days[at].streams)}`, `80% interval: ${between(days[at].low, days[at].high)}`],
            },
          },
        },
      },
    };
  });

const forecastSentence = (charts, row) => {
  const until = longDate(charts.forecast.made + row.streams.length);
  return `${row.song.name} was at number ${num(row.now)} on ${longDate(charts.forecast.made)}. On ${until} it should have ${num(row.streams.at(-1))} streams; in four of five cases, they are between ${num(row.low.at(-1))} and ${num(row.high.at(-1))}.`;
};

const forecastTable = (charts, region, rows) => {
  const until = dayMonth(charts.forecast.made + rows[0].streams.length);
  return sortable(
    `Forecast, ${region.name}`,
    [
      { label: "Song", head: true, value: (row) => row.song.name, cell: chartSongCell },
      {
        label: "Rank",
        title: `Rank on ${longDate(charts.forecast.made)}`,
        number: true,
        ascending: true,
        value: (row) => row.now,
      },
      {
        label: `Rank ${until}`,
        title: `Rank among the songs of ${longDate(charts.forecast.made)}, and the range of the 80% interval; new songs are not forecast`,
        number: true,
        ascending: true,
        value: (row) => row.rank,
        cell: (row) => (row.best === row.worst ? num(row.rank) : `${num(row.rank)} (${row.best}–${row.worst})`),
      },
      {
        label: `Streams ${until}`,
        number: true,
        value: (row) => row.streams.at(-1),
        cell: (row) => num(row.streams.at(-1)),
      },
      {
        label: "80% interval",
        title: "In four of five cases, the streams lie in between",
        number: true,
        value: (row) => row.high.at(-1) - row.low.at(-1),
        cell: (row) => between(row.low.at(-1), row.high.at(-1)),
      },
    ],
    rows,
    { name: "forecast" },
  );
};

const forecastCard = (charts, region) => {
  const { forecast } = charts;
  if (!forecast) return null;
  const title = "The next seven days";
  if (!forecast.method)
    return card(
      title,
      `The newest forecast is of ${longDate(forecast.made)} and has no day after the end of this chart. Run ./lake model charts for a new one.`,
    );
  const rows = forecast.songs.filter((row) => row.region === region.name);
  if (!rows.length)
    return card(title, "This region was not forecast: its charts have gaps, too few days or too few songs.");
  let row = rows.find(({ song }) => song.key === getChoice("song")) ?? rows[0];
  const sentence = el("p", { class: "muted" });
  const figure = forecastPlot(charts, () => row);
  const data = plotData("Streams and forecast by day", () => [
    [
      { label: "Day", head: true, value: ({ day }) => day, cell: ({ day }) => shortDate(day) },
      { label: "Streams", number: true, value: ({ past }) => past, cell: ({ past }) => (past === null ? "–" : num(past)) },
      {
        label: "Forecast",
        number: true,
        value: ({ streams }) => streams,
        cell: ({ streams }) => (streams === null ? "–" : num(streams)),
      },
      {
        label: "80% interval",
        number: true,
        value: ({ low, high }) => (low === null ? null : high - low),
        cell: ({ low, high }) => (low === null ? "–" : between(low, high)),
      },
    ],
    forecastDays(charts, row),
  ]);
  const describe = () => {
    sentence.textContent = forecastSentence(charts, row);
    figure.drawing.canvas.setAttribute(
      "aria-label",
      `Line chart of the streams of ${row.song.name} in the last ${count(row.past.length, "day")}, and of the forecast for the next ${count(row.streams.length, "day")} with its interval. ${sentence.textContent}`,
    );
  };
  const chooser = el(
    "select",
    {
      class: "filter",
      id: "forecast-song",
      onchange: (event) => {
        row = rows[event.target.value];
        setChoice("song", row === rows[0] ? null : row.song.key, { step: true });
        describe();
        figure.drawing.draw();
        data.rebuild();
        say(sentence.textContent);
      },
    },
    rows.map((one, number) =>
      el("option", { value: number, selected: one === row }, `${one.now}. ${truncate(one.song.name, 48)}`),
    ),
  );
  describe();
  const keys = legend([
    ["streams", "var(--c0)"],
    ["forecast, with the 80% interval", "var(--c1)"],
  ]);
  return card(
    title,
    `Streams of the songs at the top on ${longDate(forecast.made)}, if they stay in the chart.`,
    null,
    rows.length > 1 && el("p", { class: "choice" }, el("label", { for: "forecast-song" }, "Song"), chooser),
    sentence,
    keys,
    figure,
    data.details,
    forecastTable(charts, region, rows).table,
  );
};

// --- How good the forecasts are ---

const scoreSentences = (score) => {
  const { chart, made, method, baseline, error, simple_error: simple, saved, inside } = score;
  const isModel = !(method in SIMPLE);
  const range = `${fraction(score.saved_low)} to ${fraction(score.saved_high)}`;
  const difference = isModel
    ? `The model avoids ${fraction(saved)} of the simple method’s error (95% interval ${range}), so its forecast is shown.`
    : `${saved > 0 ? `The model avoids ${fraction(saved)} of the simple method’s error` : `The model’s error is ${fraction(-saved)} larger`}, but with a 95% interval of ${range} it is not better for certain. So the forecast of the simple method is shown.`;
  return [
    `${chart}, tested on the four weeks before ${longDate(made)}: the model (a random forest) was off by ${relativeError(error)} on average, the best simple method by ${relativeError(simple)}. That method is ${SIMPLE[baseline] ?? baseline} (${baseline}).`,
    difference,
    `The true value was in the 80% interval in ${fraction(inside)} of the cases.`,
  ].join(" ");
};

const forecastScoresCard = ({ forecast, title: chart }) => {
  if (!forecast?.scores.length) return null;
  const [shownScore] = forecast.scores.filter((score) => score.chart === chart);
  const rows = shownScore?.by_day.map(([error, simple, inside], number) => ({ ahead: number + 1, error, simple, inside }));
  const table =
    rows &&
    sortable(
      `Mean error of the forecasts, ${chart}`,
      [
        { label: "Days ahead", value: (row) => row.ahead },
        { label: "Model", number: true, value: (row) => row.error, cell: (row) => relativeError(row.error) },
        {
          label: "Simple method",
          title: shownScore.baseline,
          number: true,
          value: (row) => row.simple,
          cell: (row) => relativeError(row.simple),
        },
        {
          label: "In the interval",
          title: "How often the true value was in the 80% interval of the forecast that is shown",
          number: true,
          value: (row) => row.inside,
          cell: (row) => fraction(row.inside),
        },
      ],
      rows,
      { name: "scores" },
    );
  return card(
    "How good these forecasts are",
    null,
    null,
    forecast.scores.map((score) => el("p", { class: "muted" }, scoreSentences(score))),
    table && table.table,
  );
};
