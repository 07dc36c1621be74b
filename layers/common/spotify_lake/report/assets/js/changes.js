// Entries that entered and left: totals by day or week, and the list of recent changes.

const MOST_BARS = 120; // with more snapshots than this, bars are weekly totals

/** Total what entered and left by day, or by week if there are many days. */
const flowsOf = (lists) => {
  const totals = (flows) => {
    const byDay = new Map();
    for (const { day, entered, left } of flows) {
      const total = byDay.get(day) || { day, entered: 0, left: 0 };
      total.entered += entered;
      total.left += left;
      byDay.set(day, total);
    }
    return [...byDay.values()].sort((a, b) => a.day - b.day);
  };
  const daily = totals(
    lists.flatMap(({ days, entered, left }) =>
      days.map((day, number) => ({ day, entered: entered[number], left: left[number] })),
    ),
  );
  if (daily.length <= MOST_BARS) return { flows: daily, weekly: false };
  const mondayOf = (day) => day - ((dateOf(day).getUTCDay() + 6) % 7);
  return { flows: totals(daily.map((flow) => ({ ...flow, day: mondayOf(flow.day) }))), weekly: true };
};

const flowCard = (lists) => {
  const { flows, weekly } = flowsOf(lists);
  const title = "Entered and left";
  if (flows.length < 2) return card(title, "There is only one snapshot so far. Changes appear from the second one.");
  const entered = sum(flows.map((flow) => flow.entered));
  const left = sum(flows.map((flow) => flow.left));
  const first = flows[0].day;
  const last = flows.at(-1).day;
  if (!entered && !left) return card(title, `Nothing has entered or left since ${longDate(first)}.`);
  const busiest = flows.reduce((a, b) => (b.entered + b.left > a.entered + a.left ? b : a));
  const when = (day) => (weekly ? `week of ${longDate(day)}` : longDate(day));
  const description = `${count(entered, "entry", "entries")} entered and ${num(left)} left since ${longDate(first)}. The busiest ${weekly ? "week began" : "snapshot was"} on ${longDate(busiest.day)}: ${num(busiest.entered)} in, ${num(busiest.left)} out.`;

  // The axis has one slot per bar: a tick labels the bar whose day or week contains the day of the tick.
  const label = tickLabel(first, last);
  const length = weekly ? WEEK : 1;
  const labelsAt = (width) =>
    new Map(
      tickDays(first, last, width).map((tick) => [flows.findIndex((flow) => flow.day + length > tick), label(tick)]),
    );
  const bars = { stack: "flow", borderRadius: 2, barPercentage: 0.92, categoryPercentage: 0.9, maxBarThickness: 26 };
  const figure = plot(`Bar chart. ${description}`, () => ({
    type: "bar",
    data: {
      labels: flows.map((flow) => flow.day),
      datasets: [
        { label: "entered", data: flows.map((flow) => flow.entered), backgroundColor: token("in"), ...bars },
        { label: "left", data: flows.map((flow) => -flow.left), backgroundColor: token("out"), ...bars },
      ],
    },
    options: {
      interaction: { mode: "index", intersect: false },
      scales: {
        x: {
          stacked: true,
          grid: { display: false },
          ticks: {
            autoSkip: false,
            maxRotation: 0,
            callback(_, at) {
              return labelsAt(this.chart.width).get(at) ?? null;
            },
          },
        },
        y: {
          stacked: true,
          border: { display: false },
          ticks: { precision: 0, maxTicksLimit: 7, callback: (value) => num(Math.abs(value)) },
        },
      },
      plugins: {
        tooltip: {
          callbacks: {
            title: ([item]) => when(flows[item.dataIndex].day),
            label: (item) => ` ${num(Math.abs(item.raw))} ${item.dataset.label}`,
          },
        },
      },
    },
  }));
  const data = plotData(`Entries that entered and left by ${weekly ? "week" : "snapshot"}`, () => [
    [
      { label: weekly ? "Week of" : "Day", value: (flow) => flow.day, cell: (flow) => shortDate(flow.day), head: true },
      { label: "Entered", number: true, value: (flow) => flow.entered },
      { label: "Left", number: true, value: (flow) => flow.left },
    ],
    flows,
  ]);
  return card(
    title,
    description,
    null,
    legend([
      ["entered", "var(--in)"],
      ["left", "var(--out)"],
    ]),
    figure,
    data.details,
  );
};

const eventsCard = (playlist) => {
  if (!playlist.events.length) return null;
  const item = ({ step, song, position, days }) => {
    const entered = step > 0;
    return el(
      "li",
      {},
      el(
        "span",
        { class: entered ? "up" : "down", role: "img", "aria-label": entered ? "entered" : "left" },
        entered ? "+" : "−",
      ),
      el(
        "span",
        {},
        songLink(song),
        song.artists.length > 0 && el("span", { class: "muted" }, " ", artistLinks(song.artists)),
      ),
      muted(entered ? `at ${position}` : `after ${count(days, "day")}`),
    );
  };
  const byDay = new Map();
  for (const event of readEvents(playlist.events)) byDay.set(event.day, [...(byDay.get(event.day) || []), event]);
  return card(
    "Recent changes",
    "Entries that entered and left in the last month, newest first.",
    null,
    el(
      "div",
      { class: "events", tabindex: "0", role: "region", "aria-label": "Recent changes" },
      [...byDay].map(([day, events]) =>
        el("div", {}, el("h3", {}, longDate(day)), el("ul", { role: "list" }, events.map(item))),
      ),
    ),
  );
};
