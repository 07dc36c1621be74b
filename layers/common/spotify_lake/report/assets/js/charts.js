// The view of the charts: one region at a time, and songs across regions.

const WORLD = "Global";
const SPREAD_LINES = 8; // number of lines in the plot of songs across regions

const chartSongCell = ({ song }) => [
  el("b", {}, songLink(song)),
  song.by && el("span", { class: "by" }, isolated(song.by)),
];
const chartSongText = ({ song }) => `${song.name} ${song.by}`;
const regionCell = (row) => isolated(row.region);

// --- One region ---

const regionArtistsCard = (charts, region) => {
  const { unit } = charts;
  const { artists: listed, streams } = region;
  if (!listed.length) return null;
  const measured = listed.some((artist) => artist.streams !== null);
  const leader = listed[0];
  const most = (measured ? leader.streams : leader.charts) || 1;
  const streamsCell = (row) => meter(num(row.streams ?? 0), (row.streams ?? 0) / most, num(most).length);
  const table = sortable(
    `Artists, ${region.name}`,
    [
      { label: "Artist", head: true, value: (row) => row.name, cell: (row) => artistLink(row) },
      measured && {
        label: "Streams",
        title: "Streams of their songs while in the chart; a song by two artists counts for both",
        value: (row) => row.streams,
        cell: streamsCell,
      },
      measured &&
        streams && {
          label: "Share",
          title: "Share of all streams in the chart",
          number: true,
          value: (row) => row.streams,
          cell: (row) => percent(row.streams ?? 0, streams),
        },
      {
        label: charts.units,
        title: `${charts.units} with a song in the chart`,
        number: true,
        value: (row) => row.charts,
        cell: (row) => num(row.charts),
      },
      { label: "Songs", number: true, value: (row) => row.songs },
      {
        label: "Peak",
        title: "Best rank of any of the songs",
        number: true,
        ascending: true,
        value: (row) => row.peak,
      },
    ],
    listed,
    { name: "artists", sort: [1, true] },
  );
  const description = measured
    ? `${leader.name} leads with ${num(leader.streams)} streams${streams ? `, ${percent(leader.streams, streams)} of all streams in the chart` : ""}. Only streams of songs in the chart are known.`
    : `${leader.name} was in the chart for ${count(leader.charts, unit)}. This chart does not include streams.`;
  return card(measured ? "Top artists by streams" : "Top artists", description, null, table.table);
};

const regionSongsCard = (charts, region) => {
  const { unit, units } = charts;
  const { songs: listed } = region;
  if (!listed.length) return null;
  const highest = listed[0];
  const longest = listed.reduce((a, b) => (b.charts > a.charts ? b : a));
  const description = `${highest.song.name} was at number ${num(highest.peak)} for ${count(highest.at_peak, unit)}. ${longest === highest ? "It" : longest.song.name} stayed in the chart longest: ${num(longest.charts)} of ${count(region.charts, unit)}. The table lists the songs with the highest peaks and those that stayed longest.`;
  const table = sortable(
    `Songs, ${region.name}`,
    [
      { label: "Song", head: true, value: (row) => row.song.name, cell: chartSongCell },
      { label: "Peak", title: "Best rank", number: true, ascending: true, value: (row) => row.peak },
      {
        label: "First reached",
        title: "First day at that rank",
        value: (row) => row.reached,
        cell: (row) => dateCell(row.reached),
      },
      { label: `${units} at peak`, title: `${units} at the best rank`, number: true, value: (row) => row.at_peak },
      { label: `${units} in chart`, number: true, value: (row) => row.charts },
      region.streams !== null && {
        label: "Streams",
        number: true,
        value: (row) => row.streams,
        cell: (row) => (row.streams === null ? "–" : num(row.streams)),
      },
      {
        label: "Final rank",
        title: `Rank on ${longDate(region.last)}`,
        number: true,
        ascending: true,
        value: (row) => row.now,
        cell: (row) => (row.now === null ? muted("out") : num(row.now)),
      },
    ],
    listed,
    { name: "songs", search: chartSongText },
  );
  return card(`Peak positions and ${unit}s in the chart`, description, table.filter, table.table);
};

const regionCards = (charts, region) => {
  const span =
    region.first === region.last
      ? `on ${longDate(region.last)}`
      : `from ${longDate(region.first)} to ${longDate(region.last)}`;
  return [
    el(
      "p",
      { class: "muted" },
      `${charts.name} for `,
      isolated(region.name),
      ` ${span}: ${count(region.charts, charts.unit)}.`,
    ),
    regionArtistsCard(charts, region),
    regionSongsCard(charts, region),
    forecastCard(charts, region),
  ];
};

// --- Across regions ---

const spreadPlot = (drawn, description) => {
  // Regions reached on the same day are one point, with the highest number.
  const points = (row) =>
    row.reached
      .map((day, number) => ({ x: day, y: number + 1 }))
      .filter((point, number, all) => all[number + 1]?.x !== point.x);
  const end = Math.max(1, ...drawn.map((row) => row.reached.at(-1)));
  return plot(
    `Line chart of the number of regions each song has reached, by days since it first charted. ${description}`,
    () => ({
      type: "line",
      data: {
        datasets: drawn.map((row, number) => ({
          label: row.song.name,
          data: points(row),
          borderColor: color(number),
          backgroundColor: color(number),
          borderWidth: 2.2,
          stepped: "before",
          pointRadius: 2,
          pointHoverRadius: 5,
          pointBorderWidth: 0,
        })),
      },
      options: {
        interaction: { mode: "nearest", intersect: false, axis: "xy" },
        scales: {
          x: {
            type: "linear",
            min: 0,
            max: end,
            grid: { display: false },
            title: { display: true, text: "days since first charted" },
            ticks: { precision: 0, maxTicksLimit: 10 },
          },
          y: {
            min: 0,
            suggestedMax: 5,
            border: { display: false },
            title: { display: true, text: "regions" },
            ticks: { precision: 0, maxTicksLimit: 7 },
          },
        },
        plugins: {
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => `${count(item.parsed.x, "day")} after it first charted`,
              label: (item) => `${truncate(item.dataset.label, 48)}: ${count(item.parsed.y, "region")}`,
            },
          },
        },
      },
    }),
  );
};

const spreadTable = (spread, regions) => {
  const half = (row) => row.reached[Math.ceil(row.reached.length / 2) - 1];
  const all = (row) => row.reached.at(-1);
  return sortable(
    "Songs by number of regions",
    [
      { label: "Song", head: true, value: (row) => row.song.name, cell: chartSongCell },
      {
        label: "Regions",
        title: "Regions whose chart it entered; Global is not counted",
        value: (row) => row.reached.length,
        cell: (row) => meter(num(row.reached.length), row.reached.length / regions, 2),
      },
      { label: "First in", value: (row) => row.region, cell: regionCell },
      { label: "First day", value: (row) => row.first, cell: (row) => dateCell(row.first) },
      {
        label: "Half after",
        title: "Days until it had entered half of these charts",
        number: true,
        value: half,
        cell: (row) => count(half(row), "day"),
      },
      {
        label: "All after",
        title: "Days until it had entered all of them",
        number: true,
        value: all,
        cell: (row) => count(all(row), "day"),
      },
      { label: "Peak", title: "Best rank in any region", number: true, ascending: true, value: (row) => row.peak },
    ],
    spread,
    { name: "spread", limit: 12, search: chartSongText },
  );
};

const spreadCard = ({ spread, regions }) => {
  const others = regions.filter((region) => region.name !== WORLD).length;
  if (others < 2) return null;
  const title = "Around the world";
  if (!spread.length) return card(title, "No new song entered the chart of any region during the period.");
  const furthest = spread[0];
  const days = furthest.reached.at(-1);
  const description = `Songs that were not in any region's first chart of the period. ${furthest.song.name} started in ${furthest.region} on ${longDate(furthest.first)} and reached ${count(furthest.reached.length, "region")} ${days ? `in ${count(days, "day")}` : "on the same day"}.`;
  const table = spreadTable(spread, others);
  const drawn = spread.slice(0, SPREAD_LINES).filter((row) => row.reached.length > 1);
  if (!drawn.length) return card(title, description, table.filter, table.table);
  const keys = legend(drawn.map((row, number) => [songLink(row.song), `var(--c${number})`]));
  const steps = [...new Set(drawn.flatMap((row) => row.reached))].sort((a, b) => a - b);
  const data = plotData("Regions by days since the song first charted", () => [
    [
      { label: "Days", head: true, value: (day) => day },
      ...drawn.map((row) => ({
        label: row.song.name,
        number: true,
        value: (day) => row.reached.filter((at) => at <= day).length,
      })),
    ],
    steps,
  ]);
  return card(title, description, table.filter, keys, spreadPlot(drawn, description), data.details, table.table);
};

const aheadCard = ({ ahead, title: chart }) => {
  const title = `Viral before the ${chart}`;
  if (!ahead.length)
    return card(title, `No song entered a region's viral chart before its ${chart} during the period.`);
  const days = (row) => row.entered - row.viral;
  const table = sortable(
    "Songs that were viral first",
    [
      { label: "Song", head: true, value: (row) => row.song.name, cell: chartSongCell },
      { label: "Region", value: (row) => row.region, cell: regionCell },
      {
        label: "Ahead",
        title: `Days between entering the viral chart and entering the ${chart}`,
        number: true,
        value: days,
        cell: (row) => count(days(row), "day"),
      },
      {
        label: chart,
        title: `First day in the ${chart}`,
        value: (row) => row.entered,
        cell: (row) => dateCell(row.entered),
      },
      { label: "Peak", title: `Best rank in the ${chart}`, number: true, ascending: true, value: (row) => row.peak },
    ],
    ahead,
    { name: "ahead", limit: 12, search: (row) => `${chartSongText(row)} ${row.region}` },
  );
  return card(
    title,
    `Songs that entered a region's viral chart before its ${chart} during the period, best peak first.`,
    table.filter,
    table.table,
  );
};

const viralSharesCard = ({ viral, title: chart }) => {
  const entered = sum(viral.map((row) => row.entered));
  const before = sum(viral.map((row) => row.before));
  if (!entered) return null;
  const share = (row) => row.before / row.entered;
  const rows = [...viral].sort((a, b) => share(b) - share(a) || b.entered - a.entered);
  const most = Math.max(...rows.map(share)) || 1;
  const table = sortable(
    "Viral first, by region",
    [
      { label: "Region", head: true, value: (row) => row.region, cell: regionCell },
      { label: "Share", value: share, cell: (row) => meter(percent(row.before, row.entered), share(row) / most, 4) },
      {
        label: "New entries",
        title: `Songs that were viral first, out of all that entered the ${chart} after its first chart`,
        number: true,
        value: (row) => row.entered,
        cell: (row) => `${num(row.before)} of ${num(row.entered)}`,
      },
    ],
    rows,
    { name: "shares", sort: [1, true], limit: 12, search: (row) => row.region },
  );
  return card(
    "By region",
    `Of ${count(entered, "new entry", "new entries")} in the regions' ${chart}, ${num(before)} (${percent(before, entered)}) had been in the viral chart of the same region before.`,
    table.filter,
    table.table,
  );
};

// --- The view ---

const chartsHead = (charts) => {
  const { regions, name, first, last } = charts;
  const others = regions.filter((region) => region.name !== WORLD).length;
  const where = [others < regions.length && WORLD, others && count(others, "region")].filter(Boolean).join(" and ");
  const age = Math.floor((Date.parse(generatedAt) - dateOf(last)) / DAY_MS);
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Charts"),
    el(
      "p",
      {},
      `${name} for ${where}, ${first === last ? longDate(last) : `${longDate(first)} to ${longDate(last)}`}: the newest charts in the lake.`,
    ),
    el(
      "p",
      { class: "muted" },
      "These charts count all listeners, not your playlists. Global is a separate chart, not the sum of the regions. ",
      age > 31 && `The newest chart was ${count(age, "day")} old when this page was made.`,
    ),
  );
};

const chartsView = () => {
  const { regions, viral, ahead } = charts;
  const regional = el("div", { class: "stack" });
  const chosen = regions.find((region) => region.name === getChoice("region")) ?? regions[0];
  const showRegion = (region) => regional.replaceChildren(...regionCards(charts, region).filter(Boolean));
  const chooser = el(
    "select",
    {
      class: "filter",
      id: "region",
      onchange: (event) => {
        const region = regions[event.target.value];
        setChoice("region", region === regions[0] ? null : region.name, { step: true });
        showRegion(region);
        drawPlots();
        say(`Showing ${region.name}`);
      },
    },
    regions.map((region, number) => el("option", { value: number, selected: region === chosen }, region.name)),
  );
  showRegion(chosen);
  return [
    chartsHead(charts),
    regions.length > 1 && el("p", { class: "choice" }, el("label", { for: "region" }, "Region"), chooser),
    regional,
    forecastScoresCard(charts),
    spreadCard(charts),
    (viral.length > 0 || ahead.length > 0) && [aheadCard(charts), viralSharesCard(charts)],
  ];
};
